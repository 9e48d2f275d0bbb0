"""The methods, one call shape: (classifier, images, classes) -> maps, float32 (N, 48, 48).

The classifier takes faces (N, 1, 48, 48) with grey values 0..255 to logits (N, C), in evaluation mode; images are uint8
(N, 1, 48, 48); classes, int64 (N,), say which logit of each face is explained. All are on one device.
"""

from collections.abc import Callable

from torch import Tensor, nn

from fer.explain.grad_cam import grad_cam
from fer.explain.occlusion import occlusion
from fer.explain.saliency import saliency

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]

METHODS: dict[str, Method] = {"saliency": saliency, "occlusion": occlusion, "grad_cam": grad_cam}
