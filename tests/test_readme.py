"""The README and the docs say what the files say: their numbers are metrics/, their links and commands exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer.cli.main import main
from fer.config.params import load_params

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FLAT = " ".join(README.split())
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {"results.md", "model_card.md"}
METRICS = ROOT / "metrics"


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((METRICS / name).read_text())
    return content


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def test_a_newcomer_finishes_it() -> None:
    assert len(README.splitlines()) <= 150
    assert len(README.encode()) <= 12_288


def rows() -> dict[str, list[str]]:
    """The table's rows by system: what it is, printed, PublicTest, PrivateTest, leak-free, seeds."""
    found = re.findall(r"^\| (\w+) \|(.*)\|$", README, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in found if name != "system"}


def test_the_table_is_the_results() -> None:
    systems = json.loads((ROOT / "docs" / "results.json").read_text())["systems"]
    trained = {name for name, entry in systems.items() if entry["seeds"]}
    table = rows()
    assert set(table) <= trained
    assert {name for name in trained if systems[name]["verdict"] != "no printed number"} <= set(table)
    assert f"These are ten of {len(trained)} rows" in FLAT
    assert len(table) == 10
    for name, (what, printed, *cells, seeds) in table.items():
        entry = systems[name]
        assert int(seeds) == entry["seeds"], name
        report = entry.get("reported") or {}
        shown = f"{100 * report['accuracy']:g} ({report['split'].removesuffix('Test').lower()})" if report else "–"
        assert printed == shown, name
        for parameters in re.findall(r"([\d.]+) M", what):
            assert float(parameters) == pytest.approx(entry["parameters"] / 1e6, rel=0.03), name
        for cell, split in zip(cells, ("PublicTest", "PrivateTest", "PrivateTest_leak_free"), strict=True):
            std = entry[split]["accuracy_std"]
            expected = percent(entry[split]["accuracy"])
            assert cell == expected + (f" ± {percent(std)}" if std is not None else ""), (name, split)


def test_the_headline_metrics_are_the_means_of_the_seeds() -> None:
    for system in load_params(ROOT / "params.yaml").run.systems:
        seeds = [json.loads(path.read_text()) for path in sorted((METRICS / system).glob("*.json"))]
        assert seeds
        for split in ("PublicTest", "PrivateTest"):
            mean = sum(seed[split]["accuracy"] for seed in seeds) / len(seeds)
            assert read(f"{system}.json")[split] == pytest.approx(mean, abs=1e-4)


def test_the_findings_are_the_metrics() -> None:
    systems = json.loads((ROOT / "docs" / "results.json").read_text())["systems"]
    leaks = systems["cs231n"]["leaks"]
    noise = read("agreement.json")["labels"]["PrivateTest"]
    data = read("data.json")
    near = data["near_duplicates"]["PrivateTest"]["faces"]
    highest = [systems[name] for name in ("flagship", "face_inception", "ensemble")]
    for phrase in (
        f"cs231n has {percent(read('cs231n.json')['PublicTest'])} % of PublicTest",
        f"le_deep {percent(read('le_deep.json')['PublicTest'])} (report 001: 65.55)",
        f"vgg16_finetuned {percent(read('vgg16_finetuned.json')['PublicTest'])} (Lausanne: 64)",
        f"{percent(read('tuwani.json')['PrivateTest'])} % of PrivateTest",
        "(flagship) has {} % of PrivateTest, a face network fine-tuned (face_inception) {}, the ensemble {};".format(
            *(percent(of["PrivateTest"]["accuracy"]) for of in highest)
        ),
        "leak-free they have {}, {} and {}.".format(
            *(percent(of["PrivateTest_leak_free"]["accuracy"]) for of in highest)
        ),
        f"{data['audit']['in_training']['PrivateTest']} PrivateTest faces",
        f"{near} ({percent(near / data['kept']['PrivateTest'])} %)",
        f"{percent(leaks['exact_copies']['accuracy'])} % of the exact copies",
        f"{percent(leaks['clean']['accuracy'])} % of the faces",
        f"{percent(noise['agreement'])} % of PrivateTest",
        f"{percent(noise['ceiling'])} %",
    ):
        assert phrase in FLAT, phrase


def test_the_pretrained_systems_are_counted() -> None:
    assert len(load_params(ROOT / "params.yaml").run.transfer) == 8
    assert "Eight systems start from pretrained weights" in FLAT


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for path in DOCS:
        named = set(re.findall(r"(?:^ {4}|`)make ([a-z][\w-]*)", path.read_text(), flags=re.MULTILINE))
        assert named <= targets, path.name


def test_every_command_exists() -> None:
    for path in DOCS:
        named = set(re.findall(r"python -m fer ([a-z][\w-]*)", path.read_text()))
        assert named <= set(main.commands), path.name


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_linked_file_exists(path: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", [path for path in DOCS if path.name not in GENERATED], ids=lambda path: path.name)
def test_every_parameter_that_an_experiment_sets_exists(path: Path) -> None:
    params = load_params(ROOT / "demo" / "params.yaml")
    for system, option in re.findall(r"-S '?\+?systems\.(\w+)\.([\w.]+)=", path.read_text()):
        if system.isupper():  # a placeholder
            continue
        assert system in params.systems or system in load_params(ROOT / "params.yaml").systems, system
        block: Any = load_params(ROOT / "params.yaml").config("cs231n").model_dump()
        for part in option.split("."):
            assert part in block, option
            block = block[part]
