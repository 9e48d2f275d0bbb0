"""docs/reproduction.md and the example of `score` say what metrics/ and the predictions in git say."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from safetensors import safe_open

from fer.cli.main import main
from fer.config.network import Resnet
from fer.config.params import load_params
from fer.constants import EMOTION_NAMES, Split
from fer.predictions.format import read_seeds
from fer.report.printed import REPORTED
from fer.report.summary import verdict
from fer.report.tables import NOT_MEASURED, SHORT, printed
from fer.report.text import per_cent

ROOT = Path(__file__).parent.parent
DOCS, METRICS = ROOT / "docs", ROOT / "metrics"
REPRODUCTION = (DOCS / "reproduction.md").read_text()
FLAT = " ".join(REPRODUCTION.split())
PARAMS = load_params(ROOT / "params.yaml")
ROWS = dict(re.findall(r"^\| (\w+) \| (.*) \| [^|]+ \|$", REPRODUCTION, flags=re.MULTILINE))  # but for the last cell


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((METRICS / name).read_text())
    return content


def runs(system: str) -> list[dict[str, Any]]:
    """Return what each seed measured."""
    return [read(f"{system}/{path.name}") for path in sorted((METRICS / system).glob("*.json"))]


def row(system: str) -> str:
    """Return the cells between the system and its cost, as metrics/ and the reports have them."""
    reported = asdict(REPORTED[system]) if system in REPORTED else None
    split = (reported and reported["split"]) or "PrivateTest"
    if system not in PARAMS.run.systems:
        return f"{printed(reported)} | {NOT_MEASURED} | 0 | not run"
    shares = [run[split]["accuracy"] for run in runs(system)]
    spread = f" ± {per_cent(stdev(shares))}" if len(shares) > 1 else ""
    ours = f"{per_cent(mean(shares))}{spread} ({SHORT[split]})"
    return f"{printed(reported)} | {ours} | {len(shares)} | {verdict({split: {'accuracy': mean(shares)}}, reported)}"


@pytest.mark.parametrize("system", PARAMS.systems)
def test_a_row_of_the_reproduction(system: str) -> None:
    """A row that is missing or stale is shown as it must be; its last cell, what a seed costs, is written by hand."""
    assert ROWS.get(system) == row(system), f"docs/reproduction.md: | {system} | {row(system)} | ... |"


def test_no_row_of_the_reproduction_is_of_no_system() -> None:
    assert set(ROWS) - {"system", "printed", "emotion", *EMOTION_NAMES} == set(PARAMS.systems)


def test_what_the_reproduction_says_is_measured() -> None:
    results = json.loads((DOCS / "results.json").read_text())
    teacher, above = results["systems"]["cs231n"], results["pairs"]["cs231n_vs_cs231n_baseline"]
    confusions = teacher["confusions"]
    student, augmented = (
        results["pairs"][name]["PrivateTest"] for name in ("cs231n_student_vs_cs231n", "tuwani_augmented_vs_tuwani")
    )
    clean = results["pairs"]["cs231n_student_vs_cs231n"]["PrivateTest_leak_free"]
    deep, order, whole, resnet, inception, weighted = (
        results["pairs"][name]["PrivateTest"]
        for name in (
            "le_deep_vs_le_shallow", "lausanne_cnn2_vs_lausanne_cnn1", "vgg16_finetuned_vs_vgg16_frozen",
            "resnet50_imagenet_weighted_vs_resnet50_imagenet", "face_inception_weighted_vs_face_inception",
            "cs231n_weighted_vs_cs231n",
        )
    )  # fmt: skip
    disgusted = [
        round(55 * read(f"resnet50_imagenet{of}/0.json")["PrivateTest"]["classes"]["disgust"]["recall"])
        for of in ("_weighted", "")
    ]
    first, second = (read(f"lausanne_cnn{of}/0.json") for of in (1, 2))
    assert first["provenance"]["device"] == second["provenance"]["device"]
    assert first["PrivateTest"]["accuracy"] < second["PrivateTest"]["accuracy"]
    network, labels, audit = read("tuwani/0.json"), read("agreement.json")["labels"], read("data.json")["audit"]
    happy = network["PublicTest"]["classes"]["happy"]["support"]
    merged = mean(run["PrivateTest"]["merged_accuracy"] for run in runs("tuwani"))
    low = results["systems"]["tuwani"]["PrivateTest"]["accuracy_low"]
    assert low > (REPORTED["tuwani"].accuracy or 1)
    for run in runs("lausanne_cnn1") + runs("lausanne_cnn2"):
        disgust = run["PrivateTest"]["classes"]["disgust"]
        assert disgust["support"] == 55
        assert round(disgust["recall"] * 55) <= 1
    for phrase in (
        f"{per_cent(teacher['PublicTest']['accuracy'])} % of PublicTest, 60.7 printed",
        f"{per_cent(teacher['PrivateTest']['accuracy'])} %, and "
        f"{per_cent(teacher['PrivateTest_leak_free']['accuracy'])} % without the copied",
        f"{per_cent(above['PrivateTest']['difference'])} points above the baseline",
        f"{per_cent(student['difference'])} points above its teacher (three seeds), 95 % interval "
        f"{per_cent(student['difference_low'])} to {per_cent(student['difference_high'])}, and "
        f"{per_cent(clean['difference'])} ({per_cent(clean['difference_low'])} to "
        f"{per_cent(clean['difference_high'])}) without the copied faces",
        f"is {per_cent(augmented['difference'])} points of PrivateTest above tuwani, 95 % interval "
        f"{per_cent(augmented['difference_low'])} to {per_cent(augmented['difference_high'])}",
        f"the shallow one has {per_cent(read('le_shallow.json')['PublicTest'])} % of PublicTest, 56.31 printed; "
        f"the deep one {per_cent(read('le_deep.json')['PublicTest'])} %, 65.55 printed",
        f"fine-tuned VGG-16**: {per_cent(read('vgg16_finetuned.json')['PublicTest'])} % of PublicTest, 64 printed",
        f"{per_cent(read('vgg16_finetuned.json')['PublicTest'])} % of PublicTest against "
        f"{per_cent(read('lausanne_cnn1.json')['PublicTest'])} and "
        f"{per_cent(read('lausanne_cnn2.json')['PublicTest'])}.",
        f"it has {per_cent(read('vgg16_frozen.json')['PublicTest'])} %; on PrivateTest that is "
        f"{per_cent(whole['difference'])} points less (seed 0 of both), 95 % interval "
        f"{per_cent(whole['difference_low'])} to {per_cent(whole['difference_high'])}",
        f"{per_cent(resnet['difference'])} points up for ResNet-50 (95 % interval "
        f"{per_cent(resnet['difference_low'])} to {per_cent(resnet['difference_high'])})",
        f"{per_cent(-inception['difference'])} down for face_inception ({per_cent(inception['difference_low'])} to "
        f"{per_cent(inception['difference_high'])})",
        f"cs231n loses {per_cent(-weighted['difference'])} points ({per_cent(-weighted['difference_high'])} to "
        f"{per_cent(-weighted['difference_low'])})",
        f"ResNet-50 names {disgusted[0]} with them, {disgusted[1]} without",
        f"deep above shallow, is shown: {per_cent(deep['difference'])} points of PrivateTest, 95 % interval "
        f"{per_cent(deep['difference_low'])} to {per_cent(deep['difference_high'])}",
        f"augmentation ours has {per_cent(read('tuwani_augmented.json')['PrivateTest'])} %",
        f"temperature of {teacher['calibration']['temperature']:.1f}",
        f"anger ({per_cent(confusions['disgust_as_anger'], '.0f')} % of its faces), fear for sad "
        f"({per_cent(confusions['fear_as_sad'], '.0f')}) and sad for neutral "
        f"({per_cent(confusions['sad_as_neutral'], '.0f')})",
        f"CNN2 is {per_cent(-order['difference'])} points below CNN1, 95 % interval "
        f"{per_cent(-order['difference_high'])} to {per_cent(-order['difference_low'])}",
        f"begins at {per_cent(low)}",
        f"copied test faces ({per_cent(read('tuwani.json')['leak_free'])} %)",
        f"tuwani has {per_cent(merged)} % of PrivateTest",
        f"{audit['in_training']['PrivateTest']} of PrivateTest, {audit['in_training']['PublicTest']} of PublicTest",
        f"{per_cent(happy / network['PublicTest']['faces'])} % of PublicTest",
        f"{per_cent(labels['PrivateTest']['agreement'])} % of PrivateTest, one annotator "
        f"{per_cent(labels['PrivateTest']['one_annotator'])}",
    ):
        assert phrase in FLAT, phrase


def test_what_the_reproduction_says_of_curves() -> None:
    epochs = pd.concat(pd.read_csv(path) for path in sorted((ROOT / "data/predictions/cs231n").glob("*.csv")))
    mean_of = epochs.groupby("epoch").mean()
    lowest, last = mean_of["validation_loss"].idxmin(), mean_of.iloc[-1]
    assert 1.8 < last["validation_loss"] / mean_of["validation_loss"].min() < 2
    best = [read(f"cs231n/{seed}.json")["provenance"]["best_epoch"] for seed in PARAMS.seeds_of("cs231n")]
    for phrase in (
        f"lowest after about {lowest} of {len(mean_of)} epochs and has nearly doubled at the end",
        f"when {per_cent(last['train_accuracy'])} % of Training",
        f"The epochs kept are {', '.join(map(str, best[:-1]))} and {best[-1]}.",
    ):
        assert phrase in FLAT, phrase


def test_report_001_has_class_accuracies_of_no_split() -> None:
    """Of all classes only PublicTest's disgust can have the printed shares of whole faces."""
    fit = set()
    for split in ("PublicTest", "PrivateTest"):
        faces = {name: of["support"] for name, of in read("tuwani/0.json")[split]["classes"].items()}
        for emotion in EMOTION_NAMES:
            shares = [(REPORTED[name].class_accuracy or {})[emotion] for name in ("le_shallow", "le_deep")]
            if all(round(round(share * faces[emotion]) / faces[emotion], 4) == share for share in shares):
                fit.add((split, emotion))
    assert fit == {("PublicTest", "disgust")}


@pytest.mark.parametrize(("system", "said"), [("le_shallow", "56.8"), ("le_deep", "65.1")])
def test_report_001_does_not_add_up_on_public_test(system: str, said: str) -> None:
    public, shares = read("tuwani/0.json")["PublicTest"], REPORTED[system].class_accuracy or {}
    right = sum(share * public["classes"][emotion]["support"] for emotion, share in shares.items())
    assert per_cent(right / public["faces"]) == said


def recall_rows() -> list[str]:
    """Return each emotion's row of report 001's table: printed / ours on PublicTest, shallow and deep."""
    rows = []
    for emotion in EMOTION_NAMES:
        cells = [f"{read('le_deep/0.json')['PublicTest']['classes'][emotion]['support']}"]
        for system in ("le_shallow", "le_deep"):
            said = per_cent((REPORTED[system].class_accuracy or {})[emotion])
            ours = mean(run["PublicTest"]["classes"][emotion]["recall"] for run in runs(system))
            cells.append(f"{said} / {per_cent(ours)}")
        rows.append(f"| {emotion} | {' | '.join(cells)} |")
    return rows


def score_rows() -> list[str]:
    """Return each emotion's row of report 002's table: printed / ours on PrivateTest, with augmentation."""
    ours = [run["PrivateTest"]["classes"] for run in runs("tuwani_augmented")]
    rows = []
    for emotion, said in (REPORTED["tuwani_augmented"].class_scores or {}).items():
        cells = [f"{ours[0][emotion]['support']}"]
        for score, share in said.items():
            cells.append(f"{per_cent(share, '.0f')} / {per_cent(mean(of[emotion][score] for of in ours))}")
        rows.append(f"| {emotion} | {' | '.join(cells)} |")
    return rows


@pytest.mark.parametrize("row", recall_rows() + score_rows())
def test_an_emotion_of_a_report(row: str) -> None:
    assert row in REPRODUCTION.splitlines()


def points_apart(system: str) -> dict[str, float]:
    """Return by how many points each emotion's accuracy on PublicTest is above the printed one."""
    return {
        emotion: 100 * (mean(run["PublicTest"]["classes"][emotion]["recall"] for run in runs(system)) - share)
        for emotion, share in (REPORTED[system].class_accuracy or {}).items()
    }


def test_what_is_said_of_report_001s_emotions() -> None:
    shallow, deep = points_apart("le_shallow"), points_apart("le_deep")
    assert [name for name, points in shallow.items() if abs(points) < 3] == ["anger", "disgust", "fear", "happy"]
    assert [name for name, points in deep.items() if abs(points) < 3] == ["happy", "sad"]
    assert min(deep, key=deep.__getitem__) == "fear"
    assert max(deep, key=deep.__getitem__) == "neutral"
    for phrase in (
        f"Sad is {-shallow['sad']:.0f} points below the printed one, and surprise and neutral are "
        f"{shallow['surprise']:.0f} and {shallow['neutral']:.0f} above",
        f"lags most at fear, by {-deep['fear']:.0f} points, and is above at neutral, by {deep['neutral']:.0f}",
    ):
        assert phrase in FLAT, phrase


def test_what_is_said_of_the_deep_networks_training() -> None:
    histories = [pd.read_csv(path) for path in sorted((ROOT / "data/predictions/le_deep").glob("*.csv"))]
    learnt = mean(history["train_accuracy"].iloc[-1] for history in histories)
    assert f"names {per_cent(learnt)} % of Training's faces right" in FLAT
    assert abs(learnt - mean(run["PublicTest"]["accuracy"] for run in runs("le_deep"))) < 0.02


def test_what_was_trained_on_what() -> None:
    made = {
        (system, seed): run["provenance"]
        for system in PARAMS.run.systems
        for seed, run in zip(PARAMS.seeds_of(system), runs(system), strict=True)
    }
    there = {run for run, provenance in made.items() if "H100" in provenance["device"]}
    elsewhere = made.keys() - there
    assert all(made[run]["device"].startswith("cpu") for run in elsewhere)
    assert {run[0] for run in elsewhere if made[run]["precision"] == "bfloat16"} == {"cs231n_fast"}
    assert FLAT.count(f"{len(there)} of the table's networks were trained on one H100 in bfloat16") == 1
    whole = {
        "le_deep", "vgg16_finetuned", "resnet50_imagenet", "resnet50_imagenet_weighted", "face_inception",
        "face_inception_weighted", "flagship", "flagship_vgg", "flagship_student",
    }  # fmt: skip
    some = {(system, seed) for system in ("le_shallow", "lausanne_cnn2", "flagship_small") for seed in (1, 2)}
    some.add(("mobilenet_v2", 1))
    assert there == {run for run in made if run[0] in whole} | some


def test_what_is_said_of_nine_epochs() -> None:
    results = json.loads((DOCS / "results.json").read_text())
    apart = results["pairs"]["cs231n_fast_vs_cs231n"]["PrivateTest"]
    fast, teacher = (results["systems"][name] for name in ("cs231n_fast", "cs231n"))
    share = runs("cs231n_fast")[0]["provenance"]["train_pflop"] / runs("cs231n")[0]["provenance"]["train_pflop"]
    assert 0.2 < share < 0.25
    copies, losses = (
        [of["leaks"]["exact_copies"]["accuracy"] for of in (fast, teacher)],
        [of["PrivateTest"]["log_loss"] for of in (fast, teacher)],
    )
    for phrase in (
        "{} points of PrivateTest above cs231n, 95 % interval {} to {}: no difference is shown".format(
            *(per_cent(apart[key]) for key in ("difference", "difference_low", "difference_high"))
        ),
        f"it has {per_cent(copies[0])} % right (cs231n {per_cent(copies[1])})",
        f"its log loss is {losses[0]:.2f} ({losses[1]:.2f})",
    ):
        assert phrase in FLAT, phrase


def test_what_is_said_of_the_wrong_gradient() -> None:
    small = runs("flagship_small")
    history = pd.read_csv(ROOT / "data/predictions/flagship_small/0.csv")
    mended = pd.read_csv(ROOT / "data/ablation/no_ema/0.csv")
    assert [run["provenance"]["device"].startswith("cpu") for run in small] == [True, False, False]
    network = PARAMS.config("flagship").network
    assert isinstance(network, Resnet)
    assert not network.blur_pooling
    for phrase in (
        f"where seed 0 has {per_cent(small[0]['PrivateTest']['accuracy'])}.",
        f"a loss of {history['train_loss'][0]:.3f} with the right one on a CPU",
        f"begins seed 0 with {mended['train_loss'][0]:.3f}",
        f"seeds 1 and 2, trained again, have {per_cent(small[1]['PrivateTest']['accuracy'])} and "
        f"{per_cent(small[2]['PrivateTest']['accuracy'])}.",
    ):
        assert phrase in FLAT, phrase


def test_what_is_said_of_the_student() -> None:
    pairs = json.loads((DOCS / "results.json").read_text())["pairs"]
    apart = pairs["flagship_student_vs_flagship_small"]["PrivateTest"]
    below = [per_cent(-apart[key]) for key in ("difference", "difference_high", "difference_low")]
    assert "{} points of PrivateTest below flagship_small, 95 % interval {} to {}.".format(*below) in FLAT
    teachers, _ = read_seeds(ROOT / "data/predictions/flagship_small")
    private = [of[Split.private_test] for of in teachers.values()]
    right = (np.mean([one.probabilities for one in private], axis=0).argmax(1) == private[0].labels).mean()
    gain = right - read("flagship_small.json")["PrivateTest"]
    assert f"That mean has {per_cent(right)} % of PrivateTest, {per_cent(gain)} points more than one of them" in FLAT


def test_what_is_said_of_the_ablation() -> None:
    """Both documents name the variants that are trained, all of them, and what each is worth."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted((METRICS / "ablation").glob("*.json"))}
    assert list(found) == sorted(PARAMS.run.ablation) == ["mixup", "no_blur_pooling", "no_ema", "no_warp"]
    blur, mixup, ema = (
        [per_cent(-found[name]["PrivateTest"][f"difference{end}"]) for end in ("", "_high", "_low")]
        for name in ("no_blur_pooling", "mixup", "no_ema")
    )
    warp = {
        split: [per_cent(found["no_warp"][split][f"difference{end}"]) for end in ("", "_low", "_high")]
        for split in ("PrivateTest", "PrivateTest_leak_free", "PublicTest")
    }
    flops = {name: found[name]["flops"] for name in ("no_blur_pooling", "no_ema")}
    more = f"costs {per_cent(flops['no_ema'] / flops['no_blur_pooling'] - 1, '.0f')} % more arithmetic"
    assert FLAT.count(f"which {more}") == 1
    assert FLAT.count(f"flagship_small's {len(PARAMS.ablation.variants)} variants") == 1
    assert f"loses {blur[0]} points of PrivateTest, with mixup in 28 epochs {mixup[0]}, without the moving" in FLAT
    gain = warp["PrivateTest"][0]
    assert f"average of the weights {ema[0]}, and without turns, shifts and zooms it gains {gain}, which is not" in FLAT
    lines = (DOCS / "ablation_and_search.md").read_text()
    tiny = dict(re.findall(r"^\| (\w+) \|.*\| \+(\d\.\d) \(", lines, flags=re.MULTILINE))
    ends = [
        pd.read_csv(folder / f"{seed}.csv")["train_accuracy"].iloc[-1]
        for folder in (ROOT / "data/ablation/no_warp", ROOT / "data/predictions/flagship_small")
        for seed in PARAMS.seeds
    ]
    waiting = len(PARAMS.ablation.variants) - len(found)
    text = " ".join(lines.split())
    for phrase in (
        "without blur pooling the base loses {} points ({} to {}), with mixup {} ({} to {}),".format(*blur, *mixup),
        "without the moving average {} ({} to {}).".format(*ema),
        "(`no_warp`) it gains {} ({} to {}), leak-free {} ({} to {}), PublicTest {} ({} to {}):".format(
            *warp["PrivateTest"], *warp["PrivateTest_leak_free"], *warp["PublicTest"]
        ),
        f"it is right on {per_cent(np.mean(ends[:3]), '.0f')} % of Training's faces, the base on "
        f"{per_cent(np.mean(ends[3:]), '.0f')} % of them distorted;",
        f"Blur pooling {more}.",
        f"blur pooling is worth {blur[0]} points ({tiny['blur_pooling']} here), the moving average {ema[0]} "
        f"({tiny['ema']}), turns, shifts and zooms -{gain} ({tiny['affine']}, `affine`), and mixup costs {mixup[0]} "
        f"(it gained {tiny['mixup']}, not shown).",
        f"{(waiting + 1) * 3 * 2} hours of a CPU core (`sam` takes twice the time)",
    ):
        assert phrase in text, phrase
    assert waiting == 10


def test_what_an_ablation_was_trained_on() -> None:
    for path in sorted((ROOT / "data/ablation").iterdir()):
        _, made = read_seeds(path)
        warp = path.name == "no_warp"
        for provenance in made.values():
            assert provenance["precision"] == "bfloat16"
            assert provenance["device"].startswith("cpu" if warp else "NVIDIA H100"), path


def test_what_is_said_of_the_search() -> None:
    """The printed optimum is cs231n itself: the first epochs of its seed 0 are what a trial would have been."""
    trials = pd.read_csv(ROOT / "plots/search/cs231n_random.csv")
    complete = trials[trials["state"] == "complete"]
    one, two = (trial for _, trial in complete[complete["accuracy"] == complete["accuracy"].max()].iterrows())
    (epochs,) = set(trials["epochs"])
    curve = pd.read_csv(ROOT / "plots/cs231n/accuracy.csv").query(
        f"seed == 0 and split == 'validation' and epoch <= {epochs}"
    )
    printed = curve["accuracy"].max()
    assert PARAMS.config("cs231n").changed({"lr": 0.00127, "weight_decay": 0.00172, "lr_decay": 0.95}) == PARAMS.config(
        "cs231n"
    )
    assert round(3588 * (printed - trials["accuracy"].max())) == 1
    slow = trials[trials["lr"] < 0.0005]
    assert set(slow["state"]) == {"pruned"}
    late = complete[complete["lr_decay"] > 0.96]["accuracy"]
    best_three = complete.nlargest(3, "accuracy")["weight_decay"]
    for phrase in (
        f"Ours drew {len(trials)} (seed 0, {epochs} epochs each; {len(complete)} went to their end, the others fell",
        f"the two best have {100 * one['accuracy']:.2f} % of PublicTest, with rates of {one['lr']:g} and "
        f"{two['lr']:g}, L2 of {one['weight_decay']:g} and {two['weight_decay']:g}, decays of {one['lr_decay']:g} and "
        f"{two['lr_decay']:g}.",
        f"the printed values have {100 * printed:.2f}, more than any of the {len(trials)}, though by a single face",
        f"All {len(slow)} rates below 0.0005 were stopped, decays above 0.96 stay at {per_cent(late.max())} % or less",
        f"the three best have L2 from {best_three.min():.5f} to {best_three.max():.3f}.",
    ):
        assert phrase in FLAT, phrase


def test_what_is_said_of_report_002s_emotions() -> None:
    private = [run["PrivateTest"] for run in runs("tuwani_augmented")]
    said = REPORTED["tuwani_augmented"].class_scores or {}
    printed_f1 = {emotion: of["f1"] for emotion, of in said.items()}
    f1 = {emotion: mean(of["classes"][emotion]["f1"] for of in private) for emotion in said}
    assert {emotion for emotion in said if abs(f1[emotion] - printed_f1[emotion]) > 0.02} == {"fear", "disgust"}
    assert all(f1[emotion] > printed_f1[emotion] for emotion in ("fear", "disgust"))
    for scores in (f1, printed_f1):
        assert min(scores.keys() - {"disgust"}, key=scores.__getitem__) == "fear"
    second = mean((of["top2_accuracy"] - of["accuracy"]) / (1 - of["accuracy"]) for of in private)
    disgust = [of["classes"]["disgust"] for of in private]
    faces, right = disgust[0]["support"], mean(of["recall"] * of["support"] for of in disgust)
    for phrase in (
        f"Disgust has {faces} faces: the printed recall means {said['disgust']['recall'] * faces:.0f} right ones, "
        f"ours {right:.0f}",
        f"second choice is right for {per_cent(second)} % of its mistakes",
    ):
        assert phrase in FLAT, phrase


def test_the_example_of_score_is_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "120")
    [(command, shown)] = re.findall(
        r"^\$ python -m fer (score [^\n]*)\n(.*?)^```", (DOCS / "evaluation.md").read_text(), re.MULTILINE | re.DOTALL
    )
    result = CliRunner().invoke(main, command.split())
    assert [line.rstrip() for line in result.output.splitlines()] == shown.splitlines()


MAPS = {
    "occlusion": "occlusion", "saliency": "saliency", "grad_cam": "Grad-CAM",
    "random_pixels": "random pixels", "random_blots": "random blots",
}  # fmt: skip
HALVES = {"saliency": "saliency (the report's)", "occlusion": "occlusion", "grad_cam": "Grad-CAM"}


def explanation_rows() -> list[str]:
    """Return the rows of docs/explanations.md, as metrics/explain/cs231n.json has them."""
    found = read("explain/cs231n.json")
    areas = [
        f"| {title} | {per_cent(of['deletion']['mean'])} | {per_cent(of['insertion']['mean'])} |"
        for name, title in MAPS.items()
        for of in [found["faithfulness"][name]]
    ]
    halves = []
    for name, title in HALVES.items():
        anger, happy, apart = (found["upper_half"][name][key] for key in ("anger", "happy", "anger_minus_happy"))
        lower = {"mean": 1 - happy["mean"], "low": 1 - happy["high"], "high": 1 - happy["low"]}
        cells = (
            f"{per_cent(of['mean'])} ({per_cent(of['low'])} to {per_cent(of['high'])})" for of in (anger, lower, apart)
        )
        halves.append(f"| {title} | {' | '.join(cells)} |")
    return areas + halves


SPLITS = ("PublicTest", "PrivateTest", "PrivateTest_leak_free")


@pytest.mark.parametrize("system", ["flagship_small", "cs231n_student", "cs231n"])
def test_what_a_network_in_git_is_worth(system: str) -> None:
    """Its row is of one look at each face: `export` measures that, `evaluate` too where a system has no crops."""
    exported = METRICS / "export" / f"{system}.json"
    measured = json.loads(exported.read_text())["published"] if exported.exists() else measured_seed(system)
    cells = [per_cent(measured[split]["accuracy"]) for split in SPLITS]
    assert f"| `{system}` | {' | '.join(cells)} |" in (DOCS / "use.md").read_text()


def measured_seed(system: str) -> dict[str, Any]:
    """Return what the published seed measured."""
    with safe_open(ROOT / "data" / "published" / f"{system}.safetensors", framework="numpy") as file:
        return read(f"{system}/{json.loads(file.metadata()['provenance'])['seed']}.json")


def test_what_the_default_network_is_worth_with_ten_crops() -> None:
    """The README's figures, which tests/test_record.py measures from the file, stand in use.md too."""
    use, readme = (" ".join(path.read_text().split()) for path in (DOCS / "use.md", ROOT / "README.md"))
    figures = re.search(r"([\d.]+) % of PublicTest, ([\d.]+) % of PrivateTest, ([\d.]+) % leak-free, with ten", readme)
    assert figures
    assert "`flagship_small` has {}, {} and {}.".format(*figures.groups()) in use
    assert f"The network is seed {measured_seed('flagship_small')['provenance']['seed']} of `flagship_small`" in readme


def test_the_package_beside_ours() -> None:
    """docs/use.md has what benchmarks/predictors.py measured."""
    result = json.loads((ROOT / "benchmarks/results/cpu/predictors.json").read_text())["result"]
    theirs, ours = (per_cent(result["accuracy"][name]["PrivateTest"]) for name in ("fer_tflite", "eager"))
    slow, fast = (median(result["seconds"][name]["batch"]) for name in ("float", "fer_tflite"))
    text = " ".join((DOCS / "use.md").read_text().split())
    assert f"names {theirs} % of PrivateTest's faces right, seed 0 of `flagship_small`, the default" in text
    assert f"the default then, {ours} % at one look." in text
    assert f"The package is {slow / fast:.1f} times as fast as our ONNX file" in text


@pytest.mark.parametrize("row", explanation_rows())
def test_a_row_of_the_explanations(row: str) -> None:
    assert row in (DOCS / "explanations.md").read_text().splitlines()


def test_the_example_of_use_is_what_predict_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NASA's astronaut, by the published network: the folder has no network of its own."""
    photo = ROOT.parent / "shared" / "photos" / "astronaut.png"
    if not photo.is_file():
        pytest.skip(f"{photo.name} is not at hand")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, ["predict", str(photo)]).output.strip()
    assert f"# photo.jpg: {said.removeprefix(f'{photo}: ')}" in (DOCS / "use.md").read_text()
