"""Batches: every face once, mirrored where they say so, in an order that the seed alone decides."""

import pytest
import torch

from fer.constants import Emotion, Split
from fer.training.batches import Batch, DeviceFeatures, batch_count, training_batches
from tests.runs import toy_config
from tests.training.test_loop import toy_faces

FACES = toy_faces(Split.training, 41, 0)


def batches(**changes: object) -> list[tuple[torch.Tensor, ...]]:
    drawn = {name: changes.pop(name) for name in ("seed", "epoch") if name in changes}
    settings = toy_config(**{"batch_size": 10, **changes})
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
    for images, _, index, mirror in batches(augment={"flip": False}):
        assert not mirror.any()
        assert torch.equal(images, FACES.images[index])


def test_seed_and_epoch_decide_the_order() -> None:
    def order(**changes: object) -> list[int]:
        return torch.cat([batch[2] for batch in batches(**changes)]).tolist()

    assert order() == order()
    assert order() != order(epoch=1)
    assert order() != order(seed=2)


def test_distortion_leaves_order_and_mirrors_as_they_are() -> None:
    plain, warped = batches(), batches(augment={"rotation": 20.0})
    for (images, labels, index, mirror), (other, *rest) in zip(plain, warped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip((labels, index, mirror), rest, strict=True))
        assert other.dtype == torch.float32
        assert other.shape == images.shape
        assert not torch.allclose(other, images.float(), atol=5)


def test_a_face_is_distorted_as_the_seed_says_in_whatever_batch() -> None:
    small, large = (torch.cat([b[0] for b in batches(augment={"shift": 0.2}, batch_size=size)]) for size in (4, 20))
    torch.testing.assert_close(small[:40], large[:40])


def test_features_are_looked_up_by_face_and_mirror() -> None:
    views = torch.stack([torch.arange(41.0), -torch.arange(41.0)]).unsqueeze(-1)  # (2, 41, 1)
    faces = DeviceFeatures(views, FACES.labels, Split.training)
    for batch in training_batches(faces, toy_config(batch_size=10), seed=1, epoch=0):
        sign = torch.where(batch.mirrored, -1.0, 1.0)
        assert torch.equal(batch.images[:, 0], sign * batch.index)
    assert torch.equal(faces.images, views[0])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_mixed_image_is_its_share_of_two(share: float) -> None:
    images = torch.tensor([[10.0], [20.0], [40.0]])
    plain = Batch(images, torch.tensor([0, 3, 6]), torch.tensor([7, 8, 9]), torch.tensor([True, False, False]))
    mixed = plain.mixed(torch.tensor([2, 0, 1]), share)
    expected = [share * own + (1 - share) * other for own, other in ((10, 40), (20, 10), (40, 20))]
    assert mixed.images[:, 0].tolist() == pytest.approx(expected)
    if share in {0.0, 1.0}:
        assert mixed.images[:, 0].tolist() == ([10, 20, 40] if share else [40, 10, 20])
    assert torch.equal(mixed.labels, plain.labels)
    assert mixed.partners.labels.tolist() == [6, 0, 3]
    assert mixed.partners.index.tolist() == [9, 7, 8]
    assert mixed.partners.mirrored.tolist() == [False, True, False]


def test_mixup_mixes_the_batches_that_there_were() -> None:
    shares = []
    for epoch in range(6):
        drawn = training_batches(FACES, toy_config(batch_size=10, mixup=0.4, epochs=9), seed=1, epoch=epoch)
        for mixed, (images, labels, index, mirror) in zip(drawn, batches(epoch=epoch), strict=True):
            assert mixed.partner is not None
            assert sorted(mixed.partner.tolist()) == list(range(len(index)))
            assert torch.equal(mixed.labels, labels)
            assert torch.equal(mixed.index, index)
            assert torch.equal(mixed.mirrored, mirror)
            expected = mixed.share * images.float() + (1 - mixed.share) * images[mixed.partner].float()
            torch.testing.assert_close(mixed.images, expected, rtol=1e-4, atol=1e-3)
            shares.append(mixed.share)
    assert len(set(shares)) == 24
    assert 0 <= min(shares) < 0.2
    assert 0.8 < max(shares) <= 1


def test_the_last_epochs_are_not_mixed() -> None:
    settings = toy_config(batch_size=10, mixup=0.4, mixup_off_epochs=2, epochs=5)
    mixed = [
        all(batch.partner is not None for batch in training_batches(FACES, settings, seed=1, epoch=epoch))
        for epoch in range(5)
    ]
    assert mixed == [True, True, True, False, False]


def test_a_share_of_the_faces_is_the_same_for_everyone() -> None:
    first, second = toy_faces(Split.training, 100, 0), toy_faces(Split.training, 100, 0)
    whole = {(*face.flatten().tolist(), int(label)) for face, label in zip(first.images, first.labels, strict=True)}
    first.keep_share(0.3)
    second.keep_share(0.3)
    assert len(first) == 30
    assert torch.equal(first.images, second.images)
    kept = {(*face.flatten().tolist(), int(label)) for face, label in zip(first.images, first.labels, strict=True)}
    assert len(kept) == 30
    assert kept < whole


def test_merged_disgust_is_anger() -> None:
    faces = toy_faces(Split.training, 100, 0)
    angry, disgusted = (int((faces.labels == emotion).sum()) for emotion in (Emotion.anger, Emotion.disgust))
    assert disgusted > 0
    faces.merge_disgust()
    assert int((faces.labels == Emotion.anger).sum()) == angry + disgusted
    assert not (faces.labels == Emotion.disgust).any()
