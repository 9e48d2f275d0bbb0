"""Where faces are found, and the frame that they are cropped in."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.app.faces import (
    MARGIN,
    PLACES,
    SMALLEST_FACE,
    YUNET,
    Box,
    Detector,
    Haar,
    YuNet,
    crop,
    find_faces,
    load_detector,
    to_face,
)  # fmt: skip
from fer.app.photos import Pixels, Reader
from fer.errors import UserError
from tests.app.synthetic import FACE, synthetic_face, synthetic_photo

SHARED = Path(__file__).parents[3] / "shared"
PLACES_HERE = (*PLACES, SHARED / "weights")


@pytest.fixture(params=["haar", "yunet"])
def detector(request: pytest.FixtureRequest) -> Detector:
    if request.param == "haar":
        return load_detector([])
    if not any((place / YUNET).is_file() for place in PLACES_HERE):
        pytest.skip(f"{YUNET} is in none of {', '.join(map(str, PLACES_HERE))}")
    return load_detector(PLACES_HERE)


def test_each_face_is_found_where_it_is(detector: Detector) -> None:
    boxes = find_faces(synthetic_photo(0, 1, 2), detector)
    assert len(boxes) == 3
    for place, box in enumerate(sorted(boxes, key=lambda box: box.left)):
        centre = (box.left + box.width / 2 - 400 * place, box.top + box.height / 2)
        assert centre == pytest.approx((FACE[0] + FACE[2] / 2, FACE[1] + FACE[3] / 2), abs=15)
    assert [box.width * box.height for box in boxes] == sorted((b.width * b.height for b in boxes), reverse=True)


@pytest.mark.parametrize("factor", [0.4, 5])
def test_boxes_are_in_pixels_of_the_photo_at_any_size(detector: Detector, factor: float) -> None:
    photo = synthetic_photo(0)
    (expected,) = find_faces(photo, detector)
    size = (round(400 * factor), round(320 * factor))
    (box,) = find_faces(np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8), detector)
    assert np.divide((box.left, box.top, box.width, box.height), factor) == pytest.approx(
        (expected.left, expected.top, expected.width, expected.height), abs=16
    )


def test_a_face_that_fills_the_photo_is_found() -> None:
    (box,) = find_faces(np.asarray(cv2.resize(synthetic_face(4), (192, 192), interpolation=cv2.INTER_CUBIC)), Haar())
    assert min(box.width, box.height) > 150


def test_no_face(detector: Detector) -> None:
    for shape in ((300, 400, 3), (1, 1, 3), (3, 900, 3)):
        assert find_faces(np.full(shape, 128, np.uint8), detector) == []


def test_the_crop_is_a_square_around_the_box_with_the_margin() -> None:
    """A ramp of one grey a pixel tells which columns and rows the crop holds."""
    ramp = np.repeat(np.tile(np.arange(240, dtype=np.uint8), (240, 1))[..., None], 3, axis=2)
    face = crop(ramp, Box(60, 20, 80, 100))  # side 102, from column 49 to 150
    assert face.shape == (48, 48)
    assert (face[0, 0], face[0, -1]) == pytest.approx((49 + 102 / 96 - 0.5, 150 - 102 / 96 + 0.5), abs=1)
    assert np.array_equal(crop(ramp.transpose(1, 0, 2), Box(20, 60, 100, 80)), face.T)
    assert MARGIN == 1.02


def test_beyond_the_edge_its_pixels_are_repeated() -> None:
    photo = np.full((50, 50, 3), 10, np.uint8)
    photo[:, 0] = 200
    face = crop(photo, Box(-30, 0, 50, 50))
    assert (face[:, :20] == 200).all()
    assert (face[:, -15:] == 10).all()


def test_less_than_sixteen_pixels_are_no_face(detector: Detector) -> None:
    """The same photo, smaller and smaller: faces are found down to the limit and not below."""
    sides = []
    for factor in (0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.04):
        size = (round(400 * factor), round(320 * factor))
        small = np.asarray(cv2.resize(synthetic_photo(0), size, interpolation=cv2.INTER_AREA), np.uint8)
        sides += [max(box.width, box.height) for box in find_faces(small, detector)]
    assert min(sides) >= SMALLEST_FACE == 16
    assert len(sides) < 7  # and the face was too small at the end


def test_boxes_are_cut_at_the_photos_edge() -> None:
    photo = np.zeros((50, 80, 3), np.uint8)
    assert Box(-10, -5, 30, 40).within(photo) == Box(0, 0, 20, 35)
    assert Box(60, 20, 40, 40).within(photo) == Box(60, 20, 20, 30)
    assert Box(3, 4, 5, 6).within(photo) == Box(3, 4, 5, 6)


def test_a_face_of_48_pixels_stays_as_it_is() -> None:
    face = synthetic_face()
    assert np.array_equal(to_face(face), face[..., 0])
    assert to_face(np.zeros((100, 30, 3), np.uint8)).shape == (48, 48)


def test_the_crop_of_a_face_in_fer2013s_frame_is_about_that_frame(detector: Detector) -> None:
    """Drawn faces stand in their frame as FER2013's do: what is cropped is about the frame."""
    sides = []
    for seed in range(6):
        for box in find_faces(synthetic_photo(seed), detector)[:1]:
            sides.append(MARGIN * max(box.width, box.height) / FACE[2])
    assert np.median(sides) == pytest.approx(1.0, abs=0.08)


def test_without_any_detector_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))
    with pytest.raises(UserError, match=YUNET):
        load_detector([tmp_path])


def test_a_file_that_is_not_yunet(tmp_path: Path) -> None:
    (tmp_path / YUNET).write_bytes(b"nothing")
    with pytest.raises(UserError, match="not YuNet's model"):
        YuNet(tmp_path / YUNET)


@pytest.mark.parametrize(("name", "eyes"), [("astronaut.png", (224, 112)), ("grace_hopper.jpg", (270, 195))])
def test_real_faces(detector: Detector, name: str, eyes: tuple[int, int]) -> None:
    path = SHARED / "photos" / name
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    pixels: Pixels = Reader()(str(path))
    (box,) = find_faces(pixels, detector)
    assert box.left < eyes[0] < box.left + box.width
    assert box.top < eyes[1] < box.top + box.height
