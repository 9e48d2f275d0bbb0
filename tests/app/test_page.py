"""`python -m fer app`: the real page in headless Chromium, and what it shows without a browser."""

import base64
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio.data_classes import ImageData
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fer.app import CHECKOUT
from fer.app import page as page_module
from fer.app.emoji import EMOJI, draw_emoji
from fer.app.faces import load_detector
from fer.app.page import Looker, build_page, from_data_uri, serve
from fer.app.recogniser import load_recogniser
from fer.app.surroundings import prepared_for_gradio
from fer.cli.photos import DEFAULT_MODEL
from fer.constants import EMOTION_NAMES, Emotion
from fer.errors import UserError
from tests.app.browser import open_browser
from tests.app.synthetic import save, synthetic_photo
from tests.app.test_photos import bomb

PATIENCE = 60  # seconds; a busy machine takes many


@pytest.fixture(scope="module")
def look() -> Looker:
    return Looker(load_recogniser(DEFAULT_MODEL, device="cpu"), load_detector([]))


@pytest.fixture(scope="module")
def address(look: Looker) -> Iterator[str]:
    with prepared_for_gradio():
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
    upload(browser, save(tmp_path / "face.png", synthetic_photo()))
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
    upload(browser, save(tmp_path / "face.png", synthetic_photo()))
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
def test_a_synthetic_face_that_is_clicked_is_looked_at(browser: webdriver.Chrome) -> None:
    wait(browser, "#examples button.thumbnail-item", 7)
    browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item")[Emotion.happy].click()
    assert len(wait(browser, ".face .track", 7)) == 7


@pytest.mark.full
def test_the_camera_is_looked_at_live_and_the_photos_answer_goes(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Chromium's fake camera shows a green screen with a clock: there is no face, and the page says so."""
    upload(browser, save(tmp_path / "face.png", synthetic_photo()))
    wait(browser, ".face")
    tabs = browser.find_elements(By.CSS_SELECTOR, "button[role=tab]")
    tabs[1].click()
    wait_for_text(browser, "Nothing here yet")
    for label in ("Click to Access Webcam", "Record"):
        press(browser, label)
    wait_for_text(browser, "No face found")


@pytest.mark.full
def test_back_at_the_photo_its_answer_is_there_again(browser: webdriver.Chrome, tmp_path: Path) -> None:
    upload(browser, save(tmp_path / "face.png", synthetic_photo()))
    wait(browser, ".face")
    tabs = browser.find_elements(By.CSS_SELECTOR, "button[role=tab]")
    tabs[1].click()
    wait_for_text(browser, "Nothing here yet")
    tabs[0].click()
    wait(browser, ".face")


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
    upload(chrome, save(tmp_path / "face.png", synthetic_photo()))
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
    answer = look(png(np.concatenate([synthetic_photo(0, 1, 2, 4)] * 4)), False)
    assert answer.count("<article") == page_module.SHOWN
    assert re.search(r"and \d smaller faces", answer)


def test_several_faces_have_numbers_on_the_photo_and_on_their_cards(look: Looker) -> None:
    one, two = look(png(synthetic_photo()), False), look(png(synthetic_photo(0, 1)), False)
    assert 'class="overview"' not in one
    assert 'class="number"' not in one
    assert two.count('class="overview"') == 1
    assert re.findall(r'class="number">(\d+)<', two) == ["1", "2"]
    content = base64.b64decode(re.findall(r'class="overview"[^>]* src="data:image/jpeg;base64,([^"]+)"', two)[0])
    shown = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    assert shown.shape == (320, 800, 3)
    assert (np.ptp(shown, axis=2) > 60).sum() > 500  # boxes; the photo itself is grey


def test_the_map_is_over_the_face_and_nothing_else_changes(look: Looker) -> None:
    plain, mapped = look(png(synthetic_photo()), False), look(png(synthetic_photo()), True)
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


def test_a_path_that_is_no_upload_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches the port may send any path: the same answer for a photo that is there and for none."""
    folder = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    kept = Path(save(folder / "kept.png", synthetic_photo()))
    assert page_module.content_of(ImageData(path=str(kept))) == kept.read_bytes()
    private = save(tmp_path / "private.png", synthetic_photo())
    (folder / "link.png").symlink_to(private)
    for path in (private, f"{folder}/link.png", f"{folder}/../private.png", f"{folder}/gone.png", "/dev/zero",
                 f"{folder}/{'x' * 300}", f"{folder}/a\0b"):  # fmt: skip
        with pytest.raises(gr.Error, match="no longer kept"):
            page_module.content_of(ImageData(path=path))


def ask(address: str, **body: object) -> str:
    """Return all that the server streams in answer to a call that no browser would make."""
    header = {"Content-Type": "application/json"}
    content = json.dumps({"session_hash": "s", **body}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{address}gradio_api/queue/join", content, header)).read()
    with urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash=s", timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def test_the_server_does_not_read_a_path_that_is_no_upload(address: str, tmp_path: Path) -> None:
    said = ask(address, fn_index=0, data=[{"path": save(tmp_path / "private.png", synthetic_photo())}, False])
    assert "no longer kept" in said
    assert "<article" not in said


def test_the_server_gives_its_own_example_whatever_the_click_says(address: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    config = json.loads(urllib.request.urlopen(f"{address}config").read())
    (select,) = [call["id"] for call in config["dependencies"] if call["api_name"] == "chosen"]
    event = {"index": 0, "path": "http://x", "value": {"image": {"path": str(tmp_path / "secret.txt")}}}
    said = ask(address, fn_index=select, data=[], event_data=event)
    assert "secret.txt" not in said
    assert '"process_completed"' in said
    url = str(re.findall(r'"path": ?"([^"]+)"', said)[-1])
    assert Image.open(url).size == (400, 400)
    outside = ask(address, fn_index=select, data=[], event_data=event | {"index": 99})
    assert '"success":false' in outside.replace(" ", "")


def test_a_port_that_is_taken(look: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "draw_examples", lambda *_: [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="--port"):
            serve(build_page(look.recogniser, look.detector), host="127.0.0.1", port=taken.getsockname()[1])


def test_a_host_that_is_another_machine(look: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "draw_examples", lambda *_: [])
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1 --port 7860: the page does not start: Cannot assign"):
        serve(build_page(look.recogniser, look.detector), host="192.0.2.1", port=None)


def test_whatever_launching_raises_is_one_line(look: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "draw_examples", lambda *_: [])
    page = build_page(look.recogniser, look.detector)

    def fail(**_: object) -> None:
        raise ValueError("When localhost is not accessible,\na link must be created")

    monkeypatch.setattr(page, "launch", fail)
    with pytest.raises(
        UserError, match=r"the page does not start: When localhost is not accessible, a link must be"
    ) as raised:
        serve(page, host="127.0.0.1", port=None)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_page_has_a_folder_of_its_own_and_no_proxy(end: signal.Signals, tmp_path: Path) -> None:
    """As `python -m fer app` in a folder without a pipeline, where /tmp/gradio belongs to somebody else."""
    (tmp_path / "gradio").write_text("of another user")
    proxies = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}
    command = [sys.executable, "-m", "fer", "app", "--device", "cpu", "--port", str(port := free_port())]
    command = ["env", "--default-signal=INT", *command]  # tests that a shell runs in the background ignore it
    environment = os.environ | proxies | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert running.stdout is not None
        assert f"http://127.0.0.1:{port}" in running.stdout.readline().decode()
        (folder,) = tmp_path.glob("fer-page-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert any(folder.rglob("*.webp")) or any(folder.rglob("*.png"))  # the examples
    finally:
        running.send_signal(end)
        _, errors = running.communicate(timeout=PATIENCE)
    assert b"Traceback" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gradio"]
