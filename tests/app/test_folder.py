"""`python -m fer evaluate-folder`: labels from the folders' names, numbers that are scikit-learn's."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from fer.app.folder import ORDER, label_of, labelled_pictures, parse_labels
from fer.app.recogniser import load_recogniser
from fer.cli.main import main
from fer.cli.photos import DEFAULT_MODEL
from fer.constants import EMOTION_NAMES, Emotion
from fer.errors import UserError
from tests.app.synthetic import save, synthetic_face, synthetic_photo

NAMES = ("Angry", "disgust", "2", "03_happiness", "SADNESS", "surprised", "ne")


def fer(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate-folder", *arguments])


@pytest.fixture(autouse=True)
def anywhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a pipeline."""
    monkeypatch.chdir(tmp_path_factory.mktemp("anywhere"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three faces of each emotion, in folders that are called in as many ways."""
    for emotion, name in zip(Emotion, NAMES, strict=True):
        for seed in range(3):
            save(tmp_path / name / "deeper" / f"{seed}.png", synthetic_face(10 * emotion + seed, emotion))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("anger", 0), ("Angry", 0), ("0", 0), ("0_angry", 0), ("5 anger", 0), ("DI", 1), ("fearful", 2),
        ("Happiness", 3), ("03-happy", 3), ("joy", 3), ("sadness", 4), ("Surprised", 5), ("su", 5), ("6", 6),
        ("Neutral", 6), ("Happy - Copy", 3), ("contempt", None), ("7", None), ("train", None), ("٣", None), ("", None),
    ],
)  # fmt: skip
def test_spellings(name: str, emotion: int | None) -> None:
    assert label_of(name, ORDER) == emotion


def test_the_numbers_are_scikit_learns(folder: Path) -> None:
    result = fer(str(folder), "--faces", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    faces = [(emotion, synthetic_face(10 * emotion + seed, emotion)) for emotion in Emotion for seed in range(3)]
    truth = [int(emotion) for emotion, _ in faces]
    recogniser = load_recogniser(DEFAULT_MODEL, device="cpu")
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
    save(tmp_path / "happy" / "a.png", synthetic_photo())
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


def numbered(folder: Path, numbers: str) -> None:
    for name in numbers:
        save(folder / name / "a.png", synthetic_face())


def test_numbers_in_another_order_are_refused_and_can_be_named(tmp_path: Path) -> None:
    """RAF-DB counts from 1 to 7, and its 1 is surprise."""
    numbered(tmp_path, "1234567")
    with pytest.raises(UserError, match=r"folders 7: no such number; FER2013 has 0 anger.*\n.*--labels 1=surprise"):
        labelled_pictures(tmp_path)
    order = "1=surprise,2=fear,3=disgust,4=happiness,5=sad,6=anger,7=neutral"
    found = labelled_pictures(tmp_path, parse_labels(order))
    assert [label.name for label in found.labels.values()] == [
        "surprise", "fear", "disgust", "happy", "sad", "anger", "neutral",
    ]  # fmt: skip
    result = fer(str(tmp_path), "--faces", "--labels", order)
    assert result.exit_code == 0
    assert "numbers are taken as 1 surprise, 2 fear, 3 disgust, 4 happy, 5 sad, 6 anger, 7 neutral" in result.stderr


def test_fer2013s_numbers_are_said(tmp_path: Path) -> None:
    numbered(tmp_path, "036")
    assert labelled_pictures(tmp_path).notes == [
        "numbers are taken as 0 anger, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral"
    ]


@pytest.mark.parametrize("labels", ["1", "1=joyful", "x=sad", "1=sad,,", ""])
def test_labels_that_say_nothing(labels: str) -> None:
    with pytest.raises(UserError, match=r"--labels .*: expected NUMBER=EMOTION, with one of anger"):
        parse_labels(labels)


def test_a_number_has_one_label() -> None:
    with pytest.raises(UserError, match=r"--labels 1=sad,1=fear: 1 stands there twice"):
        parse_labels("1=sad,1=fear")


def test_emotions_one_level_lower_are_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save(tmp_path / split / "Happy" / "a.png", synthetic_face())
    result = fer(str(tmp_path), "--faces")
    assert result.exit_code == 1
    assert f"the emotions lie one level lower: evaluate-folder {tmp_path}/test or {tmp_path}/train" in result.stderr


def test_nothing_of_the_folder_is_left_out_in_silence(tmp_path: Path) -> None:
    """Faces of FER2013's own file, which the network knows; files in no emotion's folder; films."""
    for name in ("Training_1.jpg", "PublicTest_2.jpg", "PrivateTest_3.jpg", "film.mp4", "b.HEIC"):
        save(tmp_path / "sad" / f"{name}.png", synthetic_face())
        (tmp_path / "sad" / f"{name}.png").rename(tmp_path / "sad" / name)
    save(tmp_path / "loose.png", synthetic_face())
    result = fer(str(tmp_path), "--faces")
    assert result.stderr.splitlines() == [
        "left out: 1 files that lie in no emotion's folder",
        "1 files are called Training_...: the network has learned them",
        "1 files are called PublicTest_...: the network was chosen on them",
        "left out: 1 .HEIC (convert it to JPEG), 1 .mp4",
    ]
    assert "of 3 faces" in result.stdout
