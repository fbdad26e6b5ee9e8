"""Lines as a terminal can hold them: without what would steer it, in its cells, broken between words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

import click

NARROWEST = 16
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SIGNS = "─━…→"
_ASCII = str.maketrans(_SIGNS, "-=~>")
_WORD = re.compile(r"\s*(?:`[^`]*`|\S)+")
"""With the space in front of it; a command in backticks is one, so that it is copied whole."""


def plain(text: str, *, keep: str = "") -> str:
    """`text` with control, direction and surrogate characters as escapes, but for those to `keep`."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char in keep or unicodedata.category(char) not in _UNPRINTABLE
        else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    marks = sum(map(bool, map(unicodedata.combining, text)))
    return len(text) - marks + sum(unicodedata.east_asian_width(char) in "WF" for char in text)


def shortened(text: str, width: int) -> str:
    """`text` in `width` cells, without its middle if it is longer; more is kept of its end, which tells files apart."""
    if cells(text) <= width:
        return text
    room = max(width - 1, 1)
    head = _fitting(text, room // 3)
    tail = _fitting(text[::-1], room - cells(head))[::-1]
    return f"{head}…{tail}"


def _fitting(text: str, width: int) -> str:
    used = 0
    for position, char in enumerate(text):
        used += cells(char)
        if used > width:
            return text[:position]
    return text


def wrapped(text: str, width: int, indent: str = "") -> Iterator[str]:
    """A line as lines of `width` cells, the later ones indented. Only a word that is too long is broken, and no command."""
    line = ""
    for word in _WORD.findall(text):
        if line and cells(line + word) > width:
            yield line
            word = indent + word.lstrip()
            line = ""
        line += word
        while cells(line) > width and "`" not in word:
            head = _fitting(line, width)
            yield head
            line = indent + line[len(head) :]
    yield line


def width_of(stream: IO[str]) -> int | None:
    """How wide lines may be: as COLUMNS says, or the terminal. None in a pipe, so that whole paths can be searched for."""
    return shutil.get_terminal_size().columns if "COLUMNS" in os.environ or stream.isatty() else None


def signs(stream: IO[str]) -> Mapping[int, int]:
    """What stands for our signs, as `str.translate` takes it, where the stream's encoding has them not."""
    try:
        _SIGNS.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return _ASCII
    return {}


def fitted(lines: Iterable[str], stream: IO[str]) -> Iterator[str]:
    """Lines as the stream can show them; the later parts of a long one are indented."""
    width, translated = width_of(stream), signs(stream)
    for line in (part for text in lines for part in text.split("\n")):
        shown = line.translate(translated) if translated else line
        if width is None or cells(shown) <= width or cells(click.unstyle(shown)) <= width:
            yield shown
        else:
            columns = max(width, NARROWEST)
            yield from wrapped(shown, columns, " " * min(len(shown) - len(shown.lstrip()) + 2, columns // 2))


def heading(text: str, stream: IO[str]) -> str:
    """`text` in bold where that is wanted (https://no-color.org, https://bixense.com/clicolors/)."""
    wish = os.environ.get
    is_forced = wish("CLICOLOR_FORCE", "0") not in ("", "0")
    is_styled = is_forced or (stream.isatty() and wish("CLICOLOR") != "0" and wish("TERM") != "dumb")
    return click.style(text, bold=True) if is_styled and not wish("NO_COLOR") else text


def say(lines: Iterable[str], stream: IO[str] | None = None) -> None:
    """Print lines for people."""
    out = stream or sys.stdout
    for line in fitted(lines, out):
        out.write(f"{line}\n")


def is_quiet() -> bool:
    """Whether the command was given `--quiet`."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.params.get("quiet"))
