"""The one training loop: teacher, students and every other system differ in what is passed in, not in the loop."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.config.run import RunConfig
from fer.constants import Split
from fer.errors import UserError
from fer.models.classifier import predict
from fer.training.batches import Batch, TrainingSet, batch_count, training_batches
from fer.training.distributed import for_mean_gradient, gathered, shard, size
from fer.training.ema import Ema
from fer.training.forward import Forward, compiles
from fer.training.losses import Loss
from fer.training.optimizers import build_optimizer, set_lr
from fer.training.sam import climbed
from fer.training.schedule import lr_at
from fer.training.seeds import derived_seed


@dataclass(frozen=True)
class Epoch:
    """One line of a run's history: losses in nats, accuracies in [0, 1]; lr is the last step's."""

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float

    def better_than(self, other: "Epoch | None", select_by: str) -> bool:
        """Whether it is strictly better on PublicTest, so that of equals the earliest is kept."""
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
    compiled: bool = False

    def add(self, epoch: Epoch, classifier: nn.Module, select_by: str) -> None:
        """Add a line to the history; copy the weights where it is the best one."""
        self.history.append(epoch)
        if epoch.better_than(self.best, select_by):
            self.best = epoch
            self.best_state = {name: tensor.detach().clone() for name, tensor in classifier.state_dict().items()}

    def ended(self, config: RunConfig) -> bool:
        """Whether all epochs are done, or none of the last `patience` was better than the best."""
        done = len(self.history)
        waited = done - self.best.epoch if self.best else 0
        return done >= config.epochs or (config.patience is not None and waited >= config.patience)


class Checkpoint(Protocol):
    """What an interrupted run continues from (fer/orchestration/checkpoint.py)."""

    @property
    def kept(self) -> Path:
        """Return a folder for weights that outlive an interruption."""

    def save(self, state: dict[str, Any], *, last: bool) -> None:
        """Remember the state after an epoch, not necessarily of every one but for the last."""

    def load(self) -> dict[str, Any] | None:
        """Return the last state, None for a fresh run."""


Progress = Callable[[int, float, Epoch | None], None]  # epochs done, share of the next one, an epoch's line at its end
Keep = Callable[[int, dict[str, Tensor]], None]


def nothing(*_: Any) -> None:
    pass


def epoch_lr(config: RunConfig, history: list[Epoch]) -> float:
    """Return the next epoch's, without a schedule: decayed with each epoch and with each plateau.

    A plateau is `plateau_patience` epochs without a better one and one more, as torch's ReduceLROnPlateau counts. From
    the history alone, so that an interrupted run needs no scheduler's state.
    """
    lr = config.lr * config.lr_decay ** len(history)
    if config.plateau_factor is None:
        return lr
    best, waited = None, 0
    for epoch in history:
        best, waited = (epoch, 0) if epoch.better_than(best, config.select_by) else (best, waited + 1)
        if waited > config.plateau_patience:
            lr, waited = lr * config.plateau_factor, 0
    return lr


def step_lrs(config: RunConfig, history: list[Epoch], steps: int) -> list[float]:
    """Return the learning rate of each of the next epoch's `steps`."""
    if config.schedule.shape == "none":
        return [epoch_lr(config, history)] * steps
    first = len(history) * steps
    return [lr_at(config, first + step, steps) for step in range(steps)]


def train(
    classifier: nn.Module,
    training: TrainingSet,
    validation: TrainingSet,
    *,
    loss: Loss,
    config: RunConfig,
    seed: int,
    precision: torch.dtype,
    checkpoint: Checkpoint,
    progress: Progress,
    before_epoch: Callable[[int], None] = nothing,
    keep: Keep = nothing,
) -> Run:
    """Train `classifier` and return the run; continue from the checkpoint where there is one.

    An epoch is a function of the state before it, the seed and its number alone: nothing else is carried over, so a
    run that was interrupted ends in the same bytes as one that was not. `validation` selects the epoch and must be
    PublicTest: a ValueError keeps every other split out. With `config.ema` the average of the weights is what is
    validated and kept. Raise UserError for a training that diverges.

    Args:
        before_epoch: called with the number of the epoch (from 0) that begins; unfreezes layers.
        keep: called with the epochs done and the weights, every `config.keep_every` epochs.
    """
    refuse_other_splits(training.split, validation.split)
    refuse_empty_shards(config.batch_size, len(training), len(validation))
    optimizer = build_optimizer(config, classifier)
    ema = Ema(classifier, config.ema) if config.ema else None
    judged = ema.network if ema else classifier
    run = restore(checkpoint, classifier, optimizer, ema)
    forward = Forward(classifier, config.batch_size)
    if compiles(config.compile, training.labels.device) and (run.compiled or not run.history):
        before_epoch(len(run.history))  # a backward pass is compiled for what it trains
        forward.compile(next(training_batches(training, config, seed=seed, epoch=0)).images, precision)
    run.compiled = forward.compiled is not None
    steps = batch_count(len(training), config.batch_size)
    while not run.ended(config):
        number = len(run.history)
        lrs = step_lrs(config, run.history, steps)
        before_epoch(number)
        torch.manual_seed(derived_seed(seed, "layers", number))
        trained = train_epoch(
            forward.train(), training_batches(training, config, seed=seed, epoch=number), lrs,
            loss=loss, optimizer=optimizer, rho=config.sam, ema=ema, precision=precision,
            progress=lambda faces, done=number: progress(done, faces / len(training), None),  # type: ignore[misc]
        )  # fmt: skip
        epoch = Epoch(number + 1, lrs[-1], *trained, *validate(judged, validation, precision))
        if not math.isfinite(epoch.train_loss):
            raise UserError(f"epoch {epoch.epoch}: the loss is not finite; a lower lr than {max(lrs):.3g} may help")
        run.add(epoch, judged, config.select_by)
        if config.keep_every and epoch.epoch % config.keep_every == 0:
            keep(epoch.epoch, judged.state_dict())
        checkpoint.save(snapshot(run, classifier, optimizer, ema), last=run.ended(config))
        progress(number + 1, 0.0, epoch)
    return run


def refuse_other_splits(training: Split, validation: Split) -> None:
    if (training, validation) != (Split.training, Split.public_test):
        asked = f"training on {training}, selecting on {validation}"
        raise ValueError(f"{asked}: only Training trains, only PublicTest selects")


def refuse_empty_shards(*faces: int) -> None:
    if min(faces) < size():
        raise UserError(f"train.launcher: {size()} processes share batches of {min(faces)} faces; some would get none")


def train_epoch(
    forward: Forward,
    batches: Iterable[Batch],
    lrs: list[float],
    *,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    rho: float | None,
    ema: Ema | None,
    precision: torch.dtype,
    progress: Callable[[int], None],
) -> tuple[float, float]:
    """Train on the batches; return their mean loss and accuracy, from the same forward passes.

    Nothing waits for the device inside the epoch: what each batch gave stays there and is read once. `progress` is
    called with the faces seen so far. `lrs` has the learning rate of each batch, `rho` is SAM's.
    """
    losses, right, sizes, shares = [], [], [], []
    faces = 0
    for lr, batch in zip(lrs, batches, strict=True):
        set_lr(optimizer, lr)
        logits, value = gradient(forward, batch, loss=loss, optimizer=optimizer, precision=precision)
        right.append(right_answers(logits, batch))  # before another replay writes over the logits
        if rho:
            with climbed(forward.network, rho):
                gradient(forward, batch, loss=loss, optimizer=optimizer, precision=precision)
        optimizer.step()
        if ema:
            ema.update()
        losses.append(value)
        sizes.append(len(batch.labels))
        shares.append(batch.share)
        faces += len(batch.labels)
        progress(faces)
    return means(torch.stack(losses).cpu(), torch.stack(right).cpu(), torch.tensor(sizes), shares)


def means(losses: Tensor, right: Tensor, sizes: Tensor, shares: list[float]) -> tuple[float, float]:
    """Return the mean loss and accuracy of faces from those of batches: (S,), (S, 2), (S,) and S values.

    Of a mixed image each label counts with its face's share. In float64 on the CPU: MPS has none.
    """
    share = torch.tensor(shares, dtype=torch.float64)  # (S,)
    named = share * right[:, 0].double() + (1 - share) * right[:, 1].double()  # (S,)
    total_loss, total_right = torch.stack([losses.double() * sizes, named], 1).sum(0).tolist()
    return total_loss / int(sizes.sum()), total_right / int(sizes.sum())


def gradient(
    forward: Forward, batch: Batch, *, loss: Loss, optimizer: torch.optim.Optimizer, precision: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Leave the batch's gradient in the parameters; return its logits (B, 7) and its loss, both detached."""
    with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
        logits = forward(shard(batch.images))
    logits = gathered(logits.float(), len(batch.labels))  # (B, 7)
    value = loss(logits, batch)
    optimizer.zero_grad(set_to_none=True)
    for_mean_gradient(value).backward()  # type: ignore[no-untyped-call]
    return logits.detach(), value.detach()


def right_answers(logits: Tensor, batch: Batch) -> Tensor:
    """Return how many faces are named by their label, and by their mixup partner's, int64 (2,)."""
    named = logits.argmax(1)
    partners = batch.labels if batch.partner is None else batch.partners.labels
    return torch.stack([(named == batch.labels).sum(), (named == partners).sum()])


@torch.inference_mode()
def validate(classifier: nn.Module, faces: TrainingSet, precision: torch.dtype) -> tuple[float, float]:
    """Return cross-entropy in nats and accuracy over a whole split."""
    logits = gathered(predict(classifier, shard(faces.images), precision), len(faces))
    loss = F.cross_entropy(logits, faces.labels)
    right = (logits.argmax(1) == faces.labels).sum()
    return loss.item(), right.item() / len(faces)


def snapshot(run: Run, classifier: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema | None) -> dict[str, Any]:
    return {
        "classifier": classifier.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": ema.state_dict() if ema else None,
        "history": [vars(epoch) for epoch in run.history],
        "best": vars(run.best) if run.best else None,
        "best_state": run.best_state,
        "compiled": run.compiled,
    }


def restore(checkpoint: Checkpoint, classifier: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema | None) -> Run:
    """Return a fresh run, or the checkpoint's with its state put into the classifier, the optimizer and the EMA."""
    state = checkpoint.load()
    if state is None:
        return Run()
    classifier.load_state_dict(state["classifier"])
    optimizer.load_state_dict(state["optimizer"])
    if ema:
        ema.load_state_dict(state["ema"])
    best = Epoch(**state["best"]) if state["best"] else None
    return Run([Epoch(**epoch) for epoch in state["history"]], best, state["best_state"], state["compiled"])
