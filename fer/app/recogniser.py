"""One or several trained networks behind one call: grey faces in, seven probabilities out."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer.app.trained import find_weights
from fer.constants import EMOTION_NAMES
from fer.models.classifier import Classifier, load_classifier, predict
from fer.models.device import pick_device


@dataclass(frozen=True)
class Recogniser:
    """`names` says where each network comes from; the probabilities are the mean of theirs.

    A network's logits are divided by its temperature, which was fitted on PublicTest so that a probability is about how
    often the answer is right (fer/export/temperature.py). One without stays as it was trained.
    """

    names: tuple[str, ...]
    classifiers: tuple[Classifier, ...]
    temperatures: tuple[float, ...]
    device: torch.device

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, 7) for uint8 (N, 48, 48)."""
        if not len(faces):
            return np.empty((0, len(EMOTION_NAMES)), np.float32)
        images = self.images(faces)
        members = zip(self.classifiers, self.temperatures, strict=True)
        shares = [
            (predict(network, images, torch.float32) / temperature).softmax(1) for network, temperature in members
        ]
        return torch.stack(shares).mean(0).cpu().numpy()

    def images(self, faces: NDArray[np.uint8]) -> Tensor:
        """Return what a network takes: uint8 (N, 1, 48, 48) on the device."""
        return torch.from_numpy(np.ascontiguousarray(faces)).unsqueeze(1).to(self.device)


def load_recogniser(model: str, *, device: str) -> Recogniser:
    """Return the networks of `MODEL[,MODEL...]`, each as `find_weights` takes it.

    Args:
        device: auto, cpu or cuda.

    Raises:
        UserError: there is no such network or device; the message says what there is.
    """
    paths = [find_weights(member.strip()) for member in model.split(",")]
    chosen = pick_device(device)
    loaded = [load_classifier(path) for path in paths]
    return Recogniser(
        names=tuple(path.with_suffix("").as_posix() for path in paths),
        classifiers=tuple(classifier.to(chosen) for classifier, _ in loaded),
        temperatures=tuple(float(provenance.get("temperature", 1.0)) for _, provenance in loaded),
        device=chosen,
    )
