"""Any picture that people have is read into upright RGB, or refused in one line."""

import io
import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer.app.photos import PhotoError, Pixels, Reader, decode, find_photos, left_out_line

# Red, green, blue and white quarters: every turn and mirror image of it is another picture.
QUARTERS = np.zeros((40, 60, 3), np.uint8)
QUARTERS[:20, :30], QUARTERS[:20, 30:] = (255, 0, 0), (0, 255, 0)
QUARTERS[20:, :30], QUARTERS[20:, 30:] = (0, 0, 255), (255, 255, 255)
GREY = np.tile(np.linspace(0, 255, 60, dtype=np.uint8), (40, 1))  # (40, 60)


def encoded(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has `side` times `side` pixels."""
    header = b"IHDR" + struct.pack(">II5B", side, side, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + encoded(Image.new("1", (1, 1)), "PNG").getvalue()[33:]


def close(found: Pixels, expected: Pixels, tolerance: float = 3.0) -> bool:
    """Equal but for what compression loses; at the edges of the quarters it loses most."""
    if found.shape != expected.shape:
        return False
    return float(np.median(np.abs(found.astype(int) - expected))) <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM"])
def test_colour_in_every_format(kind: str) -> None:
    assert close(decode(encoded(Image.fromarray(QUARTERS), kind)), QUARTERS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grey_becomes_three_equal_channels(kind: str) -> None:
    found = decode(encoded(Image.fromarray(GREY), kind))
    assert (found == found[..., :1]).all()
    assert close(found, np.repeat(GREY[..., None], 3, axis=2), 1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_cut(kind: str) -> None:
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert np.array_equal(decode(encoded(deep, kind))[..., 0], GREY)


def test_float_tiff_of_zero_to_one() -> None:
    assert np.array_equal(decode(encoded(Image.fromarray(GREY.astype(np.float32) / 255), "TIFF"))[..., 0], GREY)


def test_infinite_pixels_are_as_bright_as_the_brightest() -> None:
    values = GREY.astype(np.float32) / 255
    values[0, :2] = np.inf, -np.inf
    assert decode(encoded(Image.fromarray(values), "TIFF"))[0, :3, 0].tolist() == [255, 0, GREY[0, 2]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_shines_through_is_white(mode: str) -> None:
    clear = Image.fromarray(np.zeros((40, 60, 4), np.uint8))  # black, if alpha were dropped
    if mode == "P":
        clear = Image.new("P", (60, 40), 0)
        clear.info["transparency"] = 0
    file = encoded(clear.convert(mode) if mode != "P" else clear, "PNG")
    assert (decode(file) == 255).all()


def test_cmyk_jpeg_has_its_colours() -> None:
    assert close(decode(encoded(Image.fromarray(QUARTERS).convert("CMYK"), "JPEG", quality=95)), QUARTERS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation: int) -> None:
    turned = {
        1: QUARTERS, 2: QUARTERS[:, ::-1], 3: QUARTERS[::-1, ::-1], 4: QUARTERS[::-1], 5: QUARTERS.transpose(1, 0, 2),
        6: np.rot90(QUARTERS), 7: QUARTERS[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(QUARTERS, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(Image.fromarray(np.ascontiguousarray(turned)), "PNG", exif=exif)
    assert np.array_equal(decode(file), QUARTERS)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.fromarray(QUARTERS), Image.new("RGB", (60, 40), "black")]
    assert close(decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])), QUARTERS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_cut_off_files_are_refused(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    content = encoded(noise, kind).getvalue()
    with pytest.raises(PhotoError, match=r"damaged or cut off|no picture"):
        decode(io.BytesIO(content[: len(content) // 2]))


def test_what_is_no_picture() -> None:
    with pytest.raises(PhotoError, match="no picture; read are"):
        decode(io.BytesIO(b"%PDF-1.4 or whatever"))
    with pytest.raises(PhotoError, match="the file is empty"):
        decode(io.BytesIO(b""))
    with pytest.raises(PhotoError, match="no picture"):  # Pillow would start Ghostscript
        decode(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"))


@pytest.mark.parametrize("side", [9_500, 30_000])  # where Pillow only warns, and where it raises
def test_decompression_bombs_are_refused_before_they_are_decoded(side: int) -> None:
    with pytest.raises(PhotoError, match="refused"):
        decode(io.BytesIO(bomb(side)))


def test_fifty_megapixels_are_fine() -> None:
    assert decode(encoded(Image.new("L", (8_660, 5_774), 77), "JPEG")).shape == (5_774, 8_660, 3)


def test_a_pipe_is_read_once_and_kept(tmp_path: Path) -> None:
    """A pipe can be opened once, and --annotate reads each photo again."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = encoded(Image.fromarray(QUARTERS), "PNG").getvalue()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    read = Reader()
    for _ in range(2):
        assert np.array_equal(read(str(pipe)), QUARTERS)
    writer.join()


@pytest.mark.parametrize("argument", ["broken.jpg", "*.jpg", "*"])
def test_a_link_to_nowhere_and_a_long_name_are_no_files(tmp_path: Path, argument: str) -> None:
    (tmp_path / "broken.jpg").symlink_to("nowhere")
    found = find_photos([str(tmp_path / argument), "x" * 300])
    assert {name: str(error) for name, error in found.failed.items()} == dict.fromkeys(
        [str(tmp_path / "broken.jpg"), "x" * 300], "no such file or folder"
    )


def test_files_folders_and_globs(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.webp", ".hidden/d.png", "notes.txt", "[x].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()

    def found(*arguments: str) -> list[str]:
        photos = find_photos([str(tmp_path / argument) for argument in arguments])
        assert not photos.failed
        return [str(Path(name).relative_to(tmp_path)) for name in photos.pictures]

    assert found("") == ["[x].png", "a.png", "b.JPG", "sub/c.webp"]
    assert found("*.png") == ["[x].png", "a.png"]
    assert found("**/*.webp") == ["sub/c.webp"]
    assert found("[x].png") == ["[x].png"]  # a file of that name goes before the pattern
    assert found("notes.txt", "a.png", "a.png") == ["notes.txt", "a.png"]
    assert find_photos(["-"]).pictures == ["-"]
    none = find_photos([str(tmp_path / name) for name in ("empty", "nothing.png", "*.gif")])
    assert not none.pictures
    assert [str(error).partition(" (")[0] for error in none.failed.values()] == [
        "no picture in this folder", "no such file or folder", "no such file or folder",
    ]  # fmt: skip


def test_every_picture_of_a_folder_is_taken_and_the_rest_is_named(tmp_path: Path) -> None:
    """A suffix may be rare or missing; what is not read is counted by suffix."""
    content = encoded(Image.fromarray(QUARTERS), "JPEG").getvalue()
    for name in ("a.jfif", "b.jpe", "c.JPG", "without", "d.HEIC", "e.mp4", "f.mp4"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "text").write_text("no picture")
    found = find_photos([str(tmp_path)])
    assert [Path(name).name for name in found.pictures] == ["a.jfif", "b.jpe", "c.JPG", "without"]
    assert all(close(Reader()(name), QUARTERS) for name in found.pictures)
    assert left_out_line(found.left_out) == "left out: 1 without a suffix, 1 .HEIC (convert it to JPEG), 2 .mp4"
