"""Every row of the table: builds, runs forward and backward, takes a step, has its size, survives a file."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fer.errors import UserError
from fer.models.classifier import Classifier, Normalisation, WeightsError, load_classifier, predict, save_classifier
from fer.models.zoo import MODELS, build, require_networks

IMAGES = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 4, 6])


@pytest.mark.parametrize("name", MODELS)
def test_forward_backward_and_a_step(name: str) -> None:
    classifier = Classifier(Normalisation(128.0, 64.0), build(name))
    torch.manual_seed(0)  # the same dropout before and after the step
    scores = classifier(IMAGES)
    assert scores.shape == (4, 7)
    before = F.cross_entropy(scores, LABELS)
    before.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in classifier.parameters())
    torch.optim.SGD(classifier.parameters(), lr=1e-5).step()
    torch.manual_seed(0)
    assert F.cross_entropy(classifier(IMAGES), LABELS) < before


@pytest.mark.parametrize("name", MODELS)
def test_parameter_count_is_the_rows(name: str) -> None:
    assert sum(parameter.numel() for parameter in build(name).parameters()) == MODELS[name].parameters


@pytest.mark.parametrize("name", MODELS)
def test_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    classifier = Classifier(Normalisation(100.0, 50.0), build(name)).eval()
    path = tmp_path / "0.safetensors"
    save_classifier(path, classifier.state_dict(), {"model": name, "normalise": "global", "seed": 0})
    loaded, provenance = load_classifier(path)
    assert provenance == {"model": name, "normalise": "global", "seed": 0}
    assert torch.equal(loaded.normalise.mean, classifier.normalise.mean)
    torch.testing.assert_close(
        predict(loaded, IMAGES, torch.float32), predict(classifier, IMAGES, torch.float32), rtol=1e-4, atol=1e-4
    )


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    state = build("cs231n").state_dict()
    for name in ("a", "b"):
        save_classifier(tmp_path / name, state, {"model": "cs231n", "normalise": "pixel"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def layer_kinds(name: str) -> list[str]:
    return [type(layer).__name__ for layer in build(name)]  # type: ignore[attr-defined]


def test_cs231n_is_what_report_000_says() -> None:
    network = build("cs231n")
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 64, 96, 128]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert layer_kinds("cs231n") == ["Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"] * 4 + [
        "Flatten",
        "Linear",
        "ReLU",
        "Linear",
    ]
    assert [layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear)] == [200, 7]


def test_baseline_is_what_report_000_says() -> None:
    assert layer_kinds("cs231n_baseline") == ["Conv2d", "MaxPool2d", "ReLU", "Flatten", "Linear", "ReLU", "Linear"]


def test_tuwani_has_the_size_that_report_002_prints() -> None:
    """Keras counts the running mean and variance of batch normalisation as parameters that are not trained."""
    network = build("tuwani")
    trainable = sum(parameter.numel() for parameter in network.parameters())
    statistics = sum(buffer.numel() for buffer in network.buffers() if buffer.is_floating_point())
    assert (trainable, trainable + statistics) == (140_343, 141_303)


@pytest.mark.parametrize(
    ("name", "filters", "sides", "units"),
    [
        ("le_shallow", [64, 128], [3, 5], [256, 7]),
        ("le_deep", [64, 128, 512, 512], [3, 5, 3, 3], [256, 512, 7]),
        ("tuwani", [16, 16, 32, 32, 64, 64], [3] * 6, [256, 7]),
        ("lausanne_cnn1", [32, 64], [3, 3], [128, 7]),
        ("lausanne_cnn2", [32, 64, 128], [3, 3, 3], [256, 128, 7]),
    ],
)
def test_layers_are_the_reports(name: str, filters: list[int], sides: list[int], units: list[int]) -> None:
    layers = list(build(name).modules())
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == filters
    assert [layer.kernel_size for layer in convolutions] == [(side, side) for side in sides]
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == units
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in layers) is not name.startswith("lausanne")


def test_pool_before_relu_is_the_same_function() -> None:
    activations = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    assert torch.equal(F.max_pool2d(activations, 2).relu(), F.max_pool2d(activations.relu(), 2))


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(UserError, match=r"systems\.mine\.model=resnet: no such network; known: .*cs231n"):
        require_networks({"cs231n": "cs231n", "mine": "resnet"})


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "0.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"0\.safetensors: not the weights"):
        load_classifier(path)


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    state = Classifier(Normalisation(), build("cs231n")).state_dict()
    save_classifier(path, state, {"model": "cs231n_baseline", "normalise": "pixel"})
    with pytest.raises(WeightsError):
        load_classifier(path)


def test_normalisation_by_hand() -> None:
    images = IMAGES.float()
    torch.testing.assert_close(Normalisation(10.0, 4.0)(IMAGES), (images - 10) / 4)
    each = Normalisation(per_image=True)(IMAGES)
    torch.testing.assert_close(each.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(each.std(dim=(1, 2, 3), correction=0), torch.ones(4), atol=1e-4, rtol=0)
    assert torch.isfinite(Normalisation(per_image=True)(torch.full((1, 1, 48, 48), 9, dtype=torch.uint8))).all()
