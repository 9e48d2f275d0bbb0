"""Batches from faces that stay on the device: gathered, mirrored and distorted there, no worker processes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fer.config.run import RunConfig
from fer.constants import Emotion, Split
from fer.store import Faces
from fer.training.augment import augment, distorts, draw
from fer.training.distributed import size
from fer.training.seeds import derived_seed


@dataclass(frozen=True)
class Batch:
    """`index` and `mirrored` say which face stands where, for losses that look something up for each.

    In a batch of mixup each image is `share` of its own face and the rest that of its `partner` in the batch.
    """

    images: Tensor  # uint8 (B, 1, 48, 48); float32 after distortion; features float32 (B, C)
    labels: Tensor  # int64 (B,)
    index: Tensor  # int64 (B,)
    mirrored: Tensor  # bool (B,)
    partner: Tensor | None = None  # int64 (B,), places in the batch
    share: float = 1.0

    @property
    def partners(self) -> "Batch":
        """Return the same images with the labels, indices and mirrors of the faces that were mixed in."""
        of = self.partner
        return replace(self, labels=self.labels[of], index=self.index[of], mirrored=self.mirrored[of])

    def mixed(self, partner: Tensor, share: float) -> "Batch":
        """Return mixup (Zhang et al. 2018): share * x + (1 - share) * x[partner], float32 (B, ...)."""
        images = self.images.float()
        return replace(self, images=torch.lerp(images[partner], images, share), partner=partner, share=share)


class TrainingSet(Protocol):
    """A split on the device, as its network takes it."""

    split: Split
    labels: Tensor  # int64 (N,)

    def __len__(self) -> int: ...

    @property
    def images(self) -> Tensor:
        """Return all of them, none mirrored, (N, ...)."""

    def gather(self, index: Tensor, mirrored: Tensor) -> Tensor:
        """Return those of `index` (B,), mirrored where `mirrored` (B,) says so, (B, ...)."""


class DeviceFaces:
    """A split's faces."""

    def __init__(self, faces: Faces, split: Split, device: torch.device) -> None:
        self.split = split
        self.images = torch.from_numpy(faces.images).unsqueeze(1).to(device)  # uint8 (N, 1, 48, 48)
        self.labels = torch.from_numpy(faces.labels).long().to(device)  # (N,)

    def __len__(self) -> int:
        return len(self.labels)

    def gather(self, index: Tensor, mirrored: Tensor) -> Tensor:
        images = self.images[index]  # (B, 1, 48, 48)
        return torch.where(mirrored[:, None, None, None], images.flip(-1), images)

    def keep_share(self, share: float) -> None:
        """Keep so much of the faces, in their order, the same ones for all seeds and systems."""
        generator = torch.Generator().manual_seed(derived_seed("training_share"))
        count = max(1, round(share * len(self)))
        kept = torch.randperm(len(self), generator=generator)[:count].sort().values.to(self.labels.device)
        self.images, self.labels = self.images[kept], self.labels[kept]

    def merge_disgust(self) -> None:
        """Turn disgust into anger, as report 002 proposes: disgust has 1.5 % of the faces and looks alike."""
        self.labels[self.labels == Emotion.disgust] = Emotion.anger


class DeviceFeatures:
    """A split as a frozen network sees it: its features of each face and, where there are two views, of its mirror."""

    def __init__(self, views: Tensor, labels: Tensor, split: Split) -> None:
        self.split = split
        self.views = views  # float32 (1 or 2, N, C)
        self.labels = labels  # int64 (N,)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Tensor:
        return self.views[0]  # (N, C)

    def gather(self, index: Tensor, mirrored: Tensor) -> Tensor:
        return self.views[mirrored.long(), index]  # (B, C)


def batch_count(faces: int, batch_size: int) -> int:
    """Return how many batches `training_batches` makes of so many faces."""
    whole, rest = divmod(faces, batch_size)
    return whole + (rest >= smallest_batch(faces))


def smallest_batch(faces: int) -> int:
    """Return how few faces can be a batch: a shard for each process, and two, since of one there is no variance."""
    return min(faces, max(2, size()))


def training_batches(faces: TrainingSet, config: RunConfig, *, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield every face once, in an order and with distortions that (seed, epoch) alone decide.

    With `flip` each face is mirrored with even odds. A last batch that is too small is left out. With `mixup` the faces
    of each batch are mixed in pairs, but in the last `mixup_off_epochs`. All that is drawn goes to the device before
    the first batch.
    """
    device = faces.labels.device
    generator = torch.Generator().manual_seed(derived_seed(seed, "epoch", epoch))
    order = torch.randperm(len(faces), generator=generator).to(device)  # (N,)
    odds = 0.5 if config.augment.flip else 0.0
    mirrored = (torch.rand(len(faces), generator=generator) < odds).to(device)  # (N,)
    draws = draw(config.augment, len(faces), generator).to(device) if distorts(config.augment) else None
    mixes = config.mixup > 0 and epoch < config.epochs - config.mixup_off_epochs
    partners, shares = draw_mixup(config, len(faces), derived_seed(seed, "mixup", epoch)) if mixes else (None, [])
    partners = partners.to(device) if partners is not None else None  # (N,)
    for place in range(batch_count(len(faces), config.batch_size)):
        here = slice(place * config.batch_size, min((place + 1) * config.batch_size, len(faces)))
        index, mirror = order[here], mirrored[here]
        if draws:  # the warp mirrors as well
            images = augment(faces.images[index], mirror, draws[here], config.augment)
        else:
            images = faces.gather(index, mirror)
        batch = Batch(images, faces.labels[index], index, mirror)
        yield batch.mixed(partners[here], shares[place]) if partners is not None else batch


def draw_mixup(config: RunConfig, faces: int, seed: int) -> tuple[Tensor, list[float]]:
    """Return each face's partner, as its place in the batch, int64 (N,), and each batch's share, Beta(alpha, alpha)."""
    generator = np.random.default_rng(seed)
    partners, shares = [], []
    for count in [config.batch_size] * (faces // config.batch_size) + [faces % config.batch_size]:
        partners.append(torch.from_numpy(generator.permutation(count)))
        shares.append(float(generator.beta(config.mixup, config.mixup)))
    return torch.cat(partners), shares
