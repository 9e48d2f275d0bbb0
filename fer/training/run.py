"""One run: a system and a seed, from its config to its weights and history."""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import h5py
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from fer.config.run import RunConfig
from fer.constants import Split
from fer.files import sha256_of, write_csv
from fer.models.classifier import CONSTANTS, Classifier, Normalisation, load_classifier, save_classifier
from fer.models.device import describe_device, describe_precision, layout, pick_device, pick_precision, prepare
from fer.models.networks import build, count_flops, input_side
from fer.store import open_store, read_split, read_statistics
from fer.training.batches import DeviceFaces, TrainingSet
from fer.training.distributed import group_facts, is_main_process, with_common_statistics
from fer.training.loop import Checkpoint, Epoch, Progress, Run, train
from fer.training.losses import CrossEntropy, Distillation, Loss, Mixed, balanced_weights, teacher_logits
from fer.training.seeds import derived_seed
from fer.training.transfer import HEAD, adapt, feature_sets, features_once, start_from, unfreeze


def train_run(
    config: RunConfig,
    *,
    system: str,
    seed: int,
    store: Path,
    out: Path,
    teachers: Sequence[Path] = (),
    weights: Path | None = None,
    checkpoint: Checkpoint,
    report: Progress,
) -> None:
    """Train one seed, or continue it, and write {seed}.safetensors and {seed}.csv under `out`.

    Args:
        teachers: weights of the networks that the run learns from, from the mean of their probabilities.
        weights: a file that the run starts from.

    Raise UserError for weights that do not fit, and for a training that diverges.
    """
    device = pick_device(config.device)
    prepare(config.threads, device)
    precision = pick_precision(config.precision, device)
    with open_store(store) as file:
        training, validation = (
            read_faces(config, file, split, device) for split in (Split.training, Split.public_test)
        )
        normalise = normalisation(config, file)
        data_sha256 = str(file.attrs["source_sha256"])
    own_seed = derived_seed(seed, system)  # a student must not start as its teacher did
    torch.manual_seed(derived_seed(own_seed, "weights"))
    classifier = new_classifier(config, normalise, weights).to(device, memory_format=layout(device))  # type: ignore[call-overload]
    if config.transfer.adapt_statistics:
        adapt(classifier, training)
    with_common_statistics(classifier)
    loss = build_loss(config, teachers, training, precision)
    run = train_whole(
        classifier, training, validation,
        loss=loss, config=config, seed=own_seed, precision=precision, checkpoint=checkpoint, report=report,
    )  # fmt: skip
    if not is_main_process():
        return
    provenance = {
        "system": system,
        "seed": seed,
        "data_sha256": data_sha256,
        **describe_sources(config, weights, teachers),
        "device": describe_device(device),
        "precision": describe_precision(precision, device),
        **describe(config, classifier, run, len(training)),
    }
    save_classifier(out / f"{seed}.safetensors", run.best_state, provenance)
    for path in sorted(checkpoint.kept.glob("*.safetensors"), key=lambda path: int(path.stem)):
        kept = out / "kept" / f"{seed}_epoch{path.stem}.safetensors"
        save_classifier(kept, load_file(path), provenance | {"epoch": int(path.stem)})
    write_history(out / f"{seed}.csv", run.history)


def read_faces(config: RunConfig, file: h5py.File, split: Split, device: torch.device) -> DeviceFaces:
    faces = DeviceFaces(read_split(file, split), split, device)
    if config.merge_disgust:
        faces.merge_disgust()
    if split is Split.training and config.training_share < 1:
        faces.keep_share(config.training_share)
    return faces


def normalisation(config: RunConfig, file: h5py.File) -> Normalisation:
    """Return the one that the config names: fitted on Training, or the constants of pretrained weights."""
    if config.normalise in CONSTANTS:
        return Normalisation(*CONSTANTS[config.normalise])
    return Normalisation(*read_statistics(file, config.normalise), per_image=config.normalise == "image")


def new_classifier(config: RunConfig, normalise: Normalisation, weights: Path | None) -> Classifier:
    """Return the classifier before its first epoch."""
    crop = config.augment.crop
    side = input_side(config.input_size, crop)
    classifier = Classifier(normalise, build(config.network, side), input_size=side, crop=crop, tta=config.tta)
    if weights:
        start_from(weights, classifier, config)
    return classifier


def train_whole(
    classifier: Classifier,
    training: DeviceFaces,
    validation: DeviceFaces,
    *,
    loss: Loss,
    config: RunConfig,
    seed: int,
    precision: torch.dtype,
    checkpoint: Checkpoint,
    report: Progress,
) -> Run:
    """Run the loop on the classifier, or on its head alone where its features can be computed once.

    Either way the run's best state and those that are kept are the whole classifier's.
    """
    part: nn.Module = classifier
    sets: tuple[TrainingSet, TrainingSet] = (training, validation)
    prefix = ""
    if features_once(config):
        part, prefix = classifier.network.head, HEAD  # type: ignore[assignment]
        sets = feature_sets(classifier, training, validation, mirrored=config.augment.flip, precision=precision)

    def whole(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return classifier.state_dict() | {prefix + name: tensor for name, tensor in state.items()}

    def keep(epoch: int, state: dict[str, Tensor]) -> None:
        if is_main_process():
            save_classifier(checkpoint.kept / f"{epoch}.safetensors", whole(state), {})

    run = train(
        part, *sets,
        loss=loss, config=config, seed=seed, precision=precision, checkpoint=checkpoint, progress=report,
        before_epoch=lambda epoch: unfreeze(classifier.network, config, epoch), keep=keep,
    )  # fmt: skip
    run.best_state = whole(run.best_state)
    return run


def build_loss(config: RunConfig, teachers: Sequence[Path], training: DeviceFaces, precision: torch.dtype) -> Loss:
    weights = balanced_weights(training.labels) if config.class_weights == "balanced" else None
    labels: Loss = CrossEntropy(weights, label_smoothing=config.label_smoothing)
    if teachers:
        members = [teacher_of(path, training.labels.device) for path in teachers]
        labels = Distillation(
            teacher_logits(members, training, precision),
            alpha=config.distil.alpha, temperature=config.distil.temperature, label_loss=labels,
        )  # fmt: skip
    return Mixed(labels) if config.mixup else labels


def teacher_of(path: Path, device: torch.device) -> nn.Module:
    teacher, _ = load_classifier(path)
    return teacher.to(device, memory_format=layout(device))  # type: ignore[call-overload, no-any-return]


def describe_sources(config: RunConfig, weights: Path | None, teachers: Sequence[Path]) -> dict[str, Any]:
    """Return what the run came from beside its data, files by their hash."""
    return {
        "starts_from": (config.transfer.pretrained_on or weights.name) if weights else "random",
        "weights_sha256": sha256_of(weights) if weights else None,
        **({"teachers": [sha256_of(path) for path in teachers]} if teachers else {}),
    }


def describe(config: RunConfig, classifier: Classifier, run: Run, faces: int) -> dict[str, Any]:
    """Return the settings, the network's size and what training spent and reached."""
    assert run.best is not None
    flops = count_flops(classifier.network, classifier.input_size)
    return {
        "config": config.model_dump(mode="json"),
        "training_faces": faces,
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
        "flops": flops,
        "train_pflop": pflop(config, faces, flops, len(run.history)),
        "best_epoch": run.best.epoch,
        "epochs_trained": len(run.history),
        "validation_accuracy": round(run.best.validation_accuracy, 6),
        **group_facts(),
        **({"compiled": True} if run.compiled else {}),
    }


def pflop(config: RunConfig, faces: int, flops: int, epochs: int) -> float:
    """Return what training spent, in 1e15 operations: forward and twice that backward for each face and epoch.

    SAM does both twice. With features computed once, one forward pass for each face and mirror image; the head's share
    is left out.
    """
    passes = 1 + config.augment.flip if features_once(config) else 3 * epochs * (2 if config.sam else 1)
    return round(passes * faces * flops / 1e15, 4)


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write a line an epoch; six digits, since the last bits differ between machines."""
    write_csv(path, asdict(history[0]), ([f"{value:.6g}" for value in astuple(epoch)] for epoch in history))
