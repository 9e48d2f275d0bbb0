"""Augment beside torchvision's own functions, image by image; draws that their seed and row alone decide."""

import math
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, functional

from fer.config.run import Augment
from fer.training.augment import Draws, augment, draw
from tests.runs import config


def settings(**changes: Any) -> Augment:
    return config(augment=changes).augment


WARPED = settings(rotation=30.0, shift=0.2, shear=0.3, scale=0.3, fill="zeros")
EVERYTHING = WARPED.model_copy(update={"erasing": 0.5, "brightness": 0.4, "contrast": 0.4})
FIELDS = {
    "rotation": ("rotation", 0),
    "shift": ("shift", 0),
    "shear": ("shear", 0),
    "scale": ("scale", 1),
    "brightness": ("brightness", 1),
    "contrast": ("contrast", 1),
}
SIZES = [(48, 48), (31, 44)]


def drawn(augmentation: Augment, count: int, seed: int = 0) -> Draws:
    return draw(augmentation, count, torch.Generator().manual_seed(seed))


def noise(count: int, height: int = 48, width: int = 48) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, height, width), dtype=torch.uint8, generator=generator)


def every_other(count: int) -> Tensor:
    return torch.arange(count) % 2 == 1


def straight(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.bool)


def close(actual: Tensor, expected: Tensor) -> None:
    """Equal but for a coordinate's float32 rounding, some 5e-6 of a pixel, between noise of up to 255 apart."""
    torch.testing.assert_close(actual, expected.float(), rtol=0, atol=2.5e-3)


def torchvision_affine(face: Tensor, draws: Draws, place: int, *, height: int, width: int) -> Tensor:
    """One face (1, H, W) by torchvision in float64; `height` and `width` are what a shift is a share of."""
    warped: Tensor = functional.affine(
        face.double(),
        angle=draws.rotation[place].item(),
        translate=[draws.shift[place, 0].item() * width, draws.shift[place, 1].item() * height],
        scale=draws.scale[place].item(),
        shear=[math.degrees(draws.shear[place].item()), 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    return warped


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(
    "augmentation",
    [
        WARPED,
        settings(rotation=180.0, fill="zeros"),
        settings(shift=0.5, fill="zeros"),
        settings(shear=0.6, fill="zeros"),
        settings(scale=0.5, fill="zeros"),
    ],
)
def test_warp_is_torchvisions_after_the_mirror(height: int, width: int, augmentation: Augment) -> None:
    faces, draws, mirrored = noise(20, height, width), drawn(augmentation, 20), every_other(20)
    warped = augment(faces, mirrored, draws, augmentation)
    assert warped.dtype is torch.float32
    for place, face in enumerate(faces):
        original = face.flip(-1) if mirrored[place] else face
        close(warped[place], torchvision_affine(original, draws, place, height=height, width=width))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_border_goes_on_with_the_edge(height: int, width: int) -> None:
    augmentation = WARPED.model_copy(update={"fill": "border"})
    faces, draws = noise(20, height, width), drawn(augmentation, 20)
    warped = augment(faces, straight(20), draws, augmentation)
    margin = 60  # wider than any pixel's source is away from the image
    for place, face in enumerate(faces):
        wide = functional.pad(face, [margin], padding_mode="edge")
        expected = torchvision_affine(wide, draws, place, height=height, width=width)
        close(warped[place], expected[:, margin:-margin, margin:-margin])


def test_positive_angle_turns_clockwise_and_positive_shift_goes_right_and_down() -> None:
    faces, still = noise(1), drawn(settings(), 1)
    turned = augment(faces, straight(1), replace(still, rotation=torch.tensor([90.0])), WARPED)
    close(turned, torch.rot90(faces.float(), -1, (2, 3)))
    shift = torch.tensor([[3 / 48, 5 / 48]])
    shifted = augment(faces, straight(1), replace(still, shift=shift), WARPED.model_copy(update={"fill": "border"}))
    close(shifted[..., 5:, 3:], faces.float()[..., :-5, :-3])
    close(shifted[..., :5, 3:], faces.float()[..., :1, :-3].expand(-1, -1, 5, -1))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_nothing_drawn_gives_the_face_or_its_mirror_back(height: int, width: int) -> None:
    faces, mirrored, draws = noise(10, height, width), every_other(10), drawn(settings(), 10)
    expected = torch.where(mirrored[:, None, None, None], torch.flip(faces, (-1,)), faces).float()
    off = augment(faces, mirrored, draws, settings())
    assert off.dtype is torch.float32
    assert torch.equal(off, expected)
    close(augment(faces, mirrored, draws, EVERYTHING), expected)


@pytest.mark.parametrize(
    ("area", "aspect", "place", "box"),
    [
        (1 / 8, 1.0, (0.0, 0.9), (slice(4, 8), slice(0, 4))),
        (1 / 8, 4.0, (0.5, 0.0), (slice(0, 8), slice(7, 9))),
        (1 / 8, 1.0, (0.5, 0.5), (slice(2, 6), slice(6, 10))),
        (1 / 3, 3.0, (0.0, 0.5), (slice(0, 8), slice(0, 4))),  # 11.3 high: cut off at the side
    ],
)
def test_erased_box_of_known_place(
    area: float, aspect: float, place: tuple[float, float], box: tuple[slice, slice]
) -> None:
    faces = torch.full((2, 1, 8, 16), 9, dtype=torch.uint8)
    draws = replace(
        drawn(settings(), 2),
        area=torch.tensor([area, 0.0]),
        aspect=torch.full((2,), aspect),
        place=torch.tensor([place, place]),
    )
    expected = faces.float()
    expected[0, 0][box] = 0
    assert torch.equal(augment(faces, straight(2), draws, settings(erasing=1.0)), expected)


def test_erasing_is_torchvisions_with_zero() -> None:
    faces, augmentation = noise(200), settings(erasing=1.0)
    draws = drawn(augmentation, 200)
    erased = augment(faces, straight(200), draws, augmentation)
    for place, face in enumerate(faces.float()):
        area, aspect = draws.area[place].item() * 48 * 48, draws.aspect[place].item()
        height, width = min(48, round(math.sqrt(area * aspect))), min(48, round(math.sqrt(area / aspect)))
        across, down = draws.place[place].tolist()
        left, top = int(across * (48 - width + 1)), int(down * (48 - height + 1))
        assert torch.equal(erased[place], functional.erase(face, top, left, height, width, torch.zeros(1, 1, 1)))


def test_erased_share_and_places() -> None:
    count, augmentation = 4000, settings(erasing=0.5)
    draws = drawn(augmentation, count)
    black = augment(torch.full((count, 1, 48, 48), 9, dtype=torch.uint8), straight(count), draws, augmentation) == 0
    share = black.float().mean((1, 2, 3))
    erased = share > 0
    assert 0.47 < erased.float().mean() < 0.53
    assert torch.equal(erased, draws.area > 0)
    assert 0.017 < share[erased].min() < 0.025  # 2 % but for whole pixels
    assert 0.32 < share[erased].max() < 0.345
    assert share[erased].mean() == pytest.approx(0.175, abs=0.01)
    aspect = draws.aspect
    assert 0.3 <= aspect.min() < 0.305
    assert 3.25 < aspect.max() < 3.3001
    assert aspect.median() == pytest.approx(1, abs=0.1)  # as often lying as standing
    assert black.any(0).all()


@pytest.mark.parametrize(
    ("on", "reference"), [("brightness", functional.adjust_brightness), ("contrast", functional.adjust_contrast)]
)
def test_grey_values_are_torchvisions(on: str, reference: object) -> None:
    augmentation = settings(**{on: 0.9})
    faces, draws = noise(20), drawn(augmentation, 20)
    changed = augment(faces, straight(20), draws, augmentation)
    assert changed.max() == 255
    for place, face in enumerate(faces.double()):
        expected = reference(face / 255, getattr(draws, on)[place].item()) * 255  # type: ignore[operator]
        close(changed[place], expected)


def test_order_is_warp_erasing_brightness_contrast() -> None:
    faces, draws = noise(20), drawn(EVERYTHING, 20)
    result = faces.float()
    for only in (
        WARPED,
        settings(erasing=0.5),
        settings(brightness=0.4),
        settings(contrast=0.4),
    ):
        result = augment(result, straight(20), draws, only)
    close(augment(faces, straight(20), draws, EVERYTHING), result)


def test_seed_decides_the_draws() -> None:
    augmentation = EVERYTHING.model_copy(update={"crop": 40})
    first, again, other = drawn(augmentation, 30), drawn(augmentation, 30), drawn(augmentation, 30, seed=1)
    for field in fields(Draws):
        assert torch.equal(getattr(first, field.name), getattr(again, field.name))
        assert not torch.equal(getattr(first, field.name), getattr(other, field.name))


@pytest.mark.parametrize("ingredient", FIELDS)
def test_ranges_are_respected_and_reached(ingredient: str) -> None:
    name, middle = FIELDS[ingredient]
    width = getattr(EVERYTHING, ingredient)
    values = getattr(drawn(EVERYTHING, 5000), name)
    for axis in values.reshape(5000, -1).unbind(1):
        assert middle - width - 1e-6 <= axis.min() < middle - 0.99 * width
        assert middle + 0.99 * width < axis.max() <= middle + width + 1e-6
        assert axis.mean() == pytest.approx(middle, abs=0.05 * width)


def test_draws_are_independent_of_each_other() -> None:
    draws = drawn(EVERYTHING.model_copy(update={"erasing": 1.0, "crop": 40}), 5000)
    columns = torch.cat([getattr(draws, field.name).reshape(5000, -1) for field in fields(Draws)], 1)  # (5000, 13)
    correlation = torch.corrcoef(columns.T) - torch.eye(columns.shape[1])
    assert correlation.abs().max() < 0.06


@pytest.mark.parametrize("ingredient", [*FIELDS, "erasing"])
def test_switching_one_ingredient_changes_its_own_draws_alone(ingredient: str) -> None:
    own = "area" if ingredient == "erasing" else ingredient
    everything, without = drawn(EVERYTHING, 30), drawn(EVERYTHING.model_copy(update={ingredient: 0}), 30)
    for field in fields(Draws):
        same = torch.equal(getattr(everything, field.name), getattr(without, field.name))
        assert same == (field.name != own)


def test_a_faces_draws_and_result_do_not_depend_on_its_batch() -> None:
    faces, mirrored, draws = noise(30), every_other(30), drawn(EVERYTHING, 30)
    together = augment(faces, mirrored, draws, EVERYTHING)
    few = drawn(EVERYTHING, 7)
    order = torch.tensor([6, 2, 5])
    for field in fields(Draws):
        assert torch.equal(getattr(few[order], field.name), getattr(draws, field.name)[order])
    close(augment(faces[order], mirrored[order], few[order], EVERYTHING), together[order])


def test_draws_move_to_a_device() -> None:
    moved = drawn(EVERYTHING, 3).to(torch.device("meta"))
    assert {getattr(moved, field.name).device.type for field in fields(Draws)} == {"meta"}


@pytest.mark.parametrize("values", [{"rotation": -1.0}, {"scale": 1.0}, {"shear": math.nan}, {"erasing": 1.5}])
def test_values_out_of_range_are_named(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        settings(**values)


def test_crops_are_squares_of_the_face_anywhere_with_equal_odds() -> None:
    augmentation = settings(crop=44)
    faces, draws, mirrored = noise(3000), drawn(augmentation, 3000), every_other(3000)
    crops = augment(faces, mirrored, draws, augmentation)
    assert crops.shape == (3000, 1, 44, 44)
    places = torch.zeros(5, 5)
    for place in range(200):
        face = faces[place].flip(-1) if mirrored[place] else faces[place]
        left, top = (int(share * 5) for share in draws.corner[place].tolist())
        assert torch.equal(crops[place], face.float()[:, top : top + 44, left : left + 44])
    for left, top in (draws.corner * 5).long().tolist():
        places[top, left] += 1
    assert places.min() > 3000 / 25 * 0.7


def test_a_crop_changes_no_other_draw() -> None:
    without, with_crop = drawn(EVERYTHING, 30), drawn(EVERYTHING.model_copy(update={"crop": 40}), 30)
    assert all(
        torch.equal(getattr(without, field.name), getattr(with_crop, field.name))
        for field in fields(Draws)
        if field.name != "corner"
    )


EACH = EVERYTHING.model_copy(update={"crop": 40})


def test_a_probability_of_one_draws_nothing_more() -> None:
    generator, other = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    draw(EACH, 30, generator)
    torch.rand(30 * 14, generator=other)
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=other))


def test_a_probability_leaves_its_share_undistorted_and_the_others_as_they_were() -> None:
    count, some = 2000, EACH.model_copy(update={"probability": 0.3})
    faces, mirrored = noise(count), every_other(count)
    every, few = drawn(EACH, count), drawn(some, count)
    still = augment(faces, mirrored, replace(drawn(settings(), count), corner=every.corner), settings(crop=40))
    distorted, result = augment(faces, mirrored, every, EACH), augment(faces, mirrored, few, some)
    plain = (result - still).abs().amax((1, 2, 3)) < 2.5e-3
    assert torch.equal(result[~plain], distorted[~plain])
    assert 0.67 < plain.float().mean() < 0.73
    assert torch.equal(few.corner, every.corner)


@pytest.mark.parametrize("ingredient", [*FIELDS, "erasing"])
def test_at_a_probability_of_zero_no_ingredient_does_anything(ingredient: str) -> None:
    never = settings(probability=0.0, **{ingredient: getattr(EVERYTHING, ingredient)})
    faces, mirrored = noise(50), every_other(50)
    expected = torch.where(mirrored[:, None, None, None], faces.flip(-1), faces)
    close(augment(faces, mirrored, drawn(never, 50), never), expected)
