"""Patterns that say where a file's name tells what the file is: `Astro Boy - {episode} - {episode_title}`."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple

from retrovue_uow import media
from retrovue_uow.errors import ValidationError, amount, some
from retrovue_uow.media import paths
from retrovue_uow.model import Asset
from retrovue_uow.rules.verdict import rule

_ANYTHING = r"(?:[^\0]+\0)*?"
_TEXT = r"(?:[^\0]+\0)+?"
_NUMBER = r"(?:[0-9]\0){1,18}"  # what fits into 64 bits
_FIELDS = {
    "title": _TEXT,
    "year": r"[1-9]\0(?:[0-9]\0){3}",
    "season": _NUMBER,
    "episode": rf"{_NUMBER}(?:-\0{_NUMBER}|(?:\+\0{_NUMBER})+)?",
    "episode_title": _TEXT,
}
"""How each is written, in letters with a NUL behind each."""
_WILD = "*"


class NamePattern(NamedTuple):
    """A pattern as it was typed, its fields in their order, and the expression that finds them in a spelled name."""

    text: str
    fields: Sequence[str]
    expression: re.Pattern[str]

    def read(self, name: str) -> Mapping[str, Any] | None:
        """What the name says, as `assign` calls it; None: it does not fit."""
        letters = _letters(name)
        spelled = "".join(f"{_folded(letter)}\0" for letter in letters)
        found = self.expression.fullmatch(spelled)
        if found is None:
            return None
        spans = [[spelled.count("\0", 0, end) for end in found.span(group)] for group in range(1, len(self.fields) + 1)]
        said = dict(_said(field, "".join(letters[slice(*span)])) for field, span in zip(self.fields, spans, strict=True))
        return said if all(value not in ("", ()) for value in said.values()) else None


def _letters(text: str) -> list[str]:
    """The letters of a text, each with the marks upon it."""
    letters: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if letters and unicodedata.combining(char):
            letters[-1] += char
        else:
            letters.append(char)
    return letters


def _folded(text: str) -> str:
    """As `folded` compares it, but in parts that can be put together."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", text).casefold())


def _said(field: str, text: str) -> tuple[str, object]:
    """What a field says; an empty text or tuple: nothing that can be."""
    if field in ("title", "episode_title"):
        return field, media.titles.cleaned(text)
    if field == "year":
        return field, int(text)
    if field == "season":
        return "season_number", int(text)
    first, is_span, last = text.partition("-")
    if is_span:
        is_plausible = 0 < int(last) - int(first) <= media.numbering.LONGEST_SPAN
        return "episode_numbers", tuple(range(int(first), int(last) + 1)) if is_plausible else ()
    return "episode_numbers", tuple(sorted({int(number) for number in text.split("+")}))


@rule
def validate_name_pattern(text: object, given: Container[str]) -> NamePattern:
    """The pattern, which can be read in one way; its fields are not among those that were given otherwise."""
    if not isinstance(text, str) or not text.strip() or "\0" in text or not paths.is_utf8(text):
        raise ValidationError(f"a pattern is text such as 'Astro Boy - {{episode}}', not {text!r}")
    parts: list[str] = [""]
    fields: list[str] = []
    beside = ""
    for literal, field in _parsed(text):
        # Whatever the case and Unicode form of a text, and whole letters of it only.
        parts[-1] += r"\0?".join(map(re.escape, _folded(literal))) + r"\0" * bool(literal)
        beside = "" if literal else beside
        if field is None:
            continue
        if problem := _field_problem(field, beside, fields, given):
            raise ValidationError(f"pattern {text!r} {problem}")
        beside = field
        if field == _WILD:
            parts.append(_ANYTHING)
        else:
            parts[-1] += f"({_FIELDS[field]})"
            fields.append(field)
    # What precedes `{*}` is not tried anew where the rest does not fit: as `{*}` stands for anything, that could not help.
    before_wild = "".join(f"(?>{part})" for part in parts[:-1])
    return NamePattern(text, fields, re.compile(before_wild + parts[-1]))


def _field_problem(field: str, beside: str, fields: Sequence[str], given: Container[str]) -> str | None:
    """What is wrong with a field that stands directly behind `beside`, which may be none, and somewhere behind `fields`."""
    if field not in (*_FIELDS, _WILD):
        return f"has a field {{{field}}}, which is none of {', '.join(f'{{{each}}}' for each in (*_FIELDS, _WILD))}"
    if beside:
        return (
            f"has {{{beside}}} and {{{field}}} side by side, and nothing says where one ends: write between them what stands "
            "there in the names"
        )
    if field in fields:
        return f"has {{{field}}} twice: write {{*}} for what need not be read again"
    return f"reads {{{field}}}, which is given, too: leave one of them out" if field in given else None


def _parsed(text: str) -> Iterator[tuple[str, str | None]]:
    """Text to be found, and the field behind it, if there is one. A brace that is written twice is text."""
    try:
        for literal, field, spec, conversion in Formatter().parse(text):
            suffix = f"!{conversion}" * bool(conversion) + f":{spec}" * bool(spec)
            yield literal, None if field is None else field + suffix
    except ValueError as error:
        raise ValidationError(
            f"pattern {text!r} cannot be read ({error}): a field is {{episode}}, a brace in the names is written twice"
        ) from error


@rule
def validate_names_fit(pattern: NamePattern, found: Sequence[Asset]) -> list[Mapping[str, Any]]:
    """What the name of each asset's file says, for all of them fit the pattern; those that do not are named."""
    names = [posixpath.splitext(posixpath.basename(asset.canonical_key))[0] for asset in found]
    read = [pattern.read(name) for name in names]
    unfit = [repr(name) for name, said in zip(names, read, strict=True) if said is None]
    if unfit:
        listed = some(unfit, between="\n  ")
        raise ValidationError(
            f"{len(unfit)} of {amount(len(found), 'name')}, without folder and ending, "
            f"{'does' if len(unfit) == 1 else 'do'} not fit the pattern {pattern.text!r}, so nothing was assigned:\n  {listed}"
        )
    return [said for said in read if said is not None]
