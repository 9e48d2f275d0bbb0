"""FER+ votes: read in FER2013's order, synthetic ones lean towards what a face shows, errors name the line."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fer.constants import Emotion
from fer.data import synthetic
from fer.data.face_drawing import ActionUnits
from fer.data.synthetic import PROTOTYPES, vote_probabilities, write_synthetic_csv
from fer.data.votes import write_votes
from fer.ferplus import CHOICES, HEADER, OF_EMOTION, VotesError, read_votes
from fer.files import sha256_of
from tests.data import planted

LINES = ["Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0", "PublicTest,,0,1,2,3,4,5,6,7,8,9"]


def file(folder: Path, *lines: str, header: str = ",".join(HEADER)) -> Path:
    path = folder / "fer2013new.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_columns_come_in_fer2013s_order(tmp_path: Path) -> None:
    read = read_votes(file(tmp_path, *LINES))
    assert read is not None
    assert read.usages.tolist() == ["Training", "PublicTest"]
    assert read.counts.tolist() == [[3, 2, 0, 0, 1, 0, 4, 0, 0, 0], [4, 5, 6, 1, 3, 2, 0, 7, 8, 9]]


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        ((), "emotion,pixels,Usage", "no FER\\+ votes; expected the header Usage,Image name,neutral"),
        ((LINES[0], "Training,,1,2"), ",".join(HEADER), "line 3: expected 12 fields"),
        (("Training,,4,0,0,1,3,2,0,0,0,-1",), ",".join(HEADER), "line 2: expected 12 fields, ten of them counts"),
    ],
)
def test_another_file_is_an_error(tmp_path: Path, lines: tuple[str, ...], header: str, message: str) -> None:
    source = file(tmp_path, *lines, header=header)
    with pytest.raises(VotesError, match=f"named.csv: {message}"):
        read_votes(source, named=Path("named.csv"))


def test_a_quotation_mark_that_stays_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VotesError, match="no FER\\+ votes \\(field larger"):
        read_votes(file(tmp_path, '"' + 20_000 * LINES[0]))


def test_the_names_of_images_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = file(tmp_path, LINES[0])
    path.write_bytes(path.read_bytes().replace(b"fer0000000", b"f\xe9"))
    assert read_votes(path) is not None


def test_utf_16_is_no_votes(tmp_path: Path) -> None:
    path = file(tmp_path, LINES[0])
    path.write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(VotesError, match="no FER\\+ votes"):
        read_votes(path)


def test_a_header_alone_is_no_votes(tmp_path: Path) -> None:
    write_votes(tmp_path / "votes.csv", [])
    assert (tmp_path / "votes.csv").read_text() == ",".join(HEADER) + "\n"
    assert read_votes(tmp_path / "votes.csv") is None


def test_synthetic_votes_are_on_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noise(_: ActionUnits, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        return rng.integers(0, 256, (48, 48)).astype(np.uint8)

    monkeypatch.setattr(synthetic, "draw_expression", noise)  # the votes come from the units, not from the pixels
    for name in ("a", "b"):
        write_synthetic_csv(tmp_path / f"{name}.csv", seed=1, faces=100, votes=tmp_path / f"{name}_votes.csv")
    write_synthetic_csv(tmp_path / "c.csv", seed=1, faces=100)
    assert (tmp_path / "a_votes.csv").read_bytes() == (tmp_path / "b_votes.csv").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "c.csv").read_bytes()
    votes = read_votes(tmp_path / "a_votes.csv")
    assert votes is not None
    rows = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    assert votes.usages.tolist() == [row[2] for row in rows]
    assert (votes.counts.sum(axis=1) == 10).all()
    blank = [len(set(row[1].split())) == 1 for row in rows]
    valid = [row[0] in {*"0123456"} and votes.counts[place, 9] < 10 for place, row in enumerate(rows)]
    faces = np.flatnonzero(valid)
    assert len(faces) > 100
    agree = [votes.counts[row].argmax() == int(rows[row][0]) for row in faces]
    assert 0.6 < np.mean(agree) < 0.98
    assert sum(blank) == planted.BLANK
    assert (votes.counts[blank, 9] == 10).all()


def test_synthetic_faces_and_votes_are_the_same_bytes_on_every_processor(tmp_path: Path) -> None:
    write_synthetic_csv(tmp_path / "faces.csv", seed=0, faces=200, votes=tmp_path / "votes.csv")
    assert sha256_of(tmp_path / "faces.csv")[:16] == "2d41680f46b139e6"
    assert sha256_of(tmp_path / "votes.csv")[:16] == "9a5077fada618818"


@pytest.mark.parametrize("emotion", list(Emotion))
def test_a_prototype_gets_most_votes_for_its_emotion(emotion: Emotion) -> None:
    probabilities = vote_probabilities(PROTOTYPES[emotion])
    assert CHOICES[probabilities.argmax()] == OF_EMOTION[emotion]
    assert probabilities.sum() == pytest.approx(1)


def test_no_face_is_no_face_and_a_still_one_is_neutral() -> None:
    assert CHOICES[vote_probabilities(None).argmax()] == "NF"
    assert CHOICES[vote_probabilities(ActionUnits()).argmax()] == "neutral"


def test_written_votes_are_read_again(tmp_path: Path) -> None:
    write_votes(tmp_path / "votes.csv", [("Training", range(10))])
    read = read_votes(tmp_path / "votes.csv")
    assert read is not None
    assert read.counts.sum() == 45
