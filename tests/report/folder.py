"""A small pipeline's folder as the stages before `report` leave it."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from fer.config.params import load_params
from fer.constants import EMOTION_NAMES, Split
from fer.evaluation.ablation import measure_effect
from fer.evaluation.agreement import Annotations, label_noise, measure_against, summarise
from fer.evaluation.ensemble import Places, write_ensemble
from fer.files import write_json, write_text
from fer.predictions.format import read_seeds, write_predictions
from tests.evaluation.test_metrics import both

ROOT = Path(__file__).parents[2]
INJECTED = "a<script>alert(1)<"  # a system's name, and so a folder's
BOOTSTRAP = {"resamples": 100, "bootstrap_seed": 0}
NAMES = (INJECTED, "cs231n")
SKILLS = {INJECTED: (0.5,), "cs231n": (2.0, 2.5), "wider": (2.2, 2.6)}
HISTORY = "".join(f"{epoch},0.1,{2 - epoch / 10},0.{epoch},{2 - epoch / 20},0.{epoch}\n" for epoch in range(1, 10))
SHARE = {"mean": 0.6, "low": 0.55, "high": 0.7, "faces": 7}


def provenance(system: str, seed: int, **changes: Any) -> dict[str, Any]:
    """Return a run's, as the trainer writes it."""
    return {
        "system": system, "seed": seed, "config": load_params(ROOT / "params.yaml").config("cs231n").model_dump(),
        "data_sha256": "0" * 64, "starts_from": "random", "weights_sha256": None, "device": f"cpu AVX{2 + seed}",
        "precision": "float32", "training_faces": 28, "parameters": 1234567, "flops": 46_800_000,
        "train_pflop": 0.5 + seed, "best_epoch": 2, "epochs_trained": 2, "validation_accuracy": 0.5,
    } | changes  # fmt: skip


def write_seed(folder: Path, seed: int, skill: float) -> None:
    write_predictions(folder / f"{seed}.safetensors", both(skill=skill), provenance(folder.name, seed))
    header = "epoch,lr,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
    write_text(folder / f"{seed}.csv", header + HISTORY)


def audit(**changes: Any) -> dict[str, Any]:
    """Return metrics/data.json of FER2013, in what the report reads of it."""
    found: dict[str, Any] = {"duplicate_groups": 3, "conflicting_groups": 56, "redundant_images": 1840}
    found |= {"in_training": {"PublicTest": 279, "PrivateTest": 288}}
    return {
        "rows": 35887, "kept": {"Training": 28698, "PublicTest": 3588, "PrivateTest": 3589},
        "rejected": {"constant_image": 12}, "source_sha256": "0" * 64,
        "class_counts": {split: {name: 100 + place for place, name in enumerate(EMOTION_NAMES)} for split in Split},
        "audit": found, "audit_before_cleaning": found,
        "near_duplicates": {
            "correlation": 0.95,
            "PublicTest": {"faces": 376, "mirrored": 1},
            "PrivateTest": {"faces": 400, "mirrored": 3},
        },
    } | changes  # fmt: skip


def agreement() -> dict[str, Any]:
    """Return metrics/agreement.json: nine annotators of ten give the label."""
    answers = both(skill=1.0)
    votes = {}
    for split, of in answers.items():
        counts = np.zeros((len(of.labels), 10), np.uint8)
        counts[np.arange(len(of.labels)), of.labels], counts[:, 6] = 9, counts[:, 6] + 1
        votes[split] = Annotations(counts, of.labels)
    private = votes[Split.private_test]
    return {
        "labels": {split.value: label_noise(of) for split, of in votes.items()},
        "systems": {
            name: summarise([measure_against(both(skill=skill)[Split.private_test], private) for skill in SKILLS[name]])
            for name in NAMES
        },
    }


def explained() -> dict[str, Any]:
    """Return metrics/explain/{system}.json."""
    maps = ("saliency", "occlusion", "grad_cam")
    lines = (*maps, "random_pixels", "random_blots")
    grey = b64encode(np.arange(576, dtype=np.uint8).tobytes()).decode()
    return {
        "faces": 7, "seed": 1, "claims": {"anger": "upper", "happy": "lower"},
        "faithfulness": {name: {"deletion": SHARE, "insertion": SHARE} for name in lines},
        "curves": {kind: {name: [0.9, 0.5, 0.1] for name in lines} for kind in ("deletion", "insertion")},
        "upper_half": {name: dict.fromkeys((*EMOTION_NAMES, "anger_minus_happy"), SHARE) for name in maps},
        "mean_maps": {name: dict.fromkeys(EMOTION_NAMES, grey) for name in maps},
    }  # fmt: skip


def make_folder(root: Path, **changes: Any) -> None:
    """Write all of it below `root`; `changes` are the audit's."""
    for name, skills in SKILLS.items():
        place = root / "data" / ("predictions" if name in NAMES else "ablation") / name
        for seed, skill in enumerate(skills):
            write_seed(place, seed, skill)
    metrics = root / "metrics"
    places = Places(root / "data" / "ensemble", metrics / "ensemble.json", metrics / "ensemble")
    write_ensemble(sorted((root / "data" / "predictions").iterdir()), places, rounds=5, **BOOTSTRAP)
    write_json(metrics / "data.json", audit(**changes))
    write_json(metrics / "agreement.json", agreement())
    seeds = tuple(read_seeds(root / "data" / folder)[0] for folder in ("ablation/wider", "predictions/cs231n"))
    effect = measure_effect("wider", "cs231n", seeds, provenance("cs231n", 0), **BOOTSTRAP)  # type: ignore[arg-type]
    write_json(metrics / "ablation" / "wider.json", effect)
    write_json(metrics / "ablation" / "left.json", effect | {"base": "gone"})
    write_json(metrics / "explain" / "cs231n.json", explained())
    write_json(metrics / "explain" / "gone.json", explained())
