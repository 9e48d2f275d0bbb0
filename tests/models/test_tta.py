"""Test-time augmentation: which pixels the network sees, and how several logits become one face's."""

import pytest
import torch
from torch import nn
from torchvision.transforms.v2 import functional

from fer.models.classifier import Classifier, Normalisation, predict
from fer.models.tta import augmented, centre

FACES = torch.randint(0, 256, (3, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_ten_crops_are_torchvisions() -> None:
    ours = torch.stack(list(augmented(FACES, "ten_crop", 44)))
    torchs = torch.stack(functional.ten_crop(FACES, [44, 44]))  # five, then their mirror images
    assert {tuple(view.flatten().tolist()) for view in ours} == {tuple(view.flatten().tolist()) for view in torchs}
    assert len(ours) == 10


def test_none_and_flip() -> None:
    (face,) = augmented(FACES, "none", None)
    assert torch.equal(face, FACES)
    first, second = augmented(FACES, "flip", None)
    assert torch.equal(first, second.flip(-1))
    with pytest.raises(ValueError, match="ten_crop, which needs a crop"):
        list(augmented(FACES, "ten_crop", None))
    with pytest.raises(ValueError, match="known: none, flip, and ten_crop"):
        list(augmented(FACES, "sixty", 44))


def network(side: int) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, 7))


def test_several_images_give_the_logarithm_of_their_mean_probability() -> None:
    classifier = Classifier(Normalisation(128.0, 64.0), network(44), input_size=44, crop=44)
    logits = predict(classifier, FACES, torch.float32, tta="ten_crop", batch_size=2)
    each = torch.stack([classifier(view).softmax(1) for view in augmented(FACES, "ten_crop", 44)])
    torch.testing.assert_close(logits.softmax(1), each.mean(0))
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(3))


def test_a_whole_face_is_seen_through_its_centre_and_a_crop_as_it_is() -> None:
    classifier = Classifier(Normalisation(128.0, 64.0), network(44), input_size=44, crop=44)
    middle = FACES[..., 2:46, 2:46]
    assert torch.equal(classifier(FACES), classifier(middle))
    assert torch.equal(centre(FACES, 44), middle)
    assert torch.equal(predict(classifier, FACES, torch.float32), classifier(middle))


def test_a_crop_is_compared_with_the_middle_of_the_mean_face() -> None:
    mean = torch.rand(48, 48, generator=torch.Generator().manual_seed(2)) * 255
    expected = (FACES[..., :44, 4:].float() - mean[2:46, 2:46]) / 60
    torch.testing.assert_close(Normalisation(mean, 60.0)(FACES[..., :44, 4:]), expected)


def test_a_crop_may_be_scaled_up() -> None:
    classifier = Classifier(Normalisation(128.0, 64.0), network(64), input_size=64, crop=44)
    assert classifier.prepared(FACES).shape == (3, 1, 64, 64)
