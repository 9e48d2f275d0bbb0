"""The methods, one call shape: (classifier, images uint8 (N, 1, 48, 48), classes (N,)) -> maps float32 (N, 48, 48)."""

from collections.abc import Callable

from torch import Tensor, nn

from fer.explain.grad_cam import grad_cam
from fer.explain.occlusion import occlusion
from fer.explain.saliency import saliency

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]

METHODS: dict[str, Method] = {"saliency": saliency, "occlusion": occlusion, "grad_cam": grad_cam}
