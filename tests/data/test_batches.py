"""Batches: every face once, mirrored where they say so, in an order that the seed alone decides."""

import pytest
import torch

from fer.data.batches import DeviceFeatures, batch_count, training_batches
from fer.emotions import Emotion, Split
from fer.params import Augment
from tests.training.test_loop import recipe, toy_faces

FACES = toy_faces(Split.training, 41, 0)


def batches(**changes: object) -> list[tuple[torch.Tensor, ...]]:
    drawn = {name: changes.pop(name) for name in ("seed", "epoch") if name in changes}
    settings = recipe(**{"batch_size": 10, **changes})
    return [
        (batch.images, batch.labels, batch.index, batch.mirrored)
        for batch in training_batches(FACES, settings, **({"seed": 1, "epoch": 0} | drawn))  # type: ignore[arg-type]
    ]


def test_every_face_once_but_for_a_last_one_alone() -> None:
    index = torch.cat([batch[2] for batch in batches()])
    assert len(index) == len(set(index.tolist())) == 40
    assert len(torch.cat([batch[2] for batch in batches(batch_size=7)])) == 41


@pytest.mark.parametrize("size", [2, 7, 8, 10, 20, 40, 41, 50])
def test_batches_are_counted(size: int) -> None:
    assert batch_count(41, size) == len(batches(batch_size=size))


def test_images_labels_and_mirrors_belong_together() -> None:
    mirrored = 0
    for images, labels, index, mirror in batches():
        for place, face in enumerate(index):
            original = FACES.images[face]
            assert torch.equal(images[place], original.flip(-1) if mirror[place] else original)
            assert labels[place] == FACES.labels[face]
        mirrored += int(mirror.sum())
    assert 8 < mirrored < 32


def test_without_flip_nothing_is_mirrored() -> None:
    for images, _, index, mirror in batches(flip=False):
        assert not mirror.any()
        assert torch.equal(images, FACES.images[index])


def test_seed_and_epoch_decide_the_order() -> None:
    def order(**changes: object) -> list[int]:
        return torch.cat([batch[2] for batch in batches(**changes)]).tolist()

    assert order() == order()
    assert order() != order(epoch=1)
    assert order() != order(seed=2)


def test_distortion_leaves_order_and_mirrors_as_they_are() -> None:
    plain, warped = batches(), batches(augment=Augment(rotation=20.0))
    for (images, labels, index, mirror), (other, *rest) in zip(plain, warped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip((labels, index, mirror), rest, strict=True))
        assert other.dtype == torch.float32
        assert other.shape == images.shape
        assert not torch.allclose(other, images.float(), atol=5)


def test_a_face_is_distorted_as_the_seed_says_in_whatever_batch() -> None:
    small, large = (torch.cat([b[0] for b in batches(augment=Augment(shift=0.2), batch_size=size)]) for size in (4, 20))
    torch.testing.assert_close(small[:40], large[:40])


def test_features_are_looked_up_by_face_and_mirror() -> None:
    views = torch.stack([torch.arange(41.0), -torch.arange(41.0)]).unsqueeze(-1)  # (2, 41, 1)
    faces = DeviceFeatures(views, FACES.labels, Split.training)
    for batch in training_batches(faces, recipe(batch_size=10), seed=1, epoch=0):
        sign = torch.where(batch.mirrored, -1.0, 1.0)
        assert torch.equal(batch.images[:, 0], sign * batch.index)
    assert torch.equal(faces.images, views[0])


def test_merged_disgust_is_anger() -> None:
    faces = toy_faces(Split.training, 100, 0)
    angry, disgusted = (int((faces.labels == emotion).sum()) for emotion in (Emotion.anger, Emotion.disgust))
    assert disgusted > 0
    faces.merge_disgust()
    assert int((faces.labels == Emotion.anger).sum()) == angry + disgusted
    assert not (faces.labels == Emotion.disgust).any()
