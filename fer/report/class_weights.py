"""What class weights buy and cost: a system against its twin that is trained the same but without them.

The weights are those of the loss (fer/training/losses.py, `class_weights: balanced`): a class counts in inverse
proportion to its faces in Training.
"""

import json
from collections.abc import Mapping
from typing import Any

from fer.constants import Split
from fer.report.text import per_cent

METRICS = ("accuracy", "balanced_accuracy", "macro_f1")


def twins(provenances: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the pairs (weighted, plain) of systems whose runs differ in their class weights alone.

    Args:
        provenances: per system that was run, that of one of its seeds.
    """
    plain = {twin_key(run): name for name, run in provenances.items() if not weighted(run)}
    pairs = [(name, plain.get(twin_key(run))) for name, run in provenances.items() if weighted(run)]
    return [(name, twin) for name, twin in pairs if twin is not None]


def weighted(run: Mapping[str, Any]) -> bool:
    return bool(run.get("config", {}).get("class_weights", "none") != "none")  # an ensemble has no config


def twin_key(run: Mapping[str, Any]) -> str:
    """Return all that decides a run but its seed and its class weights."""
    config = {name: value for name, value in run.get("config", {}).items() if name != "class_weights"}
    return json.dumps([config, bool(run.get("teachers")), run.get("weights_sha256")], sort_keys=True)


def effects(systems: Mapping[str, Mapping[str, Any]], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return per pair what the weighted system gains on PrivateTest: of each metric, and of each class's accuracy.

    Args:
        systems: the summary's entries.
        pairs: as `twins` gives them.
    """
    result = {}
    for first, second in pairs:
        ours, theirs = systems[first][Split.private_test], systems[second][Split.private_test]
        result[f"{first}_vs_{second}"] = {
            "weighted": first,
            "plain": second,
            "seeds": {"weighted": systems[first]["seeds"], "plain": systems[second]["seeds"]},
            **{metric: ours[metric] - theirs[metric] for metric in METRICS},
            "class_accuracy": {
                name: ours["class_accuracy"][name] - theirs["class_accuracy"][name] for name in ours["class_accuracy"]
            },
        }
    return result


def sentence(effect: Mapping[str, Any]) -> str:
    """Return what the weights bought and cost, in words, in points on PrivateTest."""
    classes = sorted(effect["class_accuracy"].items(), key=lambda item: item[1])
    (most_lost, lost), (most_won, won) = classes[0], classes[-1]
    points = {metric: per_cent(effect[metric], "+.1f") for metric in METRICS}
    return (
        f"{effect['weighted']} against {effect['plain']} (seeds: {effect['seeds']['weighted']} and "
        f"{effect['seeds']['plain']}), class weights alone: balanced accuracy {points['balanced_accuracy']}, macro-F1 "
        f"{points['macro_f1']}, accuracy {points['accuracy']} points on PrivateTest; "
        f"most for {most_won} ({per_cent(won, '+.1f')}), least for {most_lost} ({per_cent(lost, '+.1f')})"
    )
