"""Explanations of networks whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer.config.params import load_params
from fer.config.run import RunConfig
from fer.errors import UserError
from fer.explain import faithfulness
from fer.explain.grad_cam import grad_cam
from fer.explain.methods import METHODS
from fer.explain.occlusion import occlusion
from fer.explain.saliency import saliency
from fer.models.classifier import Classifier, Normalisation
from fer.models.networks import build

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")
IMAGES = torch.randint(0, 256, (5, 1, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CLASSES = torch.tensor([0, 1, 2, 3, 4])
PLACE = (10, 33)


class Linear(nn.Module):
    """Logits that are sums of weighted pixels; weights (7, 48, 48)."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        return torch.einsum("nhw,chw->nc", images[:, 0].float(), self.weights)


def one_pixel() -> Linear:
    """Says each class at once if its pixel is bright, whatever the others are: class 0 is on the pixel at PLACE."""
    weights = torch.zeros(7, 48, 48)
    weights[0][PLACE] = 1.0
    return Linear(weights)


def lone_pixel() -> Tensor:
    """One face of 0, with 255 at PLACE."""
    images = torch.zeros(1, 1, 48, 48, dtype=torch.uint8)
    images[0, 0][PLACE] = 255
    return images


def test_a_linear_networks_saliency_is_its_weights() -> None:
    weights = torch.randn(7, 48, 48, generator=torch.Generator().manual_seed(1))
    maps = saliency(Linear(weights), IMAGES, CLASSES)
    torch.testing.assert_close(maps, weights[CLASSES].abs())


def test_occlusion_finds_the_one_pixel_that_counts() -> None:
    maps = occlusion(one_pixel(), lone_pixel(), torch.tensor([0]))[0]
    reach = {(row, column) for row, column in torch.nonzero(maps > 1e-6).tolist()}
    assert maps[PLACE] == maps.max() > 0.5
    assert PLACE in reach
    assert all(abs(row - PLACE[0]) < 8 and abs(column - PLACE[1]) < 8 for row, column in reach)


def test_occlusion_is_the_plain_loop() -> None:
    """Each square covered by hand, and the mean over the squares that hold a pixel."""
    network = Linear(0.001 * torch.randn(7, 48, 48, generator=torch.Generator().manual_seed(2)))
    faces = IMAGES[:2].float()
    lost, covers = torch.zeros(2, 48, 48), torch.zeros(48, 48)
    for top in range(0, 41, 4):
        for left in range(0, 41, 4):
            covered = faces.clone()
            covered[:, 0, top : top + 8, left : left + 8] = faces.mean((1, 2, 3))[:, None, None]
            with torch.no_grad():
                change = network(faces).softmax(1) - network(covered).softmax(1)
            lost[:, top : top + 8, left : left + 8] += change[torch.arange(2), CLASSES[:2]][:, None, None]
            covers[top : top + 8, left : left + 8] += 1
    torch.testing.assert_close(occlusion(network, IMAGES[:2], CLASSES[:2]), lost / covers, atol=1e-5, rtol=1e-4)


def toy(weight: float) -> Classifier:
    """A 16x16 mean as a convolution, then class 0's logit: `weight` times the mean of the three by three map."""
    convolution = nn.Conv2d(1, 1, 16, stride=16, bias=False)
    nn.init.constant_(convolution.weight, 1 / 256)
    logits = nn.Linear(9, 7, bias=False)
    nn.init.zeros_(logits.weight)
    nn.init.constant_(logits.weight[0], weight)
    network = nn.Sequential(convolution, nn.ReLU(inplace=True), nn.Flatten(), logits)
    return Classifier(Normalisation(), network)


@pytest.mark.parametrize("weight", [2.0, -2.0])
def test_grad_cam_is_the_weighted_map(weight: float) -> None:
    images = torch.zeros(1, 1, 48, 48, dtype=torch.uint8)
    images[:, :, 16:32, 32:48] = 200  # one of the nine places
    coarse = torch.zeros(1, 1, 3, 3)
    coarse[0, 0, 1, 2] = max(0.0, weight * 200)
    expected = nn.functional.interpolate(coarse, size=(48, 48), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(grad_cam(toy(weight), images, torch.tensor([0])), expected, atol=1e-3, rtol=1e-4)


def test_grad_cam_without_a_convolution_says_so() -> None:
    with pytest.raises(UserError, match="needs a convolution"):
        grad_cam(one_pixel(), IMAGES, CLASSES)


def classifier_of(config: RunConfig) -> Classifier:
    torch.manual_seed(0)
    side = config.input_size
    return Classifier(Normalisation(128.0, 60.0), build(config.network, side), input_size=side).eval()


@pytest.mark.parametrize("system", ["cs231n", "cs231n_baseline", "tuwani", "resnet50_imagenet", "vgg16_frozen"])
def test_grad_cam_finds_a_map_in_every_kind_of_network(system: str) -> None:
    classifier = classifier_of(PARAMS.config(system).changed({"input_size": 48}))
    with torch.no_grad():
        classes = classifier(IMAGES[:2]).argmax(1)
    maps = grad_cam(classifier, IMAGES[:2], classes)
    assert maps.shape == (2, 48, 48)
    assert torch.isfinite(maps).all()
    assert (maps >= 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_one_call_shape_whatever_the_batch(name: str) -> None:
    classifier = classifier_of(PARAMS.config("cs231n"))
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    maps = METHODS[name](classifier, IMAGES, CLASSES)
    assert maps.shape == (5, 48, 48)
    assert maps.dtype is torch.float32
    assert not maps.requires_grad
    assert torch.equal(maps, METHODS[name](classifier, IMAGES, CLASSES))
    alone = METHODS[name](classifier, IMAGES[3:4], CLASSES[3:4])
    torch.testing.assert_close(maps[3:4], alone, atol=1e-5, rtol=1e-3)
    assert all(torch.equal(value, before[key]) for key, value in classifier.state_dict().items())


def test_deletion_of_the_one_pixel_drops_at_once_and_insertion_rises_at_once() -> None:
    maps = torch.zeros(1, 48, 48)
    maps[0][PLACE] = 1.0
    found = faithfulness.curves(one_pixel(), lone_pixel(), torch.tensor([0]), maps, steps=8, seed=0)
    assert found.deletion.shape == found.insertion.shape == (1, 9)
    assert found.deletion[0, 0] > 0.99
    assert (found.deletion[0, 1:] < 0.5).all()
    assert (found.insertion[0, 1:] > 0.99).all()
    worst = faithfulness.curves(one_pixel(), lone_pixel(), torch.tensor([0]), -maps, steps=8, seed=0)
    assert (worst.deletion[0, :-1] > 0.99).all()
    assert faithfulness.area(found.deletion)[0] < 0.25
    assert faithfulness.area(worst.deletion)[0] > 0.8


def test_ranks_follow_the_values_and_equal_values_are_shuffled() -> None:
    maps = torch.zeros(2, 4, 4)
    maps[0, 2, 1], maps[0, 0, 3] = 3.0, 2.0
    ranks = faithfulness.pixel_ranks(maps, seed=0)
    assert ranks[0, 9] == 0
    assert ranks[0, 3] == 1
    assert sorted(ranks[1].tolist()) == list(range(16)) != ranks[1].tolist()


def test_area_is_the_trapezoid() -> None:
    assert faithfulness.area(np.array([[1.0, 0.5, 0.0], [1.0, 1.0, 1.0]])).tolist() == [0.5, 1.0]


def test_random_maps_are_the_same_each_time() -> None:
    first, second = (faithfulness.random_maps(3, 48, seed=5) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert {value.shape for value in first.values()} == {(3, 48, 48)}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", METHODS)
def test_cuda_gives_the_same_map(name: str) -> None:
    classifier = classifier_of(PARAMS.config("cs231n"))
    on_cpu = METHODS[name](classifier, IMAGES, CLASSES)
    on_cuda = METHODS[name](classifier.cuda(), IMAGES.cuda(), CLASSES.cuda()).cpu()
    assert torch.corrcoef(torch.stack([on_cpu.flatten(), on_cuda.flatten()]))[0, 1] > 0.99
