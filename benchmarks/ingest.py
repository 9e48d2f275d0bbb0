"""The real CSV from its text to what training reads, against what public code does with pandas.

`array` is pandas with np.fromstring row by row, as usef-kh/fer and LetheSec's repository read the file; `pictures` is
that and one PNG a face, as scripts do that prepare folders for torchvision's ImageFolder. After `read_csv`, pandas
alone, the pixels are still text.
"""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measure import in_turn, ratio, summary, table
from benchmarks.ours import PARAMS
from fer.data.fer2013 import read_chunks
from fer.data.ingest import ingest, write_clean

CSV = Path("data/raw.csv")
GOALS = {"pictures": 5.0, "array": 2.0}
ROUNDS = 2
NAMES = {
    "ours": "ours: hash, parse, reject, audit of duplicates and leaks, HDF5",
    "stage": "the stage ingest: that, and the search for near-duplicates",
    "parse": "of ours, parsing to checked arrays",
    "read_csv": "pandas.read_csv, pixels still text",
    "array": "pandas.read_csv, np.fromstring a face",
    "pictures": "the same, then one PNG a face",
}


def measure() -> dict[str, Any] | None:
    """Return None where the real file is not at hand; `dvc repro acquire` writes it."""
    if not CSV.exists():
        return None
    rows = len(as_array(CSV)[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = in_turn(
            {
                "ours": lambda: write_clean(
                    CSV, folder / "clean.h5", folder / "rejected.csv", max_rejected=PARAMS.clean.max_rejected
                ),
                "stage": lambda: whole_stage(CSV, folder),
                "parse": lambda: sum(len(chunk.images) for chunk in read_chunks(CSV)),
                "read_csv": lambda: pd.read_csv(CSV),
                "array": lambda: as_array(CSV),
                "pictures": lambda: as_pictures(CSV, folder),
            },
            rounds=ROUNDS,
            warm=False,
        )
    return {
        "rows": rows,
        "megabytes": CSV.stat().st_size / 1e6,
        "variants": {name: summary(times, rows) for name, times in seconds.items()},
        "ratios": {name: ratio(seconds["ours"], seconds[name]) for name in ("read_csv", "array", "pictures")},
    }


def whole_stage(path: Path, folder: Path) -> None:
    files = (folder / name for name in ("clean.h5", "rejected.csv", "near_duplicates.csv"))
    clean = PARAMS.clean
    ingest(
        path,
        *files,
        near_duplicate_correlation=clean.near_duplicate_correlation,
        max_rejected=clean.max_rejected,
        report=lambda _: None,
    )


def as_array(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64], pd.Series]:
    data = pd.read_csv(path)
    images = np.zeros((len(data), 48, 48))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for index, pixels in enumerate(data["pixels"]):
            images[index] = np.fromstring(pixels, dtype=int, sep=" ").reshape(48, 48)
    return images, data["emotion"].to_numpy(), data["Usage"]


def as_pictures(path: Path, folder: Path) -> None:
    images, labels, usages = as_array(path)
    for usage in usages.unique():
        for label in range(7):
            (folder / usage / str(label)).mkdir(parents=True, exist_ok=True)
    for index, (image, label, usage) in enumerate(zip(images, labels, usages, strict=True)):
        Image.fromarray(image.astype(np.uint8)).save(folder / usage / str(label) / f"{index}.png")


def report(result: dict[str, Any], _kind: str) -> str:
    goals = f"Goals: ours {GOALS['pictures']:g} times as fast as PNGs, {GOALS['array']:g} times as pandas alone."
    rows = [
        [NAMES[name], f"{variant['per_second']:,.0f}", f"{ratio:.1f}" if (ratio := result["ratios"].get(name)) else "–"]
        for name, variant in result["variants"].items()
    ]
    size = f"{result['rows']:,} rows, {result['megabytes']:.0f} MB"
    return f"{goals} The real file: {size}.\n\n" + table(["way", "rows/s", "ours is faster by"], rows)
