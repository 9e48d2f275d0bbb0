"""Standard output in whatever encoding the terminal has: a line is never lost to a character."""

import codecs
import io
import sys

HANDLER = "fer.show"


def show(error: UnicodeError) -> tuple[str | bytes, int]:
    """Stand in for one character that the encoding lacks.

    A byte of an undecodable file name is written as it is. An emoji is left out with the blank after it. Anything else
    becomes an escape such as \\xe9.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character, after = error.object[error.start], error.start + 1
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return bytes([ord(character) - 0xDC00]), after
    if ord(character) >= 0x1F000 or 0x2600 <= ord(character) <= 0x27BF:
        return "", after + (error.object[after : after + 1] == " ")
    return character.encode("ascii", "backslashreplace").decode("ascii"), after


def show_every_character() -> None:
    """Let standard output and standard error take any text."""
    codecs.register_error(HANDLER, show)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def print_utf8(text: str) -> None:
    """Print UTF-8 whatever the terminal's encoding is; a byte of an undecodable file name becomes \\udcXX."""
    sys.stdout.flush()
    content = f"{text}\n".encode("utf-8", "backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(content.decode())
