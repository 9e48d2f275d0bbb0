"""The page stands alone, escapes what it shows, is the same bytes twice, and reads well in a browser."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from selenium import webdriver
from selenium.webdriver.common.by import By

from fer.data.store import Faces, create_store
from fer.emotions import EMOTION_NAMES, Split
from fer.evaluation.crowd import LEVELS
from fer.evaluation.galleries import write_galleries
from fer.evaluation.leaks import GROUPS, NEAR
from fer.evaluation.metrics import TEST_SETS
from fer.evaluation.plots_data import EpochScore, write_class_counts, write_confusion, write_csv, write_curve
from fer.evaluation.predictions import Predictions, write_predictions
from fer.files import write_json
from fer.html_report import page as page_module
from fer.html_report import svg
from fer.html_report.material import Material, Section
from fer.html_report.page import write_report
from fer.interpretability import figures
from fer.interpretability.explain import Explained, write_maps
from fer.interpretability.methods import METHODS
from tests.app.browser import open_browser

INJECTED = "a<script>alert(1)<"  # a name, and a folder's
SHARE = {"mean": 0.6, "low": 0.5, "high": 0.7, "faces": 7}
BOTH = {"deletion": SHARE, "insertion": SHARE}


def entry(accuracy: float) -> dict[str, Any]:
    scores: dict[str, Any] = {"accuracy": accuracy, "accuracy_low": accuracy - 0.05, "accuracy_high": accuracy + 0.05}
    scores |= {"accuracy_std": None, "macro_f1": 0.5, "macro_f1_std": None}
    errors = {"ece": 0.1}
    levels = {key: {"accuracy_label": accuracy, "agreement": accuracy, "faces": 2} for key in LEVELS}
    groups = dict.fromkeys(GROUPS, scores | {"faces": 3}) | {NEAR: dict.fromkeys(scores) | {"faces": 0}}
    return {
        "crowd": {"by_votes": levels}, "leaks": groups,
        "seeds": 1, "starts_from": "random", "parameters": 5, "flops": 10, "device": "cpu", "verdict": "reached",
        "reported": {"report": "000", "accuracy": 0.61, "split": "PublicTest"},
        "calibration": {"before": errors, "after": errors, "temperature": 1.5},
    } | {test_set: scores | {"faces": 14} for test_set in TEST_SETS}  # fmt: skip


def variant(accuracy: float) -> dict[str, Any]:
    scores = entry(accuracy)["PrivateTest"] | {"difference": accuracy - 0.6, "seeds": 3}
    scores |= {"difference_low": accuracy - 0.61, "difference_high": accuracy - 0.59}
    facts = {"model": "m", "parameters": 5, "training_faces": 28, "recipe": {"epochs": 2}}
    return facts | dict.fromkeys(TEST_SETS, scores)


def write_numbers(root: Path) -> None:
    metrics, plots = root / "metrics" / "toy", root / "plots" / "toy"
    systems = {INJECTED: entry(0.6), "student": entry(0.7), "absent": {"seeds": 0}}
    crowd = {"agreement": 0.6, "ceiling": 0.8, "by_votes": {key: {"agreement": 0.5} for key in LEVELS}}
    noise = dict.fromkeys((Split.public_test, Split.private_test), crowd)
    write_json(metrics / "summary.json", {"systems": systems, "pairs": {}, "class_weights": {}, "label_noise": noise})
    counts = {split: dict.fromkeys(EMOTION_NAMES, 2) for split in Split}
    found = {"duplicate_groups": 1, "conflicting_groups": 0, "in_training": {"PrivateTest": 1, "PublicTest": 0}}
    audit = {"rows": 40, "kept": dict.fromkeys(Split, 14), "rejected": {"constant_image": 2}, "class_counts": counts}
    write_json(metrics / "data.json", audit | {"audit_before_cleaning": found, "source_sha256": "0" * 64})
    upper = dict.fromkeys(EMOTION_NAMES, SHARE)
    scores = dict.fromkeys(figures.LINES, BOTH)
    explained = {"faces": 7, "seed": 0, "faithfulness": scores, "upper_half": {"saliency": upper, "grad_cam": upper}}
    write_json(metrics / "ablation.json", {"variants": {"base": variant(0.6), "flip": variant(0.65)}})
    write_json(metrics / "explain" / "student.json", explained)
    for name in (INJECTED, "student"):
        history = [EpochScore(0, epoch, split, 1.0, 0.5) for epoch in (1, 2) for split in ("train", "validation")]
        write_curve(plots / name / "loss.csv", history, "loss")
        write_curve(plots / name / "accuracy.csv", history, "accuracy")
        write_confusion(plots / name / "confusion.csv", np.arange(49).reshape(7, 7))
        bins = [("as trained", 1, 0.5, 0.4, 3), ("temperature scaled", 1, 0.4, 0.4, 3)]
        write_csv(plots / name / "reliability.csv", ("scaling", "bin", "confidence", "accuracy", "faces"), bins)
        provenance = {
            "seed": 0,
            "best_epoch": 2,
            "precision": "float32",
            "model": "m",
            "distil": None,
            "recipe": {"l2": 0},
        }
        write_json(metrics / name / "0.json", {"provenance": provenance})
    write_class_counts(plots / "classes.csv", {split: np.arange(7, dtype=np.uint8) for split in Split})
    for kind in ("deletion", "insertion"):
        points = [(name, x, 0.5) for name in figures.LINES for x in (0.0, 1.0)]
        write_csv(plots / "explain" / "student" / f"{kind}.csv", ("method", "pixels", "probability"), points)


def write_faces(root: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (14, 48, 48)).astype(np.uint8)
    labels, none = (np.arange(14) % 7).astype(np.uint8), np.zeros(14, np.bool_)
    rows = np.arange(14)
    with create_store(root / "data" / "normalised" / "toy.h5", source_sha256="0") as writer:
        for split in Split:
            writer.append(split, Faces(images, labels, rows, none, none))
    answers = Predictions(rng.normal(size=(14, 7)).astype(np.float32), labels, rows, none, none)
    both = {Split.public_test: answers, Split.private_test: answers}
    write_predictions(root / "data" / "predictions" / "toy" / "student" / "0.safetensors", both, {})
    folder = root / "data" / "explained" / "toy" / "student"
    write_galleries(answers, images, folder, size=4, system="student")
    maps = {name: rng.uniform(0, 1, (7, 48, 48)).astype(np.float32) for name in METHODS}
    shown = Explained(images[:7], labels[:7], rows[:7], answers.probabilities[:7].astype(np.float32), maps)
    write_maps(folder / "maps.safetensors", shown)
    figures.mean_maps(shown, root / "plots" / "toy" / "explain" / "student" / "pictures" / "mean_maps.png")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    root = tmp_path_factory.mktemp("project")
    write_numbers(root)
    write_faces(root)
    return Material.of("toy", "toy", root)


@pytest.fixture(scope="module")
def page(material: Material) -> Path:
    path = material.metrics.parent.parent / "report.html"
    write_report(material, path)
    return path


def test_every_section_is_there_and_the_bytes_are_the_same(material: Material, page: Path, tmp_path: Path) -> None:
    write_report(material, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    text = page.read_text()
    for name in (
        "results",
        "copies",
        "noise",
        "maps",
        "faces",
        "galleries",
        "confusion",
        "curves",
        "calibration",
        "data",
        "origin",
    ):
        assert f'<section id="{name}">' in text


def test_it_stands_alone_and_escapes_names(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text
    assert "a&lt;script&gt;alert(1)&lt;" in text
    assert text.count("src=") == text.count('src="data:image/png;base64,')
    assert "http" not in text
    assert "@import" not in text


def test_a_figure_is_one_function(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def more(of: Material) -> Section:
        return Section("more", "One more figure", Markup("<p>{}</p>").format(f"{of.numbers} & more"))

    monkeypatch.setattr(page_module, "SECTIONS", [*page_module.SECTIONS, more])
    write_report(material, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert '<section id="more">\n<h2>One more figure</h2>\n<p>toy &amp; more</p>' in text
    assert '<a href="#more">' in text


def test_the_ablations_mark_is_no_printed_number(page: Path) -> None:
    section = page.read_text().split('<section id="ablation">')[1].split("</section>")[0]
    assert "<title>base: 60 %</title>" in section
    assert "printed in the report" not in section


def test_a_cell_tells_its_faces() -> None:
    counts = [[0] * 7 for _ in range(7)]
    counts[0][4], counts[0][0] = 3, 1
    assert "anger named sad: 3 of 4 faces, 75.0 %" in svg.matrix("a", counts)


def test_what_was_not_measured_is_left_out(material: Material, tmp_path: Path) -> None:
    summary = json.loads((material.metrics / "summary.json").read_text())
    for name in (INJECTED, "student"):
        for measured in ("calibration", "leaks", "crowd"):
            del summary["systems"][name][measured]
    summary["label_noise"] = None
    bare = Material.of("toy", "none", material.metrics.parent.parent)
    bare.__dict__["summary"] = summary
    write_report(bare, tmp_path / "bare.html")
    text = (tmp_path / "bare.html").read_text()
    assert all(f'id="{name}"' not in text for name in ("calibration", "copies", "noise", "faces", "galleries"))
    assert 'id="results"' in text


@pytest.fixture(scope="module")
def browser() -> Any:
    driver = open_browser()
    yield driver
    driver.quit()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_it_reads_well_in_a_browser(browser: webdriver.Chrome, page: Path, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    browser.get(page.as_uri())
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [line for line in log if line["level"] in {"SEVERE", "WARNING"}] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 384) == (scheme == "light")
    pictures = browser.find_elements(By.TAG_NAME, "img")
    assert len(pictures) > 20
    loaded = (
        "const all = [...document.images]; all.forEach(one => one.loading = 'eager');"
        "return Promise.all(all.map(one => one.decode().then(() => one.naturalWidth > 0)))"
    )
    assert all(browser.execute_script(loaded))
