"""Every row of the table: builds, runs forward and backward, takes a step, has its size, survives a file."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fer.errors import UserError
from fer.models.classifier import Classifier, Normalisation, WeightsError, load_classifier, predict, save_classifier
from fer.models.pooling import FractionalMaxPool2d
from fer.models.zoo import MODELS, build, count_flops, layout, require_networks
from fer.recipe import Layers

IMAGES = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
PLAIN = [name for name, row in MODELS.items() if "pooling" in row.takes]
LABELS = torch.tensor([0, 2, 4, 6])


@pytest.mark.parametrize("name", MODELS)
def test_forward_backward_and_a_step(name: str) -> None:
    side = max(32, MODELS[name].smallest)  # at its smallest a network may end in a single pixel
    classifier = Classifier(Normalisation(128.0, 64.0), build(name, side=side), input_size=side)
    torch.manual_seed(0)  # the same dropout before and after the step
    scores = classifier(IMAGES)
    assert scores.shape == (4, 7)
    before = F.cross_entropy(scores, LABELS)
    before.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in classifier.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(classifier.parameters()))
    assert all(bool(gradient.any()) for gradient in gradients)
    slope = sum(float(gradient.square().sum()) for gradient in gradients)
    torch.optim.SGD(classifier.parameters(), lr=0.01 / slope).step()  # 0.01 less, as far as the slope goes
    torch.manual_seed(0)
    assert F.cross_entropy(classifier(IMAGES), LABELS) < before


@pytest.mark.parametrize("name", MODELS)
def test_parameter_count_is_the_rows(name: str) -> None:
    assert sum(parameter.numel() for parameter in build(name).parameters()) == MODELS[name].parameters


@pytest.mark.parametrize("name", MODELS)
def test_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    side = MODELS[name].smallest
    classifier = Classifier(Normalisation(100.0, 50.0), build(name, side=side), input_size=side).eval()
    path = tmp_path / "0.safetensors"
    given = {"model": name, "network": {"side": side}, "normalise": "global", "seed": 0}
    save_classifier(path, classifier.state_dict(), given)
    loaded, provenance = load_classifier(path)
    assert provenance == given
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


@pytest.mark.parametrize("name", PLAIN)
def test_layers_can_be_changed_in_any_plain_row(name: str) -> None:
    plain = build(name, layers={"batch_norm": False, "dropout": 0.0})
    assert not [layer for layer in plain.modules() if isinstance(layer, nn.BatchNorm2d | nn.Dropout)]
    rich = build(name, layers={"batch_norm": True, "dropout": 0.4, "pooling": "fractional"})
    kinds = [type(layer) for layer in rich.modules()]
    assert nn.BatchNorm2d in kinds
    assert FractionalMaxPool2d in kinds
    assert nn.MaxPool2d not in kinds
    assert {layer.p for layer in rich.modules() if isinstance(layer, nn.Dropout)} == {0.4}
    assert rich(IMAGES.float()).shape == (4, 7)


@pytest.mark.parametrize("name", PLAIN)
def test_any_plain_row_takes_a_larger_input(name: str) -> None:
    classifier = Classifier(Normalisation(128.0, 64.0), build(name, side=64), input_size=64).eval()
    assert classifier(IMAGES).shape == (4, 7)


def test_layout_shows_every_change_of_a_row() -> None:
    """Training depends on this text instead of the table: what changes a row must change it."""
    texts = {layout(build(name)) for name in MODELS}
    texts |= {layout(build("cs231n", layers=change)) for change in ({"dropout": 0.1}, {"pooling": "fractional"})}
    texts |= {layout(build("cs231n", layers={"batch_norm": False})), layout(build("cs231n", side=64))}
    assert len(texts) == len(MODELS) + 4


def test_flops_of_a_network_counted_by_hand() -> None:
    """cs231n: a convolution is 2 * 9 * inputs * filters for each pixel of its output."""
    sides, filters = (48, 24, 12, 6), (1, 32, 64, 96, 128)
    convolutions = sum(
        18 * side**2 * before * after for side, before, after in zip(sides, filters, filters[1:], strict=False)
    )
    assert count_flops(build("cs231n"), 48) == convolutions + 2 * (1152 * 200 + 200 * 7)


def settings(**changes: Any) -> SimpleNamespace:
    values = {"model": "cs231n", "side": 48, "weights": None, "layers": Layers()}
    return SimpleNamespace(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "resnet"}, r"systems\.mine\.model=resnet: no such network; known: .*cs231n"),
        ({"model": "face_inception"}, r"systems\.mine\.input_size=48: face_inception needs 75"),
        ({"weights": "vgg16_imagenet"}, r"systems\.mine\.weights=vgg16_imagenet: known for cs231n: none"),
        (
            {"model": "vgg16_dense", "weights": "resnet50_vggface"},
            r"known for vgg16_dense: vgg16_imagenet, vgg16_vggface",
        ),
        ({"side": 20}, r"systems\.mine\.input_size=20: cs231n needs 24 at least"),
        ({"model": "vgg16_dense", "layers": Layers(pooling="fractional")}, r"systems\.mine\.layers\.pooling"),
        (
            {"layers": Layers(blur_pooling=True)},
            r"layers\.blur_pooling=True: cs231n takes batch_norm, dropout, pooling",
        ),
    ],
)
def test_what_no_row_has_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_networks({"good": settings(), "mine": settings(**changes)})


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "0.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"0\.safetensors: not the weights"):
        load_classifier(path)


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    state = Classifier(Normalisation(), build("cs231n")).state_dict()
    save_classifier(path, state, {"model": "cs231n_baseline", "network": {"side": 48}, "normalise": "pixel"})
    with pytest.raises(WeightsError):
        load_classifier(path)


def test_normalisation_by_hand() -> None:
    images = IMAGES.float()
    torch.testing.assert_close(Normalisation(10.0, 4.0)(IMAGES), (images - 10) / 4)
    each = Normalisation(per_image=True)(IMAGES)
    torch.testing.assert_close(each.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(each.std(dim=(1, 2, 3), correction=0), torch.ones(4), atol=1e-4, rtol=0)
    assert torch.isfinite(Normalisation(per_image=True)(torch.full((1, 1, 48, 48), 9, dtype=torch.uint8))).all()
