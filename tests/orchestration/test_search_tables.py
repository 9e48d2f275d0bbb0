"""The tables of a search: the optimum over trials, and where each trial crosses each axis."""

import csv
from pathlib import Path

import pytest

from fer.config.params import Dimension
from fer.orchestration.search_figure import optimum, search_picture
from fer.orchestration.search_tables import TrialRow, best_row, write_parallel, write_trials

SPACE = {
    "lr": Dimension(low=0.001, high=0.1, log=True),
    "epochs": Dimension(low=10, high=20, whole=True),
    "network.pooling": Dimension(choices=("max", "fractional")),
}


def trial(number: int, accuracy: float | None, state: str = "complete", rate: float = 0.01) -> TrialRow:
    return TrialRow(number, state, accuracy, 5, {"lr": rate, "epochs": 15, "network.pooling": "fractional"})


TRIALS = [
    trial(2, 0.9, "pruned", 0.001),
    trial(0, 0.5),
    trial(1, 0.7, rate=0.1),
    trial(3, None, "running"),
    trial(4, 0.6),
]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_optimum_is_that_of_complete_trials(tmp_path: Path) -> None:
    write_trials(tmp_path / "t.csv", TRIALS)
    table = rows(tmp_path / "t.csv")
    assert [(row["trial"], row["best"]) for row in table] == [("0", "0.5"), ("1", "0.7"), ("2", "0.7"), ("4", "0.7")]
    assert (table[1]["lr"], table[2]["state"]) == ("0.1", "pruned")
    best = best_row(TRIALS)
    assert best is not None
    assert best.number == 1
    assert best_row([trial(0, 0.5), trial(1, 0.5)]) == trial(0, 0.5)
    assert best_row(TRIALS[:1]) is None


def test_axes_go_from_the_lowest_to_the_highest(tmp_path: Path) -> None:
    write_parallel(tmp_path / "p.csv", TRIALS, SPACE)
    places = {(row["trial"], row["axis"]): float(row["position"]) for row in rows(tmp_path / "p.csv")}
    assert places["0", "1 lr"] == pytest.approx(0.5)  # the middle of two decades
    assert (places["2", "1 lr"], places["1", "1 lr"]) == (0.0, 1.0)
    assert (places["0", "2 epochs"], places["0", "3 network.pooling"]) == (0.5, 1.0)
    assert [places[number, "4 accuracy"] for number in ("0", "1", "2", "4")] == pytest.approx([0, 0.5, 1, 0.25])


def test_without_a_trial_there_is_no_table(tmp_path: Path) -> None:
    write_trials(tmp_path / "t.csv", [])
    assert not list(tmp_path.iterdir())


def test_a_line_says_what_a_person_wants_to_know() -> None:
    assert trial(1, 0.7234).line == (
        "trial 1: PublicTest 72.34% (complete, 5 epochs) lr 0.01, epochs 15, network.pooling fractional"
    )


def test_the_picture_shows_the_optimum_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    numbers, highest = optimum(sorted(TRIALS, key=lambda row: row.number))
    assert (numbers, highest) == ([0, 1, 2, 3, 4], [0.5, 0.7, 0.7, 0.7, 0.7])
    for name in ("a.png", "b.png"):
        search_picture(TRIALS, SPACE, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 10_000
