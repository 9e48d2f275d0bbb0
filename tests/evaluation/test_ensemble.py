"""The ensemble: chosen on PublicTest alone, its members and weights on libraries with known answers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer.constants import Split
from fer.evaluation import ensemble
from fer.evaluation.ensemble import Member, Places, choose, combine, write_ensemble
from fer.evaluation.metrics import is_correct
from fer.predictions.format import Predictions, PredictionsError, read_predictions, write_predictions
from tests.evaluation.test_metrics import predictions

PROVENANCE = {
    "parameters": 100, "flops": 10, "train_pflop": 0.5, "device": "cpu", "precision": "float32",
    "starts_from": "random", "data_sha256": "0" * 64,
}  # fmt: skip
FACES = 240
LABELS = np.arange(FACES) % 7


def said(right: NDArray[np.bool_], *, sure: float = 2.0, seed: int = 0) -> Predictions:
    """Logits that name the label where `right` and another class elsewhere."""
    wrong = (LABELS + 1 + np.random.default_rng(seed).integers(0, 6, FACES)) % 7
    named = np.where(right, LABELS, wrong)
    logits = np.random.default_rng(seed + 1).normal(0, 0.1, (FACES, 7)).astype(np.float32)
    logits[np.arange(FACES), named] += sure
    return replace(predictions(FACES), logits=logits, labels=LABELS.astype(np.uint8))


def thirds() -> dict[str, Predictions]:
    """Three networks, each wrong on another third, and a poor one: the mean of the three is right everywhere."""
    place = np.arange(FACES) % 3
    library = {f"net/{part}": said(place != part, seed=part) for part in range(3)}
    return library | {"poor/0": said(np.arange(FACES) % 10 == 0, seed=9)}


def accuracy(run: Predictions) -> float:
    return float(is_correct(run).mean())


def test_three_that_err_apart_are_chosen_and_their_mean_is_right() -> None:
    public = thirds()
    members = choose(public, rounds=12)
    assert set(members) == {"net/0", "net/1", "net/2"}
    assert sum(member.weight for member in members.values()) == pytest.approx(1)
    splits = {name: {Split.public_test: run, Split.private_test: run} for name, run in public.items()}
    assert accuracy(combine(splits, members)[Split.public_test]) == 1.0
    assert max(accuracy(run) for run in public.values()) < 0.7


def test_with_replacement_a_good_network_weighs_more_than_one_share() -> None:
    """The good network must outvote the noisy one on all faces but those that it is unsure of."""
    unsure = np.arange(FACES) % 8 == 0
    good = said(~unsure, sure=0.3, seed=1)
    noisy = said(unsure | (np.arange(FACES) % 4 == 1), sure=0.3, seed=2)
    members = choose({"good/0": good, "noisy/0": noisy}, rounds=20)
    assert members["good/0"].weight > 0.5


def test_the_first_round_takes_the_best_and_a_single_round_nothing_else() -> None:
    public = thirds()
    members = choose(public, rounds=1)
    (name,) = members
    assert members[name].weight == 1.0
    assert accuracy(public[name]) == max(accuracy(run) for run in public.values())


def test_against_a_plain_greedy_loop() -> None:
    generator = np.random.default_rng(5)
    public = {f"n/{i}": said(generator.random(FACES) < 0.5 + i / 20, sure=1.0, seed=i) for i in range(5)}
    members = choose(public, rounds=7)
    scaled = {
        name: run.logits / members.get(name, Member(0, temperature(public, name))).temperature
        for name, run in public.items()
    }
    picked: list[str] = []
    trail = []
    for _ in range(7):
        scored = []
        for name in sorted(public):
            mean = np.mean([softmax(scaled[each]) for each in [*picked, name]], axis=0)
            right = (mean.argmax(1) == LABELS).mean()
            scored.append((right, np.log(mean[np.arange(FACES), LABELS]).mean(), name))
        best = max(scored, key=lambda entry: (entry[0], round(entry[1], 9)))
        picked.append(best[2])
        trail.append((best[0], round(best[1], 9)))
    kept = picked[: trail.index(max(trail)) + 1]
    assert {name: member.weight for name, member in members.items()} == pytest.approx(
        {name: kept.count(name) / len(kept) for name in set(kept)}
    )


def temperature(public: Mapping[str, Predictions], name: str) -> float:
    return choose({name: public[name]}, rounds=1)[name].temperature


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def write_library(folder: Path, public: Mapping[str, Predictions], private: Mapping[str, Predictions]) -> None:
    for name, run in public.items():
        provenance = PROVENANCE | {"system": name}
        splits = {Split.public_test: run, Split.private_test: private[name]}
        write_predictions(folder / f"{name}.safetensors", splits, provenance)


def written(folder: Path, private: Mapping[str, Predictions]) -> dict[str, Any]:
    write_library(folder / "predictions", thirds(), private)
    write_ensemble(
        sorted((folder / "predictions").iterdir()), places(folder), rounds=9, resamples=100, bootstrap_seed=0
    )
    content: dict[str, Any] = json.loads((folder / "metrics" / "0.json").read_text())
    return content


def places(folder: Path) -> Places:
    return Places(folder / "out", folder / "ensemble.json", folder / "metrics")


def chosen(content: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: (member["weight"], member["temperature"]) for name, member in content["members"].items()}


def test_the_choice_cannot_see_private_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PrivateTest is marked by its rows: nothing with one of them reaches the choice, the temperatures or the single
    best; and whatever PrivateTest holds, the same members come out."""
    marked = {name: replace(run, rows=run.rows + 10_000) for name, run in thirds().items()}
    seen: list[int] = []

    def watched(function: Any) -> Any:
        def inner(public: Any, **settings: Any) -> Any:
            runs = public.values() if isinstance(public, Mapping) else [public]
            seen.extend(int(run.rows.max()) for run in runs)
            return function(public, **settings)

        return inner

    for name in ("choose", "fit_temperature", "best_single"):
        monkeypatch.setattr(ensemble, name, watched(getattr(ensemble, name)))
    plain = written(tmp_path / "plain", marked)
    assert len(seen) >= 4 + 4 + 4
    assert max(seen) < 10_000

    poor_is_perfect = {name: said(np.full(FACES, name == "poor/0"), seed=3) for name in marked}
    turned = written(tmp_path / "turned", poor_is_perfect)
    assert chosen(turned) == chosen(plain)
    assert turned["best_single"]["name"] == plain["best_single"]["name"]
    assert turned["PrivateTest"]["accuracy"] != plain["PrivateTest"]["accuracy"]


def test_what_is_written(tmp_path: Path) -> None:
    content = written(tmp_path, thirds())
    assert content["candidates"] == 4
    assert content["provenance"]["parameters"] == 300
    assert content["PrivateTest"]["accuracy"] == 1.0
    assert content["against_best_single"]["PrivateTest"]["difference"] == pytest.approx(
        1 - content["best_single"]["PrivateTest"]
    )
    splits, provenance = read_predictions(tmp_path / "out" / "0.safetensors")
    assert accuracy(splits[Split.private_test]) == 1.0
    assert (provenance["system"], provenance["parameters"], provenance["train_pflop"]) == ("ensemble", 300, 1.5)
    assert provenance["members"].keys() == content["members"].keys()
    np.testing.assert_allclose(splits[Split.private_test].probabilities.sum(1), 1.0)
    headline = json.loads((tmp_path / "ensemble.json").read_text())
    assert headline.keys() == {"PublicTest", "PrivateTest", "leak_free", "macro_f1", "log_loss"}
    assert headline["log_loss"] == round(content["PrivateTest"]["log_loss"], 4)
    kept = json.loads((tmp_path / "out" / "members.json").read_text())
    assert {name: (of["weight"], of["temperature"]) for name, of in kept.items()} == chosen(content)
    first = (tmp_path / "out" / "0.safetensors").read_bytes()
    written(tmp_path, thirds())
    assert (tmp_path / "out" / "0.safetensors").read_bytes() == first


def test_its_probabilities_are_the_weighted_mean_of_the_members() -> None:
    public = thirds()
    members = {"net/0": Member(0.75, 2.0), "net/1": Member(0.25, 0.5)}
    splits = {name: {Split.public_test: run, Split.private_test: run} for name, run in public.items()}
    expected = 0.75 * softmax(public["net/0"].logits / 2) + 0.25 * softmax(public["net/1"].logits / 0.5)
    np.testing.assert_allclose(combine(splits, members)[Split.public_test].probabilities, expected, rtol=1e-5)


def test_an_empty_library_and_different_faces(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="no system has predictions"):
        write_ensemble([], places(tmp_path), rounds=1, resamples=10, bootstrap_seed=0)
    run = thirds()["net/0"]
    other = replace(run, rows=run.rows + 1)
    for name, each in {"a": run, "b": other}.items():
        splits = {Split.public_test: each, Split.private_test: each}
        write_predictions(tmp_path / name / "0.safetensors", splits, {})
    with pytest.raises(PredictionsError, match="a/0 and b/0 were predicted on different faces of PublicTest"):
        write_ensemble([tmp_path / "a", tmp_path / "b"], places(tmp_path), rounds=1, resamples=10, bootstrap_seed=0)
