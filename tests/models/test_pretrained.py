"""Pretrained backbones: their stages, what freezing leaves alone, how public weights come in."""

import pytest
import torch
from torch import nn

from fer.config.network import Backbone
from fer.models.pretrained import CHANNELS, STAGE_ENDS, Transferred, estimate_statistics

SMALLEST = dict.fromkeys(STAGE_ENDS, 32) | {"inception_resnet_v1": 75}


def network(backbone: str = "mobilenet_v2", *, v1_strides: bool = False) -> Transferred:
    torch.manual_seed(0)
    options = {"type": "backbone", "v1_strides": v1_strides, "hidden": [], "batch_norm": False, "dropout": 0.0}
    return Transferred(Backbone.model_validate(options | {"backbone": backbone}))


def faces(count: int, side: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("backbone", STAGE_ENDS)
def test_stages_hold_every_layer_once_and_features_their_channels(backbone: str) -> None:
    model = network(backbone).eval()
    parameters = [id(p) for stage in model.stages for layer in stage for p in layer.parameters()]
    assert parameters == [id(p) for p in model.backbone.parameters()]
    side = SMALLEST[backbone]
    with torch.inference_mode():
        assert model.features(faces(2, side)).shape == (2, CHANNELS[backbone])


@pytest.mark.parametrize("backbone", STAGE_ENDS)
def test_stages_one_after_another_are_the_backbone(backbone: str) -> None:
    model = network(backbone).eval()
    maps = images = faces(1, SMALLEST[backbone])
    with torch.inference_mode():
        for stage in model.stages:
            for layer in stage:
                maps = layer(maps)
        torch.testing.assert_close(maps, model.backbone(images))


def test_the_smallest_input_of_inception_is_the_smallest() -> None:
    model = network("inception_resnet_v1").eval()
    with pytest.raises(RuntimeError):
        model(faces(1, SMALLEST["inception_resnet_v1"] - 1))


@pytest.mark.parametrize("frozen", [0, 2, 5])
def test_frozen_stages_keep_weights_and_statistics_in_a_step(frozen: int) -> None:
    model = network()
    model.freeze(frozen)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    model(faces(4, 48)).square().sum().backward()
    torch.optim.SGD(model.parameters(), lr=1e9).step()  # far enough for gradients of any size
    held = {t.data_ptr() for stage in model.stages[:frozen] for layer in stage for t in layer.state_dict().values()}
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == (tensor.data_ptr() in held), name


def test_freezing_fewer_stages_unfreezes() -> None:
    model = network()
    model.freeze(5)
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
    model.freeze(4)
    trained = {id(p) for layer in model.stages[4] for p in layer.parameters()}
    for parameter in model.backbone.parameters():
        assert parameter.requires_grad == (id(parameter) in trained)
    assert all(parameter.requires_grad for parameter in model.head.parameters())


def test_a_public_state_dict_comes_in_by_name() -> None:
    source, target = network(), network()
    torch.nn.init.normal_(target.backbone.get_parameter("features.0.0.weight"))
    state = {name: tensor for name, tensor in source.backbone.state_dict().items() if "num_batches" not in name}
    target.load_backbone(state | {"classifier.1.weight": torch.zeros(1000, 1280)})
    images = faces(2, 48)
    torch.testing.assert_close(target.eval().features(images), source.eval().features(images))


def test_a_state_dict_that_lacks_a_layer_is_an_error() -> None:
    model = network()
    state = dict(model.backbone.state_dict())
    del state["features.1.conv.0.0.weight"]
    with pytest.raises(KeyError, match=r"features\.1\.conv\.0\.0\.weight"):
        model.load_backbone(state)


def test_resnets_variants_differ_in_where_they_halve_the_side() -> None:
    ours = str(network("resnet50").backbone.get_submodule("layer2.0"))
    original = str(network("resnet50", v1_strides=True).backbone.get_submodule("layer2.0"))
    assert "(conv1): Conv2d(256, 128, kernel_size=(1, 1), stride=(1, 1)" in ours
    assert "(conv2): Conv2d(128, 128, kernel_size=(3, 3), stride=(2, 2)" in ours
    assert "(conv1): Conv2d(256, 128, kernel_size=(1, 1), stride=(2, 2)" in original
    assert "(conv2): Conv2d(128, 128, kernel_size=(3, 3), stride=(1, 1)" in original


def test_statistics_are_those_of_the_batches() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean = torch.full((3,), 9.0)
    batches = [torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 + 5 for seed in range(4)]
    estimate_statistics(norm, batches)
    torch.testing.assert_close(norm.running_mean, torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([b.var((0, 2, 3)) for b in batches]).mean(0))
    assert norm.momentum == 0.1


def test_inception_has_facenets_names() -> None:
    """Names and shapes of facenet-pytorch's InceptionResnetV1 at the places where a slip would go unseen."""
    state = network("inception_resnet_v1").backbone.state_dict()
    for name, shape in {
        "conv2d_1a.conv.weight": (32, 1, 3, 3),
        "conv2d_4b.bn.running_var": (256,),
        "repeat_1.4.branch2.2.conv.weight": (32, 32, 3, 3),
        "repeat_1.0.conv2d.bias": (256,),
        "mixed_6a.branch1.2.conv.weight": (256, 192, 3, 3),
        "repeat_2.9.branch1.1.conv.weight": (128, 128, 1, 7),
        "mixed_7a.branch2.2.conv.weight": (256, 256, 3, 3),
    }.items():
        assert state[name].shape == shape, name
