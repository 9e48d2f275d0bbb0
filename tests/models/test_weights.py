"""Pretrained weights from files that the tests make: found, checked, summed to one channel, or asked for clearly."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.models
from safetensors.torch import save_file
from torch import Tensor

from fer.errors import UserError
from fer.models.plain import Layers
from fer.models.pretrained import BACKBONES, Transferred
from fer.models.weights import WEIGHTS, MissingWeightsError, load, one_channel

STATE = {
    "features.0.weight": torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0)),
    "features.0.bias": torch.arange(8.0),
}


def with_file(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Path:
    """A folder in which VGG-16's file stands, with tensors as the shared ones: matrices in half precision."""
    monkeypatch.setitem(WEIGHTS, "vgg16_imagenet", replace(WEIGHTS["vgg16_imagenet"], **({"sha256": None} | changes)))
    tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in STATE.items()}
    save_file(tensors, folder / WEIGHTS["vgg16_imagenet"].file)
    return folder


def test_a_file_comes_in_as_float32_with_one_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load("vgg16_imagenet", with_file(tmp_path, monkeypatch), download=False)
    assert {tensor.dtype for tensor in loaded.state.values()} == {torch.float32}
    assert loaded.state["features.0.weight"].shape == (8, 1, 3, 3)
    assert torch.equal(loaded.state["features.0.bias"], STATE["features.0.bias"])
    assert len(loaded.sha256) == 64


def test_the_sum_over_channels_is_the_repeated_grey_image() -> None:
    grey = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    repeated = F.conv2d(grey.repeat(1, 3, 1, 1), STATE["features.0.weight"], STATE["features.0.bias"], padding=1)
    summed = F.conv2d(
        grey, one_channel(STATE, "vgg16", Path("x"))["features.0.weight"], STATE["features.0.bias"], padding=1
    )
    torch.testing.assert_close(summed, repeated, rtol=1e-5, atol=1e-5)


def test_another_file_than_the_known_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_file(tmp_path, monkeypatch, sha256="0" * 64)
    with pytest.raises(UserError, match=r"vgg16_features_imagenet\.safetensors: another file.*\nexpected sha256 0{64}"):
        load("vgg16_imagenet", folder, download=True)


def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_file(tmp_path, monkeypatch)
    (folder / WEIGHTS["vgg16_imagenet"].file).write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UserError, match="no safetensors file"):
        load("vgg16_imagenet", folder, download=True)


@pytest.mark.parametrize("folder", [None, "empty"])
def test_what_cannot_be_downloaded_is_asked_for_in_three_lines(tmp_path: Path, folder: str | None) -> None:
    with pytest.raises(MissingWeightsError) as error:
        load("vgg16_vggface", tmp_path / folder if folder else None, download=True)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    assert "vgg16_features_vggface.safetensors" in lines[0]
    assert "Parkhi" in lines[1]
    assert "FER_WEIGHTS" in lines[2]


def fake_torchvision(monkeypatch: pytest.MonkeyPatch, folder: Path, answer: Any, *, content: bytes = b"vgg11") -> None:
    """torchvision's entry for VGG-11, whose cached file in `folder` holds `content`; published is b"vgg11"."""

    def get_state_dict(**options: bool) -> dict[str, Tensor]:
        assert options == {"progress": True, "check_hash": True, "weights_only": True}
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    name = f"vgg11-{hashlib.sha256(b'vgg11').hexdigest()[:8]}.pth"
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / "checkpoints" / name).write_bytes(content)
    entry = SimpleNamespace(get_state_dict=get_state_dict, url=f"https://example.org/{name}")
    monkeypatch.setattr(torchvision.models, "get_weight", {"VGG11_Weights.IMAGENET1K_V1": entry}.__getitem__)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))


def test_torchvisions_own_where_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torchvision(monkeypatch, tmp_path, STATE)
    loaded = load("vgg11_imagenet", tmp_path, download=True)
    assert loaded.state["features.0.weight"].shape == (8, 1, 3, 3)
    assert (loaded.sha256, loaded.v1_strides) == (hashlib.sha256(b"vgg11").hexdigest(), False)


def test_a_cached_download_that_is_not_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torchvision(monkeypatch, tmp_path, STATE, content=b"else")
    with pytest.raises(UserError, match=r"vgg11-\w+\.pth: not the file that torchvision published"):
        load("vgg11_imagenet", tmp_path, download=True)


@pytest.mark.parametrize(
    "error", [URLError("no network"), RuntimeError("invalid hash value"), TimeoutError(), EOFError(), UnpicklingError()]
)
def test_a_failed_download_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fake_torchvision(monkeypatch, tmp_path, error)
    with pytest.raises(MissingWeightsError, match=r"the download failed.*\n.*torchvision.*\n.*transfer\.weights_dir"):
        load("vgg11_imagenet", tmp_path, download=True)


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torchvision(monkeypatch, tmp_path, AssertionError("downloaded"))
    with pytest.raises(MissingWeightsError):
        load("vgg11_imagenet", tmp_path, download=False)


def test_a_files_strides_are_the_rows(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.ones(4, 3, 7, 7)}, tmp_path / WEIGHTS["resnet50_vggface"].file)
    loaded = load("resnet50_vggface", tmp_path, download=False)
    assert loaded.v1_strides
    assert loaded.state["conv1.weight"].shape == (4, 1, 7, 7)


def test_a_file_with_other_names_is_refused(tmp_path: Path) -> None:
    save_file({"stem.weight": torch.ones(4, 3, 7, 7)}, tmp_path / WEIGHTS["resnet50_vggface"].file)
    with pytest.raises(UserError, match=r"no tensor conv1\.weight"):
        load("resnet50_vggface", tmp_path, download=False)


@pytest.mark.parametrize(
    ("name", "dark", "bright"),  # what 0 and 255 become, by the publishers' preprocessing of a grey pixel
    [
        ("vgg16_imagenet", -np.mean([0.485, 0.456, 0.406]) / 0.226, (1 - np.mean([0.485, 0.456, 0.406])) / 0.226),
        ("inception_resnet_v1_vggface2", -127.5 / 128, 127.5 / 128),
        ("vgg16_vggface", -np.mean([129.186, 104.762, 93.594]), 255 - np.mean([129.186, 104.762, 93.594])),
        ("resnet50_vggface", -np.mean([91.4953, 103.8827, 131.0912]), 255 - np.mean([91.4953, 103.8827, 131.0912])),
    ],
)
def test_grey_values_are_put_as_the_weights_were_trained(name: str, dark: float, bright: float) -> None:
    row = WEIGHTS[name]
    assert (0 - row.mean) / row.std == pytest.approx(dark, rel=1e-3)
    assert (255 - row.mean) / row.std == pytest.approx(bright, rel=1e-3)


def test_the_registry_holds_together() -> None:
    assert len({row.file for row in WEIGHTS.values()}) == len(WEIGHTS)
    for row in WEIGHTS.values():
        assert row.architecture in BACKBONES
        if row.torchvision:
            assert "-" in torchvision.models.get_weight(row.torchvision).url


@pytest.mark.parametrize("name", [name for name, row in WEIGHTS.items() if row.sha256])
def test_real_files_fit_their_backbones(name: str) -> None:
    folder = os.environ.get("FER_WEIGHTS")
    if not folder or not (Path(folder) / WEIGHTS[name].file).exists():
        pytest.skip("FER_WEIGHTS names no folder with this file")
    loaded = load(name, Path(folder), download=False)
    network = Transferred(WEIGHTS[name].architecture, Layers(batch_norm=False), ())
    network.load_backbone(loaded.state)
    first = next(iter(network.backbone.state_dict()))
    assert torch.equal(network.backbone.state_dict()[first], loaded.state[first])
