"""Batches: every face once, mirrored where they say so, in an order that the seed alone decides."""

import torch

from fer.data.batches import training_batches
from fer.emotions import Split
from tests.training.test_loop import toy_faces

FACES = toy_faces(Split.training, 41, 0)


def batches(**changes: object) -> list[tuple[torch.Tensor, ...]]:
    values = {"batch_size": 10, "flip": True, "seed": 1, "epoch": 0} | changes
    return [
        (batch.images, batch.labels, batch.index, batch.mirrored)
        for batch in training_batches(FACES, **values)  # type: ignore[arg-type]
    ]


def test_every_face_once_but_for_a_last_one_alone() -> None:
    index = torch.cat([batch[2] for batch in batches()])
    assert len(index) == len(set(index.tolist())) == 40
    assert len(torch.cat([batch[2] for batch in batches(batch_size=7)])) == 41


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
