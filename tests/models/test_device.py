"""Devices and precision: known answers, and a device that is not there."""

import pytest
import torch

from fer.errors import UserError
from fer.models.device import describe_device, describe_precision, layout, pick_device, pick_precision


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there() -> None:
    assert pick_device("auto").type == "cpu"
    with pytest.raises(UserError, match=r"device=cuda: no CUDA device here; allowed: auto, cpu"):
        pick_device("cuda")


def test_precision_by_name_and_by_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert pick_precision("float32", cpu) is torch.float32
    assert pick_precision("bfloat16", cpu) is torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    for hardware, expected in ((False, torch.float32), (True, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda hardware=hardware: hardware)
        assert pick_precision("auto", cpu) is expected
    assert describe_device(cpu).startswith("cpu ")


def gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], targets: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: targets)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA K")


@pytest.mark.parametrize(
    ("capability", "targets", "usable"),
    [
        ((8, 0), ["sm_75", "sm_80"], True),
        ((8, 9), ["sm_75", "sm_80", "sm_90"], True),  # an L4 runs sm_80's code
        ((7, 5), ["sm_80", "sm_90"], False),
        ((6, 1), ["sm_75", "compute_75"], False),
        ((12, 0), ["sm_90"], False),
        ((12, 0), ["sm_90", "compute_90"], True),  # PTX is compiled on the spot
        ((12, 0), ["sm_90a", "compute_90a"], False),
        ((9, 0), ["sm_90a"], True),
        ((10, 3), ["sm_100"], True),
    ],
)
def test_auto_takes_a_gpu_only_if_torch_has_kernels_for_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], targets: list[str], usable: bool
) -> None:
    gpu(monkeypatch, capability, targets)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto").type == ("cuda" if usable else "cpu")
    if usable:
        assert pick_device("cuda").type == "cuda"
        return
    major, minor = capability
    with pytest.raises(UserError, match=rf"device=cuda: NVIDIA K has compute capability {major}\.{minor}, this torch"):
        pick_device("cuda")


def test_an_apple_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    device = pick_device("auto")
    assert device == pick_device("mps") == torch.device("mps")
    assert describe_device(device) == "mps"
    assert pick_precision("auto", device) is torch.float32
    assert layout(device) is torch.contiguous_format
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"device=mps: no Apple GPU here; allowed: auto, cpu"):
        pick_device("mps")


def test_tf32_is_said_where_float32_means_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    for capability, expected in (((7, 5), "float32"), ((8, 0), "tf32"), ((9, 0), "tf32")):
        gpu(monkeypatch, capability, ["sm_75"])
        assert describe_precision(torch.float32, cuda) == expected
        assert describe_precision(torch.bfloat16, cuda) == "bfloat16"
    assert describe_precision(torch.float32, cpu) == "float32"
