"""How things are printed: tables and facts for people, JSON and CSV for programs, each safe whatever a file is called."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import IO, Any

import attrs

from retrovue_uow.cli.text import NARROWEST, cells, heading, is_quiet, plain, say, shortened, signs, width_of, wrapped
from retrovue_uow.errors import ValidationError
from retrovue_uow.model import Asset, Changes, Json, Progress, Result, as_json, printed_title
from retrovue_uow.results import IngestResult, SourceIngestResult, WithdrawingResult
from retrovue_uow.secrets import redacted
from retrovue_uow.store.rows import label
from retrovue_uow.uow.changes import ChangeKind

_GAP = "  "
_INDENT = "    "
_TAIL = 8
"""How much of an identifier's end is enough to name it."""
_COMMON_WIDTH = 40
_LISTED = 50
_REDRAWN_S = 0.1
_BAR = 24
SIGNS: Mapping[ChangeKind, str] = {"insert": "+", "update": "~", "delete": "-"}


class Long(str):
    """A name or path that gives way where the terminal is narrow: its middle is left out."""

    __slots__ = ()


class Id(str):
    """An identifier, of which its end is shown where the terminal is narrow."""

    __slots__ = ()


def grid(headers: Sequence[str], rows: Iterable[Sequence[object]], stream: IO[str] | None = None) -> Iterator[str]:
    """A table. Where it does not fit, names and paths give way, then identifiers, then the last columns, into a next line."""
    out = stream or sys.stdout
    width = width_of(out)
    content = [[*row] for row in rows]
    columns = [
        _Column.of(header, [row[index] for row in content], is_last=index == len(headers) - 1)
        for index, header in enumerate(headers)
    ]
    widths = _widths(columns, width)
    yield from (heading(line, out) for line in _lines(columns, widths, headers, width))
    yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for row in content:
        yield from _lines(columns, widths, [_text(cell) for cell in row], width)


@attrs.frozen
class _Column:
    """What its cells are, and how wide they make it."""

    kind: type
    width: int

    @classmethod
    def of(cls, header: str, content: Sequence[object], *, is_last: bool) -> _Column:
        """One that holds a header and cells; one long name among many does not widen the lines of the others."""
        kinds = set(map(type, content))
        kind = next((each for each in (Long, Id, int) if each in kinds), str)
        lengths = sorted(cells(_text(cell)) for cell in content) or [0]
        usual = max(lengths[len(lengths) * 9 // 10], _COMMON_WIDTH)
        return cls(kind, max(cells(header), min(lengths[-1], usual) if kind is Long and not is_last else lengths[-1]))

    def cell(self, text: str, width: int, *, is_cut: bool) -> str:
        """The text as it is shown, filled up to the width."""
        if is_cut and cells(text) > width:
            text = f"…{text[-_TAIL:]}" if self.kind is Id else shortened(text, width)
        filling = " " * (width - cells(text))
        return filling + text if self.kind is int else text + filling


def _widths(columns: Sequence[_Column], width: int | None) -> list[int]:
    """The widths of those columns that go into one line; without a limit, of all."""
    if width is None:
        return [each.width for each in columns]
    for shown in range(len(columns), 0, -1):
        for id_width, least in ((width, 2 * NARROWEST), (_TAIL + 1, 3 * NARROWEST // 2)):
            for most in range(width, least - 1, -1):
                limits: dict[type, int] = {Id: id_width, Long: most}
                widths = [min(each.width, limits.get(each.kind, width)) for each in columns[:shown]]
                if sum(widths) + len(_GAP) * (shown - 1) <= width:
                    return widths
    return [width]


def _lines(columns: Sequence[_Column], widths: Sequence[int], row: Sequence[str], width: int | None) -> Iterator[str]:
    told = [each.cell(text, wide, is_cut=width is not None) for each, text, wide in zip(columns, row, widths, strict=False)]
    yield _GAP.join(told).rstrip()
    if width is not None and (rest := _GAP.join(filter(None, row[len(widths) :]))):
        has_paths = Long in (each.kind for each in columns[len(widths) :])
        yield _INDENT + (shortened(rest, width - len(_INDENT)) if has_paths else rest)


def _text(value: object) -> str:
    return "" if value is None else plain(str(value))


def facts(pairs: Mapping[str, object]) -> Iterator[str]:
    """One thing, fact by fact, without those that are unknown."""
    known = {name: plain(str(value), keep="\n") for name, value in pairs.items() if value not in (None, "", ())}
    wide = max(map(len, known), default=0) + 2
    room = max((width_of(sys.stdout) or sys.maxsize) - wide, NARROWEST)
    for name, value in known.items():
        lines = [part for line in value.split("\n") for part in wrapped(line, room)]
        yield f"{name:{wide}}{lines[0]}"
        yield from (" " * wide + line for line in lines[1:])


def listed(lines: Sequence[str]) -> Iterator[str]:
    """Paths or sentences one below the other, and how many more there are."""
    yield from map(plain, lines[:_LISTED])
    yield from _more(lines)


def first_rows(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table of the first rows, if there are any, and how many more there are."""
    if rows:
        yield from grid(headers, rows[:_LISTED])
    yield from _more(rows)


def _more(found: Sequence[object]) -> Iterator[str]:
    if len(found) > _LISTED:
        yield f"and {len(found) - _LISTED} more: --json names all"


def withdrawn(result: WithdrawingResult) -> Iterator[str]:
    """The approvals that an operation withdrew, each with its reason."""
    if result.withdrawals:
        yield f"no longer approved{', had it been kept' * result.dry_run}:"
        yield from listed([f"{each.path}: {each.reason}" for each in result.withdrawals])


def shown_title(asset: Asset) -> str:
    """Title, year, season, episodes and part, as far as it has them: `Space: 1999 (1975) S01E02-E03 part 1`."""
    if asset.title is None:
        return ""
    episodes = "-".join(f"E{number:02}" for number in asset.episode_numbers)
    season = f" S{asset.season_number:02}" if asset.season_number is not None else ""
    part = "" if asset.part is None else f" part {asset.part}"
    return f"{printed_title(asset.title, asset.year)}{season}{episodes}{part}"


def compact(config: Json) -> str:
    """A configuration in a line, without its secrets."""
    return json.dumps(redacted(config)) if config else ""


def moment(utc: str) -> str:
    """A time of the catalogue to the second, e.g. `2026-01-31 09:05:07 UTC`."""
    return f"{utc[:10]} {utc[11:19]} UTC"


def clock(duration_ms: int | None) -> str:
    """A duration as `h:mm:ss`; nothing where it is unknown."""
    if duration_ms is None:
        return ""
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def print_json(value: object, *, verbose: bool = False) -> None:
    """Print `value` as one JSON document; what is not ASCII is escaped, so that no encoding can spoil it."""
    sys.stdout.write(json.dumps(as_json(value if verbose else _brief(value)), indent=2) + "\n")


def _brief(value: object) -> object:
    """Results with counts, and without the rows and paths behind them, of which there may be hundreds of thousands."""
    if isinstance(value, Changes):
        return Changes(value.counts)
    if isinstance(value, IngestResult):
        value = attrs.evolve(value, left_out_paths={})
    if isinstance(value, Result) and value.changes is not None:
        return attrs.evolve(value, changes=Changes(value.changes.counts))
    if isinstance(value, SourceIngestResult):
        return {"source": value.source, "results": [_brief(result) for result in value.results], "failures": value.failures}
    if isinstance(value, Mapping):
        return {name: _brief(each) for name, each in value.items()}
    return value


@attrs.frozen
class Listing:
    """How a list is shown.

    Attributes:
        names: What `--columns` and `--sort` can name: the keys of its JSON.
        headers: The columns of its table.
        row: The cells of its table for one value.
        empty: What is said where there is nothing in it; may depend on the options.
        footer: What is said of the catalogue below the table.
    """

    names: Sequence[str]
    headers: Sequence[str]
    row: Callable[[Any], Sequence[object]]
    empty: str | Callable[[Mapping[str, Any]], str]
    footer: Callable[[Any], str] | None = None

    def show(self, values: Sequence[object], given: Mapping[str, Any], *, footer: str | None) -> None:
        """Print the values as the options say that the command was given."""
        columns, sort, output = given["columns"], given["sort"], "json" if given["json"] else given["output"]
        chosen = [self._name(each.strip()) for each in columns.split(",")] if columns else None
        for key in map(str.strip, [] if sort is None else reversed(sort.split(","))):
            name = self._name(key.removeprefix("-"))
            values = sorted(values, key=lambda each: _rank(self._record(each)[name]), reverse=key.startswith("-"))
        values = values[: given["limit"]]
        if output == "table":
            if given["quiet"]:
                return
            empty = self.empty if isinstance(self.empty, str) else self.empty(given)
            say(self._table(values, chosen) if values else [empty])
            say(["", footer] if footer else ())
        elif output in _SEPARATORS:
            _print_rows(chosen or self.names, map(self._record, values), output)
        else:
            records: Iterable[object] = map(as_json, values)
            if chosen:
                records = ({name: record[name] for name in chosen} for record in map(self._record, values))
            _print_documents(records, is_array=output == "json")

    def _name(self, name: str) -> str:
        if name in self.names:
            return name
        near = get_close_matches(name, self.names, 1)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise ValidationError(f"no column is called {name!r}: {hint} {', '.join(self.names)}")

    def _record(self, value: object) -> Mapping[str, object]:
        document = as_json(value)
        return document if isinstance(document, Mapping) else {self.names[0]: document}

    def _table(self, values: Sequence[object], chosen: Sequence[str] | None) -> Iterable[str]:
        if chosen is None:
            return grid(self.headers, map(self.row, values))
        records = map(self._record, values)
        return grid(chosen, ([_cell(name, record[name]) for name in chosen] for record in records))


_SEPARATORS = {"csv": ",", "tsv": "\t"}


def _rank(value: object) -> tuple[bool, bool, Any]:  # what is known first, numbers before text
    if isinstance(value, list):
        return (False, False, [*map(_rank, value)])
    is_text = not isinstance(value, int | float)
    return (value is None, is_text, str(value).casefold() if is_text else value)


def _cell(name: str, value: object) -> object:
    """A value of a column that was asked for by its name in the JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return (Id if name == "id" or name.endswith("_id") else Long)(_field(value))


def _field(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_rows(names: Sequence[str], records: Iterable[Mapping[str, object]], output: str) -> None:
    clean = plain if sys.stdout.isatty() else str  # a program wants what is there, a terminal must not obey it
    writer = csv.writer(sys.stdout, delimiter=_SEPARATORS[output], lineterminator="\n")
    writer.writerow(names)
    writer.writerows([clean(_field(record[name])) for name in names] for record in records)


def _print_documents(records: Iterable[object], *, is_array: bool) -> None:
    """A JSON document a line, or all of them as one array."""
    before, between, after = ("[", ",\n ", "]\n") if is_array else ("", "\n", "")
    sys.stdout.write(before)
    is_first = True
    for record in records:
        sys.stdout.write(("" if is_first else between) + json.dumps(record))
        is_first = False
    sys.stdout.write(after if is_array or is_first else "\n")


def counted(changes: Changes, stream: IO[str] | None = None) -> Iterable[str]:
    """Changed rows per table and kind of change."""
    rows = [
        (table.replace("_", " "), counts.get("insert"), counts.get("update"), counts.get("delete"))
        for table, counts in sorted(changes.counts.items())
    ]
    return grid(("rows", "added", "changed", "deleted"), rows, stream) if rows else ["no row changes"]


def row_lines(changes: Changes) -> Iterator[str]:
    """A line per changed row: a sign, its table and key, and what it is called or what changed in it."""
    for row in changes.rows:
        if row.old is not None and row.new is not None:
            old = row.old
            told = ", ".join(f"{name}: {_json(old.get(name))} -> {_json(value)}" for name, value in row.new.items())
        else:
            word = label(row.new or row.old or {})
            told = "" if word is None else str(word)
        yield plain(f"{SIGNS[row.kind]} {row.table} {row.key!s}  {told}".rstrip())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def changed(result: Result, *, verbose: bool, title: str = "changes") -> Iterator[str]:
    """What a dry run would change, and what any run changed where the user wants to know it row by row."""
    if result.changes is None or not (result.dry_run or verbose):
        return
    yield ""
    yield plain(f"{title}, had it been kept:" if result.dry_run else f"{title}:")
    yield from counted(result.changes)
    if verbose:
        yield from row_lines(result.changes)


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A bar on the terminal, on standard error, gone at the end; None where there is no terminal, or where quiet is wanted."""
    if not sys.stderr.isatty() or is_quiet():
        yield None
        return
    started: dict[str, float] = {}
    drawn = 0.0

    def advance(done: int, total: int | None, _path: str) -> None:
        nonlocal drawn
        step = "finding files" if total is None else "reading files"
        now = time.monotonic()
        begun = started.setdefault(step, now)
        if now - drawn >= _REDRAWN_S:
            drawn = now
            line = f"{step}  {_progress(done, total, now - begun)}"
            line = line[: shutil.get_terminal_size().columns - 1].translate(signs(sys.stderr))
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()

    try:
        yield advance
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _progress(done: int, total: int | None, seconds: float) -> str:
    """How many of how many, how fast, and how long the rest takes."""
    rate = done / seconds if seconds else 0.0
    if total is None:
        return f"{done}  {rate:.0f}/s"
    left = clock(round((total - done) / rate * 1000)) if rate else "?"
    bar = "━" * (_BAR * done // max(total, 1))
    return f"{done:{len(str(total))}}/{total}  {rate:.0f}/s  {left} left  {bar}"
