"""The pixels' text of CSV rows -> images, fast, each one either read or rejected with a reason.

The pixels are parsed by arithmetic on batches of rows; a batch that is not flawless is read again row by row,
by code that says what a flawless row is. Whole numbers may be written as floats (70.0). After report 002, images of
a single grey value are rejected.
"""

import re
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fer.constants import IMAGE_SIZE, PIXELS

NEWLINE = np.uint16(65535)
BATCH = 32  # rows parsed at once: 270 kB of text, so that the temporary arrays stay in the processor's cache
PIXEL_VALUES = {f"{value:0{width}}".encode(): value for value in range(256) for width in (1, 2, 3)}
WHOLE_FLOAT = re.compile(rb"([0-9]{1,3})\.0*")
PRINTABLE = bytes(range(0x20, 0x7F))


class Reason(StrEnum):
    """Why a row is rejected. Of several, the first in this order is given."""

    unreadable_row = "unreadable_row"  # not the header's fields, a byte that is not printable ASCII, over MAX_LINE
    unknown_emotion = "unknown_emotion"
    unknown_usage = "unknown_usage"
    invalid_pixel = "invalid_pixel"  # not a whole number of one to three digits, or above 255
    wrong_pixel_count = "wrong_pixel_count"
    constant_image = "constant_image"


def is_printable(field: bytes) -> bool:
    return not field.translate(None, delete=PRINTABLE)


def read_images(fields: list[bytes]) -> tuple[NDArray[np.uint8], dict[int, Reason]]:
    """Return images (N, 48, 48), and by index the reason of each that is to be rejected."""
    images = np.zeros((len(fields), PIXELS), np.uint8)
    reasons: dict[int, Reason] = {}
    for start in range(0, len(fields), BATCH):
        batch = fields[start : start + BATCH]
        parsed = parse_batch([without_fraction(field) for field in batch])
        if parsed is not None:
            images[start : start + BATCH] = parsed
            continue
        for index, field in enumerate(batch, start):
            alone = parse_batch([without_fraction(field)])
            image = parse_row(field) if alone is None else alone[0]
            if isinstance(image, Reason):
                reasons[index] = image
            else:
                images[index] = image
    constant = (images == images[:, :1]).all(axis=1)
    reasons |= {int(i): Reason.constant_image for i in np.flatnonzero(constant) if int(i) not in reasons}
    return images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), reasons


def without_fraction(field: bytes) -> bytes:
    """Return `70 82 ` for `70.0 82.0 `, as pandas and R write whole numbers; what is no such text stays as it is."""
    if b"." not in field or field.startswith(b".") or b" ." in field:
        return field
    return field.replace(b".0 ", b" ").removesuffix(b".0")


def pixel_value(token: bytes) -> int | None:
    """Return 0 to 255, or None for what is no such number."""
    whole = WHOLE_FLOAT.fullmatch(token)
    return PIXEL_VALUES.get(whole[1] if whole else token)


def parse_row(field: bytes) -> NDArray[np.uint8] | Reason:
    """Return the 2304 pixels of one row's text, or what is wrong with it; parse_batch has to agree with this."""
    values = [pixel_value(token) for token in field.split(b" ") if token]
    if None in values:
        return Reason.invalid_pixel if is_printable(field) else Reason.unreadable_row
    if len(values) != PIXELS:
        return Reason.wrong_pixel_count
    return np.array(values, np.uint8)


def parse_batch(fields: list[bytes]) -> NDArray[np.uint8] | None:
    """Return the pixels (N, 2304) of N rows' text, or None if parse_row would reject one of them or it has a float.

    Each row's newline is taken as a number too large for a pixel: every row has 2304 pixels exactly if all of
    these land in the last column, so that none is found among the pixels.
    """
    text = np.frombuffer(b"  " + b"\n".join(fields) + b"\n", np.uint8)
    digits = text - np.uint8(ord("0"))  # wraps around: whatever is no digit is above 9
    is_digit = digits <= 9
    known = np.count_nonzero(is_digit) + np.count_nonzero(text == ord(" ")) + len(fields)
    pairs = is_digit[1:] & is_digit[:-1]
    if known != len(text) or (pairs[2:] & pairs[:-2]).any():  # an unknown byte, or four digits in a row
        return None
    values, ends = _values(digits * is_digit, is_digit), is_digit[2:] > np.append(is_digit[3:], False)
    newlines = np.cumsum([len(field) + 1 for field in fields]) - 1
    values[newlines], ends[newlines] = NEWLINE, True
    numbers = values.take(np.flatnonzero(ends))  # three times as fast as values[ends]
    if numbers.size != len(fields) * (PIXELS + 1):
        return None
    pixels = numbers.reshape(len(fields), PIXELS + 1)[:, :PIXELS]
    return pixels.astype(np.uint8) if pixels.max() <= 255 else None


def _values(digits: NDArray[np.uint8], is_digit: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return at each byte from the third on the number of up to three digits ending there: (B,) to (B - 2,)."""
    values = digits[2:].astype(np.uint16)
    values += digits[1:-1] * np.uint8(10)
    values += (digits[:-2] * is_digit[1:-1]) * np.uint16(100)
    return values
