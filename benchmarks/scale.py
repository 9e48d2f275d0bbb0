"""Ingest and normalise on generated CSVs of 1, 5 and 10 times FER2013's size: time a face and peak memory.

The rows are random faces, no two the same; each stage runs as a process of its own. Ingest is without its search for
near-duplicates, which compares every test face with every Training face and so grows with the square.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import table
from fer.constants import PIXELS, Split

FACES = {Split.training: 28709, Split.public_test: 3589, Split.private_test: 3589}  # the competition's
SIZES = (1, 5, 10)
STAGES = ("ingest", "normalise")
ROOT = Path(__file__).parent.parent
PEAK = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def measure() -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("FER_SCRATCH")) as name:
        folder = Path(name)
        for size in SIZES:
            write_csv(folder / "faces.csv", size)
            rows.append({"size": size, "megabytes": (folder / "faces.csv").stat().st_size / 1e6, **run_stages(folder)})
    return {"rows": rows}


def write_csv(path: Path, size: int, *, faces: dict[Split, int] = FACES) -> None:
    """`size` copies of random faces, values 100 to 255; the first two pixels count the copies: no two are the same."""
    generator = np.random.default_rng(0)
    rows = []
    for split, count in faces.items():
        for start in range(0, count, 1024):
            shape = (min(1024, count - start), PIXELS - 2)
            rest = as_text(generator.integers(100, 256, shape, dtype=np.uint8)) + f",{split}\n".encode()
            rows += [
                (b"%d," % label, line) for label, line in zip(generator.integers(0, 7, len(rest)), rest, strict=True)
            ]
    with path.open("wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for copy in range(size):
            mark = b"%d %d" % (copy // 256, copy % 256)
            file.writelines(first + mark + rest for first, rest in rows)


def as_text(pixels: NDArray[np.uint8]) -> NDArray[np.object_]:
    """Three digits and a space before them for each value, (N, P) to N bytes objects."""
    text = np.full((*pixels.shape, 4), ord(" "), np.uint8)
    for place, power in enumerate((100, 10, 1), 1):
        text[:, :, place] = pixels // power % 10 + ord("0")
    return np.array([line.tobytes() for line in text], dtype=np.object_)


def run_stages(folder: Path) -> dict[str, Any]:
    clean, rejected = folder / "clean.h5", folder / "rejected.csv"
    return {
        "ingest": run_alone(
            "from fer.data.ingest import write_clean; write_clean(*paths, max_rejected=1.0)",
            folder / "faces.csv",
            clean,
            rejected,
        ),
        "normalise": run_alone(
            "from fer.data.normalise import normalise_store; normalise_store(*paths, drop_leaked=False)",
            clean,
            folder / "normalised.h5",
        ),
    }


def run_alone(code: str, *paths: Path) -> dict[str, float]:
    """Seconds and peak memory in MB of a Python process, by its own count: the system's includes its parent's."""
    begin = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", f"import sys; from pathlib import Path; paths = map(Path, sys.argv[1:]); {code}; {PEAK}",
         *map(str, paths)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "peak_mb": int(process.stdout.split()[1]) / 1024}


def slope(rows: list[dict[str, Any]], stage: str) -> float:
    """Exponent of time over size from the smallest to the largest: 1 is linear."""
    first, last = rows[0], rows[-1]
    return float(np.log(last[stage]["seconds"] / first[stage]["seconds"]) / np.log(last["size"] / first["size"]))


def report(result: dict[str, Any], _kind: str) -> str:
    header = ["size", "CSV, MB", "ingest, s", "ingest, peak MB", "normalise, s", "normalise, peak MB"]
    rows = [
        [f"{row['size']}x", f"{row['megabytes']:,.0f}"]
        + [f"{row[stage][unit]:.{digits}f}" for stage in STAGES for unit, digits in (("seconds", 1), ("peak_mb", 0))]
        for row in result["rows"]
    ]  # fmt: skip
    slopes = ", ".join(f"{stage} {slope(result['rows'], stage):.2f}" for stage in STAGES)
    goal = "Goal: peak memory flat, time linear."
    return f"{goal} Time grows with size to the power of: {slopes} (1 is linear).\n\n" + table(header, rows)
