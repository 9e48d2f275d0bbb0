"""Fractional max-pooling (Graham 2015), deterministic on every device."""

import math

import torch
from torch import Tensor, nn

RATIO = 1 / math.sqrt(2)


class FractionalMaxPool2d(nn.Module):
    """2x2 maxima at overlapping, pseudo-random places, so that the side shrinks by the square root of two.

    Graham 2015, section 2: place i starts at floor(alpha * (i + u)) - floor(alpha * u), with alpha the ratio of the
    sides. u is drawn anew in each training step and is 1/2 in evaluation, so that predictions repeat. One u an axis
    serves the whole batch; torch's own layer draws one an image and channel, in evaluation too, and has no
    deterministic backward pass on CUDA.
    """

    @staticmethod
    def output_side(side: int) -> int:
        return int(side * RATIO)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H/1.41, W/1.41); u is drawn on the images' device, so that nothing waits for it."""
        for axis in (2, 3):
            draw = torch.rand if self.training else half
            starts = self.starts(images.shape[axis], draw((), device=images.device))
            images = torch.maximum(images.index_select(axis, starts), images.index_select(axis, starts + 1))
        return images

    def starts(self, side: int, shift: Tensor) -> Tensor:
        """First pixel of each place, int64 (output_side,), increasing; the last place ends with the image.

        `shift` is u, (), on the device that the answer is wanted on.
        """
        count = self.output_side(side)
        alpha = (side - 2) / (count - 1)  # so that the places span the image from edge to edge
        exact = torch.float32 if shift.device.type == "mps" else torch.float64  # MPS has no float64
        shift = shift.to(exact)
        steps = torch.arange(count, dtype=exact, device=shift.device) + shift
        return (torch.floor(alpha * steps) - torch.floor(alpha * shift)).long().clamp(max=side - 2)


def half(size: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.full(size, 0.5, device=device)
