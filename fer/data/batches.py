"""Batches from images that stay on the device as uint8: gathered and mirrored there, no worker processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fer.data.store import Faces
from fer.determinism import derived_seed
from fer.emotions import Split


@dataclass(frozen=True)
class Batch:
    """`index` and `mirrored` say which face stands where, for losses that look something up for each."""

    images: Tensor  # uint8 (B, 1, 48, 48)
    labels: Tensor  # int64 (B,)
    index: Tensor  # int64 (B,)
    mirrored: Tensor  # bool (B,)


class DeviceFaces:
    """A split on the device."""

    def __init__(self, faces: Faces, split: Split, device: torch.device) -> None:
        self.split = split
        self.images = torch.from_numpy(faces.images).unsqueeze(1).to(device)  # uint8 (N, 1, 48, 48)
        self.labels = torch.from_numpy(faces.labels).long().to(device)  # (N,)

    def __len__(self) -> int:
        return len(self.labels)


def training_batches(faces: DeviceFaces, *, batch_size: int, flip: bool, seed: int, epoch: int) -> Iterator[Batch]:
    """Every face once, in an order that (seed, epoch) alone decides; with `flip` each is mirrored with even odds.

    A last batch of a single face is left out: batch normalisation has no variance for it.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "epoch", epoch))
    order = torch.randperm(len(faces), generator=generator)  # (N,)
    mirrored = torch.rand(len(faces), generator=generator) < 0.5 if flip else torch.zeros(len(faces), dtype=torch.bool)
    device = faces.images.device
    order, mirrored = order.to(device), mirrored.to(device)
    for index, mirror in zip(torch.split(order, batch_size), torch.split(mirrored, batch_size), strict=True):
        if len(index) == 1 and len(faces) > 1:
            continue
        images = faces.images[index]  # (B, 1, 48, 48)
        if flip:
            images = torch.where(mirror[:, None, None, None], images.flip(-1), images)
        yield Batch(images, faces.labels[index], index, mirror)
