"""The README says what the files say: its tables are metrics/, its numbers the audit's, its commands exist."""

import csv
import json
import re
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from fer.evaluation.ablation import ablation_block
from fer.evaluation.ensemble import ensemble_block
from fer.evaluation.tables import replace_between_marks, results_block
from fer.params import load_params

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("dataset", ["synthetic", "fer2013"])
def test_the_tables_are_metrics(dataset: str) -> None:
    path = ROOT / "metrics" / dataset / "summary.json"
    if not path.exists():
        pytest.skip(f"no summary of {dataset} is committed yet")
    assert replace_between_marks(README, f"results:{dataset}", results_block(json.loads(path.read_text()))) == README


def test_the_ablations_table_is_its_metrics() -> None:
    path = ROOT / "metrics" / "fer2013" / "ablation.json"
    block = ablation_block(json.loads(path.read_text())) if path.exists() else "Not yet run."
    assert replace_between_marks(README, "ablation:fer2013", block) == README


def test_the_ensembles_figures_are_its_metrics() -> None:
    path = ROOT / "metrics" / "fer2013" / "ensemble.json"
    if not path.exists():
        pytest.skip("no ensemble on the real data is committed yet")
    block = ensemble_block(json.loads(path.read_text()))
    assert replace_between_marks(README, "ensemble:fer2013", block) == README


def test_the_audits_numbers_are_the_audits() -> None:
    path = ROOT / "metrics" / "fer2013" / "data.json"
    if not path.exists():
        pytest.skip("no audit of the real data is committed yet")
    data = json.loads(path.read_text())
    before = data["audit_before_cleaning"]
    kept = " / ".join(f"{data['kept'][split]:,}" for split in ("Training", "PublicTest", "PrivateTest"))
    for phrase in (
        f"{data['rejected']['constant_image']} constant",
        kept,
        f"{before['duplicate_groups']:,} groups of identical images ({before['redundant_images']:,} redundant ones)",
        f"{before['conflicting_groups']} of them with conflicting labels",
        f"{before['in_training']['PrivateTest']} PrivateTest and {before['in_training']['PublicTest']} PublicTest",
    ):
        assert phrase in " ".join(README.split()), phrase


def test_the_teachers_mean_is_the_summarys() -> None:
    summary = json.loads((ROOT / "metrics" / "fer2013" / "summary.json").read_text())
    assert f"{100 * summary['systems']['cs231n']['PublicTest']['accuracy']:.2f} % of PublicTest" in " ".join(
        README.split()
    )


def test_what_the_numbers_mean_is_the_metrics() -> None:
    metrics = ROOT / "metrics" / "fer2013"
    summary, data = (json.loads((metrics / name).read_text()) for name in ("summary.json", "data.json"))
    if not summary.get("label_noise"):
        pytest.skip("the committed summary has no label noise yet")
    teacher, noise = summary["systems"]["cs231n"], summary["label_noise"]["PrivateTest"]
    leaks, levels = teacher["leaks"], teacher["crowd"]["by_votes"]
    near = data["near_duplicates"]["PrivateTest"]["faces"]
    text = " ".join(README.split())
    for phrase in (
        f"{data['audit']['in_training']['PrivateTest']} PrivateTest faces also stand in Training byte for byte; {near} "
        f"({100 * near / data['kept']['PrivateTest']:.1f} %)",
        f"right on {percent(leaks['exact_copies']['accuracy'])} of the exact copies, "
        f"{percent(leaks['near_duplicates']['accuracy'])} of the other near-duplicates and "
        f"{percent(leaks['clean']['accuracy'])} of the rest",
        f"for {percent(noise['agreement'])} of PrivateTest, and one voter drawn at random gives it "
        f"for {percent(noise['one_voter'])}",
        f"no network could be right on more than {percent(noise['ceiling'])}",
        f"the label of {percent(levels['4_or_fewer']['accuracy_label'])} of the faces on which at most four voters "
        f"agree on an emotion and of {percent(levels['10']['accuracy_label'])}",
        f"The teacher's is {percent(teacher['calibration']['before']['ece'])}, and "
        f"{percent(teacher['calibration']['after']['ece'])} when",
        f"({teacher['calibration']['temperature']:.2f} in the mean)",
    ):
        assert phrase in text, phrase
    best = summary["systems"]["face_inception_frozen"]["PrivateTest"]
    assert best["accuracy"] > noise["agreement"]


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`?make ([\w-]+)", README)) <= targets | {"PYTHON"}


def test_every_linked_file_exists() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        if (
            link.startswith(("plots/fer2013", "metrics/fer2013"))
            and not (ROOT / "metrics/fer2013/summary.json").exists()
        ):
            continue
        assert (ROOT / link).exists(), link


def test_every_system_of_the_readme_is_in_params() -> None:
    systems = load_params(ROOT / "params.yaml").every_system
    blocks = re.findall(r"<!-- results:\w+:begin -->(.*?)<!-- results:\w+:end -->", README, flags=re.DOTALL)
    names = {name for block in blocks for name in re.findall(r"^\| (\w+) \|", block, flags=re.MULTILINE)}
    assert names - {"system", "people", "ensemble"} == set(systems)


def test_what_the_networks_look_at_is_what_explain_measured() -> None:
    path = ROOT / "metrics" / "fer2013" / "explain" / "cs231n.json"
    if not path.exists():
        pytest.skip("no explanation of the real faces is committed yet")
    found = json.loads(path.read_text())
    deletion = {name: f"{100 * of['deletion']['mean']:.1f} %" for name, of in found["faithfulness"].items()}
    anger, happy, apart = (found["upper_half"]["saliency"][name] for name in ("anger", "happy", "anger_minus_happy"))
    phrases = (
        f"first {anger['faces']} PrivateTest faces",
        f"{deletion['occlusion']} for occlusion, {deletion['saliency']} for saliency",
        f"{deletion['grad_cam']} for Grad-CAM",
        f"{deletion['random_pixels']} for random pixels and {deletion['random_blots']} for smooth",
        f"{100 * anger['mean']:.1f} % lies in the upper half for anger (95 % interval {100 * anger['low']:.1f} to "
        f"{100 * anger['high']:.1f})",
        f"{100 - 100 * happy['mean']:.1f} % in the lower half for happiness ({100 - 100 * happy['high']:.1f} to "
        f"{100 - 100 * happy['low']:.1f})",
        f"{100 * apart['mean']:.1f} points, {100 * apart['low']:.1f} to {100 * apart['high']:.1f}",
    )
    for phrase in phrases:
        assert phrase in " ".join(README.split()), phrase


def test_the_eight_bit_figures_are_what_export_measured() -> None:
    found = json.loads((ROOT / "metrics" / "fer2013" / "export" / "cs231n_student.json").read_text())
    public, private = (
        {name: f"{100 * found[name][split]['accuracy']:.1f} %" for name in ("int8", "float")}
        for split in ("PublicTest", "PrivateTest")
    )
    kilobytes = {name: f"{found[name]['bytes'] / 1e3:,.0f} kB" for name in ("int8", "float")}
    text = (
        f"has {public['int8']} of PublicTest and {private['int8']} of PrivateTest, in float {public['float']} and "
        f"{private['float']}, and {kilobytes['int8']} instead of {kilobytes['float']}"
    )
    assert text in " ".join(README.split())
    assert found["int8"]["PublicTest"]["accuracy"] > found["float"]["PublicTest"]["accuracy"] - 0.005


def test_the_figures_of_speed_are_what_the_benchmarks_measured() -> None:
    names = ("training", "peak", "time_to_accuracy", "ingest", "seeds", "compiled")
    training, peak, accuracy, ingest, seeds, compiled = (benchmark("cpu", name) for name in names)
    teacher, _, resnet18 = training["rows"]
    without = benchmark("cpu_float32", "training")["rows"][0]
    last = accuracy["history"][-1]
    assert last["accuracy"] >= 0.607
    phrases = (
        f"on {teacher['variants']['ours']['per_second']:.0f} images a second, {peak_share(peak['rows'][0])} of what",
        f"{teacher['ratios']['tutorial']:.1f} times a tutorial's loop",
        f"ResNet-18 trains {resnet18['ratios']['tutorial']:.1f} times as fast as in that loop, "
        f"at {peak_share(peak['rows'][2])} of the matrix product",
        f"to 60.7 % of PublicTest in {last['seconds']:.0f} s",
        f"Without bfloat16 the teacher gains a factor of {without['ratios']['tutorial']:.1f}",
        f"Ingest takes {ingest['ratios']['pictures']:.1f} times less time",
        f"Two seeds side by side train {seeds['ratio']:.2f} times as fast",
        f"torch.compile, at {compiled['rows'][0]['ratios']['default']:.2f} times the speed for the teacher",
    )
    for phrase in phrases:
        assert phrase in " ".join(README.split()), phrase


def benchmark(kind: str, name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / kind / f"{name}.json").read_text())["result"]
    return result


def peak_share(row: dict[str, list[float]]) -> str:
    return f"{100 * median(a / b for a, b in zip(row['gflops'], row['peak_gflops'], strict=True)):.0f} %"


def test_the_search_in_the_readme_is_the_committed_one() -> None:
    folder = ROOT / "plots" / "fer2013" / "search"
    with (folder / "ablation_random.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    pruned = sum(trial["state"] == "pruned" for trial in trials)
    best = max(float(trial["accuracy"]) for trial in trials if trial["state"] == "complete")
    base = json.loads((ROOT / "metrics" / "fer2013" / "ablation.json").read_text())["variants"]["base"]["PublicTest"]
    text = " ".join(README.split())
    assert (
        f"{len(trials)} trials at random, {pruned} of them ended early, the best with {100 * best:.1f} % of PublicTest"
        in text
    )
    assert f"params.yaml's own values stand at {100 * base['accuracy']:.1f} %" in text
