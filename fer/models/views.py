"""Test views: what a trained network is shown of one face, in fixed lists by name."""

from collections.abc import Iterator

from torch import Tensor

VIEWS = ("one", "flip", "ten_crop")


def centre(images: Tensor, side: int) -> Tensor:
    """The middle square of (..., H, W); of an odd margin the smaller part lies above and to the left."""
    top, left = (images.shape[-2] - side) // 2, (images.shape[-1] - side) // 2
    return images[..., top : top + side, left : left + side]


def views_of(images: Tensor, views: str, crop: int | None) -> Iterator[Tensor]:
    """The views of (N, 1, H, W), each (N, 1, h, w).

    one: the face. flip: the face and its mirror image. ten_crop: the four corners and the centre, `crop` pixels a
    side, and the mirror image of each (Krizhevsky et al. 2012).

    Raises:
        ValueError: no such list, or ten crops of no size.
    """
    if views not in VIEWS or (views == "ten_crop" and crop is None):
        raise ValueError(f"views={views} with crop={crop}; known: {', '.join(VIEWS)}, and ten_crop needs a crop")
    squares = five_crops(images, crop) if views == "ten_crop" and crop else [images]
    for square in squares:
        yield square
        if views != "one":
            yield square.flip(-1)


def five_crops(images: Tensor, side: int) -> list[Tensor]:
    down, right = images.shape[-2] - side, images.shape[-1] - side
    corners = [
        images[..., top : top + side, left : left + side] for top in (0, down) for left in (0, right)
    ]  # each (..., side, side)
    return [*corners, centre(images, side)]
