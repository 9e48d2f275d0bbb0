"""Files appear whole or not at all, with the same bytes for the same content."""

import hashlib
import json
import threading
from pathlib import Path

import pytest

from fer.files import atomic_write, file_lock, rounded, sha256_of, write_csv, write_json, write_text


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="cut"), atomic_write(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("cut")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "new")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "new"


def test_a_csv_quotes_what_it_must(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ("name", "faces"), [("a,b", 1), ("é", 2)])
    assert (tmp_path / "a.csv").read_bytes() == 'name,faces\n"a,b",1\né,2\n'.encode()


def test_json_is_sorted_rounded_and_ends_its_line(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 0.1 + 0.2, "a": [1 / 3, {"c": (2.0,)}], "n": None, "i": 7, "t": True})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"a": [0.333333, {"c": [2.0]}], "b": 0.3, "i": 7, "n": None, "t": True}
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_json_holds_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_rounding_leaves_whole_numbers_alone() -> None:
    assert rounded({"a": 12345678901234567}) == {"a": 12345678901234567}
    assert rounded(0.12345678) == 0.123457


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with file_lock(tmp_path / "locks" / "a"):
            order.append("second")

    thread = threading.Thread(target=second)
    with file_lock(tmp_path / "locks" / "a"):
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
