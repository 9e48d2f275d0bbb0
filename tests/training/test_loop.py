"""The loop on toys: against a plain loop, interrupted, and handed what it must not be handed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fer.constants import Split
from fer.errors import UserError
from fer.models.classifier import Classifier, Normalisation
from fer.orchestration.checkpoint import Checkpoint
from fer.store import Faces
from fer.training.batches import DeviceFaces, training_batches
from fer.training.ema import Ema
from fer.training.loop import Epoch, Run, epoch_lr, train, validate
from fer.training.losses import Loss, Mixed, cross_entropy
from fer.training.optimizers import build_optimizer, set_lr
from fer.training.seeds import derived_seed
from tests.runs import toy_config

CPU = torch.device("cpu")


def toy_faces(split: Split, count: int, seed: int) -> DeviceFaces:
    """Each label is the height of a bright band, mirrored or not: a network that learns anything learns this."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 7, count).astype(np.uint8)
    images = generator.integers(0, 60, (count, 48, 48)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label : 6 * label + 6] += 120
    flags = np.zeros(count, np.bool_)
    return DeviceFaces(Faces(images, labels, np.arange(count), flags, flags), split, CPU)


def toy_network() -> Classifier:
    torch.manual_seed(0)
    first = [nn.AvgPool2d(6), nn.Flatten(), nn.Linear(64, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU()]
    layers = nn.Sequential(*first, nn.Dropout(0.1), nn.Linear(32, 7))
    return Classifier(Normalisation(128.0, 64.0), layers)  # scales what is smaller to its own 48 pixels


class InterruptedRunError(Exception):
    pass


def run(folder: Path, *, stop_after: int | None = None, **changes: Any) -> tuple[Run, Classifier]:
    network = toy_network()

    def progress(done: int, share: float, _: Epoch | None) -> None:
        if stop_after is not None and done == stop_after and share > 0.5:
            raise InterruptedRunError

    loss: Loss = Mixed(cross_entropy) if "mixup" in changes else cross_entropy
    result = train(
        network,
        toy_faces(Split.training, 210, 1),
        toy_faces(Split.public_test, 50, 2),
        loss=loss,
        config=toy_config(**changes),
        seed=3,
        precision=torch.float32,
        checkpoint=Checkpoint(folder / "run.pt", every=0),
        progress=progress,
    )
    return result, network


def test_it_learns(tmp_path: Path) -> None:
    result, _ = run(tmp_path, epochs=12)
    assert result.best is not None
    assert result.best.validation_accuracy > 0.95
    assert result.history[-1].train_loss < result.history[0].train_loss / 3


def test_an_interrupted_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, network = run(tmp_path / "whole")
    with pytest.raises(InterruptedRunError):
        run(tmp_path / "cut", stop_after=2)
    assert len((Checkpoint(tmp_path / "cut" / "run.pt").load() or {})["history"]) == 2
    continued, again = run(tmp_path / "cut")
    assert continued.history == whole.history
    assert continued.best == whole.best
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
        assert torch.equal(whole.best_state[name], continued.best_state[name]), name


SCHEDULED = {"lr_decay": 1.0, "schedule": {"shape": "cosine", "warm_up": 1.0}}


OPTIONS = {
    "schedule": SCHEDULED,
    "crop": {"augment": {"crop": 40, "rotation": 5.0}},
    "ema": {"ema": 0.9},
    "mixup": {"mixup": 0.4, "mixup_off_epochs": 1},
    "sam": {"sam": 0.05},
    "all": SCHEDULED | {"augment": {"crop": 40}, "ema": 0.95, "mixup": 0.4, "sam": 0.05, "optimizer": "sgd"},
}


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_with_any_option_an_interrupted_run_ends_in_the_same_bytes(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole, network = run(tmp_path / "whole", **changes)
    plain, _ = run(tmp_path / "plain")
    assert whole.history != plain.history
    with pytest.raises(InterruptedRunError):
        run(tmp_path / "cut", stop_after=2, **changes)
    continued, again = run(tmp_path / "cut", **changes)
    assert continued.history == whole.history
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
        assert torch.equal(whole.best_state[name], continued.best_state[name]), name


def test_the_ema_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    """Against a plain loop that averages beside itself."""
    result, network = run(tmp_path, epochs=2, ema=0.9)
    plain = toy_network()
    ema, updates = Ema(plain, 0.9), 0
    optimizer = build_optimizer(toy_config(), plain)
    for number in range(2):
        set_lr(optimizer, 0.01 * 0.9**number)
        torch.manual_seed(derived_seed(3, "layers", number))
        plain.train()
        for batch in training_batches(toy_faces(Split.training, 210, 1), toy_config(), seed=3, epoch=number):
            optimizer.zero_grad()
            F.cross_entropy(plain(batch.images), batch.labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            ema.update()
            updates += 1
        accuracy = validate(ema.network, toy_faces(Split.public_test, 50, 2), torch.float32)[1]
        assert result.history[number].validation_accuracy == accuracy
    assert updates == ema.updates == 2 * 11
    assert result.best is not None
    kept = result.best_state["network.6.weight"]
    if result.best.epoch == 2:
        torch.testing.assert_close(kept, ema.network.state_dict()["network.6.weight"], rtol=1e-4, atol=1e-5)
    assert not torch.equal(kept, network.state_dict()["network.6.weight"])


def test_mixed_batches_count_both_labels_by_their_shares(tmp_path: Path) -> None:
    result, _ = run(tmp_path, epochs=12, mixup=0.4, mixup_off_epochs=2)
    assert result.history[-1].train_accuracy > result.history[-3].train_accuracy  # pure faces are easier to name
    assert result.best is not None
    assert result.best.validation_accuracy > 0.9


def test_same_seed_same_run_other_seed_other_run(tmp_path: Path) -> None:
    first, _ = run(tmp_path / "a")
    second, _ = run(tmp_path / "b")
    assert first.history == second.history


def test_against_a_plain_loop(tmp_path: Path) -> None:
    """The same epochs with nothing but a for loop, torch.optim.Adam and a dictionary of rates."""
    result, network = run(tmp_path, epochs=2)
    plain = toy_network()
    faces = toy_faces(Split.training, 210, 1)
    weights = [parameter for parameter in plain.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in plain.parameters() if parameter.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": 0.001}, {"params": others}]
    optimizer = torch.optim.Adam(groups, lr=0.01)
    for number in range(2):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * 0.9**number
        torch.manual_seed(derived_seed(3, "layers", number))
        plain.train()
        losses, right = [], 0
        for batch in training_batches(faces, toy_config(), seed=3, epoch=number):
            logits = plain(batch.images)
            loss = F.cross_entropy(logits, batch.labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses += [loss.item()] * len(batch.labels)
            right += int((logits.argmax(1) == batch.labels).sum())
        assert result.history[number].train_loss == pytest.approx(np.mean(losses), rel=1e-5)
        assert result.history[number].train_accuracy == pytest.approx(right / 210)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(tensor, network.state_dict()[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("training", "validation"),
    [
        (Split.training, Split.private_test),
        (Split.private_test, Split.public_test),
        (Split.public_test, Split.public_test),
        (Split.training, Split.training),
    ],
)
def test_only_training_trains_and_only_public_test_selects(tmp_path: Path, training: Split, validation: Split) -> None:
    with pytest.raises(ValueError, match="only Training trains, only PublicTest selects"):
        train(
            toy_network(),
            toy_faces(training, 20, 1),
            toy_faces(validation, 20, 2),
            loss=cross_entropy,
            config=toy_config(),
            seed=0,
            precision=torch.float32,
            checkpoint=Checkpoint(tmp_path / "run.pt"),
            progress=lambda *_: None,
        )


def test_a_training_that_diverges_ends_with_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"epoch \d: the loss is not finite; a lower lr than"):
        run(tmp_path, lr=1e30, optimizer="sgd", epochs=9)


def epoch(number: int, loss: float, accuracy: float) -> Epoch:
    return Epoch(number, 0.1, 0.0, 0.0, loss, accuracy)


def test_the_best_epoch_is_the_earliest_of_equals() -> None:
    first = epoch(1, 1.0, 0.5)
    assert first.better_than(None, "accuracy")
    assert not epoch(2, 0.5, 0.5).better_than(first, "accuracy")
    assert epoch(2, 0.5, 0.4).better_than(first, "loss")
    assert epoch(2, 2.0, 0.6).better_than(first, "accuracy")


def test_patience_ends_a_run() -> None:
    history = [epoch(number, 1.0, 0.5) for number in range(1, 5)]
    stalled = Run(history, history[0], {})
    assert stalled.ended(toy_config(epochs=40, patience=3))
    assert not stalled.ended(toy_config(epochs=40, patience=4))
    assert not stalled.ended(toy_config(epochs=40, patience=None))
    assert stalled.ended(toy_config(epochs=4, patience=None))
    assert not Run().ended(toy_config(patience=1))


def test_rate_decays_with_each_epoch() -> None:
    history = [epoch(number, 1.0, 0.5) for number in range(1, 4)]
    assert epoch_lr(toy_config(lr=0.5, lr_decay=0.9), history) == pytest.approx(0.5 * 0.9**3)


def test_reduce_on_plateau_is_torchs() -> None:
    """Losses with plateaus of different lengths, beside torch's own scheduler with its threshold at zero."""
    losses = [1.0, 0.9, 0.9, 0.95, 0.9, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.7]
    settings = toy_config(lr=0.1, lr_decay=1.0, select_by="loss", plateau_factor=0.5, plateau_patience=2)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0.0)
    history: list[Epoch] = []
    for number, loss in enumerate(losses):
        assert epoch_lr(settings, history) == pytest.approx(optimizer.param_groups[0]["lr"])
        history.append(epoch(number + 1, loss, 0.5))
        torchs.step(loss)
    assert epoch_lr(settings, history) < 0.03


def test_weights_are_kept_every_so_many_epochs(tmp_path: Path) -> None:
    kept: dict[int, float] = {}
    network = toy_network()
    train(
        network,
        toy_faces(Split.training, 60, 1),
        toy_faces(Split.public_test, 20, 2),
        loss=cross_entropy,
        config=toy_config(epochs=5, keep_every=2),
        seed=3,
        precision=torch.float32,
        checkpoint=Checkpoint(tmp_path / "run.pt"),
        progress=lambda *_: None,
        keep=lambda done, state: kept.update({done: state["network.6.weight"].sum().item()}),
    )
    assert list(kept) == [2, 4]
    assert kept[2] != kept[4]


def test_what_is_compiled_is_frozen_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int | str] = []
    monkeypatch.setattr("fer.training.loop.Forward.compile", lambda *_: calls.append("compile"))
    train(
        toy_network(),
        toy_faces(Split.training, 60, 1),
        toy_faces(Split.public_test, 20, 2),
        loss=cross_entropy,
        config=toy_config(epochs=2, compile="always"),
        seed=3,
        precision=torch.float32,
        checkpoint=Checkpoint(tmp_path / "run.pt"),
        progress=lambda *_: None,
        before_epoch=calls.append,
    )
    assert calls == [0, "compile", 0, 1]


def test_selected_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    result, _ = run(tmp_path, epochs=6, lr=0.5)
    assert result.best == max(result.history, key=lambda line: (line.validation_accuracy, -line.epoch))
    cut, _ = run(tmp_path / "cut", epochs=result.best.epoch, lr=0.5)
    for name, tensor in cut.best_state.items():
        assert torch.equal(tensor, result.best_state[name]), name
