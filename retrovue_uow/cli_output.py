"""What the command line prints: tables for people, JSON for programs, each safe whatever a file is called."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TypeVar

import attrs
from rich import box
from rich import progress as bars
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from retrovue_uow.model import (
    Asset,
    Changes,
    CheckReport,
    Collection,
    IngestResult,
    JournalUnit,
    Json,
    Marker,
    Progress,
    Result,
    Source,
    SourceIngestResult,
    Title,
    WithdrawingResult,
    as_json,
    printed_title,
)
from retrovue_uow.secrets import redacted

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PIPE_WIDTH = 100_000
_PADDING = re.compile(r" +$", re.MULTILINE)
_SHORTEST = 16
_LISTED = 50
T = TypeVar("T")


def plain(text: str, *, keep: str = "") -> str:
    """`text` with control, direction and surrogate characters as escapes, but for those to `keep`."""
    return "".join(
        char
        if char in keep or unicodedata.category(char) not in _UNPRINTABLE
        else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def shortened(text: str, width: int) -> str:
    """`text` in `width` cells, without its middle if it is longer; more is kept of its end, which tells files apart."""
    if cell_len(text) <= width:
        return text
    room = max(width - 1, 1)
    head = _fitting(text, room // 3)
    tail = _fitting(text[::-1], room - cell_len(head))[::-1]
    return f"{head}…{tail}"


def _fitting(text: str, width: int) -> str:
    used = 0
    for position, char in enumerate(text):
        used += cell_len(char)
        if used > width:
            return text[:position]
    return text


@attrs.frozen
class Long:
    """A name or path that gives way where the terminal is narrow."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(shortened(self.text, options.max_width), no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = cell_len(self.text)
        return Measurement(min(width, _SHORTEST), width).with_maximum(options.max_width)


def long(text: str) -> Long:
    """`text`, which came from outside, as a cell that may be shortened."""
    return Long(plain(text))


class _Unpadded(io.StringIO):
    """Standard output without the blanks that fill a table's last column."""

    def write(self, text: str) -> int:
        sys.stdout.write(_PADDING.sub("", text))
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()


def stdout() -> Console:
    """Standard output. Into a pipe nothing is shortened, so that whole paths can be searched for, and no line is filled up."""
    if sys.stdout.isatty():
        return _console()
    console = _console(file=_Unpadded())
    if "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


def terminal() -> Console:
    """Standard error, where questions, notes and errors go."""
    return _console(stderr=True)


def _console(*, file: IO[str] | None = None, stderr: bool = False) -> Console:
    # Rich takes NO_COLOR at its word, and prints bold all the same: https://no-color.org
    if os.environ.get("NO_COLOR"):
        return Console(file=file, stderr=stderr, color_system=None, markup=False, emoji=False, highlight=False)
    return Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)


def say(text: str) -> None:
    """Print a line for people."""
    stdout().print(Text(plain(text)), soft_wrap=True)


def note(text: str) -> None:
    """Print lines for people beside the output."""
    sys.stderr.write(f"note: {plain(text, keep=chr(10))}\n")


def complain(text: str) -> None:
    """Print an error."""
    sys.stderr.write(f"error: {plain(text, keep=chr(10))}\n")


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


def show(value: T, table: Callable[[T], object], *, json: bool, verbose: bool = False) -> None:
    """Print `value`: as JSON, where `verbose` with every changed row, or as its table."""
    if json:
        print_json(value, verbose=verbose)
    else:
        stdout().print(table(value))


def grid(headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """A table whose columns keep their width, but for those with `Long` cells."""
    content = [list(row) for row in rows]
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False, show_header=any(headers)
    )
    for index, header in enumerate(headers):
        cells = [row[index] for row in content]
        is_number = any(isinstance(cell, int) for cell in cells)
        is_long = any(isinstance(cell, Long) for cell in cells)
        table.add_column(header, justify="right" if is_number else "left", no_wrap=not is_long)
    for row in content:
        table.add_row(*map(_cell, row))
    return table


def _cell(value: object) -> Text | Long:
    if isinstance(value, Long):
        return value
    return Text("" if value is None else plain(str(value)))


def facts(pairs: Mapping[str, object]) -> Table:
    """One thing, fact by fact, without those that are unknown."""
    known = {name: value for name, value in pairs.items() if value not in (None, "", ())}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in known.items():
        table.add_row(Text(name), Text(plain(str(value), keep="\n")))
    return table


def sources_table(sources: Sequence[Source]) -> object:
    """Every source."""
    if not sources:
        return "there are no sources yet"
    rows = [(long(each.name), each.type, each.id, long(_compact(each.config))) for each in sources]
    return grid(("source", "type", "id", "configuration"), rows)


def collections_table(collections: Sequence[Collection]) -> object:
    """Every collection, with where it lies and what looks at it."""
    if not collections:
        return "there are no collections yet"
    rows = [
        (
            long(each.name),
            "yes" if each.enabled else "no",
            ", ".join(enricher.type for enricher in each.enrichers),
            long(", ".join(mapping.local_path for mapping in each.path_mappings)),
            long(", ".join(each.excludes)),
        )
        for each in collections
    ]
    return grid(("collection", "enabled", "enrichers", "folder", "excludes"), rows)


def excludes_table(excludes: Sequence[str]) -> object:
    """What every ingest of a collection leaves out."""
    return grid(("exclude",), [(long(each),) for each in excludes]) if excludes else "nothing is excluded"


@attrs.frozen
class CollectionPage:
    """One collection, and the unit in which it was last ingested."""

    collection: Collection
    last_ingest: JournalUnit | None

    def document(self) -> dict[str, object]:
        """The collection as JSON, with one more field."""
        return {**attrs.asdict(self.collection, recurse=False), "last_ingest": self.last_ingest}


def collection_page(page: CollectionPage) -> Table:
    """All about one collection, with what its last ingest did."""
    return facts({**_facts_of(page.collection), "last ingest": _shown_ingest(page.last_ingest)})


def collection_facts(collection: Collection) -> Table:
    """All about one collection."""
    return facts(_facts_of(collection))


def _facts_of(collection: Collection) -> dict[str, object]:
    return {
        "collection": collection.name,
        "id": collection.id,
        "source": collection.source_id,
        "external id": collection.external_id,
        "enabled": "yes" if collection.enabled else "no",
        "mapped": "\n".join(_mapping(plain(each.source_path), plain(each.local_path)) for each in collection.path_mappings),
        "enrichers": "\n".join(f"{each.priority} {each.type} {_compact(each.config)}" for each in collection.enrichers),
        "excludes": "\n".join(map(plain, collection.excludes)),
        "upgrades": collection.upgrades,
    }


def _shown_ingest(unit: JournalUnit | None) -> str:
    if unit is None:
        return "never"
    result = next((each.result for each in reversed(unit.operations) if each.name == "collection_ingest"), None)
    counts = result if isinstance(result, Mapping) else {}
    told = [f"{count} {name}" for name, count in counts.items() if type(count) is int and count]
    undone = ", undone since" if unit.undone_by else ""
    return f"{moment(unit.committed_at)}: {', '.join(told) or 'nothing found'}{undone} (unit {unit.id})"


def moment(utc: str) -> str:
    """A time of the catalogue to the second, e.g. `2026-01-31 09:05:07 UTC`."""
    return f"{utc[:10]} {utc[11:19]} UTC"


def _mapping(source_path: str, local_path: str) -> str:
    return local_path if source_path == local_path else f"{source_path} -> {local_path}"


def source_facts(source: Source) -> Table:
    """All about one source."""
    return facts({"source": source.name, "id": source.id, "type": source.type, "configuration": _compact(source.config)})


def attached_enrichers(collections: Sequence[Collection]) -> list[dict[str, object]]:
    """The enrichers of the collections, each with the name of its collection."""
    return [
        {"collection": collection.name, "type": each.type, "priority": each.priority, "config": redacted(each.config)}
        for collection in collections
        for each in sorted(collection.enrichers, key=lambda enricher: (enricher.priority, enricher.type))
    ]


def enrichers_table(attached: Sequence[Mapping[str, object]]) -> object:
    """Attached enrichers, in the order in which they run."""
    if not attached:
        return "no enrichers are attached"
    rows = [
        (
            long(str(each["collection"])),
            each["type"],
            each["priority"],
            long(json.dumps(each["config"]) if each["config"] else ""),
        )
        for each in attached
    ]
    return grid(("collection", "enricher", "priority", "configuration"), rows)


def assets_table(assets: Sequence[Asset]) -> object:
    """Assets by path."""
    if not assets:
        return "there are no such assets"
    rows = [
        (
            each.kind,
            long(shown_title(each)),
            clock(each.duration_ms),
            "missing" if each.missing_since else each.state,
            "yes" if each.approved else "",
            long(each.file_path),
        )
        for each in assets
    ]
    return grid(("kind", "title", "length", "state", "approved", "file"), rows)


def listed(paths: Sequence[str]) -> Iterator[RenderableType]:
    """Paths one below the other, and how many more there are."""
    return first_rows(("",), [(long(path),) for path in paths])


def first_rows(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[RenderableType]:
    """A table of the first rows, if there are any, and how many more there are."""
    if rows:
        yield grid(headers, rows[:_LISTED])
    if len(rows) > _LISTED:
        yield Text(f"and {len(rows) - _LISTED} more: --json names all")


def withdrawn(result: WithdrawingResult) -> Iterator[RenderableType]:
    """The approvals that an operation withdrew, each with its reason."""
    if result.withdrawals:
        lost = [f"{each.path}: {each.reason}" for each in result.withdrawals]
        yield Group(Text(f"no longer approved{', had it been kept' * result.dry_run}:"), *listed(lost))


def shown_title(asset: Asset) -> str:
    """Title, year, season, episodes and part, as far as it has them: `Space: 1999 (1975) S01E02-E03 part 1`."""
    if asset.title is None:
        return ""
    episodes = "-".join(f"E{number:02}" for number in asset.episode_numbers)
    season = f" S{asset.season_number:02}" if asset.season_number is not None else ""
    part = "" if asset.part is None else f" part {asset.part}"
    return f"{printed_title(asset.title, asset.year)}{season}{episodes}{part}"


def clock(duration_ms: int | None) -> str:
    """A duration as `h:mm:ss`; nothing where it is unknown."""
    if duration_ms is None:
        return ""
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


@attrs.frozen
class AssetPage:
    """One asset with what hangs on it."""

    asset: Asset
    markers: Sequence[Marker]
    metadata: Mapping[str, Json]

    def document(self) -> dict[str, object]:
        """The asset as JSON, with two more fields."""
        return {
            **attrs.asdict(self.asset),
            "markers": [as_json(marker) for marker in self.markers],
            "metadata": dict(self.metadata),
        }


def asset_facts(page: AssetPage) -> Table:
    """All about one asset."""
    asset = page.asset
    picture = f"{asset.width}x{asset.height}" if asset.width and asset.height else None
    return facts(
        {
            "file": plain(asset.file_path),
            "key": plain(asset.canonical_key) if asset.canonical_key != asset.file_path else None,
            "id": asset.id,
            "collection": asset.collection_id,
            "kind": asset.kind,
            "title": shown_title(asset),
            "episode title": asset.episode_title,
            "state": asset.state,
            "approved": "yes" if asset.approved else "no",
            "missing since": asset.missing_since,
            "length": clock(asset.duration_ms),
            "bytes": asset.size,
            "format": " ".join(filter(None, (asset.container, asset.video_codec, asset.audio_codec, picture))),
            "markers": "\n".join(map(_shown_marker, page.markers)),
            **{f"{domain}": json.dumps(document, indent=2, ensure_ascii=False) for domain, document in page.metadata.items()},
        }
    )


def _shown_marker(marker: Marker) -> str:
    return " ".join(filter(None, (marker.kind, clock(marker.start_ms), clock(marker.end_ms), plain(marker.name or ""))))


def titles_table(titles: Sequence[Title]) -> object:
    """Shows and movies by name."""
    if not titles:
        return "there are no titles yet"
    rows = [
        (each.kind, long(each.name), each.year, each.seasons or None, each.episodes or None, each.assets) for each in titles
    ]
    return grid(("kind", "title", "year", "seasons", "episodes", "files"), rows)


def violations_table(report: CheckReport) -> object:
    """What is wrong with the catalogue, and what is worth a mention."""
    found = (*report.violations, *report.mentions)
    parts: list[RenderableType] = [Text("the catalogue is sound")] if report.is_sound else []
    if found:
        rows = [(each.rule, f"{each.subject} {each.id}", long(each.detail)) for each in found]
        parts.append(grid(("rule", "row", "what to know" if report.is_sound else "what is wrong"), rows))
    return Group(*parts)


def deleted_table(deleted: Mapping[str, int]) -> Table:
    """Rows per table."""
    return grid(
        ("table", "rows"), [(name.replace("_", " "), count) for name, count in deleted.items() if count or name == "asset"]
    )


def _compact(config: Json) -> str:
    return json.dumps(redacted(config)) if config else ""


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A bar on the terminal, on standard error, gone at the end; None where there is no terminal."""
    console = terminal()
    if not console.is_terminal:
        yield None
        return
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeElapsedColumn())
    with bars.Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def advance(done: int, total: int | None, _path: str) -> None:
            step = "finding files" if total is None else "reading files"
            if step not in tasks:
                for finished in tasks.values():
                    bar.remove_task(finished)
                tasks.clear()
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        yield advance
