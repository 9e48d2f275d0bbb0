"""`python -m fer app`: the real page in headless Chromium, and what it shows without a browser."""

import io
import json
import os
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fer.app import page as page_module
from fer.app.emoji import draw_emoji
from fer.app.faces import load_detector
from fer.app.page import Looker, build_page, from_data_uri, serve
from fer.app.recogniser import load_recogniser
from fer.code import ROOT
from fer.emotions import EMOJI, EMOTION_NAMES, Emotion
from fer.errors import UserError
from tests.app.browser import open_browser
from tests.app.drawn import drawn_photo, save
from tests.app.test_photos import bomb

PATIENCE = 60  # seconds; a busy machine takes many


@pytest.fixture(scope="module")
def look() -> Looker:
    os.chdir(ROOT)
    recogniser = load_recogniser("cs231n_student", datasets=("fer2013",), device="cpu")
    return Looker(recogniser, load_detector(None))


@pytest.fixture(scope="module")
def address(look: Looker) -> Iterator[str]:
    page = build_page(look.recogniser, look.detector)
    yield serve(page, host="127.0.0.1", port=free_port())
    page.close()


@pytest.fixture
def browser(address: str) -> Iterator[webdriver.Chrome]:
    chrome = open_browser()
    chrome.get(address)
    wait(chrome, "#photo input[type=file]")
    yield chrome
    chrome.quit()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(chrome: webdriver.Chrome, selector: str, count: int = 1) -> list[str]:
    """The outer HTML of the elements, once there are so many."""

    def found(chrome: webdriver.Chrome) -> list[str]:
        elements = chrome.find_elements(By.CSS_SELECTOR, selector)
        return [element.get_attribute("outerHTML") or "" for element in elements] if len(elements) >= count else []

    html: list[str] = WebDriverWait(chrome, PATIENCE, ignored_exceptions=(Exception,)).until(found)
    return html


def wait_for_text(chrome: webdriver.Chrome, text: str) -> None:
    WebDriverWait(chrome, PATIENCE).until(lambda chrome: text in chrome.find_element(By.TAG_NAME, "body").text)


def upload(chrome: webdriver.Chrome, path: str) -> None:
    chrome.find_element(By.CSS_SELECTOR, "#photo input[type=file]").send_keys(path)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def crop_of(card: str) -> str:
    return str(re.findall(r'class="crop"[^>]* src="([^"]+)"', card)[0])


def test_upload_shows_an_emoji_and_seven_bars_and_asks_nobody_else(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    upload(browser, save(tmp_path / "face.png", drawn_photo()))
    (card,) = wait(browser, ".face")
    emotion = str(re.findall(r'data-emotion="(\w+)"', card)[0])
    assert EMOJI[Emotion[emotion]] in card
    shares = [float(share) for share in re.findall(r'aria-valuenow="([\d.]+)"', card)]
    assert len(shares) == 7
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert max(shares) == shares[EMOTION_NAMES.index(emotion)]
    assert elsewhere(browser, address) == set()


def elsewhere(chrome: webdriver.Chrome, address: str) -> set[str]:
    """What the page asked for that is neither its own server's nor inside the page."""
    entries = chrome.get_log("performance")  # type: ignore[no-untyped-call]
    messages = [json.loads(entry["message"])["message"] for entry in entries]
    asked = {message["params"].get("request", {}).get("url", "") for message in messages}
    assert any(url.startswith(address) for url in asked)
    return {url for url in asked if url and not url.startswith((address, "data:", "blob:", "chrome:", "about:"))}


@pytest.mark.full
def test_the_switch_lays_the_map_over_the_face_and_takes_it_off(browser: webdriver.Chrome, tmp_path: Path) -> None:
    upload(browser, save(tmp_path / "face.png", drawn_photo()))
    plain = crop_of(wait(browser, ".face")[0])
    for expected in (False, True):
        browser.find_element(By.CSS_SELECTOR, "#saliency input").click()
        wait_for_crop(browser, plain, same=expected)


def wait_for_crop(chrome: webdriver.Chrome, plain: str, *, same: bool) -> None:
    WebDriverWait(chrome, PATIENCE).until(lambda chrome: (crop_of(wait(chrome, ".face")[0]) == plain) is same)


@pytest.mark.full
def test_a_bad_file_and_a_photo_without_a_face_are_answered(browser: webdriver.Chrome, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    upload(browser, str(tmp_path / "bad.png"))
    wait_for_text(browser, "This file cannot be shown")
    browser.refresh()
    wait(browser, "#photo input[type=file]")
    upload(browser, save(tmp_path / "none.png", np.full((200, 200, 3), 90, np.uint8)))
    wait_for_text(browser, "No face found")


@pytest.mark.full
def test_too_large_a_file_is_refused(browser: webdriver.Chrome, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(page_module.LARGEST_BYTES + 1))
    upload(browser, str(tmp_path / "large.png"))
    wait_for_text(browser, "exceed")
    assert not browser.find_elements(By.CSS_SELECTOR, ".face")


@pytest.mark.full
def test_a_drawn_face_that_is_clicked_is_looked_at(browser: webdriver.Chrome) -> None:
    wait(browser, "#examples button.thumbnail-item", 7)
    browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item")[Emotion.happy].click()
    assert len(wait(browser, ".face .track", 7)) == 7


@pytest.mark.full
def test_the_camera_is_looked_at_live(browser: webdriver.Chrome) -> None:
    """Chromium's fake camera shows a green screen with a clock: there is no face, and the page says so."""
    browser.find_elements(By.CSS_SELECTOR, "button[role=tab]")[1].click()
    for label in ("Click to Access Webcam", "Record"):
        press(browser, label)
    wait_for_text(browser, "No face found")


def press(chrome: webdriver.Chrome, label: str) -> None:
    """Clicks the camera's button with this text, once it is there."""

    def pressed(chrome: webdriver.Chrome) -> bool:
        for button in chrome.find_elements(By.CSS_SELECTOR, "#camera button"):
            if label in f"{button.text} {button.get_attribute('title')}" and button.is_displayed():
                button.click()
                return True
        return False

    WebDriverWait(chrome, PATIENCE, ignored_exceptions=(Exception,)).until(pressed)


@pytest.mark.full
def test_a_phone_has_no_sideways_scrolling(address: str, tmp_path: Path) -> None:
    chrome = open_browser()
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    chrome.get(address)
    wait(chrome, "#photo input[type=file]")
    upload(chrome, save(tmp_path / "face.png", drawn_photo()))
    wait(chrome, ".face")
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 390
    chrome.quit()


def test_what_is_said_of_bytes(look: Looker) -> None:
    assert "Nothing here yet" in look(None, False)
    assert "No face found" in look(png(np.full((200, 200, 3), 90, np.uint8)), False)
    assert "the file is empty" in look(b"", False)
    assert "no picture" in look(b"<script>alert(1)</script>", False)
    assert "refused" in look(bomb(30_000), False)
    assert "more than 20 MB" in look(bytes(page_module.LARGEST_BYTES + 1), False)


def test_many_faces_are_cut_off_at_twelve(look: Looker) -> None:
    answer = look(png(np.concatenate([drawn_photo(0, 1, 2, 4)] * 4)), False)
    assert answer.count("<article") == page_module.SHOWN
    assert re.search(r"and \d smaller faces", answer)


def test_the_map_is_over_the_face_and_nothing_else_changes(look: Looker) -> None:
    plain, mapped = look(png(drawn_photo()), False), look(png(drawn_photo()), True)
    assert crop_of(plain) != crop_of(mapped)
    assert plain.replace(crop_of(plain), "") == mapped.replace(crop_of(mapped), "")


def test_the_cameras_pictures() -> None:
    assert from_data_uri("data:image/png;base64,aGk=") == b"hi"
    assert from_data_uri("data:image/png;base64,???") == b""


def test_emoji_are_seven_different_pictures() -> None:
    assert len({draw_emoji(emotion, 64).tobytes() for emotion in Emotion}) == 7


def test_the_page_names_no_other_host(address: str) -> None:
    """Fonts and scripts are the server's own; gradio's analytics are off."""
    text = urllib.request.urlopen(address).read().decode()
    assert not re.findall(r'<(?:script|link)[^>]+(?:src|href)="(?:https?:)?//', text)
    assert '"analytics_enabled":false' in text.replace(" ", "")


def test_a_port_that_is_taken(look: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "draw_examples", lambda *_: [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="--port"):
            serve(build_page(look.recogniser, look.detector), host="127.0.0.1", port=taken.getsockname()[1])
