"""`python -m fer score`: one of our own rows, written out in each accepted form, gives its numbers again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from safetensors.numpy import save_file

from fer.app import CHECKOUT
from fer.cli import score as command
from fer.cli.main import main
from fer.cli.score import COLUMNS, pipeline
from fer.config.params import PARAMS, load_params
from fer.constants import EMOTION_NAMES, TEST_SPLITS, Split
from fer.evaluation.evaluate import measure_seed
from fer.evaluation.metrics import TEST_SETS
from fer.evaluation.paired import compare
from fer.evaluation.score import Answers, Kind, align, logits_of
from fer.files import rounded
from fer.predictions.format import Predictions, read_predictions, write_predictions
from fer.report.tables import RESULT_COLUMNS, markdown

TRAINING, PUBLIC, PRIVATE, BLANK = 60, 150, 160, 70  # one row of PublicTest is a blank picture, which ingest rejects
ROWS = TRAINING + PUBLIC + PRIVATE
OURS = "data/predictions/net/0.safetensors"
ALPHABETICAL = sorted(range(7), key=lambda label: EMOTION_NAMES[label])


def drawn(seed: int, rows: NDArray[np.int64], skill: float) -> Predictions:
    """Return logits that lean towards the labels, which are the same for every seed."""
    labels = np.random.default_rng(rows[0]).integers(0, 7, len(rows)).astype(np.uint8)
    logits = np.random.default_rng(seed + rows[0]).normal(size=(len(rows), 7)).astype(np.float32)
    logits[np.arange(len(rows)), labels] += skill
    return Predictions(logits, labels, rows, rows % 10 == 0, rows % 5 == 0)


def write_system(folder: Path, name: str, seed: int, skill: float = 1.5) -> None:
    rows = np.arange(TRAINING, ROWS)
    kept = {Split.public_test: rows[(rows < TRAINING + PUBLIC) & (rows != BLANK)], Split.private_test: rows[-PRIVATE:]}
    splits = {split: drawn(seed, of, skill) for split, of in kept.items()}
    write_predictions(folder / name / f"{seed}.safetensors", splits, {"system": name})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline's folder as git keeps it: predictions of two systems and an ensemble, and params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(CHECKOUT / PARAMS, tmp_path)
    for name, seed, skill in (("net", 0, 1.5), ("other", 0, 1.0), ("other", 1, 1.0)):
        write_system(tmp_path / "data/predictions", name, seed, skill)
    write_system(tmp_path / "data", "ensemble", 0, 2.0)
    return tmp_path


def ours() -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the committed logits, (N, 7), and their rows, (N,)."""
    splits, _ = read_predictions(Path(OURS))
    return (
        np.concatenate([splits[split].logits for split in TEST_SPLITS]),
        np.concatenate([splits[split].rows for split in TEST_SPLITS]),
    )


def probabilities() -> NDArray[np.float64]:
    splits, _ = read_predictions(Path(OURS))
    return np.concatenate([splits[split].probabilities for split in TEST_SPLITS])


def spread_out(values: NDArray[Any], first: int) -> NDArray[Any]:
    """Return the values at the place of their row, from `first` on; other rows have what must not count."""
    every = np.full((ROWS, *values.shape[1:]), 3, values.dtype)
    every[ours()[1]] = values
    return every[first:]


def write_csv(
    values: NDArray[Any],
    header: str = "",
    *,
    before: NDArray[Any] | None = None,
    mark: str = ",",
    name: str = "given.csv",
    start: str = "",
) -> str:
    """Write floats as Python prints them, which loses nothing."""
    parts = values.reshape(len(values), -1).tolist()
    heads = [[]] * len(parts) if before is None else [[row] for row in before.tolist()]
    lines = [mark.join(map(str, [*head, *part])) for head, part in zip(heads, parts, strict=True)]
    Path(name).write_text(start + "\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")
    return name


def npy(values: NDArray[Any]) -> str:
    np.save("given.npy", values)
    return "given.npy"


def tensors(**of: NDArray[Any]) -> str:
    save_file({name: np.ascontiguousarray(values) for name, values in of.items()}, "given.safetensors")
    return "given.safetensors"


def shuffled_csv() -> str:
    logits, rows = ours()
    order = np.random.default_rng(0).permutation(len(rows))
    named = "row," + ",".join(f"logit_{EMOTION_NAMES[label]}" for label in ALPHABETICAL)
    return write_csv(logits[order][:, ALPHABETICAL].astype(float), named, before=rows[order])


def odd_suffix() -> str:
    shutil.copy(npy(ours()[0]), "given.csv")
    return "given.csv"


LOGITS: dict[str, Callable[[], str]] = {
    "our own file": lambda: OURS,
    "csv": lambda: write_csv(ours()[0]),
    "csv, names": lambda: write_csv(ours()[0], "Angry,Disgust,Fear,Happy,Sad,Surprise,Neutral", start="\ufeff"),
    "csv of pandas": lambda: write_csv(ours()[0], ",0,1,2,3,4,5,6", before=np.arange(len(ours()[1]))),
    "csv of pandas without its index": lambda: write_csv(ours()[0], "0,1,2,3,4,5,6"),
    "csv, row and another order": shuffled_csv,
    "csv, semicolons": lambda: write_csv(ours()[0], "anger;disgust;fear;happy;sad;surprise;neutral", mark=";"),
    "csv, numpy.savetxt": lambda: write_csv(ours()[0], "# anger disgust fear happy sad surprise neutral", mark=" "),
    "csv, the blank picture too": lambda: write_csv(spread_out(ours()[0], TRAINING)),
    "csv, every row": lambda: write_csv(spread_out(ours()[0], 0)),
    "npy": lambda: npy(ours()[0]),
    "npy, half precision": lambda: npy(ours()[0].astype(np.float16)),
    "npy, every row": lambda: npy(spread_out(ours()[0], 0)),
    "npy, called .csv": odd_suffix,
    "safetensors": lambda: tensors(output=ours()[0]),
    "safetensors, row": lambda: tensors(output=ours()[0][::-1], row=ours()[1][::-1]),
}
LABELS: dict[str, Callable[[], str]] = {
    "csv": lambda: write_csv(ours()[0].argmax(1)),
    "csv, names": lambda: write_csv(np.array(EMOTION_NAMES)[ours()[0].argmax(1)]),
    "csv, floats, header": lambda: write_csv(ours()[0].argmax(1).astype(float), "row,emotion", before=ours()[1]),
    "csv, more columns": lambda: write_csv(
        np.array([[EMOTION_NAMES[label].title(), "a.png"] for label in ours()[0].argmax(1)]), "Prediction,file"
    ),
    "npy": lambda: npy(ours()[0].argmax(1)),
    "npy, a column of bytes": lambda: npy(ours()[0].argmax(1).astype(np.uint8)[:, None]),
    "npy, names": lambda: npy(np.array(EMOTION_NAMES)[ours()[0].argmax(1)]),
    "npy, one-hot": lambda: npy(np.eye(7)[ours()[0].argmax(1)]),
    "safetensors": lambda: tensors(labels=ours()[0].argmax(1), rows=ours()[1]),
}


def fer(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["score", *arguments])


def found(*arguments: str) -> dict[str, Any]:
    result = fer(*arguments, "--json")
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def expected() -> dict[str, Any]:
    """Return what the stage `evaluate` writes of our predictions."""
    content: dict[str, Any] = rounded(
        measure_seed(read_predictions(Path(OURS))[0], **load_params().evaluate.model_dump())
    )
    return content


@pytest.mark.parametrize("form", LOGITS)
def test_our_own_row_exactly(form: str) -> None:
    content = found(LOGITS[form](), "--against", "other")
    wanted = expected()
    assert {name: content[name] for name in wanted} == wanted
    assert content["kind"] == "logits"
    assert content["hint"] is None


def test_an_order_of_the_columns_that_is_not_ours_is_another_row() -> None:
    """So that the test above can fail."""
    assert found(npy(ours()[0][:, ALPHABETICAL]))["PrivateTest"] != expected()["PrivateTest"]


@pytest.mark.parametrize("scale", [1, 100])
def test_probabilities(scale: int) -> None:
    """What is counted is equal; what is calculated differs in float32's last digits."""
    content, wanted = found(npy(scale * probabilities())), expected()
    assert content["kind"] == "probabilities"
    for test_set in TEST_SETS:
        loss = wanted[test_set].pop("log_loss")
        assert content[test_set].pop("log_loss") == pytest.approx(loss, abs=2e-6)
        assert content[test_set] == wanted[test_set]
    assert content["calibration"]["before"] == pytest.approx(wanted["calibration"]["before"], abs=2e-6)


@pytest.mark.parametrize("form", LABELS)
def test_labels_alone(form: str) -> None:
    content, wanted = found(LABELS[form](), "--against", "other"), expected()
    assert content["kind"] == "labels"
    assert "calibration" not in content
    for test_set in TEST_SETS:
        del wanted[test_set]["log_loss"], wanted[test_set]["top2_accuracy"]
        assert content[test_set] == wanted[test_set]
    assert content["leaks"] == wanted["leaks"]


def test_paired_with_each_system_and_with_one() -> None:
    splits = read_predictions(Path(OURS))[0]
    others = {seed: read_predictions(Path(f"data/predictions/other/{seed}.safetensors"))[0] for seed in (0, 1)}
    bootstrap = {"resamples": load_params().evaluate.resamples, "seed": 0}
    wanted = rounded(compare(("given", "other"), (dict.fromkeys(others, splits), others), bootstrap))
    against = found(write_csv(ours()[0]))["against"]
    assert list(against) == ["net", "other", "ensemble"]
    assert against["other"] == wanted
    assert against["net"]["PrivateTest"]["mcnemar"] == {"0": {"b": 0, "c": 0, "p": 1.0}}
    assert list(found("given.csv", "--against", "other/1")["against"]["other/1"]["PrivateTest"]["mcnemar"]) == ["1"]
    assert fer("given.csv", "--against", "none").output == (
        "error: --against none: no such predictions; there are net, other, ensemble\n"
    )


def test_a_name_with_brackets_is_printed_as_it_is() -> None:
    result = fer(write_csv(ours()[0]), "--against", "other", "--name", "ours [/ema] [best]")
    assert result.exit_code == 0, result.exception
    assert "ours [/ema] [best] is " in " ".join(result.output.split())


def test_the_row_for_results_md() -> None:
    """The cells stand where docs/results.md has them."""
    assert len(COLUMNS) == len(TEST_SETS)
    assert set(COLUMNS) < set(RESULT_COLUMNS)
    header, ruler, row = fer(write_csv(ours()[0]), "--markdown", "--name", "theirs").stdout.splitlines()
    assert [header, ruler] == markdown([*RESULT_COLUMNS], []).splitlines()
    cells = dict(zip(RESULT_COLUMNS, row.strip("| ").split(" | "), strict=True))
    wanted = {column: f"{100 * expected()[of]['accuracy']:.1f}" for column, of in zip(COLUMNS, TEST_SETS, strict=True)}
    assert {column: cells[column] for column in COLUMNS} == wanted
    assert cells["system"] == "theirs"
    assert cells["parameters"] == "–"


def test_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = fer(write_csv(ours()[0])).output
    assert "…" not in output
    for part in ("given.csv: 309 answers, logits", "no near-duplicates", "top-2", "calibration: ECE", "disgust"):
        assert part in output
    assert "given and net are equally good on PrivateTest" in output
    assert "labels alone: no calibration, top-2 or log loss" in fer(npy(ours()[0].argmax(1))).output


def test_a_committed_row_comes_out_of_its_predictions_as_csv() -> None:
    """The first system of the table in git, against metrics/{system}/{seed}.json."""
    system = sorted((CHECKOUT / "data/predictions").iterdir())[0].name
    splits, _ = read_predictions(CHECKOUT / f"data/predictions/{system}/0.safetensors")
    logits, rows = (
        np.concatenate([getattr(splits[split], what) for split in TEST_SPLITS]) for what in ("logits", "rows")
    )
    shutil.rmtree("data/predictions")  # the checkout's count, then
    scored = found(write_csv(logits, "row,0,1,2,3,4,5,6", before=rows), "--against", system)
    committed = json.loads((CHECKOUT / f"metrics/{system}/0.json").read_text())
    del committed["provenance"]
    assert {name: scored[name] for name in committed} == committed


def test_another_label_order_is_one_line() -> None:
    shifted = fer(npy(np.roll(ours()[0], 1, axis=1)), "--markdown")
    assert shifted.exit_code == 0
    assert shifted.stderr.count("\n") == 1
    assert "another label order? happy is named right on " in shifted.stderr
    assert "if the order were neutral, anger, disgust, fear, happy, sad, surprise" in shifted.stderr
    same_happy = fer(npy(ours()[0][:, ALPHABETICAL]), "--markdown")
    assert "if the order were anger, disgust, fear, happy, neutral, sad, surprise" in same_happy.stderr
    never_happy = found(npy(np.zeros(len(ours()[1]), np.int64)))
    assert never_happy["hint"].startswith("another order of labels or of faces? happy is named right on 0.0%")


def test_another_order_of_the_faces_is_one_line() -> None:
    assert found(npy(ours()[0]))["hint"] is None
    assert found(npy(ours()[0][::-1].copy()))["hint"].startswith("another order of labels or of faces?")


def broken(place: tuple[int, int], value: float) -> str:
    logits = ours()[0]
    logits[place] = value
    return npy(logits)


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "length": (
        lambda: npy(ours()[0][1:]),
        f"308 answers; expected {ROWS} (every row of the CSV), 310 (the two test splits, PublicTest first), "
        "309 (these without blank pictures),\nor a column `row`",
    ),
    "nan": (lambda: broken((200, 2), np.nan), "row 261 (PrivateTest): not finite; 1 faces of PrivateTest"),
    "infinite": (lambda: broken((0, 0), -np.inf), "row 60 (PublicTest): not finite"),
    "nan in a csv": (lambda: write_csv(np.load(broken((3, 2), np.nan))), "row 63 (PublicTest): not finite"),
    "no row": (lambda: tensors(output=ours()[0][2:], row=ours()[1][2:]), "row 60 is missing, and 1 more of the "),
    "row twice": (lambda: tensors(output=ours()[0], row=np.maximum(ours()[1], 61)), "row 61 has 2 answers"),
    "rows from 1": (
        lambda: tensors(output=spread_out(ours()[0], 0), row=np.arange(1, ROWS + 1)),
        f"rows are counted from 0: the last one is {ROWS - 1}, not {ROWS}",
    ),
    "rows are no numbers": (lambda: write_csv(ours()[0].argmax(1), "row,label", before=ours()[1] + 0.5), "row '60.5'"),
    "an unknown name": (
        lambda: write_csv(np.array(["happy", "contempt"] * 155)),
        "answer 1 is 'contempt': expected 0 to 6 or one of anger",
    ),
    "an unknown number": (lambda: npy(np.full(309, 7)), "answer 0 is '7': expected 0 to 6"),
    "a column too few": (lambda: write_csv(ours()[0][:, 1:], "disgust,fear,happy,sad,surprise,neutral"), "for anger"),
    "a column twice": (
        lambda: write_csv(ours()[0], "anger,angry,fear,happy,sad,surprise,neutral"),
        "columns anger and angry are both anger",
    ),
    "a name twice": (
        lambda: write_csv(ours()[0], "anger,anger,fear,happy,sad,surprise,neutral"),
        "several columns are called 'anger'",
    ),
    "a quotation mark that stays open": (
        lambda: write_csv(ours()[0], start='"' + "1,2,3,4,5,6,7 " * 10_000 + "\n"),
        "no CSV (field larger than field limit",
    ),
    "splits of two shapes": (
        lambda: tensors(**{"PublicTest.logits": ours()[0], "PrivateTest.logits": ours()[0][:, 0]}),
        "PublicTest.logits and PrivateTest.logits of shape (309, 7) and (309,); expected (N, 7)",
    ),
    "no answers": (lambda: tensors(output=ours()[0][:0], row=ours()[1][:0]), "no answers in it"),
    "no emotion's column": (lambda: write_csv(ours()[0], "a,b,c,d,e,f,g"), "columns a, b, c, d, e, f, g; expected"),
    "six columns": (lambda: write_csv(ours()[0][:, 1:]), "6 columns without a header"),
    "no number": (lambda: write_csv(ours()[0], start="1,2,3,4,x,6,7\n"), "answer 0 has 'x': expected a number"),
    "a short row": (lambda: write_csv(ours()[0], start="1,2,3,4,5,6,7,8\n"), "row 1 of the table has 7 cells, the"),
    "shape": (lambda: npy(np.zeros((309, 8))), "float64 of shape (309, 8); expected numbers (N, 7) or labels (N,)"),
    "two tensors": (lambda: tensors(a=ours()[0], b=ours()[0]), "tensors a, b; expected one"),
    "many tensors": (lambda: tensors(**dict.fromkeys("abcdef", ours()[0])), "tensors a, b, c, d, ...; expected one"),
    "a folder": (lambda: ".", "a folder; expected a file"),
    "no file": (lambda: "absent.csv", "absent.csv: no such file"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    write, said = WRONG[case]
    result = fer(write())
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith("error: ")
    assert said in result.output


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01", b"PK\x03\x04\xff\xfe", b"\0\1,2\n", "a,b\n".encode("utf-16")]
)
def test_other_files(content: bytes) -> None:
    Path("given.csv").write_bytes(content)
    result = fer("given.csv")
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith("error: given.csv: ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<!DOCTYPE html>\n<html>", "a web page"), (b"\x80\x04}.", "a pickle"), (b"PAR1", "a Parquet file")],
)
def test_files_that_are_known_are_named(content: bytes, said: str) -> None:
    Path("given.csv").write_bytes(content)
    assert fer("given.csv").output.startswith(f"error: given.csv: {said}")


def test_pickles_are_not_loaded() -> None:
    np.save("given.npy", np.array([{}], object), allow_pickle=True)
    assert fer("given.npy").output.startswith("error: given.npy: Python objects, which are never loaded")


def test_the_checkouts_predictions_are_used_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    given = tmp_path / write_csv(ours()[0])
    wanted = found(str(given))
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(command, "CHECKOUT", tmp_path)
    assert pipeline() == tmp_path
    assert found(str(given)) == wanted
    monkeypatch.setattr(command, "CHECKOUT", tmp_path / "elsewhere")
    assert fer(str(given)).output.startswith("error: no predictions in ")


def test_the_closest_answers_stay_apart() -> None:
    """Also where float32 would make two level: the answer is the file's."""
    faces = read_predictions(Path(OURS))[0]
    close = np.full((len(faces[Split.public_test].labels), 7), 1e3)
    close[:, 5] = np.nextafter(1e3, np.inf)
    assert (logits_of(close, Kind.logits).argmax(axis=1) == 5).all()
    assert (logits_of(close / close.sum(axis=1, keepdims=True), Kind.probabilities).argmax(axis=1) == 5).all()


def test_nan_in_training_does_not_count() -> None:
    every = spread_out(ours()[0], 0)
    every[:TRAINING] = np.nan
    splits, kind = align(Answers(every), read_predictions(Path(OURS))[0])
    assert kind is Kind.logits
    np.testing.assert_array_equal(splits[Split.private_test].logits, ours()[0][-PRIVATE:])
