"""Names of folders and files that people have, and what they say."""

from pathlib import Path

import pytest

from fer.constants import Emotion
from fer.data.names import EMOTIONS, PICTURE_SUFFIXES, by_suffix, emotion_in, emotion_of, files_below


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        *((emotion.name, emotion) for emotion in Emotion),
        *((str(int(emotion)), emotion) for emotion in Emotion),
        ("Angry", Emotion.anger),
        ("angry - Copy", Emotion.anger),
        ("Happy - Copy (2)", Emotion.happy),
        ("03 Happiness", Emotion.happy),
        ("6_sad", Emotion.sad),
        ("SU", Emotion.surprise),
        ("7", None),
        ("-1", None),
        ("²", None),
        ("contempt", None),
        ("happy people", None),
    ],
)
def test_a_folders_emotion(name: str, emotion: Emotion | None) -> None:
    assert emotion_of(name) is emotion


@pytest.mark.parametrize(
    ("stem", "emotion"),
    [
        ("Angry_17", Emotion.anger),
        ("im_happy_3", Emotion.happy),
        ("3", None),
        ("Training_3", None),
        ("KA.AN1.39", None),
        ("happy_or_sad", None),
    ],
)
def test_a_files_emotion(stem: str, emotion: Emotion | None) -> None:
    assert emotion_in(stem) is emotion


def test_spellings_are_in_lower_case_letters_as_they_are_looked_up() -> None:
    assert all(name.isalpha() and name.islower() for name in EMOTIONS)
    assert all(suffix.startswith(".") and suffix.islower() for suffix in PICTURE_SUFFIXES)


def test_files_are_found_through_links_and_rings_of_them_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name in ("a/2.png", "a/b/1.png", "a/.hidden", "other/3.png"):
        (tmp_path / name).write_text("")
    (tmp_path / "a" / "ring").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "other")
    found = [str(path.relative_to(tmp_path / "a")) for path in files_below(tmp_path / "a")]
    assert found == ["2.png", "b/1.png", "link/3.png"]


def test_left_out_files_are_counted_by_suffix() -> None:
    paths = map(Path, ["a.mp4", "b.HEIC", "c.mp4", "LICENSE"])
    assert by_suffix(paths) == "2 .mp4, 1 .HEIC, 1 without a suffix"
