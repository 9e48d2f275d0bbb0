"""Grad-CAM: where the last convolution sees what speaks for a class."""

import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from fer.errors import UserError
from fer.explain.batches import batches


def grad_cam(classifier: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Return the last convolution's channels, each weighted by the mean gradient of the class logit with respect to it.

    The channels are taken after the norm, pool and ReLU that follow the convolution, where they do.

    M = ReLU(sum_k a_k A^k) with a_k = mean over (i, j) of d S_c / d A^k_ij (Selvaraju et al. 2017, equations 1 and 2),
    scaled up to the face bilinearly. A map may be zero everywhere: then nothing in the last convolution speaks for the
    class.

    Arguments and shapes as in fer/explain/methods.py; the maps are not negative.

    Raises:
        UserError: the network has no convolution with a map of more than one place.
    """
    method = LayerGradCam(classifier, last_map(classifier, images[:1]))
    blocks = []
    for faces, targets in batches(images, classes):
        coarse = method.attribute(faces.float(), target=targets, relu_attributions=True).detach()  # (B, 1, h, w)
        maps = F.interpolate(coarse.float(), size=images.shape[-2:], mode="bilinear", align_corners=False)
        blocks.append(maps[:, 0])  # (B, 48, 48)
    return torch.cat(blocks)  # (N, 48, 48)


@torch.no_grad()
def last_map(classifier: nn.Module, image: Tensor) -> nn.Module:
    """Return the last module to finish whose output is a map of more than one place, such as a ReLU.

    Selvaraju et al. take the rectified maps too. Where branches or shortcuts join it is the block that joins them, as
    they take a ResNet's last stage. A module that is called more than once is passed over: its output is ambiguous.
    """
    found: list[nn.Module] = []
    convolved = False

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal convolved
        convolved = convolved or isinstance(module, nn.Conv2d)
        if convolved and isinstance(output, Tensor) and output.ndim == 4 and output.shape[-2:].numel() > 1:
            found.append(module)

    hooks = [module.register_forward_hook(note) for module in classifier.modules()]
    try:
        classifier(image)
    finally:
        for hook in hooks:
            hook.remove()
    once = [module for module in found if found.count(module) == 1]
    if not once:
        raise UserError(f"{type(classifier).__name__}: Grad-CAM needs a convolution with a map of more than one place")
    return once[-1]
