"""Public weights from files that the tests make: float32, summed to one channel, or refused clearly."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from fer.errors import UserError
from fer.models.classifier import CONSTANTS
from fer.models.pretrained import STAGE_ENDS
from fer.models.weights import FIRST, one_channel, read_backbone, read_metadata

STATE = {
    "features.0.weight": torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0)),
    "features.0.bias": torch.arange(8.0),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Tensors of a VGG, matrices in half precision, as published files may have them."""
    tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in STATE.items()}
    save_file(tensors, tmp_path / "vgg16.safetensors")
    return tmp_path / "vgg16.safetensors"


def test_a_file_comes_in_as_float32_with_one_channel(file: Path) -> None:
    state = read_backbone(file, "vgg16")
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert state["features.0.weight"].shape == (8, 1, 3, 3)
    assert torch.equal(state["features.0.bias"], STATE["features.0.bias"])
    assert read_metadata(file) == {}


def test_the_sum_over_channels_is_the_repeated_grey_image() -> None:
    grey = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    weight, bias = STATE.values()
    repeated = F.conv2d(grey.repeat(1, 3, 1, 1), weight, bias, padding=1)
    summed = F.conv2d(grey, one_channel(STATE, "features.0.weight")["features.0.weight"], bias, padding=1)
    torch.testing.assert_close(summed, repeated, rtol=1e-5, atol=1e-5)


def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path) -> None:
    (tmp_path / "vgg16.pth").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UserError, match=r"vgg16\.pth: no safetensors file"):
        read_backbone(tmp_path / "vgg16.pth", "vgg16")


def test_a_file_with_other_names_is_refused(file: Path) -> None:
    with pytest.raises(UserError, match=r"no tensor conv1\.weight; the names must be the public ones of resnet50"):
        read_backbone(file, "resnet50")


def test_every_backbone_has_a_first_convolution() -> None:
    assert set(FIRST) == set(STAGE_ENDS)


@pytest.mark.parametrize(
    ("name", "dark", "bright"),  # what 0 and 255 become, by the publishers' preprocessing of a grey pixel
    [
        ("imagenet", -np.mean([0.485, 0.456, 0.406]) / 0.226, (1 - np.mean([0.485, 0.456, 0.406])) / 0.226),
        ("facenet", -127.5 / 128, 127.5 / 128),
        ("vggface", -np.mean([129.186, 104.762, 93.594]), 255 - np.mean([129.186, 104.762, 93.594])),
        ("vggface2", -np.mean([91.4953, 103.8827, 131.0912]), 255 - np.mean([91.4953, 103.8827, 131.0912])),
    ],
)
def test_grey_values_are_put_as_the_weights_were_trained(name: str, dark: float, bright: float) -> None:
    mean, std = CONSTANTS[name]
    assert (0 - mean) / std == pytest.approx(dark, rel=1e-3)
    assert (255 - mean) / std == pytest.approx(bright, rel=1e-3)
