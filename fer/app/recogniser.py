"""One or several trained networks behind one call: grey faces in, seven probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer.app.trained import find_weights
from fer.determinism import pick_device
from fer.emotions import EMOTION_NAMES
from fer.errors import UserError
from fer.models.classifier import Classifier, load_classifier, predict


@dataclass(frozen=True)
class Recogniser:
    """`names` says where each network comes from; the probabilities are the mean of theirs."""

    names: tuple[str, ...]
    classifiers: tuple[Classifier, ...]
    device: torch.device

    def logits(self, faces: NDArray[np.uint8]) -> Tensor:
        """Scores of each network, float32 (M, N, 7), for uint8 (N, 48, 48)."""
        images = self.images(faces)
        return torch.stack([predict(classifier, images, torch.float32) for classifier in self.classifiers])

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 7) for uint8 (N, 48, 48)."""
        if not len(faces):
            return np.empty((0, len(EMOTION_NAMES)), np.float32)
        return self.logits(faces).softmax(2).mean(0).cpu().numpy()

    def images(self, faces: NDArray[np.uint8]) -> Tensor:
        """What a network takes: uint8 (N, 1, 48, 48) on the device."""
        return torch.from_numpy(np.ascontiguousarray(faces)).unsqueeze(1).to(self.device)


def load_recogniser(model: str, *, datasets: Sequence[str], device: str) -> Recogniser:
    """The networks of `NAME[/SEED][,NAME[/SEED]...]`.

    Args:
        model: each NAME a system trained here or kept in git (without SEED its best seed on PublicTest), or the path
            of a .safetensors file.
        datasets: whose networks are looked for, the first ones first.
        device: auto, cpu or cuda.

    Raises:
        UserError: there is no such network or device; the message says what there is.
    """
    paths = [find_member(member.strip(), list(datasets)) for member in model.split(",")]
    chosen = pick_device(device)
    networks = tuple(load_classifier(path)[0].to(chosen) for path in paths)
    return Recogniser(tuple(path.with_suffix("").as_posix() for path in paths), networks, chosen)


def find_member(member: str, datasets: list[str]) -> Path:
    if member.endswith(".safetensors"):
        path = Path(member)
        if not path.is_file():
            raise UserError(f"--model {member}: no such file")
        return path
    name, _, seed = member.partition("/")
    if not name or (seed and not seed.isdecimal()) or member.endswith("/"):
        raise UserError(f"--model {member!r}: expected NAME, NAME/SEED (a number) or a .safetensors file")
    return find_weights(name, datasets, int(seed) if seed else None)
