"""The ensemble as a teacher: its mean by hand, what the student pays, and a student end to end."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.errors import UserError
from fer.models.classifier import load_classifier
from fer.training.committee import Committee, LiveDistillation, Teachers, load_teachers, read_committee
from fer.training.losses import Mixed, cross_entropy
from fer.training.runs import train_seeds
from tests.training.test_loop import recipe
from tests.training.test_losses import batch
from tests.training.test_runs import jobs, own_folder, store  # noqa: F401 (fixtures)


class Says(nn.Module):
    """The same scores of every image, but for its mean grey value in the first class."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))

    def forward(self, images: Tensor) -> Tensor:
        return self.scores + F.one_hot(torch.zeros(len(images)).long(), 7) * images.mean((1, 2, 3))[:, None]


FIRST, SECOND = [0.0, 1, 2, 0, 0, 0, 0], [3.0, 0, 0, 0, 0, 0, -1]
IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def teachers() -> Teachers:
    return Teachers([Says(FIRST), Says(SECOND)], (0.25, 0.75), (2.0, 0.5))


def test_the_teacher_is_the_weighted_mean_of_probabilities() -> None:
    each = [Says(scores)(IMAGES) for scores in (FIRST, SECOND)]
    expected = 0.25 * (each[0] / 2).softmax(1) + 0.75 * (each[1] / 0.5).softmax(1)
    torch.testing.assert_close(teachers()(IMAGES).exp(), expected)


def test_the_loss_by_hand_and_its_gradient_is_the_students_alone() -> None:
    scores = torch.randn(3, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    given = batch([1, 4, 0])
    given = type(given)(IMAGES, given.labels, given.index, given.mirrored)
    teacher = teachers()
    loss = LiveDistillation(teacher, alpha=0.3, temperature=2.0, label_loss=cross_entropy, precision=torch.float32)
    value = loss(scores, given)
    soft = (teacher(IMAGES) / 2).softmax(1)
    divergence = (soft * (soft.log() - (scores / 2).log_softmax(1))).sum(1).mean()
    torch.testing.assert_close(value, 0.3 * F.cross_entropy(scores, given.labels) + 0.7 * 4 * divergence)
    value.backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_of_mixed_images_the_teacher_is_asked_as_they_are() -> None:
    scores = torch.zeros(3, 7)
    plain = batch([1, 4, 0])
    mixed = type(plain)(IMAGES, plain.labels, plain.index, plain.mirrored).mixed(torch.tensor([2, 0, 1]), 0.4)
    loss = LiveDistillation(
        teachers(), alpha=0.0, temperature=1.0, label_loss=Mixed(cross_entropy), precision=torch.float32
    )
    log_soft = teachers()(mixed.images)
    torch.testing.assert_close(loss(scores, mixed), (log_soft.exp() * (log_soft - scores.log_softmax(1))).sum(1).mean())


def test_a_student_of_an_ensemble_from_end_to_end(store: Path, tmp_path: Path) -> None:  # noqa: F811
    train_seeds(jobs(store, tmp_path / "models" / "cs231n"), workers=1)
    members: dict[str, Any] = {
        f"cs231n/{seed}": {"weight": weight, "temperature": 1.5} for seed, weight in ((0, 0.25), (1, 0.75))
    }
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": members}))
    committee = read_committee(tmp_path / "ensemble.json", tmp_path / "models", alpha=0.2, temperature=2.0)
    assert load_teachers(committee, torch.device("cpu"))(torch.zeros(2, 1, 44, 44)).shape == (2, 7)
    settings = recipe(epochs=1, mixup=0.2)
    for folder in ("once", "again"):
        student = jobs(store, tmp_path / folder, seeds=(0,), system="student", recipe=settings, teacher=committee)
        train_seeds(student, workers=1)
    _, provenance = load_classifier(tmp_path / "once" / "0.safetensors")
    assert provenance["distil"] == {"alpha": 0.2, "temperature": 2.0, "teachers": 2}
    for name in ("0.safetensors", "0.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_student_depends_on_its_teachers_bytes(tmp_path: Path) -> None:
    weights = tmp_path / "0.safetensors"
    weights.write_bytes(b"one")
    committee = Committee((weights,), (1.0,), (1.0,), 0.5, 1.0)
    before = committee.facts()
    weights.write_bytes(b"two")
    assert committee.facts() != before


def test_a_member_without_weights_is_named(tmp_path: Path) -> None:
    members = {"net/0": {"weight": 1.0, "temperature": 1.0}}
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": members}))
    with pytest.raises(UserError, match=r"net/0\.safetensors: a member of the ensemble .* without its weights"):
        read_committee(tmp_path / "ensemble.json", tmp_path / "models", alpha=0.5, temperature=1.0)
