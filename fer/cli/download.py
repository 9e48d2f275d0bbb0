"""`python -m fer download ...`: data and pretrained weights into the pipeline's folder, before `dvc repro`."""

from pathlib import Path
from pickle import UnpicklingError

import click

from fer.errors import UserError
from fer.files import atomic_write, sha256_of

SOURCE, WEIGHTS = Path("data") / "source", Path("data") / "weights"  # the user's own: in neither git nor the graph
TORCHVISION = {
    "vgg11": "VGG11_Weights.IMAGENET1K_V1",
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "resnet50": "ResNet50_Weights.IMAGENET1K_V1",
    "mobilenet_v2": "MobileNet_V2_Weights.IMAGENET1K_V1",
}
HEADS = ("classifier.", "fc.")  # ImageNet's thousand classes, which no system uses


@click.group()
def download() -> None:
    """Fetch data or pretrained weights into ./data."""


@download.command()
def fer2013() -> None:
    """Fetch FER2013's CSV from Kaggle into data/source."""
    from fer.data.download import download_fer2013  # noqa: PLC0415

    click.echo(f"{download_fer2013(SOURCE)}: FER2013; `dvc repro` takes it from there")


@download.command()
def ferplus() -> None:
    """Fetch FER+'s votes on FER2013's faces from GitHub into data/source."""
    from fer.data.download import download_ferplus  # noqa: PLC0415

    click.echo(f"{download_ferplus(SOURCE)}: FER+ votes")


@download.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(list(TORCHVISION)))
def weights(names: tuple[str, ...]) -> None:
    """Fetch torchvision's ImageNet weights of vgg11, vgg16, resnet50, mobilenet_v2 (all if none is named)."""
    for name in names or TORCHVISION:
        out = WEIGHTS / f"{name}_imagenet.safetensors"
        if out.exists():
            click.echo(f"{out}: there already")
            continue
        fetch_weights(name, out)
        click.echo(f"{out}: {out.stat().st_size:,} bytes, sha256 {sha256_of(out)}")


def fetch_weights(name: str, out: Path) -> None:
    """Write torchvision's weights, without the head, as safetensors with their public names.

    torch.hub checks the hash of what it downloads but not of what its cache holds: that is checked here.
    Raise UserError without a network and for a file that is not the published one.
    """
    import torch.hub  # noqa: PLC0415
    from safetensors.torch import save  # noqa: PLC0415
    from torchvision.models import get_weight  # noqa: PLC0415

    entry = get_weight(TORCHVISION[name])
    path = Path(torch.hub.get_dir()) / "checkpoints" / entry.url.rsplit("/", 1)[1]
    if path.exists():
        require_published(path)
    try:
        state = entry.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:  # URLError is an OSError
        raise UserError(
            f"{name}: {entry.url} could not be downloaded ({error})\n"
            f"docs/pretrained.md says how to make {out} from a file that you have"
        ) from None
    kept = {key: tensor.contiguous() for key, tensor in state.items() if not key.startswith(HEADS)}
    with atomic_write(out) as temporary:
        temporary.write_bytes(save(kept))


def require_published(path: Path) -> None:
    """Raise UserError for a cached file whose name holds another hash than its content, as vgg16-397923af.pth does."""
    if not (sha256 := sha256_of(path)).startswith(path.stem.rsplit("-", 1)[1]):
        raise UserError(f"{path}: not the file that torchvision published (sha256 {sha256}); delete it")
