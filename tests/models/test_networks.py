"""Every network of params.yaml: builds, runs forward and backward, takes a step, has its size, survives a file."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fer.errors import UserError
from fer.models.classifier import Classifier, Normalisation, WeightsError, load_classifier, predict, save_classifier
from fer.models.networks import build, check, count_flops, input_side
from fer.models.pooling import FractionalMaxPool2d
from tests.runs import PARAMS, config

IMAGES = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 4, 6])
# The parameters of each network, and the side of its smallest input in these tests.
SIZES = {
    "cs231n_baseline": (3_688_839, 48),
    "cs231n": (417_255, 24),
    "le_shallow": (4_926_919, 48),
    "le_deep": (4_473_543, 48),
    "tuwani": (140_343, 48),
    "tuwani_augmented": (140_343, 48),
    "lausanne_cnn1": (1_199_495, 48),
    "lausanne_cnn2": (1_306_375, 48),
    "flagship": (11_171_271, 32),
    "flagship_vgg": (9_225_671, 32),
    "vgg11_frozen": (9_750_279, 32),
    "vgg16_finetuned": (14_717_127, 32),
    "vgg16_frozen": (14_980_807, 32),
    "resnet50_imagenet": (24_555_463, 32),
    "face_inception": (13_881_543, 75),
    "mobilenet_v2": (2_232_263, 32),
}
PLAIN = ["cs231n_baseline", "cs231n", "le_shallow", "le_deep", "tuwani", "lausanne_cnn1", "lausanne_cnn2"]


def network(system: str, side: int = 48, **changes: Any) -> nn.Module:
    return build(config(system, network=changes).network, side)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("system", SIZES)
def test_forward_backward_and_a_step(system: str) -> None:
    side = max(32, SIZES[system][1])  # at its smallest a network may end in a single pixel
    classifier = Classifier(Normalisation(128.0, 64.0), network(system, side), input_size=side)
    torch.manual_seed(0)  # the same dropout before and after the step
    logits = classifier(IMAGES)
    assert logits.shape == (4, 7)
    before = F.cross_entropy(logits, LABELS)
    before.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in classifier.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(classifier.parameters()))
    assert all(bool(gradient.any()) for gradient in gradients)
    slope = sum(float(gradient.square().sum()) for gradient in gradients)
    torch.optim.SGD(classifier.parameters(), lr=0.01 / slope).step()  # 0.01 less, as far as the slope goes
    torch.manual_seed(0)
    assert F.cross_entropy(classifier(IMAGES), LABELS) < before


@pytest.mark.parametrize("system", SIZES)
def test_parameter_counts(system: str) -> None:
    with torch.device("meta"):
        assert size(network(system)) == SIZES[system][0]


def test_every_network_of_params_yaml_has_a_size() -> None:
    kinds = {PARAMS.config(system).network for system in PARAMS.systems}
    counted = {PARAMS.config(system).network for system in SIZES}
    assert kinds - counted == {PARAMS.config("flagship_small").network}  # the flagship at a quarter of its width


@pytest.mark.parametrize("system", SIZES)
def test_weights_survive_a_file(system: str, tmp_path: Path) -> None:
    side = SIZES[system][1]
    given = config(system, input_size=side, normalise="global", augment={"crop": None}, tta="flip")
    classifier = Classifier(Normalisation(100.0, 50.0), build(given.network, side), input_size=side).eval()
    path = tmp_path / "0.safetensors"
    provenance = {"config": given.model_dump(mode="json"), "seed": 0}
    save_classifier(path, classifier.state_dict(), provenance)
    loaded, read = load_classifier(path)
    assert read == provenance
    assert (loaded.input_size, loaded.crop, loaded.tta) == (side, None, "flip")
    assert torch.equal(loaded.normalise.mean, classifier.normalise.mean)
    torch.testing.assert_close(
        predict(loaded, IMAGES, torch.float32), predict(classifier, IMAGES, torch.float32), rtol=1e-4, atol=1e-4
    )


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    state = network("cs231n").state_dict()
    for name in ("a", "b"):
        save_classifier(tmp_path / name, state, {"config": config().model_dump(mode="json")})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def layer_kinds(system: str) -> list[str]:
    return [type(layer).__name__ for layer in network(system)]  # type: ignore[attr-defined]


def test_cs231n_is_what_report_000_says() -> None:
    convolutions = [layer for layer in network("cs231n").modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 64, 96, 128]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    convolution, dense = ["Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"], ["Flatten", "Linear", "ReLU", "Linear"]
    assert layer_kinds("cs231n") == convolution * 4 + dense
    assert [layer.out_features for layer in network("cs231n").modules() if isinstance(layer, nn.Linear)] == [200, 7]


def test_baseline_is_what_report_000_says() -> None:
    assert layer_kinds("cs231n_baseline") == ["Conv2d", "MaxPool2d", "ReLU", "Flatten", "Linear", "ReLU", "Linear"]


def test_tuwani_has_the_size_that_report_002_prints() -> None:
    """Keras counts the running mean and variance of batch normalisation as parameters that are not trained."""
    tuwani = network("tuwani")
    statistics = sum(buffer.numel() for buffer in tuwani.buffers() if buffer.is_floating_point())
    assert (size(tuwani), size(tuwani) + statistics) == (140_343, 141_303)


@pytest.mark.parametrize(
    ("system", "filters", "sides", "units"),
    [
        ("le_shallow", [64, 128], [3, 5], [256, 7]),
        ("le_deep", [64, 128, 512, 512], [3, 5, 3, 3], [256, 512, 7]),
        ("tuwani", [16, 16, 32, 32, 64, 64], [3] * 6, [256, 7]),
        ("lausanne_cnn1", [32, 64], [3, 3], [128, 7]),
        ("lausanne_cnn2", [32, 64, 128], [3, 3, 3], [256, 128, 7]),
    ],
)
def test_layers_are_the_reports(system: str, filters: list[int], sides: list[int], units: list[int]) -> None:
    layers = list(network(system).modules())
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == filters
    assert [layer.kernel_size for layer in convolutions] == [(side, side) for side in sides]
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == units
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in layers) is not system.startswith("lausanne")
    assert any(isinstance(layer, nn.BatchNorm1d) for layer in layers) is not system.startswith("lausanne")


def test_pool_before_relu_is_the_same_function() -> None:
    activations = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    assert torch.equal(F.max_pool2d(activations, 2).relu(), F.max_pool2d(activations.relu(), 2))


@pytest.mark.parametrize("system", PLAIN)
def test_options_of_plain_networks(system: str) -> None:
    hidden = {} if system == "tuwani" else {"batch_norm_hidden": False}
    plain = network(system, batch_norm=False, dropout=0.0, **hidden)
    assert not [layer for layer in plain.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.Dropout)]
    rich = network(system, batch_norm=True, dropout=0.4, pooling="fractional", hidden=[11, 12])
    kinds = [type(layer) for layer in rich.modules()]
    assert nn.BatchNorm2d in kinds
    assert FractionalMaxPool2d in kinds
    assert nn.MaxPool2d not in kinds
    assert {layer.p for layer in rich.modules() if isinstance(layer, nn.Dropout)} == {0.4}
    assert [layer.out_features for layer in rich.modules() if isinstance(layer, nn.Linear)] == [11, 12, 7]
    assert rich(IMAGES.float()).shape == (4, 7)


@pytest.mark.parametrize("system", PLAIN)
def test_any_plain_network_takes_a_larger_input(system: str) -> None:
    classifier = Classifier(Normalisation(128.0, 64.0), network(system, 64), input_size=64).eval()
    assert classifier(IMAGES).shape == (4, 7)


def test_flops_of_a_network_counted_by_hand() -> None:
    """cs231n: a convolution is 2 * 9 * inputs * filters for each pixel of its output."""
    sides, filters = (48, 24, 12, 6), (1, 32, 64, 96, 128)
    convolutions = sum(
        18 * side**2 * before * after for side, before, after in zip(sides, filters, filters[1:], strict=False)
    )
    assert count_flops(network("cs231n"), 48) == convolutions + 2 * (1152 * 200 + 200 * 7)


@pytest.mark.parametrize("system", PARAMS.systems)
def test_the_systems_of_params_yaml_pass_the_check(system: str) -> None:
    check(system, PARAMS.config(system))


@pytest.mark.parametrize(
    ("system", "changes", "message"),
    [
        ("face_inception", {"input_size": 74}, r"systems\.mine\.input_size=74: images of 74 pixels are too small"),
        ("tuwani", {"augment": {"crop": 24}}, r"input_size=48: images of 24 pixels are too small"),
        ("tuwani", {"input_size": 24, "network": {"pooling": "fractional", "kernel": 7}}, "input_size=24"),
        ("cs231n", {"input_size": 16, "network": {"filters": [8] * 5, "kernels": [3] * 5}}, "input_size=16"),
        ("flagship_vgg", {"augment": {"crop": None}, "tta": "none", "input_size": 31}, "input_size=31"),
        ("vgg16_frozen", {"input_size": 31}, "input_size=31"),
        ("cs231n", {"transfer": {"trainable_stages": 0}}, r"transfer\.trainable_stages=0: only .* backbone"),
        ("cs231n", {"transfer": {"unfreeze_every": 2}}, r"transfer\.unfreeze_every=2"),
        ("flagship", {"transfer": {"backbone_lr": 0.5}}, r"transfer\.backbone_lr=0\.5"),
        ("vgg16_frozen", {"network": {"v1_strides": True}}, r"network\.v1_strides=True: only resnet50"),
    ],
)
def test_what_a_network_cannot_take_is_named(system: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check("mine", config(system, **changes))


@pytest.mark.parametrize("system", ["face_inception", "tuwani", "cs231n", "vgg16_frozen", "flagship"])
def test_the_check_fails_where_the_network_does(system: str) -> None:
    """At every size, against real tensors."""
    for side in (16, 23, 24, 31, 32, 44, 74, 75):
        settings = config(system, input_size=side, augment={"crop": None}, tta="none")
        try:
            network(system, side).eval()(torch.zeros(1, 1, side, side))
        except (RuntimeError, ValueError):
            with pytest.raises(UserError):
                check(system, settings)
        else:
            check(system, settings)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "0.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"0\.safetensors: not the weights"):
        load_classifier(path)


@pytest.mark.parametrize(
    "given",
    [
        config("cs231n_baseline").model_dump(mode="json"),
        config().model_dump(mode="json") | {"network": {"type": "transformer"}},
        {"normalise": "pixel"},
        None,
    ],
)
def test_weights_of_another_network_or_of_none(tmp_path: Path, given: Any) -> None:
    state = Classifier(Normalisation(), network("cs231n")).state_dict()
    save_classifier(tmp_path / "0.safetensors", state, {"config": given})
    with pytest.raises(WeightsError, match=r"0\.safetensors: not the weights"):
        load_classifier(tmp_path / "0.safetensors")


def test_a_file_outlives_new_options_of_training(tmp_path: Path) -> None:
    state = Classifier(Normalisation(), network("cs231n", 40), input_size=40, crop=40).state_dict()
    given = {
        "network": config().network.model_dump(mode="json"),
        "input_size": 48, "normalise": "image", "augment": {"crop": 40, "cutmix": 0.5}, "tta": "ten_crop",
        "lookahead": 5,
    }  # fmt: skip
    save_classifier(tmp_path / "0.safetensors", state, {"config": given})
    loaded, _ = load_classifier(tmp_path / "0.safetensors")
    assert (loaded.input_size, loaded.crop, loaded.tta, loaded.normalise.per_image) == (40, 40, "ten_crop", True)


def test_normalisation_by_hand() -> None:
    images = IMAGES.float()
    torch.testing.assert_close(Normalisation(10.0, 4.0)(IMAGES), (images - 10) / 4)
    each = Normalisation(per_image=True)(IMAGES)
    torch.testing.assert_close(each.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(each.std(dim=(1, 2, 3), correction=0), torch.ones(4), atol=1e-4, rtol=0)
    assert torch.isfinite(Normalisation(per_image=True)(torch.full((1, 1, 48, 48), 9, dtype=torch.uint8))).all()


@pytest.mark.parametrize(("crop", "size", "side"), [(None, 48, 48), (44, 48, 44), (44, 64, 64), (None, 24, 24)])
def test_the_networks_side_is_the_crop_unless_it_is_scaled(crop: int | None, size: int, side: int) -> None:
    assert input_side(size, crop) == side
