"""One run: a system, a dataset and a seed, from its settings to its weights and history."""

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from fer.data.batches import DeviceFaces, TrainingSet
from fer.data.normalise import fit_training
from fer.data.store import open_store, read_split
from fer.determinism import derived_seed, describe_device, pick_device, pick_precision, prepare
from fer.emotions import Split
from fer.files import replacing, sha256_of
from fer.models.classifier import Classifier, Normalisation, load_classifier, save_classifier
from fer.models.zoo import build, count_flops, layout
from fer.recipe import Recipe
from fer.training.checkpoint import Checkpoint, checkpoint_for
from fer.training.committee import Committee, LiveDistillation, load_teachers
from fer.training.loop import Epoch, Run, train
from fer.training.losses import CrossEntropy, Loss, Mixed, SelfDistillation, balanced_weights, teacher_scores
from fer.training.team import is_leader, team_facts, with_common_statistics
from fer.training.transfer import HEAD, Pretrained, adapt, feature_sets, start_from, thaw

Report = Callable[[str, int, float, Epoch | None], None]  # run, epochs done, share of the next one, the epoch's line


@dataclass(frozen=True)
class Teacher:
    """A trained system's weights and how much of the loss is theirs (report 000, equation 1)."""

    weights: Path
    alpha: float
    temperature: float

    def facts(self) -> dict[str, Any]:
        """What a student depends on, the file by its hash."""
        return asdict(self) | {"weights": sha256_of(self.weights)}


@dataclass(frozen=True)
class Job:
    """One run, as plain values that travel to another process."""

    dataset: str
    system: str
    model: str
    seed: int
    recipe: Recipe
    store: Path
    out: Path
    device: str
    precision: str
    threads: int
    teacher: Teacher | Committee | None = None
    pretrained: Pretrained | None = None

    @property
    def name(self) -> str:
        return f"{self.system} seed {self.seed}"

    def facts(self) -> dict[str, Any]:
        """All that decides the result, files by their hash: what a checkpoint is keyed by."""
        device = pick_device(self.device)
        loaded = self.pretrained.load() if self.pretrained else None
        with torch.device("meta"):
            network = layout(build(self.model, layers=self.recipe.layers.changes(), side=self.recipe.side))
        facts = asdict(self) | {
            "recipe": self.recipe.given,
            "store": sha256_of(self.store),
            "network": network,
            "device": describe_device(device),
            "precision": str(pick_precision(self.precision, device)),
            "pretrained": loaded.sha256 if loaded else None,
            "teacher": self.teacher.facts() if self.teacher else None,
        }
        return facts | {"out": self.out.name, **team_facts()}


def run_job(job: Job, report: Report) -> None:
    """Trains one seed, or continues it, and writes {seed}.safetensors and {seed}.csv."""
    prepare(job.threads)
    device = pick_device(job.device)
    precision = pick_precision(job.precision, device)
    with open_store(job.store) as file:
        training, validation = (read_faces(job, file, split, device) for split in (Split.training, Split.public_test))
        normalise, facts = read_normalisation(job, file)
    seed = derived_seed(job.seed, job.system)  # a student must not start as its teacher did
    torch.manual_seed(derived_seed(seed, "weights"))
    classifier, start = new_classifier(job, normalise)
    classifier.crop, classifier.views = job.recipe.augment.crop, job.recipe.views
    classifier = classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if job.recipe.adapt_statistics:
        adapt(classifier, training)
    with_common_statistics(classifier)
    facts |= start | {"device": describe_device(device), "precision": str(precision).removeprefix("torch.")}
    with checkpoint_for(job.facts()) as checkpoint:
        run = train_in(
            classifier, job, training, validation, seed=seed, precision=precision, checkpoint=checkpoint, report=report
        )
        facts |= describe(job, classifier, len(training))
        if is_leader():
            copy_kept(checkpoint, job, facts)
    facts |= describe_run(run) | {"train_pflop": pflop(job.recipe, facts, len(run.history))}
    if not is_leader():
        return
    save_classifier(job.out / f"{job.seed}.safetensors", run.best_state, facts)
    write_history(job.out / f"{job.seed}.csv", run.history)


def read_faces(job: Job, file: h5py.File, split: Split, device: torch.device) -> DeviceFaces:
    faces = DeviceFaces(read_split(file, split), split, device)
    if job.recipe.merge_disgust:
        faces.merge_disgust()
    if split is Split.training and job.recipe.training_share < 1:
        faces.keep_share(job.recipe.training_share)
    return faces


def read_normalisation(job: Job, file: h5py.File) -> tuple[Normalisation, dict[str, Any]]:
    """The store's, or the system's own fitted on the store's Training faces; and what to say of it."""
    method = job.recipe.normalise or str(file.attrs["method"])
    own = method != file.attrs["method"]
    mean, std = fit_training(file, method) if own else (file["mean"][:], file["std"][:])
    facts = {"normalise": method, "data_sha256": str(file.attrs["source_sha256"])}
    return Normalisation(mean, std, per_image=method == "image"), facts


def new_classifier(job: Job, normalise: Normalisation) -> tuple[Classifier, dict[str, Any]]:
    """The classifier before its first epoch, and what to say of where it starts."""
    network: dict[str, Any] = {"side": job.recipe.side}
    if changes := job.recipe.layers.changes():
        network["layers"] = changes
    if job.pretrained:
        return start_from(job.pretrained, job.model, network)
    facts = {"network": network, "starts_from": "random"}
    return Classifier(normalise, build(job.model, **network), input_size=job.recipe.side), facts


def train_in(
    classifier: Classifier,
    job: Job,
    training: DeviceFaces,
    validation: DeviceFaces,
    *,
    seed: int,
    precision: torch.dtype,
    checkpoint: Checkpoint,
    report: Report,
) -> Run:
    """The loop on the whole classifier, or on its head alone where its features can be computed once.

    Either way the run's best state and those that are kept are the whole classifier's.
    """
    part: nn.Module = classifier
    sets: tuple[TrainingSet, TrainingSet] = (training, validation)
    prefix = ""
    if job.recipe.features_once:
        part, prefix = classifier.network.head, HEAD  # type: ignore[assignment]
        sets = feature_sets(classifier, training, validation, mirrored=job.recipe.flip, precision=precision)

    def whole(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return classifier.state_dict() | {prefix + name: tensor for name, tensor in state.items()}

    run = train(
        part, *sets,
        loss=build_loss(job, training, precision),
        recipe=job.recipe, seed=seed, precision=precision, checkpoint=checkpoint,
        progress=lambda done, share, epoch: report(job.name, done, share, epoch),
        before_epoch=lambda epoch: thaw(classifier.network, job.recipe, epoch),
        keep=lambda epoch, state: checkpoint.keep(epoch, lambda path: save_classifier(path, whole(state), {})),
    )  # fmt: skip
    run.best_state = whole(run.best_state)
    return run


def build_loss(job: Job, training: DeviceFaces, precision: torch.dtype) -> Loss:
    weights = balanced_weights(training.labels) if job.recipe.class_weights == "balanced" else None
    labels: Loss = CrossEntropy(weights, label_smoothing=job.recipe.label_smoothing)
    mixes, teacher = job.recipe.mixup > 0, job.teacher
    if isinstance(teacher, Committee):  # it is asked about the mixed images themselves
        return LiveDistillation(
            load_teachers(teacher, training.labels.device),
            alpha=teacher.alpha, temperature=teacher.temperature,
            label_loss=Mixed(labels) if mixes else labels, precision=precision,
        )  # fmt: skip
    if teacher:
        network, _ = load_classifier(teacher.weights)
        scores = teacher_scores(network.to(training.images.device), training, precision)
        labels = SelfDistillation(scores, alpha=teacher.alpha, temperature=teacher.temperature, label_loss=labels)
    return Mixed(labels) if mixes else labels


def describe(job: Job, classifier: Classifier, faces: int) -> dict[str, Any]:
    """What the settings say; goes with the weights and with every number that is measured on them."""
    distilled = {"alpha": job.teacher.alpha, "temperature": job.teacher.temperature} if job.teacher else None
    if distilled and isinstance(job.teacher, Committee):
        distilled["teachers"] = len(job.teacher.weights)
    return {
        "dataset": job.dataset,
        "system": job.system,
        "model": job.model,
        "seed": job.seed,
        "recipe": job.recipe.given,
        "distil": distilled,
        "threads": job.threads,
        "training_faces": faces,
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
        "flops": count_flops(classifier.network, job.recipe.side),
        **what_it_sees(job.recipe),
        **team_facts(),
    }


def what_it_sees(recipe: Recipe) -> dict[str, Any]:
    """The crop and the test views, where a network has them."""
    crop = {"crop": recipe.augment.crop} if recipe.augment.crop else {}
    return crop | ({"views": recipe.views} if recipe.views != "one" else {})


def describe_run(run: Run) -> dict[str, Any]:
    assert run.best is not None
    return {
        "best_epoch": run.best.epoch,
        "epochs_trained": len(run.history),
        "validation_accuracy": round(run.best.validation_accuracy, 6),
    }


def pflop(recipe: Recipe, facts: dict[str, Any], epochs: int) -> float:
    """What training spent, in 1e15 operations: forward and twice that backward for each face and epoch.

    Sharpness-aware minimisation does both twice. With features computed once, one forward pass for each face and view;
    the head's share is left out.
    """
    passes = 1 + recipe.flip if recipe.features_once else 3 * epochs * (2 if recipe.sam else 1)
    return round(passes * int(facts["training_faces"]) * int(facts["flops"]) / 1e15, 4)


def copy_kept(checkpoint: Checkpoint, job: Job, facts: dict[str, Any]) -> None:
    """The weights kept every so many epochs, under `kept/` beside the best ones, with their own provenance."""
    for path in sorted(checkpoint.kept.glob("*.safetensors"), key=lambda path: int(path.stem)):
        state = load_file(path)
        save_classifier(
            job.out / "kept" / f"{job.seed}_epoch{path.stem}.safetensors", state, facts | {"epoch": int(path.stem)}
        )


def write_history(path: Path, history: list[Epoch]) -> None:
    """A line an epoch; six decimals, since the last bits differ between machines."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(asdict(history[0])), lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        writer.writerow({name: f"{value:.6g}" for name, value in asdict(epoch).items()})
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue())
