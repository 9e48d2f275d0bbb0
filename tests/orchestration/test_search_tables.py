"""The tables of a search: the optimum over trials, and where each trial crosses each axis."""

import csv
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from fer.config.params import Dimension
from fer.orchestration.search_figure import search_picture
from fer.orchestration.search_tables import best_of, line_of, parallel_table, parameters_of, table_of, write_table

SPACE = {
    "lr": Dimension(low=0.001, high=0.1, log=True),
    "epochs": Dimension(low=10, high=20, whole=True),
    "network.pooling": Dimension(choices=("max", "fractional")),
}


def trial(number: int, accuracy: float | None, state: str = "complete", rate: float = 0.01) -> FrozenTrial:
    made = create_trial(
        state=TrialState[state.upper()],
        value=0.1 if state == "pruned" else accuracy,  # Optuna gives a pruned trial its last epoch's
        params={"lr": rate, "epochs": 15, "network.pooling": "fractional"},
        distributions={
            "lr": FloatDistribution(0.001, 0.1, log=True),
            "epochs": IntDistribution(10, 20),
            "network.pooling": CategoricalDistribution(("max", "fractional")),
        },
        intermediate_values={} if accuracy is None else {4: 0.05, 5: accuracy},
    )
    made.number = number
    return made


def test_a_choice_stays_as_it_was_declared_and_a_drawn_value_is_short() -> None:
    made = create_trial(
        value=0.5,
        params={"lr": 0.0123456, "augment.shift": 0.12345},
        distributions={"lr": FloatDistribution(0.001, 0.1), "augment.shift": CategoricalDistribution((0.12345, 0.5))},
    )
    assert parameters_of(made) == {"lr": 0.01235, "augment.shift": 0.12345}


TRIALS = [
    trial(0, 0.5),
    trial(1, 0.7, rate=0.1),
    trial(2, 0.9, "pruned", 0.001),
    trial(3, None, "running"),
    trial(4, 0.6),
]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_optimum_is_that_of_complete_trials(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", table_of(TRIALS))
    table = rows(tmp_path / "t.csv")
    assert [(row["trial"], row["best"]) for row in table] == [("0", "0.5"), ("1", "0.7"), ("2", "0.7"), ("4", "0.7")]
    assert (table[1]["lr"], table[2]["state"]) == ("0.1", "pruned")
    assert (table[0]["epochs_trained"], table[0]["epochs"]) == ("5", "15")
    assert best_of(TRIALS) is TRIALS[1]
    first, second = trial(0, 0.5), trial(1, 0.5)
    assert best_of([first, second]) is first
    assert best_of(TRIALS[2:4]) is None


def test_axes_go_from_the_lowest_to_the_highest(tmp_path: Path) -> None:
    write_table(tmp_path / "p.csv", parallel_table(table_of(TRIALS), SPACE))
    places = {(row["trial"], row["axis"]): float(row["position"]) for row in rows(tmp_path / "p.csv")}
    assert places["0", "1 lr"] == pytest.approx(0.5)  # the middle of two decades
    assert (places["2", "1 lr"], places["1", "1 lr"]) == (0.0, 1.0)
    assert (places["0", "2 epochs"], places["0", "3 network.pooling"]) == (0.5, 1.0)
    assert [places[number, "4 accuracy"] for number in ("0", "1", "2", "4")] == pytest.approx([0, 0.5, 1, 0.25])
    assert rows(tmp_path / "p.csv")[0] == {
        "trial": "0", "state": "complete", "accuracy": "0.5", "axis": "1 lr", "value": "0.01", "position": "0.5",
    }  # fmt: skip
    assert set(parallel_table(table_of(TRIALS[:1]), SPACE)["position"]) == {0.5, 1.0}  # one accuracy: in the middle


def test_a_line_says_what_a_person_wants_to_know() -> None:
    assert line_of(trial(1, 0.7234)) == (
        "trial 1: PublicTest 72.34% (complete, 5 epochs) lr 0.01, epochs 15, network.pooling fractional"
    )


def test_the_picture_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        search_picture(table_of(TRIALS), SPACE, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 10_000
