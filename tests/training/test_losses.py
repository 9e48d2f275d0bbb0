"""Losses against their definitions, and the cached teacher against a live one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from fer.constants import Split
from fer.training.batches import Batch, training_batches
from fer.training.losses import (
    CrossEntropy,
    Distillation,
    Mixed,
    balanced_weights,
    cross_entropy,
    teacher_logits,
)
from tests.runs import toy_config
from tests.training.test_loop import toy_faces, toy_network


def batch(labels: list[int]) -> Batch:
    count = len(labels)
    return Batch(torch.zeros(count, 1, 48, 48), torch.tensor(labels), torch.arange(count), torch.zeros(count).bool())


def test_cross_entropy_of_equal_logits_is_log_7() -> None:
    assert cross_entropy(torch.zeros(3, 7), batch([0, 3, 6])).item() == pytest.approx(np.log(7))


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.repeat(np.arange(7), [5, 1, 7, 20, 9, 3, 8])
    expected = compute_class_weight("balanced", classes=np.arange(7), y=labels)
    np.testing.assert_allclose(balanced_weights(torch.from_numpy(labels)), expected, rtol=1e-6)


def test_a_class_without_a_face_weighs_nothing() -> None:
    weights = balanced_weights(torch.tensor([0, 0, 0, 3]))
    torch.testing.assert_close(weights, torch.tensor([2 / 3, 0, 0, 2.0, 0, 0, 0]))


def test_weighted_cross_entropy_by_hand() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(3))
    weights = torch.tensor([1.0, 2.0, 1.0, 1.0, 4.0, 1.0, 1.0])
    each = -torch.log_softmax(logits, 1)[torch.arange(3), torch.tensor([1, 4, 0])]
    expected = (2 * each[0] + 4 * each[1] + each[2]) / 7
    torch.testing.assert_close(CrossEntropy(weights)(logits, batch([1, 4, 0])), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_label_smoothing_by_hand_and_torchs(smoothing: float) -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(6))
    labels = torch.tensor([1, 4, 0])
    target = (1 - smoothing) * F.one_hot(labels, 7) + smoothing / 7
    value = CrossEntropy(label_smoothing=smoothing)(logits, batch(labels.tolist()))
    torch.testing.assert_close(value, -(target * logits.log_softmax(1)).sum(1).mean())
    torch.testing.assert_close(value, nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, labels))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 0.3])
def test_the_loss_of_a_mixed_batch_is_that_of_the_mixed_target(share: float) -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(8))
    labels, partner = torch.tensor([1, 4, 0]), torch.tensor([2, 0, 1])
    target = share * F.one_hot(labels, 7) + (1 - share) * F.one_hot(labels[partner], 7)
    value = Mixed(cross_entropy)(logits, batch(labels.tolist()).mixed(partner, share))
    torch.testing.assert_close(value, F.cross_entropy(logits, target))
    torch.testing.assert_close(Mixed(cross_entropy)(logits, batch([1, 4, 0])), cross_entropy(logits, batch([1, 4, 0])))


def test_distillation_weighs_the_labels_alone() -> None:
    logits = torch.randn(2, 7, generator=torch.Generator().manual_seed(4))
    heavy = CrossEntropy(torch.tensor([9.0, 1, 1, 1, 1, 1, 1]))
    teacher = torch.stack([logits, logits])  # the student agrees: the divergence is 0
    loss = Distillation(teacher, alpha=0.8, temperature=1.0, label_loss=heavy)
    labelled = batch([0, 1])
    torch.testing.assert_close(loss(logits, labelled), 0.8 * heavy(logits, labelled))


def test_self_distillation_is_report_000s_equation_1() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(2, 4, 7, generator=generator)
    student = torch.randn(4, 7, generator=generator)
    labels = [1, 0, 5, 6]
    temperature = 2.0
    soft = torch.softmax(teacher[0] / temperature, 1).numpy()
    own = torch.softmax(student / temperature, 1).numpy()
    divergence = (soft * (np.log(soft) - np.log(own))).sum(axis=1).mean()
    expected = 0.8 * F.cross_entropy(student, torch.tensor(labels)).item() + 0.2 * temperature**2 * divergence
    loss = Distillation(teacher, alpha=0.8, temperature=temperature)
    assert loss(student, batch(labels)).item() == pytest.approx(expected, rel=1e-5)


def test_a_student_that_says_what_its_teacher_says_pays_for_the_labels_alone() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(1))
    loss = Distillation(torch.stack([logits, logits]), alpha=0.0, temperature=1.0)
    assert loss(logits, batch([0, 1, 2])).item() == pytest.approx(0.0, abs=1e-6)


def test_cached_logits_are_what_the_teacher_says_of_each_batch() -> None:
    faces = toy_faces(Split.training, 50, 4)
    teacher = toy_network().eval()
    cached = teacher_logits([teacher], faces, torch.float32)
    for drawn in training_batches(faces, toy_config(batch_size=16), seed=5, epoch=0):
        torch.testing.assert_close(
            cached[drawn.mirrored.long(), drawn.index], teacher(drawn.images), rtol=1e-5, atol=1e-5
        )


def test_several_teachers_say_the_mean_of_their_probabilities() -> None:
    faces = toy_faces(Split.training, 30, 4)
    first, second = toy_network().eval(), toy_network().eval()
    torch.nn.init.normal_(second.network[-1].weight, generator=torch.Generator().manual_seed(1))  # type: ignore[index]
    said = teacher_logits([first, second], faces, torch.float32)
    for images, logits in zip((faces.images, faces.images.flip(-1)), said, strict=True):
        mean = (first(images).softmax(1) + second(images).softmax(1)) / 2
        torch.testing.assert_close(logits.softmax(1), mean)
