"""`python -m fer predict` with the network that is kept in git: rows, formats, exit statuses, what fails alone."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fer.app.annotate import annotate
from fer.app.faces import Box
from fer.app.photos import Pixels, Reader
from fer.app.predict import Face, recognise, whole_picture
from fer.app.recogniser import load_recogniser
from fer.cli import main
from fer.code import ROOT
from fer.emotions import EMOJI, EMOTION_NAMES, Emotion
from tests.app.drawn import drawn_face, drawn_photo, save
from tests.app.test_photos import bomb

PUBLISHED = ROOT / "data" / "published" / "fer2013"


def fer(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["predict", *arguments], input=given)


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("FER_WEIGHTS", raising=False)


def test_a_line_for_each_face(tmp_path: Path) -> None:
    name = save(tmp_path / "two.png", drawn_photo(0, 1))
    result = fer(name)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(f"{name}: ")
        assert sum(emoji in line for emoji in EMOJI.values()) == 2
        assert " %, then " in line


def test_faces_are_what_the_network_says_of_the_pixels(tmp_path: Path) -> None:
    faces = [drawn_face(seed, Emotion(seed)) for seed in range(7)]
    names = [save(tmp_path / f"{seed}.png", face) for seed, face in enumerate(faces)]
    files = json.loads(fer("--faces", "--json", *names).stdout)["files"]
    recogniser = load_recogniser("cs231n_student", datasets=("fer2013",), device="cpu")
    expected = recogniser.probabilities(np.stack([face[..., 0] for face in faces]))
    for file, row in zip(files, expected, strict=True):
        (face,) = file["faces"]
        assert list(face["probabilities"].values()) == pytest.approx(row.tolist(), abs=2e-6)
        assert face["emotion"] == EMOTION_NAMES[int(row.argmax())]
        assert face["second"] == EMOTION_NAMES[int(np.argsort(-row)[1])]
        assert face["box"] == {"left": 0, "top": 0, "width": 48, "height": 48}


def test_csv_has_a_row_for_each_face(tmp_path: Path) -> None:
    save(tmp_path / "two.png", drawn_photo(0, 1))
    save(tmp_path / "none.png", np.full((200, 200, 3), 90, np.uint8))
    result = fer("--csv", str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 0
    assert [Path(row["file"]).name for row in rows] == ["two.png", "two.png"]
    for row in rows:
        assert sum(float(row[name]) for name in EMOTION_NAMES) == pytest.approx(1, abs=1e-5)
        assert float(row["probability"]) == max(float(row[name]) for name in EMOTION_NAMES)


def test_a_photo_without_a_face_is_an_answer(tmp_path: Path) -> None:
    name = save(tmp_path / "none.png", np.full((200, 200, 3), 90, np.uint8))
    result = fer(name)
    assert (result.exit_code, result.stdout) == (0, f"{name}: no face found\n")


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "a.png"
    bad.write_bytes(b"no picture")
    good = save(tmp_path / "b.png", drawn_photo())
    result = fer(str(bad), good, str(tmp_path / "c.png"))
    assert result.exit_code == 2
    assert result.stdout.startswith(f"{good}: ")
    assert result.stderr.splitlines() == [
        f"error: {tmp_path / 'c.png'}: no such file or folder",
        f"error: {bad}: no picture; read are AVIF, BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP",
    ]


def test_nothing_could_be_done(tmp_path: Path) -> None:
    assert fer(str(tmp_path)).exit_code == 1
    assert fer(str(tmp_path / "nothing.png")).exit_code == 1
    assert fer().exit_code == 1
    assert fer("--json", "--csv", str(tmp_path)).exit_code == 1
    assert fer("--frobnicate", str(tmp_path)).exit_code == 1


@pytest.mark.parametrize("model", ["resnet900", "cs231n_student/77", "cs231n/x", "", "cs231n/", "nothing.safetensors"])
def test_a_model_that_is_not_there(model: str, tmp_path: Path) -> None:
    result = fer("--model", model, save(tmp_path / "a.png", drawn_photo()))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output


def test_several_models_give_the_mean_of_their_probabilities(tmp_path: Path) -> None:
    name = save(tmp_path / "a.png", drawn_face())
    models = [str(PUBLISHED / f"{system}.safetensors") for system in ("cs231n", "cs231n_student")]

    def probabilities(model: str) -> list[float]:
        document = json.loads(fer("--faces", "--json", "--model", model, name).stdout)
        return list(document["files"][0]["faces"][0]["probabilities"].values())

    mean = np.mean([probabilities(model) for model in models], axis=0)
    assert probabilities(",".join(models)) == pytest.approx(mean.tolist(), abs=2e-6)


def test_standard_input_is_read_once_and_annotated(tmp_path: Path) -> None:
    content = Path(save(tmp_path / "a.png", drawn_photo())).read_bytes()
    result = fer("-", "--annotate", str(tmp_path / "out"), given=content)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("-: ")
    assert (tmp_path / "out" / "stdin_faces.jpg").is_file()


def test_annotated_photos_have_a_frame_and_do_not_replace_one_another(tmp_path: Path) -> None:
    names = [save(tmp_path / folder / "a.png", drawn_photo()) for folder in ("x", "y")]
    before = [Path(name).read_bytes() for name in names]
    assert fer("--annotate", str(tmp_path / "x"), *names).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["a.png", "a_faces.jpg", "a_faces_2.jpg"]
    assert [Path(name).read_bytes() for name in names] == before
    written = Reader()(str(tmp_path / "x" / "a_faces.jpg"))
    colourful = np.ptp(written.astype(int), axis=2) > 60
    assert colourful.sum() > 500  # the photo itself is grey


def test_a_label_stays_in_the_picture() -> None:
    probabilities = np.array([0.9, 0.1, 0, 0, 0, 0, 0], np.float32)
    for box in (Box(-20, -20, 90, 120), Box(70, 60, 60, 60), Box(0, 0, 100, 100)):
        assert annotate(np.zeros((100, 100, 3), np.uint8), [Face(box, probabilities)]).size == (100, 100)


def test_annotate_into_a_file(tmp_path: Path) -> None:
    name = save(tmp_path / "a.png", drawn_photo())
    result = fer("--annotate", name, name)
    assert (result.exit_code, result.stderr) == (1, f"error: --annotate {name}: not a folder\n")


def test_batches_change_nothing_and_keep_the_order() -> None:
    photos = {str(seed): drawn_face(seed) for seed in range(9)}
    calls: list[int] = []

    def probabilities(faces: np.ndarray) -> np.ndarray:
        calls.append(len(faces))
        means = faces.reshape(len(faces), -1).mean(axis=1)
        return np.repeat(means[:, None], 7, axis=1).astype(np.float32)

    def read(name: str) -> Pixels:
        return photos[name]

    def all_of(batch: int) -> list[tuple[str, float]]:
        results = recognise(photos, read, whole_picture, probabilities, batch=batch)
        return [(result.file, float(face.probabilities[0])) for result in results for face in result.faces]

    expected: list[Any] = [(name, pytest.approx(photo[..., 0].mean(), abs=1e-3)) for name, photo in photos.items()]
    assert all_of(4) == expected
    assert all_of(100) == expected
    assert calls == [4, 4, 1, 9]


def test_from_a_shell(tmp_path: Path) -> None:
    """A process of its own: nothing but the answer is printed, not even a library's warning."""
    (tmp_path / "bomb.png").write_bytes(bomb(9_500))
    Image.fromarray(drawn_photo()).convert("CMYK").save(tmp_path / "a.jpg")
    command = [sys.executable, "-m", "fer", "predict", f"{tmp_path}/*", "--device", "cpu"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout.startswith(f"{tmp_path}/a.jpg: ")
    assert run.stderr == f"error: {tmp_path}/bomb.png: refused: 9500x9500 pixels, 80 megapixels are allowed\n"
