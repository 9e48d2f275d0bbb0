"""The one training loop: teacher, students and every other system differ in what is passed in, not in the loop."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.data.batches import Batch, TrainingSet, batch_count, training_batches
from fer.determinism import derived_seed
from fer.emotions import Split
from fer.errors import UserError
from fer.models.classifier import predict
from fer.recipe import Recipe
from fer.training.averaging import Average
from fer.training.checkpoint import Checkpoint
from fer.training.losses import Loss
from fer.training.optimisers import build_optimiser, set_rate
from fer.training.schedule import rate_at
from fer.training.sharpness import climbed
from fer.training.team import for_mean_gradient, gathered, own_part, replicated


@dataclass(frozen=True)
class Epoch:
    """One line of a run's history: losses in nats, accuracies in [0, 1]; the rate is that of the last step."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float

    def better_than(self, other: "Epoch | None", select_by: str) -> bool:
        """Strictly better on the validation split, so that of equals the earliest is kept."""
        if other is None:
            return True
        if select_by == "loss":
            return self.validation_loss < other.validation_loss
        return self.validation_accuracy > other.validation_accuracy


@dataclass
class Run:
    """A training in progress or done: its history, its best epoch so far and that epoch's weights."""

    history: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def add(self, epoch: Epoch, classifier: nn.Module, select_by: str) -> None:
        """One more line of the history; where it is the best one, its weights are copied."""
        self.history.append(epoch)
        if epoch.better_than(self.best, select_by):
            self.best = epoch
            self.best_state = {name: tensor.detach().clone() for name, tensor in classifier.state_dict().items()}

    def ended(self, recipe: Recipe) -> bool:
        """All epochs done, or none of the last `patience` was better than the best."""
        done = len(self.history)
        waited = done - self.best.epoch if self.best else 0
        return done >= recipe.epochs or (recipe.patience is not None and waited >= recipe.patience)


Progress = Callable[[int, float, Epoch | None], None]
Keep = Callable[[int, dict[str, Tensor]], None]


def nothing(*_: Any) -> None:
    pass


def learning_rate(recipe: Recipe, history: list[Epoch]) -> float:
    """The next epoch's, without a schedule: decayed with each epoch and, with `reduce_on_plateau`, with each plateau.

    A plateau is `plateau_patience` epochs without a better one and one more, as torch's ReduceLROnPlateau counts. From
    the history alone, so that an interrupted run needs no scheduler's state.
    """
    rate = recipe.learning_rate * recipe.learning_rate_decay ** len(history)
    if recipe.reduce_on_plateau is None:
        return rate
    best, waited = None, 0
    for epoch in history:
        best, waited = (epoch, 0) if epoch.better_than(best, recipe.select_by) else (best, waited + 1)
        if waited > recipe.plateau_patience:
            rate, waited = rate * recipe.reduce_on_plateau, 0
    return rate


def step_rates(recipe: Recipe, history: list[Epoch], steps: int) -> list[float]:
    """The rate of each of the next epoch's `steps`."""
    if recipe.schedule:
        first = len(history) * steps
        return [rate_at(recipe, first + step, steps) for step in range(steps)]
    return [learning_rate(recipe, history)] * steps


def train(
    classifier: nn.Module,
    training: TrainingSet,
    validation: TrainingSet,
    *,
    loss: Loss,
    recipe: Recipe,
    seed: int,
    precision: torch.dtype,
    checkpoint: Checkpoint,
    progress: Progress,
    before_epoch: Callable[[int], None] = nothing,
    keep: Keep = nothing,
) -> Run:
    """Trains `classifier` and returns the run; continues from the checkpoint where there is one.

    An epoch is a function of the state before it, the seed and its number alone: nothing else is carried over, so a
    run that was interrupted ends in the same bytes as one that was not. `validation` selects the epoch and must be
    PublicTest: a ValueError keeps every other split out. With `recipe.ema` the average of the weights is what is
    validated and kept. Raises UserError for a training that diverges.

    Args:
        before_epoch: told the number of the epoch (from 0) that begins; thaws layers.
        keep: given the epochs done and the weights, every `recipe.keep_every` epochs.
    """
    if (training.split, validation.split) != (Split.training, Split.public_test):
        asked = f"training on {training.split}, selecting on {validation.split}"
        raise ValueError(f"{asked}: only Training trains, only PublicTest selects")
    optimiser = build_optimiser(recipe, classifier)
    average = Average(classifier, recipe.ema) if recipe.ema else None
    judged = average.network if average else classifier
    run = restore(checkpoint, classifier, optimiser, average)
    steps = batch_count(len(training), recipe.batch_size)
    while not run.ended(recipe):
        number = len(run.history)
        rates = step_rates(recipe, run.history, steps)
        before_epoch(number)
        torch.manual_seed(derived_seed(seed, "layers", number))
        train_loss, train_accuracy = train_epoch(
            classifier,
            training_batches(training, recipe, seed=seed, epoch=number),
            loss=loss,
            optimiser=optimiser,
            rates=rates,
            rho=recipe.sam,
            average=average,
            precision=precision,
            progress=lambda faces, done=number: progress(done, faces / len(training), None),  # type: ignore[misc]
        )
        if not math.isfinite(train_loss):
            raise UserError(
                f"epoch {number + 1}: the loss is not finite; a lower learning_rate than {max(rates):.3g} may help"
            )
        validation_loss, validation_accuracy = validate(judged, validation, precision)
        epoch = Epoch(number + 1, rates[-1], train_loss, train_accuracy, validation_loss, validation_accuracy)
        run.add(epoch, judged, recipe.select_by)
        if recipe.keep_every and epoch.epoch % recipe.keep_every == 0:
            keep(epoch.epoch, judged.state_dict())
        checkpoint.save(snapshot(run, classifier, optimiser, average))
        progress(number + 1, 0.0, epoch)
    return run


def train_epoch(
    classifier: nn.Module,
    batches: Iterable[Batch],
    *,
    loss: Loss,
    optimiser: torch.optim.Optimizer,
    rates: list[float],
    rho: float | None,
    average: Average | None,
    precision: torch.dtype,
    progress: Callable[[int], None],
) -> tuple[float, float]:
    """Mean loss and accuracy over the epoch's batches, from the same forward passes that trained.

    Both are summed on the device and read once: nothing waits for the device inside the epoch. `progress` is told the
    faces seen so far. `rates` has the learning rate of each batch; with `rho` the gradient is taken on the slope above
    the weights (fer/training/sharpness.py); `average` follows them.
    """
    network = replicated(classifier).train()
    sums: list[Tensor] = []
    faces = 0
    for rate, batch in zip(rates, batches, strict=True):
        set_rate(optimiser, rate)
        scores, value = gradient(network, batch, loss=loss, precision=precision)
        if rho:
            with climbed(classifier, rho):
                gradient(network, batch, loss=loss, precision=precision)
        optimiser.step()
        if average:
            average.update(classifier)
        size = len(batch.labels)
        sums.append(torch.stack([value.double() * size, right_answers(scores, batch)]))
        faces += size
        progress(faces)
    total_loss, total_right = torch.stack(sums).sum(0).tolist()
    return total_loss / faces, total_right / faces


def gradient(network: nn.Module, batch: Batch, *, loss: Loss, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    """Leaves the batch's gradient in the parameters; its scores (B, 7) and its loss, both detached."""
    with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
        scores = network(own_part(batch.images))
    scores = gathered(scores.float(), len(batch.labels))  # (B, 7)
    value = loss(scores, batch)
    network.zero_grad(set_to_none=True)
    for_mean_gradient(value).backward()  # type: ignore[no-untyped-call]
    return scores.detach(), value.detach()


def right_answers(scores: Tensor, batch: Batch) -> Tensor:
    """How many faces are named right, float64 (); of a mixed image each label counts with its face's share."""
    named = scores.argmax(1)
    right = (named == batch.labels).sum().double()
    if batch.partner is None:
        return right
    return batch.share * right + (1 - batch.share) * (named == batch.partners.labels).sum()


@torch.inference_mode()
def validate(classifier: nn.Module, faces: TrainingSet, precision: torch.dtype) -> tuple[float, float]:
    """Cross-entropy in nats and accuracy over a whole split."""
    scores = gathered(predict(classifier, own_part(faces.images), precision), len(faces))
    loss = F.cross_entropy(scores, faces.labels)
    accuracy = (scores.argmax(1) == faces.labels).double().mean()
    return loss.item(), accuracy.item()


def snapshot(
    run: Run, classifier: nn.Module, optimiser: torch.optim.Optimizer, average: Average | None
) -> dict[str, Any]:
    return {
        "classifier": classifier.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state_dict() if average else None,
        "history": [vars(epoch) for epoch in run.history],
        "best": vars(run.best) if run.best else None,
        "best_state": run.best_state,
    }


def restore(
    checkpoint: Checkpoint, classifier: nn.Module, optimiser: torch.optim.Optimizer, average: Average | None
) -> Run:
    """A fresh run, or the checkpoint's with its state put into the classifier, the optimiser and the average."""
    state = checkpoint.load()
    if state is None:
        return Run()
    classifier.load_state_dict(state["classifier"])
    optimiser.load_state_dict(state["optimiser"])
    if average:
        average.load_state_dict(state["average"])
    best = Epoch(**state["best"]) if state["best"] else None
    return Run([Epoch(**epoch) for epoch in state["history"]], best, state["best_state"])
