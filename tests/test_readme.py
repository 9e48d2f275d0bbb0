"""The README says what the files say: its tables are metrics/, its numbers the audit's, its commands exist."""

import json
import re
from pathlib import Path

import pytest

from fer.evaluation.ablation import ablation_block
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
    measured = json.loads(path.read_text())
    figures = f"{100 * measured['PrivateTest']['accuracy']:.1f} % of PrivateTest"
    assert figures in " ".join(README.split())


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
