"""Compiled training against eager training, a machine without a compiler, and an epoch in which nothing waits."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from fer.constants import Split
from fer.models.classifier import Classifier, Normalisation, scaled
from fer.models.device import prepare
from fer.models.networks import build, input_side
from fer.training.batches import Batch, DeviceFaces, training_batches
from fer.training.ema import Ema
from fer.training.forward import Forward, compiles
from fer.training.loop import train_epoch
from fer.training.losses import CrossEntropy, Distillation, Mixed
from fer.training.optimizers import build_optimizer
from tests.runs import config
from tests.training.test_loop import toy_faces, toy_network

CUDA, CPU, SHAPES = torch.device("cuda"), torch.device("cpu"), torch.device("meta")


def test_auto_compiles_on_cuda_alone() -> None:
    assert compiles("auto", CUDA)
    assert not compiles("auto", CPU)
    assert compiles("always", CPU)
    assert not compiles("never", CUDA)


def taught(network: nn.Module, *, compiled: bool, rho: float | None) -> list[Tensor]:
    """Return the parameters after an epoch of two full batches and a small one."""
    prepare(threads=1)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # compiled, other numbers are drawn
    faces = toy_faces(Split.training, 37, 1)
    settings = config("cs231n", batch_size=16, optimizer="sgd", lr=0.01)
    forward = Forward(network, 16)
    if compiled:
        forward.compile(faces.images[:16], torch.float32)
    assert (forward.compiled is not None) is compiled
    train_epoch(
        forward.train(), training_batches(faces, settings, seed=0, epoch=0), [0.01] * 3,
        loss=CrossEntropy(), optimizer=build_optimizer(settings, network), rho=rho, ema=None,
        precision=torch.float32, progress=lambda _: None,
    )  # fmt: skip
    return [tensor.detach() for tensor in network.state_dict().values()]


@pytest.mark.full
@pytest.mark.parametrize("rho", [None, 0.05])
def test_compiled_steps_are_eager_steps(rho: float | None) -> None:
    eager, compiled = (taught(toy_network(), compiled=way, rho=rho) for way in (False, True))
    for plain, other in zip(eager, compiled, strict=True):
        torch.testing.assert_close(other, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fails", ["compile", "forward", "backward"])
def test_where_nothing_can_be_compiled_training_goes_on_as_it_was(
    fails: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(_context: Any, logits: Tensor) -> Tensor:
            return logits.clone()

        @staticmethod
        def backward(_context: Any, _gradient: Tensor) -> Tensor:
            raise RuntimeError("no C++ compiler\nand much more")

    def broken(network: nn.Module, **_: Any) -> Any:
        def call(images: Tensor) -> Tensor:
            if fails == "forward":
                raise RuntimeError("no C++ compiler\nand much more")
            result: Tensor = Broken.apply(network(images))
            return result

        if fails == "compile":
            raise RuntimeError("no C++ compiler\nand much more")
        return call

    monkeypatch.setattr(torch, "compile", broken)
    network, other = toy_network(), toy_network()
    forward = Forward(network, 4)
    images = toy_faces(Split.training, 4, 1).images
    forward.compile(images, torch.float32)
    message = "compile: not possible here (no C++ compiler); training goes on without it\n"
    assert capsys.readouterr().err == message
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(forward.train()(images[:0]), network(images[:0]))


def test_no_gradient_is_carried_from_one_recorded_step_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next replay writes over a CUDA graph's gradients; adding to them fails, as it did on the first GPU."""
    seen: list[bool] = []

    def watched(network: nn.Module, **_: Any) -> Any:
        def call(images: Tensor) -> Any:
            seen.append(all(parameter.grad is None for parameter in network.parameters()))
            return network(images)

        return call

    monkeypatch.setattr(torch, "compile", watched)
    Forward(toy_network(), 4).compile(toy_faces(Split.training, 4, 1).images, torch.float32)
    assert seen == [True] * 3


class NothingWaits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fail where the host would wait for the GPU: a value that is read, a size that depends on it, a copy between."""

    def __init__(self, *, watching: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.watching = watching

    READ = (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero, torch.ops.aten.masked_select)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not self.watching:
            return out
        assert func.overloadpacket not in self.READ, func
        indices = args[1] if func.overloadpacket is torch.ops.aten.index else []
        assert all(index is None or index.device == args[0].device for index in indices), "an index from the CPU"
        copied = func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_)
        devices = {tensor.device.type for tensor in (*args, out) if isinstance(tensor, Tensor)}
        assert not copied or len(devices) == 1, f"{func} between {devices}"
        return out


RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "mixup": {"mixup": 0.3},
    "ema": {"ema": 0.99},
    "sam": {"sam": 0.05},
    "fractional pooling": {"network": {"pooling": "fractional"}},
    "class weights and label smoothing": {"class_weights": "balanced", "label_smoothing": 0.1},
    "distortions": {
        "augment": {"rotation": 10.0, "shift": 0.1, "erasing": 0.5, "contrast": 0.1, "brightness": 0.1, "crop": 44}
    },
    "scaled": {"input_size": 64},
    "distillation": {"distil": {"alpha": 0.5}},
}


class ReadAtTheEndError(Exception):
    """All batches were trained on; fake tensors have no values that could be read."""


def watched(batches: Iterator[Batch], mode: NothingWaits) -> Iterator[Batch]:
    """Watch from the first batch on: what is drawn for the whole epoch is copied before it."""
    for batch in batches:
        mode.watching = True
        yield batch
    raise ReadAtTheEndError


def shapes_of_faces(count: int) -> DeviceFaces:
    faces = DeviceFaces.__new__(DeviceFaces)
    faces.split = Split.training
    faces.images = torch.zeros(count, 1, 48, 48, dtype=torch.uint8, device=SHAPES)
    faces.labels = torch.zeros(count, dtype=torch.int64, device=SHAPES)
    return faces


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES)
def test_nothing_waits_for_the_device_inside_an_epoch(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch on a device that has shapes and no values: all of the program runs but the optimizer's own kernel."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which does not know the device
    settings = config("cs231n", **{"batch_size": 4} | changes)
    crop = settings.augment.crop
    side = input_side(settings.input_size, crop)
    seen: list[int] = []
    with SHAPES:
        classifier = Classifier(Normalisation(), build(settings.network, side), input_size=side, crop=crop)
        weights = torch.ones(7) if settings.class_weights == "balanced" else None
        loss: Any = CrossEntropy(weights, label_smoothing=settings.label_smoothing)
        if "distil" in changes:
            loss = Distillation(torch.zeros(2, 10, 7), alpha=0.5, temperature=1.0, label_loss=loss)
    optimizer = torch.optim.SGD([{"params": list(classifier.parameters()), "lr_factor": 1.0}], 0.1, foreach=True)
    ema = Ema(classifier, settings.ema) if settings.ema else None
    with NothingWaits(watching=False) as mode, pytest.raises(ReadAtTheEndError):
        train_epoch(
            Forward(classifier, 4).train(),
            watched(training_batches(shapes_of_faces(10), settings, seed=0, epoch=0), mode), [0.1] * 4,
            loss=Mixed(loss) if settings.mixup else loss, optimizer=optimizer, rho=settings.sam, ema=ema,
            precision=torch.bfloat16, progress=seen.append,
        )  # fmt: skip
    assert seen == [4, 8, 10]


def test_a_wait_would_be_noticed() -> None:
    with NothingWaits():
        tensor = torch.zeros(3, device=SHAPES)
        waits = (
            lambda: torch.zeros(3).to(SHAPES), lambda: tensor[tensor > 0], lambda: tensor.sum().item(),
            lambda: tensor[torch.tensor([0])],
        )  # fmt: skip
        for wait in waits:
            with pytest.raises((AssertionError, NotImplementedError, RuntimeError)):
                wait()


def test_scaling_is_one_kernel_where_no_gradient_flows() -> None:
    """Deterministic mode has F.interpolate on CUDA make many of it."""
    torch.set_deterministic_debug_mode("error")
    with FakeTensorMode(), Count() as count:
        scaled(torch.zeros(2, 1, 48, 48, device=CUDA), 96)
    assert count.names == ["aten.zeros.default", "aten.upsample_bilinear2d.default"]
    faces = torch.rand(2, 1, 48, 48)
    plain = F.interpolate(faces, size=(96, 96), mode="bilinear", align_corners=False)
    assert torch.equal(scaled(faces, 96), plain)
    assert torch.equal(scaled(faces.requires_grad_(), 96), plain)


class Count(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))
