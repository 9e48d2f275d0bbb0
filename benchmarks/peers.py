"""Other ways to train on faces, each as an epoch over the same faces with the same network, batch size and optimizer.

`tutorial` is what the best known public training scripts for FER2013 do (usef-kh/fer, LetheSec's and WuJie1010's
repositories), written anew: a Dataset that makes a PIL image of an array, transforms image by image in two worker
processes, float32 in the default layout, `.item()` in each batch. Where theirs cut each distorted face into five or ten
crops, here a face is one image. `v2` is the same loop with torchvision.transforms.v2 as its documentation composes it.
`kornia` distorts whole batches of tensors where the network is, without workers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import v2

WORKERS = 2  # LetheSec's num_workers; also this machine's cores
MEAN, STD = 0.5, 0.25

Epoch = Callable[[], float]


@dataclass(frozen=True)
class Work:
    """What every side trains: faces uint8 (N, 48, 48), labels int64 (N,), the side that the network sees."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    batch_size: int
    side: int
    device: torch.device


class FaceDataset(Dataset[tuple[Tensor, int]]):
    def __init__(self, work: Work, transform: Callable[[Any], Tensor]) -> None:
        self.images, self.labels, self.transform = work.images, work.labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def pil_transform(side: int) -> Callable[[Any], Tensor]:
    """usef-kh's and LetheSec's order and ranges, then WuJie1010's random crop where the side is less."""
    steps: Callable[[Any], Tensor] = transforms.Compose([
        transforms.RandomResizedCrop(48, scale=(0.8, 1.2)),
        transforms.RandomApply([transforms.RandomAffine(0, translate=(0.2, 0.2))], p=0.5),
        transforms.RandomHorizontalFlip(),
        transforms.RandomApply([transforms.RandomRotation(10)], p=0.5),
        *([transforms.RandomCrop(side)] if side < 48 else []),
        transforms.ToTensor(),
        transforms.Normalize((MEAN,), (STD,)),
        transforms.RandomErasing(p=0.5),
    ])  # fmt: skip
    return steps


def v2_transform(side: int) -> Callable[[Any], Tensor]:
    steps: Callable[[Any], Tensor] = v2.Compose([
        v2.ToImage(),
        v2.RandomAffine(10, translate=(0.2, 0.2), scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR),
        v2.RandomHorizontalFlip(),
        *([v2.RandomCrop(side)] if side < 48 else []),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((MEAN,), (STD,)),
        v2.RandomErasing(p=0.5),
    ])  # fmt: skip
    return steps


def loader_epoch(work: Work, network: nn.Module, transform: Callable[[Any], Tensor]) -> Epoch:
    """The workers stay from epoch to epoch, which the public scripts do not ask for: starting them is not timed."""
    loader = DataLoader(
        FaceDataset(work, transform), batch_size=work.batch_size, shuffle=True, num_workers=WORKERS,
        persistent_workers=True, pin_memory=work.device.type == "cuda",
    )  # fmt: skip
    return plain_epoch(work, network, lambda: loader)


def kornia_epoch(work: Work, network: nn.Module) -> Epoch:
    import kornia.augmentation as kornia  # noqa: PLC0415 - rendering results needs none

    crop = [kornia.RandomCrop((work.side, work.side))] if work.side < 48 else []
    distort = kornia.AugmentationSequential(
        kornia.RandomAffine(10.0, translate=(0.2, 0.2), scale=(0.8, 1.2), p=1.0),
        kornia.RandomHorizontalFlip(p=0.5),
        *crop,
        kornia.RandomErasing(p=0.5),
        kornia.Normalize(torch.tensor([MEAN]), torch.tensor([STD])),
        data_keys=["input"],
    )  # fmt: skip
    images = torch.from_numpy(work.images).unsqueeze(1).to(work.device)  # uint8 (N, 1, 48, 48)
    labels = torch.from_numpy(work.labels).to(work.device)

    def batches() -> Iterable[tuple[Tensor, Tensor]]:
        for index in torch.split(torch.randperm(len(images), device=work.device), work.batch_size):
            yield distort(images[index].float() / 255), labels[index]

    return plain_epoch(work, network, batches)


def plain_epoch(work: Work, network: nn.Module, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> Epoch:
    """The loop of a tutorial, with Adam as the teacher's recipe has it."""
    network = network.to(work.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-3)
    criterion = nn.CrossEntropyLoss()

    def epoch() -> float:
        network.train()
        loss_sum, right, count = 0.0, 0, 0
        for batch, targets in batches():
            inputs, labels = batch.to(work.device), targets.to(work.device)
            optimizer.zero_grad()
            outputs = network(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()
            count += len(labels)
        return loss_sum / count

    return epoch
