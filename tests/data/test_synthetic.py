"""The synthetic dataset: reproducible, as imbalanced as FER2013, and with exactly the planted defects."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fer.constants import IMAGE_SIZE, PIXELS, Emotion, Split
from fer.data import synthetic
from fer.data.face_drawing import ActionUnits, draw_expression
from fer.data.synthetic import PROTOTYPES, class_counts, draw_face, split_sizes, write_synthetic_csv
from tests.data import planted

FACES = 100
BROWS = (slice(8, 19), slice(8, 40))
NOSE = (slice(16, 30), slice(17, 31))
MOUTH = (slice(30, 44), slice(12, 36))
Row = tuple[str, str, str]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "synthetic.csv"
    write_synthetic_csv(path, seed=1, faces=FACES)
    return path


@pytest.fixture(scope="module")
def rows(file: Path) -> list[Row]:
    with file.open(newline="") as stream:
        header, *body = csv.reader(stream)
    assert header == ["emotion", "pixels", "Usage"]
    return [(emotion, pixels, usage) for emotion, pixels, usage in body]


def defect(row: Row) -> str:
    """A second, plain reading of the format: the first thing wrong with a row, or ''."""
    emotion, pixels, usage = row
    values = pixels.split()
    if emotion not in {"0", "1", "2", "3", "4", "5", "6"}:
        return "unknown_emotion"
    if usage not in {"Training", "PublicTest", "PrivateTest"}:
        return "unknown_usage"
    if len(values) != 2304:
        return "wrong_pixel_count"
    if not all(value.isdigit() and int(value) <= 255 for value in values):
        return "invalid_pixel"
    return "blank" if len(set(values)) == 1 else ""


@pytest.fixture(scope="module")
def valid(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not defect(row)]


@pytest.fixture(scope="module")
def groups(valid: list[Row]) -> list[list[Row]]:
    """The rows of each image that occurs more than once."""
    by_image: dict[str, list[Row]] = defaultdict(list)
    for row in valid:
        by_image[row[1]].append(row)
    return [group for group in by_image.values() if len(group) > 1]


def test_same_seed_gives_same_bytes(file: Path, tmp_path: Path) -> None:
    write_synthetic_csv(tmp_path / "again.csv", seed=1, faces=FACES)
    assert (tmp_path / "again.csv").read_bytes() == file.read_bytes()


def test_another_seed_gives_other_faces(valid: list[Row], tmp_path: Path) -> None:
    write_synthetic_csv(tmp_path / "other.csv", seed=2, faces=FACES)
    other = {line.split(",")[1] for line in (tmp_path / "other.csv").read_text().splitlines()}
    assert not other & {pixels for _, pixels, _ in valid}


def test_format_is_the_competitions(file: Path) -> None:
    text = file.read_bytes()
    assert text.startswith(b"emotion,pixels,Usage\n")
    assert text.endswith(b"\n")
    assert b'"' not in text
    assert b"\r" not in text


def test_every_planted_defect_is_there_once_for_each_count(rows: list[Row]) -> None:
    kinds = ("blank", "wrong_pixel_count", "invalid_pixel", "unknown_emotion", "unknown_usage")
    found = Counter(defect(row) for row in rows)
    assert {kind: found[kind] for kind in kinds} == {kind: getattr(planted, kind.upper()) for kind in kinds}
    assert len(rows) == FACES + planted.ROWS


def test_duplicates(valid: list[Row], groups: list[list[Row]]) -> None:
    conflicting = [group for group in groups if len({emotion for emotion, _, _ in group}) > 1]
    assert len(groups) == planted.DUPLICATE_GROUPS
    assert len(valid) - len({pixels for _, pixels, _ in valid}) == planted.REDUNDANT_IMAGES
    assert len(conflicting) == planted.CONFLICTING_DUPLICATES
    within = [group for group in groups if {usage for *_, usage in group} == {"Training"}]
    copies = sum(len(group) - 1 for group in within)
    assert copies == planted.TRAINING_DUPLICATES + planted.CONFLICTING_DUPLICATES


@pytest.mark.parametrize(
    ("split", "copies"),
    [("PublicTest", planted.PUBLIC_TEST_COPIES), ("PrivateTest", planted.PRIVATE_TEST_COPIES)],
)
def test_test_rows_copied_from_training(groups: list[list[Row]], split: str, copies: int) -> None:
    leaking = [group for group in groups if {usage for *_, usage in group} == {"Training", split}]
    assert [len(group) for group in leaking] == [2] * copies
    assert all(first[0] == second[0] for first, second in leaking)


def test_mirrored_pairs(valid: list[Row]) -> None:
    training = {(emotion, pixels) for emotion, pixels, usage in valid if usage == "Training"}
    mirrored = []
    for emotion, pixels, usage in valid:
        image = np.array(pixels.split()).reshape(IMAGE_SIZE, IMAGE_SIZE)
        if (emotion, " ".join(image[:, ::-1].ravel())) in training:
            mirrored.append(usage)
    assert mirrored == ["PrivateTest"] * planted.MIRRORED


def test_splits_stand_in_order_and_are_80_10_10(valid: list[Row]) -> None:
    usages = [usage for *_, usage in valid]
    assert sorted(usages, key=["Training", "PublicTest", "PrivateTest"].index) == usages
    sizes = Counter(usages)
    training = planted.TRAINING_DUPLICATES + planted.CONFLICTING_DUPLICATES
    assert sizes["Training"] == 80 + training
    assert sizes["PublicTest"] == 10 + planted.PUBLIC_TEST_COPIES
    assert sizes["PrivateTest"] == 10 + planted.PRIVATE_TEST_COPIES + planted.MIRRORED


def test_planted_rows_are_scattered(rows: list[Row]) -> None:
    places = [i for i, row in enumerate(rows) if defect(row)]
    assert max(places) - min(places) > len(rows) / 2
    assert len(set(np.diff(places))) > 3


@pytest.mark.parametrize("split", list(Split))
@pytest.mark.parametrize("faces", [100, 1400, 35_887])
def test_classes_are_as_imbalanced_as_in_fer2013(split: Split, faces: int) -> None:
    size = split_sizes(faces)[split]
    counts = class_counts(split, size)
    assert sum(counts.values()) == size
    assert counts[Emotion.disgust] >= (12 if split is Split.training else 3)
    if faces > 1000:
        percent = {"anger": 13.9, "fear": 14.3, "happy": 25.1, "sad": 16.8, "surprise": 11.0, "neutral": 17.3}
        for name, expected in percent.items():
            assert 100 * counts[Emotion[name]] / size == pytest.approx(expected, abs=0.7)


def test_written_labels_follow_the_class_counts(valid: list[Row]) -> None:
    written = Counter(Emotion(int(emotion)) for emotion, _, usage in valid if usage == "PublicTest")
    expected = Counter(class_counts(Split.public_test, FACES // 10))
    assert (written - expected).total() == planted.PUBLIC_TEST_COPIES
    assert (expected - written).total() == 0


def test_too_few_faces_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 100, got 99"):
        write_synthetic_csv(tmp_path / "synthetic.csv", seed=1, faces=99)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "synthetic.csv"
    path.write_text("old")
    drawn = 0

    def failing(units: ActionUnits, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        nonlocal drawn
        drawn += 1
        if drawn > 5:
            raise OSError("disk full")
        return draw_expression(units, rng)

    monkeypatch.setattr(synthetic, "draw_expression", failing)
    with pytest.raises(OSError, match="disk full"):
        write_synthetic_csv(path, seed=1, faces=FACES)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["synthetic.csv"]


@pytest.mark.parametrize("emotion", list(Emotion))
def test_a_face_is_a_48_by_48_picture_with_contrast(emotion: Emotion) -> None:
    image = draw_face(emotion, np.random.default_rng(3))
    assert image.shape == (IMAGE_SIZE, IMAGE_SIZE)
    assert image.dtype == np.uint8
    assert image.size == PIXELS
    assert image.std() > 5


def mean_face(au: ActionUnits) -> npt.NDArray[np.float64]:
    """The mean over the same 25 people, poses and lights for any expression: (48, 48)."""
    faces = [draw_expression(au, np.random.default_rng(person)) for person in range(25)]
    mean: npt.NDArray[np.float64] = np.mean(faces, axis=0)
    return mean


@pytest.fixture(scope="module")
def means() -> dict[Emotion, npt.NDArray[np.float64]]:
    return {emotion: mean_face(PROTOTYPES[emotion]) for emotion in Emotion}


@pytest.mark.parametrize(
    ("emotion", "other", "acting", "elsewhere"),
    [
        (Emotion.happy, Emotion.neutral, MOUTH, BROWS),
        (Emotion.surprise, Emotion.anger, BROWS, None),
        (Emotion.anger, Emotion.neutral, BROWS, MOUTH),
        (Emotion.disgust, Emotion.neutral, NOSE, None),
        (Emotion.happy, Emotion.sad, MOUTH, None),
        (Emotion.fear, Emotion.neutral, MOUTH, None),
        (Emotion.sad, Emotion.neutral, MOUTH, None),
    ],
)
def test_faces_differ_where_the_action_units_act(
    means: dict[Emotion, npt.NDArray[np.float64]],
    emotion: Emotion,
    other: Emotion,
    acting: tuple[slice, slice],
    elsewhere: tuple[slice, slice] | None,
) -> None:
    difference = np.abs(means[emotion] - means[other])
    assert difference[acting].mean() > 2.0
    if elsewhere is not None:
        assert difference[acting].mean() > difference[elsewhere].mean()


def test_neutral_has_no_action_unit() -> None:
    assert PROTOTYPES[Emotion.neutral] == ActionUnits()


def height_of_darkness(face: npt.NDArray[np.float64], rows: slice, columns: slice) -> float:
    """The mean row, weighted by darkness, of a window: where its dark line (brow, lip) lies."""
    darkness = (face[rows, columns].max() - face[rows, columns]).sum(axis=1)
    return float(np.average(np.arange(rows.start, rows.stop), weights=darkness))


@pytest.mark.parametrize(
    ("emotion", "rows", "columns", "lowered"),
    [
        (Emotion.happy, slice(33, 43), slice(15, 18), -1.0),  # AU12 pulls the lip corners up
        (Emotion.sad, slice(33, 43), slice(15, 18), 1.3),  # AU15 pulls them down
        (Emotion.anger, slice(8, 18), slice(18, 30), 0.25),  # AU4 lowers the inner brows
        (Emotion.fear, slice(8, 18), slice(18, 30), -0.5),  # AU1 raises them
        (Emotion.surprise, slice(7, 19), slice(8, 14), -0.5),  # AU2 raises the outer brows
    ],
)
def test_features_move_the_way_facs_says(
    means: dict[Emotion, npt.NDArray[np.float64]],
    emotion: Emotion,
    rows: slice,
    columns: slice,
    lowered: float,
) -> None:
    neutral = height_of_darkness(means[Emotion.neutral], rows, columns)
    moved = height_of_darkness(means[emotion], rows, columns) - neutral
    assert moved * np.sign(lowered) > abs(lowered)


def test_surprise_opens_the_mouth_and_disgust_wrinkles_the_nose(
    means: dict[Emotion, npt.NDArray[np.float64]],
) -> None:
    mouth, nose_root = np.s_[36:43, 21:27], np.s_[18:24, 22:26]
    assert means[Emotion.surprise][mouth].mean() < means[Emotion.neutral][mouth].mean() - 20
    assert means[Emotion.disgust][nose_root].mean() < means[Emotion.neutral][nose_root].mean() - 10
