"""What a training minimises: a function of logits (B, 7) and the batch that they belong to."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.constants import Emotion
from fer.models.classifier import merged, predict
from fer.training.batches import Batch, DeviceFaces

Loss = Callable[[Tensor, Batch], Tensor]


class CrossEntropy:
    """Mean over the batch, in nats.

    With class weights each face counts as its class's weight, over the batch's sum of weights. With label smoothing
    (Szegedy et al. 2016, section 7) a face's target is 1 - e for its label, and e / 7 more for every class.
    """

    def __init__(self, weights: Tensor | None = None, *, label_smoothing: float = 0.0) -> None:
        self.weights = weights  # float32 (7,)
        self.label_smoothing = label_smoothing

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits, batch.labels, self.weights, label_smoothing=self.label_smoothing)


cross_entropy = CrossEntropy()


class Mixed:
    """A loss of mixup's batches: `share` of it with each image's own label, the rest with its partner's.

    For losses that are linear in the target this is the loss with the mixed target, but for a constant.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        if batch.partner is None:
            return self.loss(logits, batch)
        return batch.share * self.loss(logits, batch) + (1 - batch.share) * self.loss(logits, batch.partners)


def balanced_weights(labels: Tensor) -> Tensor:
    """Return N / (classes * N_class), as scikit-learn's `balanced`: every class weighs the same in sum.

    `labels` int64 (N,) -> float32 (7,); 0 for a class without a face, classes that occur are the ones counted.
    """
    counts = torch.bincount(labels, minlength=len(Emotion)).float()  # (7,)
    return torch.where(counts > 0, len(labels) / ((counts > 0).sum() * counts.clamp_min(1)), 0.0)


class Distillation:
    """alpha * the labels' loss + (1 - alpha) * T^2 * KL(teacher || student): report 000, equation 1.

    The report has no temperature (T = 1); with one, both distributions are softened by it and T^2 keeps the
    gradient's size (Hinton et al. 2015). A teacher that sees the same faces in every epoch, as they are or mirrored,
    says the same each time: its logits for both are computed once.
    """

    def __init__(
        self, teacher_logits: Tensor, *, alpha: float, temperature: float, label_loss: Loss = cross_entropy
    ) -> None:
        self.label_loss = label_loss
        self.alpha = alpha
        self.temperature = temperature
        self.log_soft = F.log_softmax(teacher_logits / temperature, dim=-1)  # (2, N, 7)

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        soft = self.log_soft[batch.mirrored.long(), batch.index]  # (B, 7)
        student = F.log_softmax(logits / self.temperature, dim=-1)  # (B, 7)
        divergence = F.kl_div(student, soft, reduction="batchmean", log_target=True)
        return self.alpha * self.label_loss(logits, batch) + (1 - self.alpha) * self.temperature**2 * divergence


def teacher_logits(teachers: Sequence[nn.Module], faces: DeviceFaces, precision: torch.dtype) -> Tensor:
    """Return the teachers' logits for every face as it is and mirrored, float32 (2, N, 7).

    Of several they are the logarithms of the mean of their probabilities.
    """
    views = (faces.images, faces.images.flip(-1))
    return torch.stack([merged([predict(teacher, images, precision) for teacher in teachers]) for images in views])
