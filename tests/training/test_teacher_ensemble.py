"""A teacher ensemble: its mean by hand, what the student pays, and a student from end to end."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.files import sha256_of
from fer.models.classifier import load_classifier
from fer.orchestration.side_by_side import train_seeds
from fer.training.losses import Mixed, cross_entropy
from fer.training.teacher_ensemble import LiveDistillation, TeacherEnsemble
from tests.runs import jobs, toy_config
from tests.training.test_losses import batch


class Says(nn.Module):
    """The same logits of every image, but for its mean grey value in the first class."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits + F.one_hot(torch.zeros(len(images)).long(), 7) * images.mean((1, 2, 3))[:, None]


FIRST, SECOND = [0.0, 1, 2, 0, 0, 0, 0], [3.0, 0, 0, 0, 0, 0, -1]
IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def teachers() -> TeacherEnsemble:
    return TeacherEnsemble([Says(FIRST), Says(SECOND)])


def test_the_teacher_is_the_mean_of_probabilities() -> None:
    expected = (Says(FIRST)(IMAGES).softmax(1) + Says(SECOND)(IMAGES).softmax(1)) / 2
    torch.testing.assert_close(teachers()(IMAGES).exp(), expected)


def test_the_loss_by_hand_and_its_gradient_is_the_students_alone() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    given = batch([1, 4, 0])
    given = type(given)(IMAGES, given.labels, given.index, given.mirrored)
    teacher = teachers()
    loss = LiveDistillation(teacher, alpha=0.3, temperature=2.0, label_loss=cross_entropy, precision=torch.float32)
    value = loss(logits, given)
    soft = (teacher(IMAGES) / 2).softmax(1)
    divergence = (soft * (soft.log() - (logits / 2).log_softmax(1))).sum(1).mean()
    torch.testing.assert_close(value, 0.3 * F.cross_entropy(logits, given.labels) + 0.7 * 4 * divergence)
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_of_mixed_images_the_teacher_is_asked_as_they_are() -> None:
    logits = torch.zeros(3, 7)
    plain = batch([1, 4, 0])
    mixed = type(plain)(IMAGES, plain.labels, plain.index, plain.mirrored).mixed(torch.tensor([2, 0, 1]), 0.4)
    loss = LiveDistillation(
        teachers(), alpha=0.0, temperature=1.0, label_loss=Mixed(cross_entropy), precision=torch.float32
    )
    log_soft = teachers()(mixed.images)
    torch.testing.assert_close(loss(logits, mixed), (log_soft.exp() * (log_soft - logits.log_softmax(1))).sum(1).mean())


def test_a_student_of_an_ensemble_from_end_to_end(store: Path, tmp_path: Path) -> None:
    train_seeds(jobs(store, tmp_path / "cs231n"), workers=1)
    members = tuple(tmp_path / "cs231n" / f"{seed}.safetensors" for seed in (0, 1))
    settings = toy_config(epochs=1, mixup=0.2, distil={"alpha": 0.2, "temperature": 2.0})
    for folder, taught in (("once", members), ("again", members), ("others", members[::-1])):
        student = jobs(store, tmp_path / folder, seeds=(0,), system="student", config=settings, teachers=taught)
        train_seeds(student, workers=1)
    _, provenance = load_classifier(tmp_path / "once" / "0.safetensors")
    assert provenance["teachers"] == [sha256_of(path) for path in members]
    for name in ("0.safetensors", "0.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
