"""Occlusion: how much of a class's probability goes when a part of the face is covered."""

import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from fer.explain.batches import BATCH, batches

WINDOW, STRIDE = 8, 4  # pixels of 48: 121 places, each pixel under four of them


def occlusion(classifier: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Return the probability that the class loses under a grey square, averaged over the squares that cover a pixel.

    M_ij = mean over squares R that hold (i, j) of p_c(I) - p_c(I with R grey) (Zeiler and Fergus 2014, section 4.2;
    report 003). Grey is the face's own mean. A negative value says that the class gains.

    Arguments and shapes as in fer/explain/methods.py; the maps are from -1 to 1.
    """
    method = Occlusion(lambda faces: classifier(faces).softmax(1))
    blocks = []
    for faces, targets in batches(images.float(), classes):
        grey = faces.mean((1, 2, 3), keepdim=True).expand_as(faces)  # (B, 1, 48, 48)
        maps = method.attribute(
            faces, sliding_window_shapes=(1, WINDOW, WINDOW), strides=(1, STRIDE, STRIDE), baselines=grey,
            target=targets, perturbations_per_eval=max(1, BATCH // len(faces)),
        )  # fmt: skip
        blocks.append(maps[:, 0].float())  # (B, 48, 48)
    return torch.cat(blocks)  # (N, 48, 48)
