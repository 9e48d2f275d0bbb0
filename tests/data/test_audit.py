"""The audit against brute force on tiny images, where copies are frequent."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fer.constants import IMAGE_SIZE, Emotion, Split
from fer.data.audit import audit, digests, flags, seen
from fer.data.ingest import mark_leaks
from fer.store import Faces, create_store, open_store, read_split

SPLITS = tuple(Split)
TRAINING, PUBLIC, PRIVATE = range(3)
Face = tuple[int, int, int]  # which picture, its label, its split

FACES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 2)), max_size=25)


def table(faces: list[Face]) -> pd.DataFrame:
    pictures, labels, usages = np.array(faces, np.uint8).reshape(-1, 3).T
    return seen(np.broadcast_to(pictures[:, None, None], (len(pictures), 2, 2)), labels, usages)


def brute_force(faces: list[Face]) -> dict[str, Any]:
    groups: dict[int, list[Face]] = defaultdict(list)
    for face in faces:
        groups[face[0]].append(face)

    def count(split: int, *earlier: int) -> int:
        return sum(face[2] == split and any(other[2] in earlier for other in groups[face[0]]) for face in faces)

    return {
        "duplicate_groups": sum(1 for group in groups.values() if len(group) > 1),
        "redundant_images": len(faces) - len(groups),
        "conflicting_groups": sum(1 for group in groups.values() if len({label for _, label, _ in group}) > 1),
        "in_training": {"PublicTest": count(PUBLIC, TRAINING), "PrivateTest": count(PRIVATE, TRAINING)},
        "in_public_test": {"PrivateTest": count(PRIVATE, PUBLIC)},
        "in_earlier_split": {
            "PublicTest": count(PUBLIC, TRAINING),
            "PrivateTest": count(PRIVATE, TRAINING, PUBLIC),
        },
    }


class TestAudit:
    @given(faces=FACES)
    def test_counts_as_brute_force_does(self, faces: list[Face]) -> None:
        assert audit(table(faces)) == brute_force(faces)

    @given(faces=FACES)
    def test_flags_are_those_of_each_face(self, faces: list[Face]) -> None:
        marks = flags(table(faces))
        in_training = {picture for picture, _, split in faces if split == TRAINING}
        in_public_test = {picture for picture, _, split in faces if split == PUBLIC}
        expected = [split != TRAINING and picture in in_training for picture, _, split in faces]
        assert marks.in_training.tolist() == expected
        expected = [split == PRIVATE and picture in in_public_test for picture, _, split in faces]
        assert marks.in_public_test.tolist() == expected

    def test_is_plain_json(self) -> None:
        content = audit(table([(1, 0, TRAINING), (1, 2, PRIVATE)]))
        assert json.loads(json.dumps(content)) == content


class TestDigests:
    def test_differ_for_a_single_bit(self) -> None:
        images = np.zeros((1 + 8 * 64, 8, 8), np.uint8)
        images[1:].reshape(-1, 64)[np.arange(512), np.arange(512) // 8] = 1 << np.arange(512) % 8
        assert len(np.unique(digests(images))) == len(images)

    def test_depend_on_pixels_and_not_on_memory_layout(self) -> None:
        images = np.random.default_rng(0).integers(0, 256, (4, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
        np.testing.assert_array_equal(digests(images), digests(np.asfortranarray(images)))
        assert (digests(images) != digests(images.transpose(0, 2, 1))).all()

    def test_of_nothing_are_none(self) -> None:
        assert digests(np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)).shape == (0,)


def write_store(path: Path, faces: list[Face]) -> None:
    with create_store(path, source_sha256="") as writer:
        for index, split in enumerate(SPLITS):
            chosen = np.array([face for face in faces if face[2] == index], np.int64).reshape(-1, 3)
            images = np.zeros((len(chosen), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
            images[:, -1, -1] = chosen[:, 0]
            labels, unknown = chosen[:, 1].astype(np.uint8), np.zeros(len(chosen), np.bool_)
            writer.append(split, Faces(images, labels, np.arange(len(chosen)), unknown, unknown))


class TestStores:
    FACES = (
        (1, Emotion.happy, TRAINING),
        (2, Emotion.sad, TRAINING),
        (2, Emotion.fear, PUBLIC),
        (3, Emotion.sad, PUBLIC),
        (3, Emotion.sad, PRIVATE),
        (1, Emotion.happy, PRIVATE),
        (4, Emotion.happy, PRIVATE),
    )

    def test_are_marked(self, tmp_path: Path) -> None:
        path = tmp_path / "clean.h5"
        write_store(path, list(self.FACES))
        with open_store(path) as source, create_store(tmp_path / "marked.h5", source_sha256="") as writer:
            for split in Split:
                writer.append(split, read_split(source, split))
            mark_leaks(writer, table(list(self.FACES)))
        with open_store(tmp_path / "marked.h5") as store:
            marked = {split: read_split(store, split) for split in Split}
        assert marked[Split.training].in_training.tolist() == [False, False]
        assert marked[Split.public_test].in_training.tolist() == [True, False]
        assert marked[Split.private_test].in_training.tolist() == [False, True, False]
        assert marked[Split.private_test].in_public_test.tolist() == [True, False, False]
