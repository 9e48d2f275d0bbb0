"""What the explanation of one system says in numbers: the content of metrics/explain/{system}.json."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer.constants import Emotion
from fer.explain.faithfulness import Curves, area
from fer.explain.regions import CLAIMS, by_emotion, share

if TYPE_CHECKING:
    from fer.explain.explain import Explained

CURVES = ("deletion", "insertion")
SIDE = 24  # of the mean maps in the JSON, in places


def measure(explained: "Explained", found: dict[str, Curves], *, resamples: int, seed: int) -> dict[str, Any]:
    """Return everything that the report draws, so that it needs no map.

    `faithfulness`: per method, the mean area under each curve with its interval over faces. `curves`: per kind and
    method, the mean probability after each step. `upper_half`: per method and emotion, the share of the maps' mass in
    the upper half of the face. `mean_maps`: as `compact` gives them.
    """
    bootstrap = {"resamples": resamples, "seed": seed}
    return {
        "faces": len(explained.labels),
        "faithfulness": {name: areas(of_method, bootstrap) for name, of_method in found.items()},
        "curves": {
            kind: {name: getattr(of_method, kind).mean(axis=0).tolist() for name, of_method in found.items()}
            for kind in CURVES
        },
        "upper_half": {name: by_emotion(maps, explained.labels, **bootstrap) for name, maps in explained.maps.items()},
        "claims": {emotion.name: half for emotion, half in CLAIMS.items()},
        "mean_maps": {name: compact(mean_maps(maps, explained.labels)) for name, maps in explained.maps.items()},
    }


def areas(of_method: Curves, bootstrap: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return the mean area under each curve and its interval."""
    found = {kind: share(area(getattr(of_method, kind)), **bootstrap) for kind in CURVES}
    return {kind: value._asdict() for kind, value in found.items() if value}


def mean_maps(maps: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean map of each emotion, (7, 48, 48); maps (N, 48, 48)."""
    return np.stack([mean_map(maps[labels == emotion]) for emotion in Emotion])


def mean_map(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of maps (N, 48, 48), each with its positive mass scaled to 1, so that every face counts alike."""
    positive = np.clip(maps.astype(np.float64), 0, None)
    mass = positive.sum(axis=(1, 2), keepdims=True)
    known = mass[:, 0, 0] > 0
    scaled = positive[known] / mass[known]
    return scaled.mean(axis=0) if known.any() else np.zeros(maps.shape[1:])


def compact(means: NDArray[np.float64]) -> dict[str, str]:
    """Return per emotion SIDE x SIDE bytes in base64, row by row; 255 is the highest value of the seven.

    Args:
        means: one method's, (7, 48, 48).
    """
    block = means.shape[-1] // SIDE
    small = means.reshape(len(means), SIDE, block, SIDE, block).mean(axis=(2, 4))  # (7, 24, 24)
    grey = (255 * small / (small.max() or 1.0)).round().astype(np.uint8)
    return {emotion.name: b64encode(grey[emotion].tobytes()).decode() for emotion in Emotion}
