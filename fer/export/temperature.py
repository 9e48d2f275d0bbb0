"""One number that makes a network's confidence how often it is right (Guo et al. 2017, equation 9).

As fer/evaluation/calibration.py, which tests hold it to, but for the network as it is used: one look at each face.
Apart from it, so that a change of evaluation does not make the published weights stale.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

RANGE = (np.log(0.01), np.log(100.0))  # of the temperature's logarithm


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return what logits, (N, 7), are divided by for the least log loss, from 0.01 to 100.

    The loss is convex in the temperature's inverse, so that it has one minimum.
    """

    def loss(logarithm: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(logarithm)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())

    fit = minimize_scalar(loss, bounds=RANGE, method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(fit.x)), 4)
