"""Where a trained network's weights lie: what the pipeline trained here, else what is kept in git."""

from pathlib import Path

from fer.errors import UserError
from fer.models.published import best_seed

MODELS, PUBLISHED = Path("data") / "models", Path("data") / "published"


def find_weights(system: str, datasets: list[str], seed: int | None) -> Path:
    """The system's weights: of the first of `datasets` that has them; that seed's, or the best one's on PublicTest.

    Raises UserError, which says what there is.
    """
    for dataset in datasets:
        folder, published = MODELS / dataset / system, PUBLISHED / dataset / f"{system}.safetensors"
        if seed is not None and (folder / f"{seed}.safetensors").exists():
            return folder / f"{seed}.safetensors"
        if seed is None and any(folder.glob("*.safetensors")):
            return best_seed(folder)
        if seed is None and published.exists():
            return published
    wanted = system if seed is None else f"{system}, seed {seed}"
    raise UserError(f"{wanted}: not trained on {' or '.join(datasets)}; there is: {', '.join(there_is()) or 'nothing'}")


def there_is() -> list[str]:
    """`dataset/system/seed` of what was trained here, `dataset/system` of what is kept in git."""
    trained = [path.relative_to(MODELS) for path in MODELS.glob("*/*/*.safetensors")]
    published = [path.relative_to(PUBLISHED) for path in PUBLISHED.glob("*/*.safetensors")]
    return sorted(path.with_suffix("").as_posix() for path in (*trained, *published))
