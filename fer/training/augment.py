"""Random distortions of faces that are on the device already: one affine warp a batch, then erasing and grey values.

The numbers come from a generator on the CPU, so that a seed gives the same ones on every device.

The ranges (fer.config.run.Augment) are those of Keras's ImageDataGenerator; the conventions (centre, signs, the order
scale and shear, then rotation, then shift) those of torchvision's `affine`.
"""

import math
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fer.config.run import Augment

ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = (0.3, 3.3)
# The parameters of an image that is left as it is.
STILL = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "scale": 1.0, "area": 0.0, "brightness": 1.0, "contrast": 1.0}


@dataclass(frozen=True)
class Draws:
    """The parameters of N images, one each."""

    rotation: Tensor  # float32 (N,), degrees
    shift: Tensor  # float32 (N, 2), along x and y, of the side
    shear: Tensor  # float32 (N,), radians
    scale: Tensor  # float32 (N,)
    area: Tensor  # float32 (N,), of the image; 0 where nothing is erased
    aspect: Tensor  # float32 (N,), height to width of the erased box
    place: Tensor  # float32 (N, 2), of the way that the box can go along x and y, in [0, 1)
    brightness: Tensor  # float32 (N,)
    contrast: Tensor  # float32 (N,)
    corner: Tensor  # float32 (N, 2), of the way that a crop can go along x and y, in [0, 1)

    def __getitem__(self, index: Tensor | slice) -> "Draws":
        """Return those of the images at `index`, which must be on the same device."""
        return Draws(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def only(self, distorted: Tensor) -> "Draws":
        """Return them with nothing done to an image where `distorted`, bool (N,), is false, but for its crop."""
        kept = {
            name: torch.where(distorted if values.ndim == 1 else distorted[:, None], values, STILL[name])
            for name, values in vars(self).items()
            if name in STILL
        }
        return replace(self, **kept)

    def to(self, device: torch.device) -> "Draws":
        return Draws(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def distorts(augmentation: Augment) -> bool:
    """Whether anything but a flip happens to a face."""
    others = (augmentation.erasing, augmentation.brightness, augmentation.contrast)
    return warps(augmentation) or any(others) or augmentation.crop is not None


def warps(augmentation: Augment) -> bool:
    return any((augmentation.rotation, augmentation.shift, augmentation.shear, augmentation.scale))


def draw(augmentation: Augment, count: int, generator: torch.Generator) -> Draws:
    """Return the parameters of `count` images, from a generator on the CPU.

    Every image takes one row of twelve numbers, whatever is switched on: neither another ingredient nor the number of
    images changes what it gets. The numbers for crops and for a `probability` below 1 come after all rows, and do
    change with the number of images. The erased box is that of torchvision's RandomErasing (area uniform, aspect
    log-uniform), except that a box as long as the side is cut off there and not drawn again: 0.5 % of those on square
    faces.
    """
    numbers = torch.rand(count, 12, generator=generator)
    rotation, shear, scale, erasing, area, aspect, brightness, contrast = numbers[:, :8].unbind(1)
    shift, place = numbers[:, 8:10], numbers[:, 10:]
    erased = erasing < augmentation.erasing  # (N,)
    corner = torch.rand(count, 2, generator=generator) if augmentation.crop else torch.zeros(count, 2)
    draws = Draws(
        rotation=spread(rotation, 0, augmentation.rotation),
        shift=spread(shift, 0, augmentation.shift),
        shear=spread(shear, 0, augmentation.shear),
        scale=spread(scale, 1, augmentation.scale),
        area=torch.where(erased, between(area, *ERASED_AREA), 0.0),
        aspect=between(aspect, math.log(ERASED_ASPECT[0]), math.log(ERASED_ASPECT[1])).exp(),
        place=place,
        brightness=spread(brightness, 1, augmentation.brightness),
        contrast=spread(contrast, 1, augmentation.contrast),
        corner=corner,
    )
    if augmentation.probability == 1:
        return draws
    return draws.only(torch.rand(count, generator=generator) < augmentation.probability)


def between(share: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * share


def spread(share: Tensor, middle: float, width: float) -> Tensor:
    return between(share, middle - width, middle + width)


def augment(images: Tensor, mirrored: Tensor, draws: Draws, augmentation: Augment) -> Tensor:
    """Return faces as float32 (B, 1, H, W), 0 to 255: mirrored, warped, cropped, erased, brightness, contrast.

    Args:
        images: uint8 (B, 1, H, W) in grey values.
        mirrored: bool (B,), which faces are mirrored.
        draws: those of these B images, on their device.
        augmentation: the one that `draws` were drawn with; the work of an ingredient that is off is left out.
    """
    faces = images.float()
    if warps(augmentation):
        faces = warp(faces, mirrored, draws, augmentation.fill)
    else:
        faces = torch.where(mirrored[:, None, None, None], faces.flip(-1), faces)
    if augmentation.crop:
        faces = cropped(faces, draws.corner, augmentation.crop)
    if augmentation.erasing:
        faces = faces.masked_fill(erased_pixels(draws, *faces.shape[-2:]), 0)
    if augmentation.brightness:
        faces = (faces * draws.brightness[:, None, None, None]).clamp(0, 255)
    if augmentation.contrast:
        mean = faces.mean((1, 2, 3), keepdim=True)  # (B, 1, 1, 1)
        faces = torch.lerp(mean, faces, draws.contrast[:, None, None, None]).clamp(0, 255)
    return faces


def warp(faces: Tensor, mirrored: Tensor, draws: Draws, fill: str) -> Tensor:
    """Mirror and warp float faces (B, 1, H, W) with one bilinear interpolation.

    The grid is the sum of what a column and what a row adds, x and y in a plane each: thirty times as fast on the CPU
    as F.affine_grid, which multiplies matrices and would take longer than the interpolation.
    """
    height, width = faces.shape[-2:]
    matrix = source_matrix(draws, mirrored, height, width)  # (B, 2, 3)
    columns = centred(width, faces.device) * matrix[:, :, :1]  # (B, 2, W)
    rows = centred(height, faces.device) * matrix[:, :, 1:2] + matrix[:, :, 2:]  # (B, 2, H)
    grid = rows[:, :, :, None] + columns[:, :, None, :]  # (B, 2, H, W)
    return F.grid_sample(faces, grid.permute(0, 2, 3, 1), padding_mode=fill, align_corners=False)


def source_matrix(draws: Draws, mirrored: Tensor, height: int, width: int) -> Tensor:
    """Return the map from a pixel of the result to where its grey value comes from, float32 (B, 2, 3).

    The inverse of torchvision's `affine`, after which a mirrored face looks at the other half. A pixel is counted from
    the image's centre; its source is in grid_sample's unit, half a side.
    """
    angle = torch.deg2rad(draws.rotation)
    sine, cosine, slope = angle.sin(), angle.cos(), draws.shear.tan()
    x = torch.stack((cosine - sine * slope, sine + cosine * slope), 1) / draws.scale[:, None]  # (B, 2)
    y = torch.stack((-sine, cosine), 1) / draws.scale[:, None]  # (B, 2)
    x = torch.where(mirrored[:, None], -x, x) / (width / 2)
    linear = torch.stack((x, y / (height / 2)), 1)  # (B, 2, 2)
    right, down = draws.shift[:, :1] * width, draws.shift[:, 1:] * height  # (B, 1), pixels
    shift = -(linear[:, :, 0] * right + linear[:, :, 1] * down)  # (B, 2)
    return torch.cat((linear, shift[:, :, None]), 2)


def centred(side: int, device: torch.device) -> Tensor:
    """Return the pixels of one axis, counted from the image's centre, (side,)."""
    return torch.arange(side, device=device) - (side - 1) / 2


def cropped(faces: Tensor, corner: Tensor, side: int) -> Tensor:
    """Return a square of each face, (B, 1, H, W) -> (B, 1, side, side); any whole pixel may be its corner."""
    height, width = faces.shape[-2:]
    left = (corner[:, 0] * (width - side + 1)).long()  # (B,)
    top = (corner[:, 1] * (height - side + 1)).long()  # (B,)
    pixels = torch.arange(side, device=faces.device)
    rows = (top[:, None] + pixels)[:, :, None]  # (B, side, 1)
    columns = (left[:, None] + pixels)[:, None, :]  # (B, 1, side)
    face = torch.arange(len(faces), device=faces.device)[:, None, None]
    return faces[:, 0][face, rows, columns].unsqueeze(1)


def erased_pixels(draws: Draws, height: int, width: int) -> Tensor:
    """Return which pixels are in the erased box, bool (B, 1, H, W)."""
    area = draws.area * (height * width)
    rows = covered((area * draws.aspect).sqrt(), draws.place[:, 1], height)  # (B, H)
    columns = covered((area / draws.aspect).sqrt(), draws.place[:, 0], width)  # (B, W)
    return (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)


def covered(length: Tensor, place: Tensor, side: int) -> Tensor:
    """Return which pixels of one axis the box covers, bool (B, side): whole pixels, anywhere with equal odds.

    A box longer than the side starts at or before the first pixel and ends after the last.
    """
    length = length.round()[:, None]  # (B, 1)
    first = (place[:, None] * (side - length + 1)).floor()
    pixels = torch.arange(side, device=length.device)
    return (pixels >= first) & (pixels < first + length)
