"""Where a network's weights lie: a path, a system trained in this folder, or a published one."""

import os
from pathlib import Path

from fer.app import CHECKOUT
from fer.errors import UserError
from fer.models.best_seed import best_seed

MODELS = Path("data") / "models"  # of the pipeline in the current folder
PUBLISHED = CHECKOUT / "data" / "published"  # in git
SUFFIX = ".safetensors"


def find_weights(model: str) -> Path:
    """Return the file of a path, of NAME (its best seed on PublicTest, else the published one) or of NAME/SEED.

    Raise UserError, which says what there is.
    """
    path = Path(os.path.expanduser(model))  # noqa: PTH111 - pathlib ends at ~name where nobody is called so
    if path.is_file():
        return path
    name, _, seed = model.partition("/")
    if not name or model.endswith(("/", SUFFIX)) or (seed and not seed.isdecimal()):
        raise UserError(f"{model or repr(model)}: no such file; expected a file, NAME or NAME/SEED\n{there_is()}")
    trained, published = MODELS / name, PUBLISHED / f"{name}{SUFFIX}"
    if seed and (trained / f"{seed}{SUFFIX}").is_file():
        return trained / f"{seed}{SUFFIX}"
    if not seed and any(trained.glob(f"*{SUFFIX}")):
        return best_seed(trained)
    if not seed and published.is_file():
        return published
    raise UserError(f"{model}: not trained in this folder and not published\n{there_is()}")


def there_is() -> str:
    """Return `trained here: NAME/SEED, ...; published: NAME, ...`."""
    trained = sorted(path.relative_to(MODELS).with_suffix("").as_posix() for path in MODELS.glob(f"*/*{SUFFIX}"))
    published = sorted(path.stem for path in PUBLISHED.glob(f"*{SUFFIX}"))
    return f"trained here: {', '.join(trained) or 'nothing'}; published: {', '.join(published) or 'nothing'}"
