"""`python -m fer evaluate-folder`: labels from the folders' names, numbers that are scikit-learn's."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from fer.app.folder import emotion_of, labelled_pictures
from fer.app.recogniser import load_recogniser
from fer.cli import main
from fer.code import ROOT
from fer.emotions import EMOTION_NAMES, Emotion
from fer.errors import UserError
from tests.app.drawn import drawn_face, drawn_photo, save

NAMES = ("Angry", "disgust", "2", "03_happiness", "SADNESS", "surprised", "ne")


def fer(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate-folder", *arguments])


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("FER_WEIGHTS", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three faces of each emotion, in folders that are called in as many ways."""
    for emotion, name in zip(Emotion, NAMES, strict=True):
        for seed in range(3):
            save(tmp_path / name / "deeper" / f"{seed}.png", drawn_face(10 * emotion + seed, emotion))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("anger", 0), ("Angry", 0), ("0", 0), ("0_angry", 0), ("5 anger", 0), ("DI", 1), ("fearful", 2),
        ("Happiness", 3), ("03-happy", 3), ("joy", 3), ("sadness", 4), ("Surprised", 5), ("su", 5), ("6", 6),
        ("Neutral", 6), ("contempt", None), ("7", None), ("train", None), ("٣", None), ("", None),
    ],
)  # fmt: skip
def test_spellings(name: str, emotion: int | None) -> None:
    assert emotion_of(name) == emotion


def test_the_numbers_are_scikit_learns(folder: Path) -> None:
    result = fer(str(folder), "--faces", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    faces = [(emotion, drawn_face(10 * emotion + seed, emotion)) for emotion in Emotion for seed in range(3)]
    truth = [int(emotion) for emotion, _ in faces]
    recogniser = load_recogniser("cs231n_student", datasets=("fer2013",), device="cpu")
    named = recogniser.probabilities(np.stack([face[..., 0] for _, face in faces])).argmax(axis=1)
    assert found["faces"] == 21
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, named), abs=1e-6)
    assert found["macro_f1"] == pytest.approx(f1_score(truth, named, average="macro", zero_division=0), abs=1e-6)
    assert found["confusion"] == confusion_matrix(truth, named, labels=range(7)).tolist()
    assert found["accuracy_low"] <= found["accuracy"] <= found["accuracy_high"]
    assert {name: row["support"] for name, row in found["classes"].items()} == dict.fromkeys(EMOTION_NAMES, 3)


def test_the_tables_for_people(folder: Path) -> None:
    result = fer(str(folder), "--faces")
    assert result.exit_code == 0
    assert "accuracy" in result.stdout
    assert "of 21 faces" in result.stdout
    assert all(result.stdout.count(name) >= 3 for name in EMOTION_NAMES)  # two tables, one of them with columns


def test_photos_without_a_face_and_bad_files_are_counted_apart(tmp_path: Path) -> None:
    save(tmp_path / "happy" / "a.png", drawn_photo())
    none = save(tmp_path / "happy" / "b.png", np.full((200, 200, 3), 90, np.uint8))
    (tmp_path / "happy" / "c.png").write_bytes(b"no picture")
    (tmp_path / "contempt").mkdir()
    result = fer(str(tmp_path), "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 2
    assert (found["faces"], found["no_face"], [*found["failed"]]) == (1, [none], [str(tmp_path / "happy" / "c.png")])
    assert "contempt: not called like one of the seven emotions; left out" in result.stderr


def test_folders_that_cannot_be_evaluated(tmp_path: Path) -> None:
    assert fer(str(tmp_path / "nothing")).exit_code == 1
    result = fer(str(tmp_path))
    assert (result.exit_code, "expected anger, disgust" in result.stderr) == (1, True)
    save(tmp_path / "sad" / "a.png", np.full((200, 200, 3), 90, np.uint8))
    result = fer(str(tmp_path))
    assert (result.exit_code, "no face to evaluate" in result.stderr) == (1, True)


def test_numbers_in_another_order_are_refused(tmp_path: Path) -> None:
    """RAF-DB counts from 1 to 7, and its 1 is surprise."""
    for name in "1234567":
        save(tmp_path / name / "a.png", drawn_face())
    with pytest.raises(UserError, match="FER2013's: 0 anger"):
        labelled_pictures(tmp_path)
