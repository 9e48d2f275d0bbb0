"""Test-time augmentation: the images that a trained network sees of one face, in fixed lists by name."""

from collections.abc import Iterator

from torch import Tensor


def centre(images: Tensor, side: int) -> Tensor:
    """Return the middle square of (..., H, W); of an odd margin the smaller part lies above and to the left."""
    top, left = (images.shape[-2] - side) // 2, (images.shape[-1] - side) // 2
    return images[..., top : top + side, left : left + side]


def augmented(images: Tensor, tta: str, crop: int | None) -> Iterator[Tensor]:
    """Yield what the network sees of (N, 1, H, W), each (N, 1, h, w).

    none: the face. flip: the face and its mirror image. ten_crop: the four corners and the centre, `crop` pixels a
    side, and the mirror image of each (Krizhevsky et al. 2012).

    Raise ValueError for another name, or ten crops of no size.
    """
    if tta not in {"none", "flip", "ten_crop"} or (tta == "ten_crop" and crop is None):
        raise ValueError(f"tta={tta} with crop={crop}; known: none, flip, and ten_crop, which needs a crop")
    for square in five_crops(images, crop) if tta == "ten_crop" and crop else [images]:
        yield square
        if tta != "none":
            yield square.flip(-1)


def five_crops(images: Tensor, side: int) -> list[Tensor]:
    down, right = images.shape[-2] - side, images.shape[-1] - side
    corners = [
        images[..., top : top + side, left : left + side] for top in (0, down) for left in (0, right)
    ]  # each (..., side, side)
    return [*corners, centre(images, side)]
