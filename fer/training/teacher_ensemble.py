"""An ensemble as a teacher: its members see what the student sees, and it learns from their mean.

A teacher that is asked about each distorted and mixed image itself teaches better than one that is asked about the
plain face once (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent"); it costs a
forward pass of every member for every batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.training.batches import Batch
from fer.training.losses import Loss


class TeacherEnsemble(nn.Module):
    """Grey images (N, 1, H, H) to the logarithms of the members' mean probabilities, (N, 7), in evaluation mode.

    Each member scales what it is given to its own input size: a crop fills its field of view.
    """

    log_share: Tensor

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members).eval().requires_grad_(False)
        self.register_buffer("log_share", torch.tensor(1 / len(members)).log())  # ()

    def forward(self, images: Tensor) -> Tensor:
        each = torch.stack([F.log_softmax(member(images).float(), dim=-1) for member in self.members])  # (M, N, 7)
        return torch.logsumexp(each + self.log_share, dim=0)  # (N, 7)


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

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        device = batch.images.device.type
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=self.precision is torch.bfloat16):
            asked = self.teacher(batch.images).float()  # (B, 7)
        soft = F.log_softmax(asked / self.temperature, dim=-1)
        student = F.log_softmax(logits / self.temperature, dim=-1)
        divergence = F.kl_div(student, soft, reduction="batchmean", log_target=True)
        return self.alpha * self.label_loss(logits, batch) + (1 - self.alpha) * self.temperature**2 * divergence
