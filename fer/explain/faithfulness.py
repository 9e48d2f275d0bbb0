"""Whether a map says what the network uses: the class's probability while pixels go, or come, in the map's order.

Deletion and insertion of RISE (Petsiuk, Das and Saenko 2018, section 4.1), beside random maps.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fer.explain.batches import batches

COARSE = 6  # places on a side of a random map that is as smooth as Grad-CAM's


@dataclass(frozen=True)
class Curves:
    """The class's probability for each face after each step, float64 (N, steps + 1); the first column is the start."""

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]


def curves(
    classifier: nn.Module,
    images: Tensor,
    classes: Tensor,
    maps: Tensor,
    *,
    steps: int,
    seed: int,
) -> Curves:
    """Delete the pixels of each face, those with the highest values first, and insert them in the same order.

    Deleted pixels become the face's mean grey; insertion starts from the face blurred until no expression is left
    (a Gaussian of 5 pixels, as RISE). A low deletion curve and a high insertion curve speak for the map. Among equal
    values chance decides, the same for every map.

    Args:
        images, classes: as fer/explain/methods.py takes them.
        maps: one for each face, (N, 48, 48).
        steps: how many equal shares of the pixels.
        seed: of the order among equal values.
    """
    from torchvision.transforms.functional import gaussian_blur  # noqa: PLC0415 - as in fer/models/pretrained.py

    ranks = pixel_ranks(maps, seed).reshape(len(images), 1, *images.shape[-2:])  # (N, 1, 48, 48)
    faces = images.float()
    grey = faces.mean((2, 3), keepdim=True).expand_as(faces)
    blurred = gaussian_blur(faces, [11, 11], [5.0, 5.0])
    limits = [round(step * ranks[0].numel() / steps) for step in range(steps + 1)]
    found = {
        name: [probabilities(classifier, torch.where(ranks < limit, new, old), classes) for limit in limits]
        for name, old, new in (("deletion", faces, grey), ("insertion", blurred, faces))
    }
    return Curves(**{name: np.stack(columns, axis=1) for name, columns in found.items()})


def pixel_ranks(maps: Tensor, seed: int) -> Tensor:
    """Return 0 for a map's highest value, and so on, (N, 48 * 48), on the maps' device."""
    flat = maps.flatten(1)  # (N, P)
    shuffled = torch.randperm(flat.shape[1], generator=torch.Generator().manual_seed(seed)).to(flat.device)
    order = shuffled[flat[:, shuffled].argsort(dim=1, descending=True, stable=True)]  # (N, P)
    return order.argsort(dim=1)


@torch.inference_mode()
def probabilities(classifier: nn.Module, images: Tensor, classes: Tensor) -> NDArray[np.float64]:
    """Return the probability of each face's class, (N,)."""
    logits = torch.cat([classifier(block).double() for (block,) in batches(images)])  # (N, C)
    chosen = logits.softmax(1).gather(1, classes[:, None])[:, 0]  # (N,)
    return np.asarray(chosen.cpu().numpy())


def area(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area under each face's curve, by the trapezoid rule over the share of pixels, (N,)."""
    return np.asarray(np.trapezoid(curve, dx=1 / (curve.shape[1] - 1)))


def random_maps(count: int, side: int, seed: int) -> dict[str, Tensor]:
    """Return what a method must beat, float32 (count, side, side) each: random pixels, and smooth random blots.

    Scattered pixels disturb a network as noise does, whatever they hide, so a smooth map is to be held against the
    blots.
    """
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, COARSE, COARSE, generator=generator)
    return {
        "random_pixels": torch.rand(count, side, side, generator=generator),
        "random_blots": F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)[:, 0],
    }
