"""`python -m fer predict` with the network that is kept in git: rows, formats, exit statuses, what fails alone."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from fer.app import CHECKOUT, trained
from fer.app.annotate import annotate, numbered
from fer.app.emoji import EMOJI
from fer.app.faces import Box
from fer.app.photos import Pixels, Reader
from fer.app.predict import Face, recognise, whole_picture
from fer.app.recogniser import load_recogniser
from fer.cli.main import main
from fer.cli.photos import DEFAULT_MODEL
from fer.constants import EMOTION_NAMES, Emotion
from fer.errors import UserError
from fer.models.classifier import predict as predict_logits
from fer.models.classifier import save_classifier
from tests.app.synthetic import save, synthetic_face, synthetic_photo
from tests.app.test_photos import bomb

PUBLISHED = CHECKOUT / "data" / "published"


def fer(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["predict", *arguments], input=given)


@pytest.fixture(autouse=True)
def anywhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a pipeline: nothing may ask for params.yaml."""
    folder = tmp_path_factory.mktemp("anywhere")
    monkeypatch.chdir(folder)
    return folder


def test_a_line_for_each_face(tmp_path: Path) -> None:
    name = save(tmp_path / "two.png", synthetic_photo(0, 1))
    result = fer(name)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(f"{name}: ")
        assert sum(emoji in line for emoji in EMOJI.values()) == 2
        assert " %, then " in line


def test_faces_are_what_the_network_says_of_the_pixels(tmp_path: Path) -> None:
    faces = [synthetic_face(seed, Emotion(seed)) for seed in range(7)]
    names = [save(tmp_path / f"{seed}.png", face) for seed, face in enumerate(faces)]
    files = json.loads(fer("--faces", "--json", *names).stdout)["files"]
    recogniser = load_recogniser(DEFAULT_MODEL, device="cpu")
    expected = recogniser.probabilities(np.stack([face[..., 0] for face in faces]))
    for file, row in zip(files, expected, strict=True):
        (face,) = file["faces"]
        assert list(face["probabilities"].values()) == pytest.approx(row.tolist(), abs=2e-6)
        assert face["emotion"] == EMOTION_NAMES[int(row.argmax())]
        assert face["second"] == EMOTION_NAMES[int(np.argsort(-row)[1])]
        assert face["box"] == {"left": 0, "top": 0, "width": 48, "height": 48}


def test_csv_has_a_row_for_each_face_and_for_each_file_without_one(tmp_path: Path) -> None:
    save(tmp_path / "two.png", synthetic_photo(0, 1))
    save(tmp_path / "none.png", np.full((200, 200, 3), 90, np.uint8))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    result = fer("--csv", str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 2
    assert [Path(row["file"]).name for row in rows] == ["bad.png", "none.png", "two.png", "two.png"]
    for row in rows[:2]:
        assert set(row.values()) == {row["file"], ""}
    for row in rows[2:]:
        assert sum(float(row[name]) for name in EMOTION_NAMES) == pytest.approx(1, abs=1e-5)
        assert float(row["probability"]) == max(float(row[name]) for name in EMOTION_NAMES)


def test_a_photo_without_a_face_is_an_answer(tmp_path: Path) -> None:
    name = save(tmp_path / "none.png", np.full((200, 200, 3), 90, np.uint8))
    result = fer(name)
    assert (result.exit_code, result.stdout) == (0, f"{name}: no face found\n")


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "a.png"
    bad.write_bytes(b"no picture")
    good = save(tmp_path / "b.png", synthetic_photo())
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
    result = fer("--model", model, save(tmp_path / "a.png", synthetic_photo()))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output


def test_what_was_trained_in_this_folder_goes_before_what_is_published(anywhere: Path) -> None:
    """A path first, then the best seed of ./data/models, or the one that is named, then the published file."""
    published = PUBLISHED / "cs231n.safetensors"
    assert trained.find_weights("cs231n") == published
    for seed, accuracy in ((0, 0.7), (1, 0.9), (2, 0.8)):
        save_classifier(anywhere / f"data/models/cs231n/{seed}.safetensors", {}, {"validation_accuracy": accuracy})
    assert trained.find_weights("cs231n") == Path("data/models/cs231n/1.safetensors")
    assert trained.find_weights("cs231n/2") == Path("data/models/cs231n/2.safetensors")
    assert trained.find_weights(str(published)) == published
    with pytest.raises(
        UserError, match="trained here: cs231n/0, cs231n/1, cs231n/2; published: cs231n, cs231n_student"
    ):
        trained.find_weights("cs231n/3")


def test_logits_are_divided_by_the_temperature() -> None:
    faces = np.stack([synthetic_face(seed)[..., 0] for seed in range(5)])
    recogniser = load_recogniser(DEFAULT_MODEL, device="cpu")
    (temperature,) = recogniser.temperatures
    assert 1 < temperature < 3
    logits = predict_logits(recogniser.classifiers[0], recogniser.images(faces), torch.float32)
    np.testing.assert_allclose(recogniser.probabilities(faces), (logits / temperature).softmax(1), atol=1e-6)


def test_several_models_give_the_mean_of_their_probabilities(tmp_path: Path) -> None:
    name = save(tmp_path / "a.png", synthetic_face())
    models = [str(PUBLISHED / f"{system}.safetensors") for system in ("cs231n", "cs231n_student")]

    def probabilities(model: str) -> list[float]:
        document = json.loads(fer("--faces", "--json", "--model", model, name).stdout)
        return list(document["files"][0]["faces"][0]["probabilities"].values())

    mean = np.mean([probabilities(model) for model in models], axis=0)
    assert probabilities(",".join(models)) == pytest.approx(mean.tolist(), abs=2e-6)


def test_standard_input_is_read_once_and_annotated(tmp_path: Path) -> None:
    content = Path(save(tmp_path / "a.png", synthetic_photo())).read_bytes()
    result = fer("-", "--annotate", str(tmp_path / "out"), given=content)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("-: ")
    assert (tmp_path / "out" / "stdin_faces.jpg").is_file()


def test_annotated_photos_have_a_frame_and_do_not_replace_one_another(tmp_path: Path) -> None:
    names = [save(tmp_path / folder / "a.png", synthetic_photo()) for folder in ("x", "y")]
    before = [Path(name).read_bytes() for name in names]
    assert fer("--annotate", str(tmp_path / "x"), *names).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["a.png", "a_faces.jpg", "a_faces_2.jpg"]
    assert [Path(name).read_bytes() for name in names] == before
    written = Reader()(str(tmp_path / "x" / "a_faces.jpg"))
    colourful = np.ptp(written.astype(int), axis=2) > 60
    assert colourful.sum() > 500  # the photo itself is grey


def test_an_annotated_photo_does_not_replace_a_photo_of_the_user(tmp_path: Path) -> None:
    names = [save(tmp_path / name, synthetic_photo()) for name in ("a.png", "a_faces.jpg")]
    before = [Path(name).read_bytes() for name in names]
    assert fer("--annotate", str(tmp_path), str(tmp_path)).exit_code == 0
    assert [Path(name).read_bytes() for name in names] == before
    assert sorted(path.name for path in tmp_path.glob("*_faces_*")) == ["a_faces_2.jpg", "a_faces_faces.jpg"]


def test_a_label_stays_in_the_picture() -> None:
    probabilities = np.array([0.9, 0.1, 0, 0, 0, 0, 0], np.float32)
    for box in (Box(-20, -20, 90, 120), Box(70, 60, 60, 60), Box(0, 0, 100, 100)):
        face = Face(box, probabilities)
        assert annotate(np.zeros((100, 100, 3), np.uint8), [face]).size == (100, 100)
        assert numbered(np.zeros((100, 100, 3), np.uint8), [face, face]).size == (100, 100)


def test_annotate_into_a_file(tmp_path: Path) -> None:
    name = save(tmp_path / "a.png", synthetic_photo())
    result = fer("--annotate", name, name)
    assert (result.exit_code, result.stderr) == (1, f"error: --annotate {name}: not a folder\n")


def test_batches_change_nothing_and_keep_the_order() -> None:
    photos = {str(seed): synthetic_face(seed) for seed in range(9)}
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


def test_what_a_folder_holds_beside_pictures_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", synthetic_photo())
    (tmp_path / "b.HEIC").touch()
    (tmp_path / "c.mp4").touch()
    result = fer(str(tmp_path))
    assert (result.exit_code, result.stderr) == (0, "left out: 1 .HEIC (convert it to JPEG), 1 .mp4\n")


@pytest.mark.parametrize(("side", "hinted"), [(48, True), (64, True), (200, False)])
def test_small_square_pictures_get_a_hint(side: int, hinted: bool, tmp_path: Path) -> None:
    name = save(tmp_path / "a.png", np.full((side, side, 3), 90, np.uint8))
    assert ("--faces takes them as they are" in fer(name).stderr) is hinted
    assert "--faces" not in fer("--faces", name).stderr


def test_boxes_lie_in_the_photo(tmp_path: Path) -> None:
    """A face at the edge: the detector's box reaches beyond it."""
    name = save(tmp_path / "a.png", synthetic_photo()[:, 110:])
    boxes = [face["box"] for face in json.loads(fer("--json", name).stdout)["files"][0]["faces"]]
    assert boxes
    for box in boxes:
        assert min(box["left"], box["top"]) >= 0
        assert box["left"] + box["width"] <= 290
        assert box["top"] + box["height"] <= 320


def test_a_file_that_begins_with_a_dash(anywhere: Path) -> None:
    save(anywhere / "-a.png", synthetic_photo())
    result = fer("-a.png")
    assert result.exit_code == 1
    assert "(-a.png is a file: put -- before it)" in result.stderr
    assert fer("--", "-a.png").stdout.startswith("-a.png: ")


def shell(*arguments: str | bytes, encoding: str = "utf-8", cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "fer", "predict", "--device", "cpu", *arguments]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(command, cwd=cwd, capture_output=True, check=False, env=environment)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gbk", "ascii", "utf-8"])
def test_no_terminal_is_too_old(encoding: str, anywhere: Path) -> None:
    """Emoji are left out where they cannot be shown; a file's name keeps its bytes or becomes an escape."""
    save(anywhere / "Zoë 表情 😄.png", synthetic_photo())
    os.rename(anywhere / "Zoë 表情 😄.png", os.fsencode(anywhere) + b"/\xff\xe8\xa1\xa8.png")  # noqa: PTH104
    save(anywhere / "Zoë 😄.png", synthetic_photo())
    result = shell(".", encoding=encoding, cwd=anywhere)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.count(b" %, then ") == 2
    text = result.stdout.decode(encoding, "replace")
    assert ("😄 happy" in text or "😐" in text or "😲" in text) == (encoding == "utf-8")
    assert ("Zoë" in text) == (encoding in {"latin-1", "cp1252", "utf-8"})


def test_json_is_utf8_on_every_terminal(anywhere: Path) -> None:
    save(anywhere / "Zoë.png", synthetic_photo())
    os.rename(anywhere / "Zoë.png", os.fsencode(anywhere) + b"/\xff.png")  # noqa: PTH104
    save(anywhere / "Zoë.png", synthetic_photo())
    results = {shell("--json", ".", encoding=encoding, cwd=anywhere).stdout for encoding in ("ascii", "utf-8")}
    (content,) = results
    files = [os.fsencode(file["file"]) for file in json.loads(content.decode("utf-8"))["files"]]
    assert files == ["Zoë.png".encode(), b"\xff.png"]


def test_from_a_shell(tmp_path: Path, anywhere: Path) -> None:
    """A process of its own: nothing but the answer is printed, not even a library's warning."""
    (tmp_path / "bomb.png").write_bytes(bomb(9_500))
    Image.fromarray(synthetic_photo()).convert("CMYK").save(tmp_path / "a.jpg")
    run = shell(f"{tmp_path}/*", cwd=anywhere)
    assert run.returncode == 2
    assert run.stdout.decode().startswith(f"{tmp_path}/a.jpg: ")
    assert run.stderr.decode() == f"error: {tmp_path}/bomb.png: refused: 9500x9500 pixels, 80 megapixels are allowed\n"
