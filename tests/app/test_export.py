"""A network as ONNX: it says what PyTorch says, in float and nearly in eight bits, and the file is always the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from fer.app.calibration import training_faces
from fer.app.drawn import drawn_faces
from fer.app.export import export_onnx, read_metadata
from fer.app.exported import Exported, probabilities
from fer.app.quantise import quantise
from fer.cli import main
from fer.data.normalise import normalise_store
from fer.data.store import open_store, read_split
from fer.emotions import EMOTION_NAMES, Split
from fer.files import sha256_of
from fer.models.classifier import Classifier, Normalisation, save_classifier
from fer.models.zoo import build
from fer.not_run import is_noted, leave_note
from fer.params import ParamsError, load_params
from stages.export import main as stage
from tests.data.test_normalise import write_store
from tests.test_params import changed

ROOT = Path(__file__).parent.parent.parent
STUDENT = ROOT / "data" / "published" / "fer2013" / "cs231n_student.safetensors"
FACES = drawn_faces(70)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published student in float and in eight bits."""
    folder = tmp_path_factory.mktemp("exported")
    export_onnx(STUDENT, folder / "float.onnx", opset=18)
    quantise(folder / "float.onnx", folder / "int8.onnx", FACES)
    return folder


def weights(
    path: Path, name: str, *, side: int = 48, normalise: str = "pixel", layers: Any = None, **says: Any
) -> Path:
    """Random weights of a row of the zoo, with what a trained file says of itself."""
    network = {"side": side} | ({"layers": layers} if layers else {})
    mean = np.random.default_rng(0).uniform(100, 150, (48, 48)) if normalise == "pixel" else 0.0
    normalisation = Normalisation(mean, 1.0 if normalise == "image" else 60.0, per_image=normalise == "image")
    classifier = Classifier(normalisation, build(name, **network), input_size=side)
    provenance = {"model": name, "network": network, "normalise": normalise, **says}
    save_classifier(path, classifier.state_dict(), provenance)
    return path


@pytest.mark.parametrize("count", [1, 5, 70])
def test_the_file_says_what_pytorch_says(exported: Path, count: int) -> None:
    found = Exported(exported / "float.onnx")(FACES[:count])
    assert found.shape == (count, 7)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, probabilities(STUDENT, FACES[:count]), atol=1e-4)
    assert len(np.unique(found.argmax(1))) > 1 or count == 1


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cs231n_baseline", {"normalise": "global"}),
        ("tuwani", {"normalise": "image"}),
        ("cs231n", {"layers": {"pooling": "fractional"}}),
        ("mobilenet_v2", {"side": 64}),
        ("face_inception", {"side": 75}),
    ],
)
def test_other_networks_too(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    path = weights(tmp_path / "0.safetensors", name, **changes)
    export_onnx(path, tmp_path / "float.onnx", opset=18)
    found = Exported(tmp_path / "float.onnx")(FACES[:5])
    np.testing.assert_allclose(found, probabilities(path, FACES[:5]), atol=1e-4)


@pytest.mark.parametrize("opset", [13, 20])
def test_the_opset_is_the_one_asked_for(opset: int, tmp_path: Path) -> None:
    path = weights(tmp_path / "0.safetensors", "cs231n")
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
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two seeds of cs231n on the drawn dataset, the second better on PublicTest; the published student."""
    settings = {"systems": ["cs231n", "tuwani"], "calibration_faces": 16, "opset": 17}
    changed(tmp_path, "export", settings)
    store = tmp_path / "data" / "normalised" / "synthetic.h5"
    write_store(tmp_path / "clean.h5")
    store.parent.mkdir(parents=True)
    normalise_store(tmp_path / "clean.h5", store, method="pixel", drop_leaked=False)
    models = tmp_path / "data" / "models" / "synthetic"
    (models / "cs231n").mkdir(parents=True)
    for seed in (0, 1):
        weights(models / "cs231n" / f"{seed}.safetensors", "cs231n", dataset="synthetic", validation_accuracy=seed)
    leave_note(models / "tuwani")
    shutil.copytree(STUDENT.parent, tmp_path / "data" / "published" / "fer2013")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_stage(project: Path, system: str, out: str) -> Result:
    places = {
        "--models": project / "data" / "models" / "synthetic" / system,
        "--store": project / "data" / "normalised" / "synthetic.h5",
        "--out": project / out / system,
        "--metrics": project / out / f"{system}.json",
    }
    return CliRunner().invoke(stage, [str(part) for pair in places.items() for part in pair])


def test_the_stage_exports_the_best_seed_and_measures_both_files(project: Path) -> None:
    for out in ("a", "b"):
        assert run_stage(project, "cs231n", out).exit_code == 0
    for name in ("cs231n/float.onnx", "cs231n/int8.onnx", "cs231n.json"):
        assert (project / "a" / name).read_bytes() == (project / "b" / name).read_bytes(), name
    best = project / "data" / "models" / "synthetic" / "cs231n" / "1.safetensors"
    content = json.loads((project / "a" / "cs231n.json").read_text())
    assert (content["seed"], content["opset"], content["calibration_faces"]) == (1, 17, 16)
    assert content["weights_sha256"] == sha256_of(best)
    assert content["float"]["largest_difference"] <= 1e-4
    assert content["float"]["largest_difference"] <= content["int8"]["largest_difference"]
    with open_store(project / "data" / "normalised" / "synthetic.h5") as file:
        faces = read_split(file, Split.private_test)
    for name in ("float", "int8"):
        path = project / "a" / "cs231n" / f"{name}.onnx"
        accuracy = (Exported(path)(faces.images).argmax(1) == faces.labels).mean()
        assert content[name]["PrivateTest"]["accuracy"] == pytest.approx(accuracy, abs=1e-6)
        assert content[name]["bytes"] == path.stat().st_size


def test_a_system_that_the_dataset_does_not_run_leaves_a_note(project: Path) -> None:
    assert run_stage(project, "tuwani", "a").exit_code == 0
    assert is_noted(project / "a" / "tuwani")
    assert json.loads((project / "a" / "tuwani.json").read_text()) == {}


def test_export_of_the_published_student_on_a_fresh_clone(project: Path) -> None:
    result = CliRunner().invoke(main, ["export", "cs231n_student"])
    assert result.exit_code == 0, result.output
    assert "data/published/fer2013/cs231n_student.safetensors" in result.output
    found = Exported(project / "cs231n_student.onnx")(FACES)
    np.testing.assert_allclose(found, probabilities(STUDENT, FACES), atol=1e-4)
    result = CliRunner().invoke(main, ["export", "cs231n_student", "--int8", "--out", "deep/small.onnx"])
    assert result.exit_code == 0, result.output
    assert "calibrated on 16 drawn faces, since data/normalised/fer2013.h5 is not here" in result.output
    assert (project / "deep" / "small.onnx").stat().st_size < 500_000


@pytest.mark.usefixtures("project")
def test_export_of_what_was_trained_here() -> None:
    for arguments, seed in (([], 1), (["--seed", "0"], 0)):
        result = CliRunner().invoke(main, ["export", "cs231n", "--dataset", "synthetic", "--int8", *arguments])
        assert result.exit_code == 0, result.output
        assert f"data/models/synthetic/cs231n/{seed}.safetensors" in result.output
        assert "calibrated on 16 Training faces of data/normalised/synthetic.h5" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet"], "resnet: no such system; known: cs231n, "),
        (["tuwani"], "tuwani: not trained on fer2013 or synthetic; there is: fer2013/cs231n, "),
        (["cs231n", "--seed", "7"], "cs231n, seed 7: not trained on fer2013 or synthetic"),
        (["cs231n", "--dataset", "kaggle"], "dataset=kaggle: no such name; known: fer2013, synthetic"),
        (["cs231n", "--out", "."], "'.' is a directory"),
        (["cs231n", "--format", "tflite"], "'tflite' is not 'onnx'"),
    ],
)
def test_what_cannot_be_exported(project: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["export", *arguments])
    assert result.exit_code != 0
    assert message in result.output
    assert not list(project.glob("*.onnx"))


def test_a_wrong_system_in_the_parameters(tmp_path: Path) -> None:
    path = changed(tmp_path, "export.systems", ["resnet"])
    with pytest.raises(ParamsError, match=r"export\.systems=resnet: no such name; known: cs231n, "):
        load_params(path)
