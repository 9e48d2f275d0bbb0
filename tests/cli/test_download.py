"""`python -m fer download weights`: torchvision's own file, checked, without its head, with its public names."""

import hashlib
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from fer.cli.main import main
from fer.models.weights import read_backbone

OUT = Path("data/weights/mobilenet_v2_imagenet.safetensors")


def fer(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["download", "weights", *arguments])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch.hub's, empty; and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    return tmp_path / "hub" / "checkpoints"


def refuse(*_: object, **__: object) -> None:
    raise OSError("no network")


def published(cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A random network's file in the cache, published under its hash as torchvision's is."""
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = mobilenet_v2().state_dict()
    cache.mkdir(parents=True)
    torch.save(state, cache / "new.pth")
    digest = hashlib.sha256((cache / "new.pth").read_bytes()).hexdigest()[:8]
    path = (cache / "new.pth").rename(cache / f"mobilenet_v2-{digest}.pth")
    monkeypatch.setattr(type(MobileNet_V2_Weights.IMAGENET1K_V1), "url", property(lambda _: f"https://x/{path.name}"))
    return state


def test_the_file_has_the_public_names_and_no_head(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = published(cache, monkeypatch)
    result = fer("mobilenet_v2")
    assert result.exit_code == 0, result.output
    found = load_file(OUT)
    assert set(found) == {name for name in state if not name.startswith("classifier.")}
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())
    assert read_backbone(OUT, "mobilenet_v2")["features.0.0.weight"].shape[1] == 1
    assert "there already" in fer("mobilenet_v2").output


def test_a_file_that_is_not_the_published_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(cache, monkeypatch)
    (path,) = cache.iterdir()
    path.write_bytes(b"something else")
    result = fer("mobilenet_v2")
    assert result.exit_code == 1
    assert f"{path}: not the file that torchvision published" in result.output
    assert not OUT.exists()


def test_without_a_network() -> None:
    result = fer("vgg11")
    assert result.exit_code == 1
    assert (
        "error: vgg11: https://download.pytorch.org/models/vgg11-8a719046.pth could not be downloaded" in result.output
    )
    assert "docs/pretrained.md says how to make data/weights/vgg11_imagenet.safetensors" in result.output
    assert len(result.output.splitlines()) <= 4
    assert not Path("data").exists()


def test_an_unknown_name() -> None:
    result = fer("resnet18")
    assert result.exit_code == 2
    assert "'resnet18' is not one of 'vgg11', 'vgg16', 'resnet50', 'mobilenet_v2'" in result.output
