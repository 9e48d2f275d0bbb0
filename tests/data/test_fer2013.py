"""Reading: every row is kept or rejected for a stated reason; what is no CSV ends in a short error."""

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer.constants import IMAGE_SIZE, PIXELS, Split
from fer.data.fer2013 import MAX_LINE, Chunk, Example, Fer2013Error, Rejected, read_chunks, read_labels
from fer.data.pixels import Reason, parse_batch, parse_row, without_fraction

SPLITS = tuple(Split)
HEADER = b"emotion,pixels,Usage\n"


def faces(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)


def pixel_text(image: NDArray[np.uint8]) -> bytes:
    return " ".join(map(str, image.ravel().tolist())).encode()


def csv_line(image: NDArray[np.uint8], label: int = 3, split: Split = Split.training) -> bytes:
    return b"%d,%s,%s" % (label, pixel_text(image), split.value.encode())


FACE = faces(1)[0]
PIXEL_TEXT = pixel_text(FACE)
SOUND = [csv_line(face, i % 7, SPLITS[i % 3]) for i, face in enumerate(faces(8, seed=1))]


def write(folder: Path, content: bytes) -> Path:
    path = folder / "faces.csv"
    path.write_bytes(content)
    return path


def read(path: Path, block_bytes: int = 1 << 20) -> Chunk:
    """The whole file as one chunk."""
    chunks = list(read_chunks(path, block_bytes=block_bytes))
    return Chunk(
        images=np.concatenate([chunk.images for chunk in chunks]),
        labels=np.concatenate([chunk.labels for chunk in chunks]),
        usages=np.concatenate([chunk.usages for chunk in chunks]),
        rows=np.concatenate([chunk.rows for chunk in chunks]),
        rejected=[rejected for chunk in chunks for rejected in chunk.rejected],
        constant=chunks[0].constant,
        examples=chunks[0].examples,
    )


def assert_same(left: Chunk, right: Chunk) -> None:
    for name in ("images", "labels", "usages", "rows"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    assert left.rejected == right.rejected


class TestLayouts:
    """The two files that are in circulation, and what editors make of them."""

    @pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
    @pytest.mark.parametrize("quote", [b"", b'"'])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("last", [True, False])
    @pytest.mark.parametrize(
        ("header", "row"),
        [
            (b"emotion,pixels,Usage", b"%(emotion)d,%(pixels)s,%(usage)s"),
            (b"emotion, Usage, pixels", b"%(emotion)d,%(usage)s,%(pixels)s"),
            (b"pixels , Usage,emotion", b"%(pixels)s, %(usage)s , %(emotion)d"),
            (b'"emotion","pixels","Usage"', b'"%(emotion)d",%(pixels)s,"%(usage)s"'),
            (b"Emotion,PIXELS,usage", b"%(emotion)d,%(pixels)s,%(usage)s"),
            (b",emotion,pixels,Usage", b"17,%(emotion)d,%(pixels)s,%(usage)s"),
            (b"emotion,id,pixels,Usage", b"%(emotion)d.0,a b,%(pixels)s,%(usage)s"),
            (b"emotion;pixels;Usage", b"%(emotion)d;%(pixels)s;%(usage)s"),
            (b"emotion\tUsage\tpixels", b"%(emotion)d\t%(usage)s\t%(pixels)s"),
            (b"emotion,pixels,Usage,,", b"%(emotion)d,%(pixels)s,%(usage)s,,"),
            (b"emotion,pixels,Usage", b"%(emotion)d,%(pixels)s,%(usage)s, ,"),
        ],
    )
    def test_is_read(
        self, tmp_path: Path, *, header: bytes, row: bytes, mark: bytes, quote: bytes, newline: bytes, last: bool
    ) -> None:
        images = faces(4)
        lines = [header]
        for i, image in enumerate(images):
            fields = {b"emotion": i, b"usage": SPLITS[i % 3].value.encode()}
            lines.append(row % (fields | {b"pixels": quote + pixel_text(image) + quote}))
        chunk = read(write(tmp_path, mark + newline.join(lines) + newline * last))
        assert chunk.rejected == []
        np.testing.assert_array_equal(chunk.images, images)
        assert chunk.labels.tolist() == [0, 1, 2, 3]
        assert chunk.usages.tolist() == [0, 1, 2, 0]
        assert chunk.rows.tolist() == [0, 1, 2, 3]

    def test_every_pixel_value_is_read(self, tmp_path: Path) -> None:
        image = np.resize(np.arange(256, dtype=np.uint8), (IMAGE_SIZE, IMAGE_SIZE))
        np.testing.assert_array_equal(read(write(tmp_path, HEADER + csv_line(image))).images[0], image)

    @pytest.mark.parametrize("form", [b"%d.0", b"%d.", b"%d.00"])
    def test_whole_floats_are_read(self, tmp_path: Path, form: bytes) -> None:
        text = b" ".join(form % value for value in FACE.ravel())
        chunk = read(write(tmp_path, HEADER + b"3.0," + text + b",Training"))
        np.testing.assert_array_equal(chunk.images[0], FACE)
        assert chunk.labels.tolist() == [3]

    def test_dtypes_are_those_of_the_store(self, tmp_path: Path) -> None:
        chunk = read(write(tmp_path, HEADER + SOUND[0]))
        assert [chunk.images.dtype, chunk.labels.dtype, chunk.usages.dtype, chunk.rows.dtype] == [
            np.uint8,
            np.uint8,
            np.uint8,
            np.int64,
        ]

    def test_a_header_without_rows_gives_no_rows(self, tmp_path: Path) -> None:
        assert list(read_chunks(write(tmp_path, HEADER))) == []


class TestReasons:
    """A broken row between two sound ones is rejected for its reason, and the sound ones are kept."""

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"3," + PIXEL_TEXT.rpartition(b" ")[0] + b",Training", Reason.wrong_pixel_count),
            (b"3," + PIXEL_TEXT + b" 7,Training", Reason.wrong_pixel_count),
            (b"3,,Training", Reason.wrong_pixel_count),
            (b'3,"",Training', Reason.wrong_pixel_count),
            (b"3,256" + PIXEL_TEXT[3:] + b",Training", Reason.invalid_pixel),
            (b"3,-1 " + PIXEL_TEXT + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b" 0000", 1) + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b".5 ", 1) + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b" nan ", 1) + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b";") + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b" : ", 1) + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b" / ", 1) + b",Training", Reason.invalid_pixel),
            (b'3,"' + PIXEL_TEXT + b",Training", Reason.invalid_pixel),
            (b"7," + PIXEL_TEXT + b",Training", Reason.unknown_emotion),
            (b"-1," + PIXEL_TEXT + b",Training", Reason.unknown_emotion),
            (b"3.5," + PIXEL_TEXT + b",Training", Reason.unknown_emotion),
            (b"3," + PIXEL_TEXT.replace(b" ", b".0.0 ", 1) + b",Training", Reason.invalid_pixel),
            (b"3," + PIXEL_TEXT.replace(b" ", b" .0 ", 1) + b",Training", Reason.invalid_pixel),
            (b"3,.0 " + PIXEL_TEXT + b",Training", Reason.invalid_pixel),
            (b"," + PIXEL_TEXT + b",Training", Reason.unknown_emotion),
            (b"happy," + PIXEL_TEXT + b",Training", Reason.unknown_emotion),
            (b"3," + PIXEL_TEXT + b",training", Reason.unknown_usage),
            (b"3," + PIXEL_TEXT + b",", Reason.unknown_usage),
            (b"3," + PIXEL_TEXT + b",Train", Reason.unknown_usage),
            (b"3," + PIXEL_TEXT, Reason.unreadable_row),
            (b"3," + PIXEL_TEXT + b",Training,more", Reason.unreadable_row),
            (b"3," + PIXEL_TEXT.replace(b" ", b",") + b",Training", Reason.unreadable_row),
            (b"3," + PIXEL_TEXT.replace(b" ", b" \x00", 1) + b",Training", Reason.unreadable_row),
            (b"3," + PIXEL_TEXT.replace(b" ", b"\t", 1) + b",Training", Reason.unreadable_row),
            (b"3," + PIXEL_TEXT + b",Training\x00", Reason.unreadable_row),
            (b"\xff\xfe3," + PIXEL_TEXT + b",Training", Reason.unreadable_row),
            (b"3," + PIXEL_TEXT + b" " * MAX_LINE + b",Training", Reason.unreadable_row),
            (b"\x00" * 100, Reason.unreadable_row),
            (b",,", Reason.unknown_emotion),
            (b"3," + b" ".join([b"0"] * PIXELS) + b",Training", Reason.constant_image),
            (b"3," + b" ".join([b"255"] * PIXELS) + b",PrivateTest", Reason.constant_image),
        ],
    )
    def test_is_given(self, tmp_path: Path, line: bytes, reason: Reason) -> None:
        chunk = read(write(tmp_path, HEADER + b"\n".join([SOUND[0], line, SOUND[1]])))
        assert chunk.rejected == [Rejected(1, reason)]
        assert chunk.rows.tolist() == [0, 2]
        np.testing.assert_array_equal(chunk.images, faces(8, seed=1)[:2])

    def test_of_several_the_first_of_the_enum_is_given(self, tmp_path: Path) -> None:
        lines = [b"9,x,y,z", b"9,x,y", b"3,x,y", b"3,x,Training", b"3,1,Training"]
        reasons = [rejected.reason for rejected in read(write(tmp_path, HEADER + b"\n".join(lines))).rejected]
        assert reasons == list(Reason)[:5]

    def test_an_image_but_for_one_pixel_constant_is_kept(self, tmp_path: Path) -> None:
        image = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        image[-1, -1] = 1
        assert len(read(write(tmp_path, HEADER + csv_line(image))).images) == 1

    def test_constant_images_are_handed_to_the_audit(self, tmp_path: Path) -> None:
        blank = np.full((IMAGE_SIZE, IMAGE_SIZE), 9, np.uint8)
        lines = [SOUND[0], csv_line(blank, 5, Split.private_test), b"3,1,Training", b""]
        (chunk,) = read_chunks(write(tmp_path, HEADER + b"\n".join(lines)))
        np.testing.assert_array_equal(chunk.constant.images, blank[None])
        assert (chunk.constant.labels.tolist(), chunk.constant.usages.tolist()) == ([5], [2])

    def test_spare_spaces_and_leading_zeros_are_no_reason(self, tmp_path: Path) -> None:
        texts = [b"%03d" % value for value in FACE.ravel()]
        line = b" 3 , " + b"  ".join(texts) + b"  , Training \r"
        np.testing.assert_array_equal(read(write(tmp_path, HEADER + line)).images[0], FACE)


class TestBlankLines:
    @pytest.mark.parametrize("blank", [b"", b"\r", b"   ", b" \r"])
    def test_are_no_rows_wherever_they_stand(self, tmp_path: Path, blank: bytes) -> None:
        lines = [SOUND[0], blank, SOUND[1], blank, blank]
        chunk = read(write(tmp_path, HEADER + b"\n".join(lines)))
        assert chunk.rows.tolist() == [0, 1]
        assert chunk.rejected == []


class TestOverlongLines:
    """A line of MAX_LINE bytes may be a row, a longer one never is, wherever blocks and the file end."""

    @pytest.mark.parametrize("block_bytes", [1000, MAX_LINE, 1 << 20])
    @pytest.mark.parametrize("end", [b"", b"\n", b"\n" + SOUND[1]])
    @pytest.mark.parametrize("line", [b"", SOUND[0]])
    def test_are_rejected_from_one_byte_too_many(
        self, tmp_path: Path, line: bytes, end: bytes, block_bytes: int
    ) -> None:
        longest = read(write(tmp_path, HEADER + SOUND[2] + b"\n" + line.ljust(MAX_LINE) + end), block_bytes)
        assert longest.rejected == []
        longer = read(write(tmp_path, HEADER + SOUND[2] + b"\n" + line.ljust(MAX_LINE + 1) + end), block_bytes)
        assert longer.rejected == [Rejected(1, Reason.unreadable_row)]


class TestBrokenFiles:
    """Each ends in one Fer2013Error of at most three lines that names the file."""

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "empty"),
            (b"\n", "header"),
            (b"emotion,pixels\n", "has no Usage .*train.csv and test.csv\nthe same download holds icml_face_data.csv"),
            (b"pixels\n", "has no Usage"),
            (b"1,0,1 2 3,Training\n", "no header: its first line is a row already"),
            (b'0,"[1, 2, 3]",Training\n', "no header: its first line is a row already"),
            (b"emotion,emotion,pixels\n", "has no Usage"),
            (
                b"emotion,emotion,pixels,Usage\n",
                "expected each of emotion,pixels,Usage once in its header, not emotion,",
            ),
            (b"label,pixels,Usage\n", "expected each of emotion,pixels,Usage once in its header, not label, pixels,"),
            (HEADER.replace(b"\n", b"\r") + b"0,1 2 3,Training\r", "its lines end in CR alone"),
            (b"0,1 2 3,Training\n", "no header: its first line is a row already"),
            (HEADER.decode().encode("utf-16"), "UTF-16"),
            (HEADER.decode().encode("utf-16-le"), "header"),
            (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, "header"),
            (b"\x1f\x8b\x08" + bytes(500), "header"),
            (b"\xff" * 1_000_000, "header"),
        ],
    )
    def test_are_named(self, tmp_path: Path, content: bytes, said: str) -> None:
        path = write(tmp_path, content)
        with pytest.raises(Fer2013Error, match=said) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 3
        assert len(str(caught.value)) < 800

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(Fer2013Error, match="a folder"):
            list(read_chunks(tmp_path))

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(Fer2013Error, match=r"none\.csv: no such file"):
            list(read_chunks(tmp_path / "none.csv"))

    @settings(max_examples=25)
    @given(cut=st.integers(len(HEADER), len(HEADER) + sum(len(line) + 1 for line in SOUND[:3])))
    def test_a_file_that_was_cut_off_loses_at_most_its_last_row(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int
    ) -> None:
        content = (HEADER + b"".join(line + b"\n" for line in SOUND[:3]))[:cut]
        path = write(tmp_path_factory.mktemp("cut"), content)
        rows = sum(1 for line in content.split(b"\n")[1:] if line)
        chunks = list(read_chunks(path))
        kept = [int(row) for chunk in chunks for row in chunk.rows]
        rejected = [row for chunk in chunks for row, _ in chunk.rejected]
        assert sorted(kept + rejected) == list(range(rows))
        assert rejected in ([], [rows - 1])


def reference(content: bytes) -> tuple[list[tuple[int, int, int, bytes]], dict[int, str]]:
    """A second, plain reading of a file with the competition's header and no overlong lines."""
    kept, rejected = [], {}
    lines = [line for line in content.split(b"\n")[1:] if line.replace(b"\r", b"").replace(b" ", b"")]
    for row, raw in enumerate(lines):
        line = raw[:-1] if raw.endswith(b"\r") else raw
        fields = [field.strip(b" ") for field in line.split(b",")]
        while len(fields) > 3 and not fields[-1]:
            fields.pop()
        fields = [f[1:-1].strip(b" ") if len(f) > 1 and f[:1] == f[-1:] == b'"' else f for f in fields]
        if len(fields) != 3 or any(byte < 32 or byte > 126 for byte in line):
            rejected[row] = "unreadable_row"
            continue
        emotion, pixels, usage = (field.decode() for field in fields)
        tokens = [re.sub(r"^(\d+)\.0*$", r"\1", token) for token in pixels.split(" ") if token]
        if emotion.removesuffix(".0") not in list("0123456"):
            rejected[row] = "unknown_emotion"
        elif usage not in list(Split):
            rejected[row] = "unknown_usage"
        elif not all(token.isdecimal() and len(token) < 4 and int(token) < 256 for token in tokens):
            rejected[row] = "invalid_pixel"
        elif len(tokens) != 2304:
            rejected[row] = "wrong_pixel_count"
        elif len(set(map(int, tokens))) == 1:
            rejected[row] = "constant_image"
        else:
            kept.append((row, int(emotion), list(Split).index(Split(usage)), bytes(map(int, tokens))))
    return kept, rejected


SPACES = [b"", b" ", b"  ", b"\n", b"\r", b"\r\n", b"\n\n", b"\t"]
MARKS = [b":", b"/", b",", b'"', b"-", b"+", b".", b"e", b"\x00", b"\xff", b"\xef\xbb\xbf"]
WORDS = [b"0", b"9", b"00", b" 256 ", b" 1000 ", b" 007 ", b"Training", b"\n3,", b",PublicTest\n"]
FRAGMENTS = st.sampled_from([*SPACES, *MARKS, *WORDS])


@st.composite
def corrupted(draw: st.DrawFn, content: bytes, most: int = 6) -> bytes:
    """The content with a few slices replaced by what breaks parsers."""
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 0, 1, 1, 2, 3, 5, 40, 9000]))
        content = content[:start] + draw(FRAGMENTS) + content[start + length :]
    return content


class TestAgainstAPlainReading:
    @settings(max_examples=80)
    @given(body=corrupted(b"\n".join(SOUND)), block_bytes=st.sampled_from([1 << 20, 9000, 20_000]))
    def test_corrupted_files_are_read_alike(
        self, tmp_path_factory: pytest.TempPathFactory, body: bytes, block_bytes: int
    ) -> None:
        kept, rejected = reference(HEADER + body)
        path = write(tmp_path_factory.getbasetemp(), HEADER + body)
        seen: list[tuple[int, int, int, bytes]] = []
        said: dict[int, str] = {}
        for chunk in read_chunks(path, block_bytes=block_bytes):
            columns = (chunk.rows.tolist(), chunk.labels.tolist(), chunk.usages.tolist(), chunk.images)
            seen += [(row, label, usage, image.tobytes()) for row, label, usage, image in zip(*columns, strict=True)]
            said |= {row: reason.value for row, reason in chunk.rejected}
        assert said == rejected
        assert seen == kept

    @settings(max_examples=100)
    @given(field=corrupted(PIXEL_TEXT, most=2), place=st.integers(0, 2))
    def test_batches_are_parsed_as_their_rows_are(self, field: bytes, place: int) -> None:
        field = field.replace(b"\n", b"").replace(b",", b"")
        fields = [pixel_text(face) for face in faces(2)]
        fields.insert(place, field)
        row, batch = parse_row(field), parse_batch([without_fraction(each) for each in fields])
        if any(b"." in each for each in fields) and batch is None:
            return  # a float in another form than pandas' is left to parse_row
        assert (batch is None) == isinstance(row, Reason)
        if batch is not None:
            np.testing.assert_array_equal(batch, [parse_row(each) for each in fields])

    def test_a_pixel_too_few_here_and_one_too_many_there_is_no_sound_batch(self) -> None:
        first, second = (pixel_text(face) for face in faces(2))
        head, _, last = first.rpartition(b" ")
        assert parse_batch([head, last + b" " + second]) is None

    @pytest.mark.parametrize("rows", [1, 31, 32, 33, 65])
    @pytest.mark.parametrize("broken", [0, -1])
    def test_rows_beside_a_broken_one_are_kept_across_batches(self, tmp_path: Path, rows: int, broken: int) -> None:
        images = faces(rows)
        lines = [csv_line(image) for image in images]
        lines[broken] = lines[broken].replace(b" ", b" x", 1)
        chunk = read(write(tmp_path, HEADER + b"\n".join(lines)))
        assert chunk.rejected == [Rejected(range(rows)[broken], Reason.invalid_pixel)]
        np.testing.assert_array_equal(chunk.images, np.delete(images, broken, axis=0))


class TestBlocks:
    @settings(max_examples=25)
    @given(block_bytes=st.integers(500, 40_000))
    def test_do_not_change_what_is_read(self, tmp_path_factory: pytest.TempPathFactory, block_bytes: int) -> None:
        long = b"3," + PIXEL_TEXT + b" " * MAX_LINE + b",Training"
        lines = [SOUND[0], b"", b"3,1,Training", long, SOUND[1] + b"\r", long, b"  ", SOUND[2]]
        path = write(tmp_path_factory.getbasetemp(), HEADER + b"\n".join(lines))
        assert_same(read(path, block_bytes), read(path))

    def test_of_a_single_byte_do_not_either(self, tmp_path: Path) -> None:
        path = write(tmp_path, HEADER + SOUND[0] + b"\r\n\n3,1,Training\n")
        assert_same(read(path, 1), read(path))


def peak_bytes(path: Path, block_bytes: int) -> int:
    tracemalloc.start()
    try:
        for _ in read_chunks(path, block_bytes=block_bytes):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestMemory:
    def test_does_not_grow_with_the_file(self, tmp_path: Path) -> None:
        short, long = tmp_path / "short.csv", tmp_path / "long.csv"
        short.write_bytes(HEADER + b"".join(line + b"\n" for line in SOUND * 4))
        long.write_bytes(HEADER + b"".join(line + b"\n" for line in SOUND * 40))
        assert peak_bytes(long, 100_000) < 1.2 * peak_bytes(short, 100_000)

    def test_does_not_grow_with_the_rows_in_a_block(self, tmp_path: Path) -> None:
        path = write(tmp_path, HEADER + b"x\n" * (1 << 17))
        assert peak_bytes(path, 1 << 20) < 4 << 20
        assert [row for row, _ in read(path).rejected] == list(range(1 << 17))

    def test_does_not_grow_with_a_header(self, tmp_path: Path) -> None:
        path = write(tmp_path, b"emotion,pixels,Usage" + b" " * (16 << 20))
        tracemalloc.start()
        with pytest.raises(Fer2013Error, match="header"):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20

    def test_does_not_grow_with_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "faces.csv"
        with path.open("wb") as file:
            file.write(HEADER + SOUND[0] + b"\n3,")
            for _ in range(32):
                file.write(b"12 " * (1 << 18))
            file.write(b",Training\n" + SOUND[1])
        assert path.stat().st_size > 24 << 20
        assert peak_bytes(path, 1 << 20) < 6 << 20
        chunk = read(path)
        assert chunk.rejected == [Rejected(1, Reason.unreadable_row)]
        assert chunk.rows.tolist() == [0, 2]


class TestExamples:
    def test_show_the_first_bad_cell_of_each_reason(self, tmp_path: Path) -> None:
        floats = PIXEL_TEXT.replace(b" ", b".5 ", 1)
        lines = [
            SOUND[0],
            b"angry," + PIXEL_TEXT + b",Training",
            b"3," + floats + b",Training",
            b"sad," + PIXEL_TEXT + b",Training",
            b"3," + PIXEL_TEXT + b",train",
            b"3,1 2 3,Training",
            b'3,"[1, 2, 3]",Training',
            b"3," + b" ".join([b"7"] * PIXELS) + b",Training",
        ]
        assert read(write(tmp_path, HEADER + b"\n".join([*lines, b""]))).examples == {
            Reason.unknown_emotion: Example(1, "'angry'"),
            Reason.invalid_pixel: Example(2, repr(floats.split()[0].decode())),
            Reason.unknown_usage: Example(4, "'train'"),
            Reason.wrong_pixel_count: Example(5, "3 pixels"),
            Reason.unreadable_row: Example(6, "'3,\"[1, 2, 3]\",Training'"),
            Reason.constant_image: Example(7, "'7 7 7 7 7 7 7 7 7 7 7 7 '..."),
        }


def test_labels_are_those_of_every_row(tmp_path: Path) -> None:
    path = write(tmp_path, b"Usage;emotion;pixels\nTraining;3;1\n\n broken\nPublicTest;sad;1\n")
    assert list(read_labels(path)) == [(3, "Training"), (None, ""), (None, "PublicTest")]
