"""Devices and precision: known answers, and a device that is not there."""

import pytest
import torch

from fer.errors import UserError
from fer.models.device import describe_device, pick_device, pick_precision


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
