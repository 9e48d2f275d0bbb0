"""Downloads, without a network: what is asked of kagglehub, what becomes of its answers, and FER+ from a file's URL."""

import sys
from http.client import IncompleteRead
from pathlib import Path
from unittest.mock import MagicMock

import kagglehub
import pytest

from fer.data.download import (
    COMPETITION_FILE,
    PUBLIC_COPY_FILE,
    DownloadError,
    download_fer2013,
    download_ferplus,
)
from fer.ferplus import HEADER, VotesError

Answers = dict[str, Path | Exception]


class TestKaggle:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Answers:
        """What each of kagglehub's functions gives: a path, or an exception to raise."""
        answers: Answers = {name: tmp_path / "cache" / name for name in (COMPETITION_FILE, PUBLIC_COPY_FILE)}
        (tmp_path / "cache").mkdir()
        for name in answers:
            (tmp_path / "cache" / name).write_text(name)

        def answer(_handle: str, path: str) -> str:
            found = answers[path]
            if isinstance(found, Exception):
                raise found
            return str(found)

        monkeypatch.setattr(kagglehub, "competition_download", answer)
        monkeypatch.setattr(kagglehub, "dataset_download", answer)
        return answers

    def test_with_an_account_gives_the_competitions_file(self, asked: Answers, tmp_path: Path) -> None:
        asked[PUBLIC_COPY_FILE] = RuntimeError("not needed")
        place = download_fer2013(tmp_path / "source")
        assert place == tmp_path / "source" / COMPETITION_FILE
        assert place.read_text() == COMPETITION_FILE
        assert not place.is_symlink()
        assert place.stat().st_nlink == 1

    def test_without_an_account_gives_a_public_copy(self, asked: Answers, tmp_path: Path) -> None:
        asked[COMPETITION_FILE] = kagglehub.exceptions.UnauthenticatedError()
        assert download_fer2013(tmp_path / "source").read_text() == PUBLIC_COPY_FILE

    def test_without_a_network_says_what_to_do(self, asked: Answers, tmp_path: Path) -> None:
        asked[COMPETITION_FILE] = kagglehub.exceptions.UnauthenticatedError()
        asked[PUBLIC_COPY_FILE] = ConnectionError("no route to host\nand a long trace")
        with pytest.raises(DownloadError) as caught:
            download_fer2013(tmp_path / "source")
        assert len(str(caught.value).splitlines()) == 3
        for said in ("no route to host", "https://www.kaggle.com/c/", "make fer2013 CSV=path"):
            assert said in str(caught.value)
        assert not (tmp_path / "source").exists()

    @pytest.mark.usefixtures("asked")
    def test_a_file_of_the_user_stays(self, tmp_path: Path) -> None:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / COMPETITION_FILE).write_text("mine")
        with pytest.raises(DownloadError, match="there already"):
            download_fer2013(tmp_path / "source")
        assert (tmp_path / "source" / COMPETITION_FILE).read_text() == "mine"

    def test_without_kagglehub_says_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "kagglehub", None)
        with pytest.raises(DownloadError, match="make fer2013 CSV=path"):
            download_fer2013(tmp_path)


class TestFerplus:
    def test_is_written_as_it_is(self, tmp_path: Path) -> None:
        source = tmp_path / "there.csv"
        source.write_text(",".join(HEADER) + "\nTraining,,1,0,0,0,0,0,0,0,0,9\n")
        place = download_ferplus(tmp_path / "source", url=source.as_uri())
        assert place.name == "fer2013new.csv"
        assert place.read_bytes() == source.read_bytes()

    @pytest.mark.parametrize("content", ["<html>", ",".join(HEADER) + "\n"])
    def test_of_something_else_is_refused(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "there.csv").write_text(content)
        with pytest.raises(VotesError, match="votes"):
            download_ferplus(tmp_path / "source", url=(tmp_path / "there.csv").as_uri())
        assert list((tmp_path / "source").iterdir()) == []

    def test_of_the_user_stays(self, tmp_path: Path) -> None:
        (tmp_path / "fer2013new.csv").write_text("mine")
        with pytest.raises(DownloadError, match="there already"):
            download_ferplus(tmp_path, url="http://127.0.0.1:9/fer2013new.csv")
        assert (tmp_path / "fer2013new.csv").read_text() == "mine"

    def test_that_breaks_off_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        answer = MagicMock()
        answer.__enter__.return_value.read.side_effect = IncompleteRead(b"Usage", 10)
        monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: answer)
        with pytest.raises(DownloadError, match="https://x/y: IncompleteRead"):
            download_ferplus(tmp_path, url="https://x/y")
        assert list(tmp_path.iterdir()) == []

    def test_without_a_network_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(DownloadError, match="get the file by hand"):
            download_ferplus(tmp_path, url=(tmp_path / "none.csv").as_uri())
