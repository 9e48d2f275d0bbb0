"""A network as ONNX: it says what PyTorch says, in float and nearly in eight bits, and the file is always the same."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result

from fer.app import CHECKOUT
from fer.app.synthetic import synthetic_faces
from fer.cli.main import main
from fer.config.network import Backbone, ConvPairs, Resnet, Stack
from fer.config.params import PARAMS, load_params
from fer.constants import EMOTION_NAMES, Split
from fer.data.normalise import normalise_store
from fer.export.export import Exported, logits, probabilities
from fer.export.onnx import export_onnx, read_metadata
from fer.export.quantise import quantise, training_faces
from fer.export.temperature import fit_temperature
from fer.files import sha256_of
from fer.models.classifier import Classifier, Normalisation, save_classifier
from fer.models.networks import build
from fer.store import open_store, read_split
from stages.export import main as stage
from tests.data.test_normalise import write_store

PUBLISHED = CHECKOUT / "data" / "published"
STUDENT, SMALL = PUBLISHED / "cs231n_student.safetensors", PUBLISHED / "flagship_small.safetensors"
FACES = synthetic_faces(70)
STACK = Stack(
    type="stack", filters=(8, 16), kernels=(3, 3), hidden=(20,), batch_norm=True, batch_norm_hidden=False,
    dropout=0.0, pooling="max",
)  # fmt: skip
PAIRS = ConvPairs(
    type="conv_pairs", filters=(8, 16), kernel=3, hidden=(20,), batch_norm=True, dropout=0.25, pooling="max"
)
RESNET = Resnet(
    type="resnet", blocks=(1, 1), filters=(8, 16), width=1.0, dropout=0.0, squeeze_excitation=True,
    stochastic_depth=0.1, blur_pooling=True,
)  # fmt: skip


def backbone(name: Any) -> Backbone:
    return Backbone(type="backbone", backbone=name, v1_strides=False, hidden=(), batch_norm=True, dropout=0.0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published student in float and in eight bits."""
    folder = tmp_path_factory.mktemp("exported")
    export_onnx(STUDENT, folder / "float.onnx", opset=18)
    quantise(folder / "float.onnx", folder / "int8.onnx", FACES)
    return folder


def weights(path: Path, network: Any = STACK, *, normalise: str = "pixel", size: int = 48, **says: Any) -> Path:
    """Random weights, with what a trained file says of itself."""
    torch.manual_seed(0)
    mean = np.random.default_rng(0).uniform(100, 150, (48, 48)) if normalise == "pixel" else 0.0
    normalisation = Normalisation(mean, 1.0 if normalise == "image" else 60.0, per_image=normalise == "image")
    crop = says.pop("crop", None)
    state = Classifier(normalisation, build(network, crop or size)).state_dict()
    config = {
        "network": network.model_dump(), "input_size": size, "normalise": normalise, "augment": {"crop": crop},
        "tta": "none",
    }  # fmt: skip
    save_classifier(path, state, {"config": config, "data_sha256": "0" * 64, **says})
    return path


@pytest.mark.parametrize("count", [1, 5, 70])
def test_the_file_says_what_pytorch_says(exported: Path, count: int) -> None:
    found = Exported(exported / "float.onnx")(FACES[:count])
    assert found.shape == (count, 7)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, probabilities(STUDENT, FACES[:count]), atol=1e-4)
    assert len(np.unique(found.argmax(1))) > 1 or count == 1


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (STACK, {"normalise": "global", "temperature": 2.5}),
        (STACK.model_copy(update={"pooling": "fractional"}), {}),
        (PAIRS, {"normalise": "image"}),
        (RESNET, {"crop": 44}),
        (backbone("mobilenet_v2"), {"size": 64}),
        (backbone("inception_resnet_v1"), {"size": 75}),
    ],
)
def test_other_networks_too(network: Any, changes: dict[str, Any], tmp_path: Path) -> None:
    path = weights(tmp_path / "0.safetensors", network, **changes)
    export_onnx(path, tmp_path / "float.onnx", opset=18)
    found = Exported(tmp_path / "float.onnx")(FACES[:5])
    np.testing.assert_allclose(found, probabilities(path, FACES[:5]), atol=1e-4)


@pytest.mark.parametrize("path", [STUDENT, SMALL], ids=lambda path: path.stem)
def test_opencv_says_the_same_of_several_faces(path: Path, tmp_path: Path) -> None:
    export_onnx(path, tmp_path / "float.onnx", opset=18)
    for count in (1, 3):
        network = cv2.dnn.readNetFromONNX(str(tmp_path / "float.onnx"))
        network.setInput(FACES[:count])
        np.testing.assert_allclose(network.forward(), probabilities(path, FACES[:count]), atol=1e-4)


@pytest.mark.parametrize("opset", [13, 20])
def test_the_opset_is_the_one_asked_for(opset: int, tmp_path: Path) -> None:
    path = weights(tmp_path / "0.safetensors")
    export_onnx(path, tmp_path / "float.onnx", opset=opset)
    assert [entry.version for entry in onnx.load(tmp_path / "float.onnx").opset_import if not entry.domain] == [opset]
    np.testing.assert_allclose(Exported(tmp_path / "float.onnx")(FACES[:5]), probabilities(path, FACES[:5]), atol=1e-4)


def test_eight_bits_are_smaller_and_near(exported: Path) -> None:
    assert (exported / "int8.onnx").stat().st_size < 500_000 < (exported / "float.onnx").stat().st_size
    found, expected = Exported(exported / "int8.onnx")(FACES), probabilities(STUDENT, FACES)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert 0 < np.abs(found - expected).mean() < 0.05
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.8
    kinds = {tensor.data_type for tensor in onnx.load(exported / "int8.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in kinds


def test_probabilities_come_in_no_steps(exported: Path) -> None:
    """The last layer stays in float: of 70 faces in 256 steps some would tie."""
    found = Exported(exported / "int8.onnx")(FACES)
    assert len(np.unique(found)) > 0.9 * found.size


def test_the_file_says_what_it_is(exported: Path) -> None:
    for name in ("float.onnx", "int8.onnx"):
        model = onnx.load(exported / name)
        facts = read_metadata(model)
        assert facts["labels"] == list(EMOTION_NAMES)
        assert facts["provenance"]["system"] == "cs231n_student"
        assert facts["provenance"]["weights_sha256"] == sha256_of(STUDENT)
        assert [entry.name for entry in (*model.graph.input, *model.graph.output)] == ["faces", "probabilities"]
        shape = model.graph.input[0].type.tensor_type.shape.dim
        assert (shape[0].dim_param, shape[1].dim_value, shape[2].dim_value) == ("N", 48, 48)
        assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert read_metadata(onnx.load(exported / "int8.onnx"))["provenance"]["calibration_faces"] == len(FACES)


def test_the_same_weights_give_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    export_onnx(STUDENT, tmp_path / "float.onnx", opset=18)
    quantise(tmp_path / "float.onnx", tmp_path / "int8.onnx", FACES)
    for name in ("float.onnx", "int8.onnx"):
        assert (tmp_path / name).read_bytes() == (exported / name).read_bytes(), name


def test_calibration_sees_training_alone_and_always_the_same_faces(tmp_path: Path) -> None:
    splits = write_store(tmp_path / "store.h5")
    faces = training_faces(tmp_path / "store.h5", 20)
    np.testing.assert_array_equal(faces, training_faces(tmp_path / "store.h5", 30)[:20])
    known = {image.tobytes() for image in splits[Split.training].images}
    assert len({face.tobytes() for face in faces}) == 20
    assert all(face.tobytes() in known for face in faces)
    assert len(training_faces(tmp_path / "store.h5", 1000)) == len(splits[Split.training])


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline's folder with two seeds of a small cs231n, the second better on PublicTest."""
    text = (CHECKOUT / PARAMS).read_text().replace("calibration_faces: 512", "calibration_faces: 16")
    (tmp_path / PARAMS).write_text(text.replace("opset: 18", "opset: 17"))
    monkeypatch.chdir(tmp_path)
    assert load_params().export.calibration_faces == 16
    write_store(tmp_path / "clean.h5")
    Path("data").mkdir()
    normalise_store(tmp_path / "clean.h5", Path("data/normalised.h5"), drop_leaked=False)
    for seed in (0, 1):
        weights(Path(f"data/models/cs231n/{seed}.safetensors"), system="cs231n", validation_accuracy=seed / 2)
    return tmp_path


OUTS = (
    "data/exported/cs231n/float.onnx", "data/exported/cs231n/int8.onnx", "data/published/cs231n.safetensors",
    "metrics/export/cs231n.json",
)  # fmt: skip


def test_the_stage_exports_the_best_seed_and_measures_all_three_files(pipeline: Path) -> None:
    made = []
    for _ in range(2):
        assert CliRunner().invoke(stage, ["cs231n"]).exit_code == 0
        made.append([(pipeline / name).read_bytes() for name in OUTS])
    assert made[0] == made[1]
    content = json.loads((pipeline / "metrics/export/cs231n.json").read_text())
    assert (content["seed"], content["opset"], content["calibration_faces"]) == (1, 17, 16)
    assert content["weights_sha256"] == sha256_of(pipeline / "data/models/cs231n/1.safetensors")
    assert content["float"]["largest_difference"] <= 1e-4
    assert content["float"]["largest_difference"] <= content["int8"]["largest_difference"]
    with open_store(pipeline / "data/normalised.h5") as file:
        public, private = (read_split(file, split) for split in (Split.public_test, Split.private_test))
    for name in ("float", "int8"):
        path = pipeline / "data/exported/cs231n" / f"{name}.onnx"
        accuracy = (Exported(path)(private.images).argmax(1) == private.labels).mean()
        assert content[name]["PrivateTest"]["accuracy"] == pytest.approx(accuracy, abs=1e-6)
        assert content[name]["bytes"] == path.stat().st_size
    found, temperature = logits(pipeline / "data/published/cs231n.safetensors", public.images)
    assert content["temperature"] == temperature == fit_temperature(found, public.labels)


def export(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", *arguments])


def test_export_of_a_published_network_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = export("cs231n_student")
    assert result.exit_code == 0, result.output
    assert f"from {STUDENT}" in result.output
    np.testing.assert_allclose(Exported(Path("cs231n_student.onnx"))(FACES), probabilities(STUDENT, FACES), atol=1e-4)
    result = export("cs231n_student", "--int8", "--opset", "17", "--out", "deep/small.onnx")
    assert result.exit_code == 0, result.output
    assert "calibrated on 512 synthetic faces: those that it learned from are not" in result.output
    assert Path("deep/small.onnx").stat().st_size < 500_000


@pytest.mark.usefixtures("pipeline")
def test_export_of_what_was_trained_here() -> None:
    for name, seed in (("cs231n", 1), ("cs231n/0", 0)):
        result = export(name, "--int8")
        assert result.exit_code == 0, result.output
        assert f"from data/models/cs231n/{seed}.safetensors" in result.output
        assert "calibrated on 60 Training faces of data/normalised.h5" in result.output
    assert Path("cs231n_0_int8.onnx").is_file()
    assert "512 synthetic faces" in export("cs231n_student", "--int8").output  # it learned from others


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["resnet"],
            "resnet: not trained in this folder and not published\ntrained here: cs231n/0, cs231n/1; published: ",
        ),
        (["cs231n/7"], "cs231n/7: not trained in this folder"),
        (["cs231n", "--out", "."], "'.' is a directory"),
        (["cs231n", "--format", "tflite"], "'tflite' is not 'onnx'"),
        (["cs231n", "--opset", "9"], "9 is not in the range 13<=x<=20"),
        (["params.yaml"], "params.yaml: not the weights of a system of this project"),
    ],
)
def test_what_cannot_be_exported(pipeline: Path, arguments: list[str], message: str) -> None:
    result = export(*arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert not list(pipeline.glob("*.onnx"))
