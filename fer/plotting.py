"""The style of every picture, and a PNG with the same bytes each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fer.files import atomic_write

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"  # Okabe & Ito, safe for colour-blind readers
STYLE: Any = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}
mpl.use("Agg")


@contextmanager
def drawing(
    path: Path, rows: int = 1, columns: int = 1, *, size: tuple[float, float], **grid: Any
) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure in the project's style and its axes, and save it whole under `path` when the block ends.

    Args:
        size: width and height in inches.
        grid: as plt.subplots takes it.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", **grid)
        try:
            yield figure, axes
            with atomic_write(path) as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
        finally:
            plt.close(figure)
