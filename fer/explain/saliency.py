"""Saliency: how much each pixel's grey value moves the logit of a class."""

import torch
from captum.attr import Saliency
from torch import Tensor, nn

from fer.explain.batches import batches


def saliency(classifier: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Return the absolute gradient of the class logit with respect to the image, in logit per grey value.

    M_ij = |d S_c / d I_ij|, with S_c the logit of class c (Simonyan, Vedaldi and Zisserman 2014, section 3.1; report
    000, figure 7). Arguments and shapes as in fer/explain/methods.py.
    """
    method = Saliency(classifier)
    blocks = [
        method.attribute(faces.float().requires_grad_(), target=targets, abs=True)[:, 0].detach()  # (B, 48, 48)
        for faces, targets in batches(images, classes)
    ]
    return torch.cat(blocks)  # (N, 48, 48)
