"""The page stands alone, escapes what it shows, and reads well in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from fer.report.html import explanations
from fer.report.html import page as page_module
from fer.report.html.elements import Section, html
from fer.report.material import Material
from tests.report.conftest import report

SECTIONS = [
    "results",
    "maps",
    "confusion",
    "curves",
    "calibration",
    "duplicates",
    "noise",
    "ablation",
    "data",
    "origin",
]


@pytest.fixture(scope="module")
def text(docs: Path) -> str:
    return (docs / "report.html").read_text()


def test_every_section_is_there(text: str) -> None:
    assert [name for name in SECTIONS if f'<section id="{name}">' not in text] == []
    assert "3 systems, 3 trainings" in text


def test_it_stands_alone_and_escapes_names(text: str) -> None:
    assert "<script" not in text
    assert "a&lt;script&gt;alert(1)&lt;" in text
    assert text.count("src=") == text.count('src="data:image/png;base64,') == 21  # mean maps: no face
    assert "http" not in text
    assert "@import" not in text


def test_a_figure_is_one_function(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def more(of: Material) -> Section:
        return Section("more", "One more figure", Markup("<p>{}</p>").format(f"{of.dataset} & more"))

    monkeypatch.setattr(page_module, "SECTIONS", [*page_module.SECTIONS, more])
    report(folder, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert '<section id="more">\n<h2>One more figure</h2>\n<p>FER2013 &amp; more</p>' in text
    assert '<a href="#more">' in text


def test_the_ablations_mark_is_no_printed_number(text: str) -> None:
    section = text.split('<section id="ablation">')[1].split("</section>", maxsplit=1)[0]
    assert "<title>cs231n: 81 %</title>" in section
    assert "printed in the report" not in section


def test_a_cell_tells_its_faces() -> None:
    counts = [[0] * 7 for _ in range(7)]
    counts[0][4], counts[0][0] = 3, 1
    assert "anger named sad: 3 of 4 faces, 75.0 %" in html.matrix("a", counts)


@pytest.mark.parametrize(
    ("emotion", "half", "words"),
    [
        ("anger", "upper", "70.0 % of the map lies in the upper half"),
        ("happy", "lower", "30.0 % of the map lies in the lower half"),
    ],
)
def test_a_claim_names_its_half(emotion: str, half: str, words: str) -> None:
    found: dict[str, Any] = {"mean": 0.7, "low": 0.6, "high": 0.8, "faces": 9}
    text = explanations.claim(emotion, half, found)
    assert words in text
    assert text.endswith("as report 000 says" if emotion == "anger" else "against report 000")
    assert explanations.claim(emotion, half, found | {"low": 0.4}).endswith("not shown either way")
    assert explanations.claim(emotion, half, None).endswith("no face to measure on")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from tests.app.browser import open_browser  # noqa: PLC0415 - skips the test, with the reason, without Chromium

    driver = open_browser()
    yield driver
    driver.quit()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_it_reads_well_in_a_browser(browser: Any, docs: Path, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    browser.get((docs / "report.html").as_uri())
    assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 384) == (scheme == "light")
    loaded = (
        "const all = [...document.images]; all.forEach(one => one.loading = 'eager');"
        "return Promise.all(all.map(one => one.decode().then(() => one.naturalWidth > 0)))"
    )
    assert browser.execute_script(loaded) == [True] * 21
