"""An ensemble as a teacher: its members see what the student sees, and it learns from their mean.

A teacher that is asked about each distorted and mixed image itself teaches better than one that is asked about the
plain face once (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent"); it costs a
forward pass of every member for every batch.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.data.batches import Batch
from fer.errors import UserError
from fer.files import sha256_of
from fer.models.classifier import load_classifier
from fer.training.losses import Loss


@dataclass(frozen=True)
class Committee:
    """The members' weights, as files, with how they are averaged, and how much of the loss is theirs."""

    weights: tuple[Path, ...]
    shares: tuple[float, ...]
    temperatures: tuple[float, ...]
    alpha: float
    temperature: float

    def facts(self) -> dict[str, Any]:
        """What a student depends on, files by their hash."""
        return asdict(self) | {"weights": [sha256_of(path) for path in self.weights]}


def read_committee(metrics: Path, models: Path, *, alpha: float, temperature: float) -> Committee:
    """The members that metrics/{dataset}/ensemble.json names, with their weights under `models`.

    Raises UserError for a member whose weights are not there.
    """
    members = json.loads(metrics.read_text(encoding="utf-8"))["members"]
    weights = tuple(models / f"{name}.safetensors" for name in members)
    for path in weights:
        if not path.exists():
            raise UserError(
                f"{path}: a member of the ensemble ({metrics}) without its weights; `dvc checkout` has them"
            )
    return Committee(
        weights,
        tuple(member["weight"] for member in members.values()),
        tuple(member["temperature"] for member in members.values()),
        alpha,
        temperature,
    )


class Teachers(nn.Module):
    """Grey images (N, 1, H, H) to the logarithms of the members' mean probabilities, (N, 7), in evaluation mode.

    Each member scales what it is given to its own input size: a crop fills its field of view.
    """

    shares: Tensor
    temperatures: Tensor

    def __init__(self, members: list[nn.Module], shares: tuple[float, ...], temperatures: tuple[float, ...]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members).eval().requires_grad_(False)
        self.register_buffer("shares", torch.tensor(shares))  # (M,)
        self.register_buffer("temperatures", torch.tensor(temperatures))  # (M,)

    def forward(self, images: Tensor) -> Tensor:
        scores = torch.stack([member(images).float() for member in self.members])  # (M, N, 7)
        each = F.log_softmax(scores / self.temperatures[:, None, None], dim=-1)
        return torch.logsumexp(each + self.shares.log()[:, None, None], dim=0)  # (N, 7)


def load_teachers(committee: Committee, device: torch.device) -> Teachers:
    members: list[nn.Module] = [load_classifier(path)[0] for path in committee.weights]
    return Teachers(members, committee.shares, committee.temperatures).to(device)


class LiveDistillation:
    """alpha * the labels' loss + (1 - alpha) * T^2 * KL(teacher || student), the teacher asked about each batch.

    Hinton et al. 2015, with both distributions softened by T.
    """

    def __init__(
        self, teacher: nn.Module, *, alpha: float, temperature: float, label_loss: Loss, precision: torch.dtype
    ) -> None:
        self.teacher = teacher
        self.alpha = alpha
        self.temperature = temperature
        self.label_loss = label_loss
        self.precision = precision

    def __call__(self, scores: Tensor, batch: Batch) -> Tensor:
        device = batch.images.device.type
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=self.precision is torch.bfloat16):
            asked = self.teacher(batch.images).float()  # (B, 7)
        soft = F.log_softmax(asked / self.temperature, dim=-1)
        student = F.log_softmax(scores / self.temperature, dim=-1)
        divergence = F.kl_div(student, soft, reduction="batchmean", log_target=True)
        return self.alpha * self.label_loss(scores, batch) + (1 - self.alpha) * self.temperature**2 * divergence
