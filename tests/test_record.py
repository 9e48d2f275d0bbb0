"""On the real data: a row trains to the bytes of dvc.lock, and the shipped network has the accuracy that we say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fer.constants import Split
from fer.models.classifier import load_classifier, predict
from fer.predictions.format import read_predictions
from fer.store import open_store, read_split
from tests.test_pipeline import Clone

ROOT = Path(__file__).parent.parent
STORE = ROOT / "data" / "normalised.h5"
ROW = "cs231n_baseline"  # the cheapest: half an hour of one core
# The record was made by a processor with AVX2, without bfloat16: a newer one is held to that.
AS_THEN = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not STORE.exists(), reason="FER2013 is not here: `dvc repro normalise` writes data/normalised.h5"
    ),
]


def same_family() -> bool:
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and {"AuthenticAMD", "avx2"} <= set(cpu.read_text().split())


@pytest.mark.skipif(not same_family(), reason="the record was made by another family of processors")
def test_a_row_trains_to_the_committed_predictions(tmp_path: Path) -> None:
    clone = Clone.of_the_working_tree(tmp_path)
    clone.environment |= AS_THEN
    (tmp_path / "data" / "source").symlink_to(ROOT / "data" / "source")
    params = tmp_path / "params.yaml"
    text = params.read_text()
    for here, then in (("device: auto ", "device: cpu "), ("precision: auto ", "precision: float32 ")):
        text = text.replace(here, then)
    params.write_text(text)
    clone.run("dvc", "repro", f"predict@{ROW}", cwd=tmp_path)
    for committed in sorted((ROOT / "data" / "predictions" / ROW).glob("*.safetensors")):
        expected, _ = read_predictions(committed)
        found, _ = read_predictions(tmp_path / committed.relative_to(ROOT))
        for split, of in expected.items():
            assert np.array_equal(found[split].logits, of.logits), (committed.name, split)


def test_the_shipped_network_has_the_readmes_accuracy() -> None:
    classifier, _ = load_classifier(ROOT / "data" / "published" / "flagship_small.safetensors")
    with open_store(STORE) as file:
        faces = {split: read_split(file, split) for split in (Split.public_test, Split.private_test)}
    right = {}
    for split, of in faces.items():
        images = torch.from_numpy(of.images).unsqueeze(1)
        logits = predict(classifier, images, torch.float32, batch_size=64, tta=classifier.tta)
        right[split] = logits.argmax(1).numpy() == of.labels
    private = right[Split.private_test]
    leak_free = private[~faces[Split.private_test].in_training]
    shares = [f"{100 * np.mean(of):.1f} %" for of in (right[Split.public_test], private, leak_free)]
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"{shares[0]} of PublicTest, {shares[1]} of PrivateTest, {shares[2]} leak-free" in readme


def test_the_first_designs_teacher_is_what_the_second_trained() -> None:
    """Another processor has other last bits; half precision, as the logits are kept in, has three digits."""
    classifier, _ = load_classifier(ROOT / "data" / "published" / "cs231n.safetensors")
    committed, _ = read_predictions(ROOT / "data" / "predictions" / "cs231n" / "1.safetensors")
    with open_store(STORE) as file:
        images = torch.from_numpy(read_split(file, Split.public_test).images).unsqueeze(1)
    logits = predict(classifier, images, torch.float32, batch_size=64).numpy()
    kept = logits - logits.max(1, keepdims=True)  # as they are kept
    assert np.allclose(kept, committed[Split.public_test].logits, rtol=1e-2, atol=1e-2)
