"""The record is repeatable: a row that is trained again has the bytes that dvc.lock names."""

import os
from pathlib import Path

import pytest

from tests.test_pipeline import Clone

ROW = "train@fer2013-lausanne_cnn1"  # the cheapest: ten minutes of one core
# The record was made by a processor with AVX2, without bfloat16: a newer one is held to that.
AS_THEN = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def same_family() -> bool:
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and {"AuthenticAMD", "avx2"} <= set(cpu.read_text().split())


@pytest.mark.full
@pytest.mark.skipif("FER2013_CSV" not in os.environ, reason="FER2013_CSV does not name the competition's file")
@pytest.mark.skipif(not same_family(), reason="the record was made by another family of processors")
def test_a_row_trains_to_the_committed_bytes(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    committed = clone.outs(ROW)
    clone.environment |= AS_THEN
    params = clone.params()
    params["dataset"], params["train"]["precision"] = "fer2013", "float32"
    clone.write_params(params)
    clone.run("dvc", "repro", ROW)
    assert clone.outs(ROW) == committed
