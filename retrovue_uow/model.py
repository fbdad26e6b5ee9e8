"""The values that every wing shares: frozen, comparable, and turned into JSON by cattrs."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from functools import cache, cached_property, lru_cache
from importlib import import_module
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.secrets import redacted, shown

if TYPE_CHECKING:
    from cattrs import Converter

Json = Mapping[str, object]
Progress = Callable[[int, int | None, str], None]
"""`progress(done, total, path)`, from the caller's thread; total is None while unknown; raising in it cancels."""

AssetKind = Literal["episode", "movie", "commercial", "bumper", "promo", "psa", "station_id", "trailer", "filler", "other"]
AssetState = Literal["new", "ready", "retired"]
MarkerKind = Literal["chapter", "avail", "intro", "outro"]
TitleKind = Literal["show", "movie"]
Refresh = Literal["files", "changed", "all"]
Broken = Literal["refuse", "record"]
Severity = Literal["broken", "warning"]
Versions = Literal["best", "all"]
Upgrades = Literal["ask", "keep-approval"]
LISTS = "lists"
"""In the metadata of a result's field: it lists what another field counts."""
Outcome = Literal["created", "unchanged", "changed", "outdated", "refreshed", "moved"]

ChangeKind = Literal["insert", "update", "delete"]

ASSET_KINDS: tuple[AssetKind, ...] = get_args(AssetKind)
INTERSTITIAL_KINDS = tuple(kind for kind in ASSET_KINDS if kind not in {"episode", "movie", "other"})
ASSET_STATES: tuple[AssetState, ...] = get_args(AssetState)
VERSIONS: tuple[Versions, ...] = get_args(Versions)
MARKER_KINDS: tuple[MarkerKind, ...] = get_args(MarkerKind)


@attrs.frozen
class Marker:
    """A point or a span in a file.

    Attributes:
        start_ms: Milliseconds from the start of the file.
        end_ms: Milliseconds from the start of the file; None: a point in time.
        name: What the file calls it (a chapter's title), if anything.
    """

    kind: MarkerKind
    start_ms: int
    end_ms: int | None = None
    name: str | None = None


@attrs.frozen
class Sidecar:
    """A file beside a media file that tells about it; its size (bytes) and mtime (nanoseconds) show when it changed."""

    path: str
    size: int
    mtime_ns: int


@attrs.frozen
class Finding:
    """What an ingest found out about a file: that it is broken, so that its asset is never ready, or a warning.

    Attributes:
        enricher: Type of the one that found it; `importer` for what the importer said, `draft` for what no draft may say,
            `twin` for a second file whose name differs in Unicode form alone.
        message: One line, of at most 1,000 characters.
    """

    enricher: str
    severity: Severity
    message: str


@attrs.frozen
class AssetDraft:
    """What an importer found: a file that may become an asset.

    Attributes:
        file_path: Absolute local path, as `PathMapping.local_path` sees it.
        source_path: The path as the source reports it, as `PathMapping.source_path` sees it.
        size: Bytes, as `stat` reported at discovery.
        mtime_ns: Nanoseconds since the epoch, as `stat` reported at discovery.
        sidecars: Files beside it that tell about it; None until somebody has looked.
        kind: None until an importer or enricher has classified it.
        title: Name of the show or movie; None for an interstitial.
        year: First year of the show or movie.
        season_number: From 0; season 0 holds the specials.
        episode_numbers: The episodes that the file holds, ascending; more than one for a multi-episode file.
        part: From 1, where the file holds but a part of its movie or episode (`CD1`); None: it holds the whole.
        duration_ms: Milliseconds; None until an enricher measures it.
        width: Pixels.
        height: Pixels.
        metadata: One JSON object per domain (`editorial`, `probed`, `sidecar`, …).
        warnings: What an operator should know of the file or its sidecars, a sentence each; an enricher adds to them.
    """

    file_path: str
    source_path: str
    size: int | None = None
    mtime_ns: int | None = None
    sidecars: tuple[Sidecar, ...] | None = None
    kind: AssetKind | None = None
    title: str | None = None
    year: int | None = None
    season_number: int | None = None
    episode_numbers: tuple[int, ...] = ()
    episode_title: str | None = None
    duration_ms: int | None = None
    container: str | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    height: int | None = None
    markers: tuple[Marker, ...] = ()
    metadata: Mapping[str, Json] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()
    part: int | None = None


class FileFacts(NamedTuple):
    """What a file is compared by: it is as it was if they are equal. None: not known, which is no difference to `has_changed`.

    Attributes:
        sidecars: Fingerprint of the files beside it that tell about it.
        enrichers: Fingerprint of those that saw it; empty where it is to be read again.
    """

    file_path: str
    size: int | None
    mtime_ns: int | None
    sidecars: str
    enrichers: str

    def is_another_file(self, now: FileFacts) -> bool:
        """Whether size or mtime differ."""
        return self.size not in (None, now.size) or self.mtime_ns not in (None, now.mtime_ns)

    def has_changed(self, now: FileFacts) -> bool:
        """Whether the file, its path or its sidecars differ, or nothing that was read of it holds any more."""
        is_elsewhere = (self.file_path, self.sidecars) != (now.file_path, now.sidecars)
        return self.is_another_file(now) or is_elsewhere or not self.enrichers

    def is_outdated(self, now: FileFacts) -> bool:
        """Whether only older enrichers, or older configurations of them, saw it."""
        return self.enrichers != now.enrichers and not self.has_changed(now)


@attrs.frozen
class Source:
    """Where collections come from: a file system, a media server.

    Attributes:
        config: The importer's own configuration, as it is stored: references (`env:NAME`) as such, literal secrets in
            clear. Shown by `repr` and `as_json` without secrets.
    """

    id: str
    name: str
    type: str
    config: Json = attrs.field(factory=dict, repr=shown)


@attrs.frozen
class PathMapping:
    """Where a path that a source reports is found on this machine."""

    id: int
    source_path: str
    local_path: str


@attrs.frozen
class AttachedEnricher:
    """An enricher type that a collection uses. Lower priorities run first.

    Attributes:
        config: The enricher's own configuration; stored and shown as that of a `Source`.
    """

    type: str
    config: Json = attrs.field(factory=dict, repr=shown)
    priority: int = 100


@attrs.frozen
class Collection:
    """A part of a source that is ingested and wiped as a whole.

    Attributes:
        excludes: Glob patterns, as `IngestFilters.exclude` has them, that every ingest of it leaves out.
        upgrades: Whether a new file that shows what a missing one showed is approved as that was, or the operator is asked.
    """

    id: str
    source_id: str
    name: str
    external_id: str | None = None
    enabled: bool = True
    path_mappings: tuple[PathMapping, ...] = ()
    enrichers: tuple[AttachedEnricher, ...] = ()
    excludes: tuple[str, ...] = ()
    upgrades: Upgrades = "ask"

    @cached_property
    def mappings_by_source(self) -> Mapping[str, PathMapping]:
        """The path mappings by their source paths, which are canonical."""
        return {mapping.source_path: mapping for mapping in self.path_mappings}


@attrs.frozen
class FoundCollection:
    """What an importer's `collections()` reports: a collection that the source has.

    Attributes:
        path_mappings: `source_path` → `local_path`; empty where the importer cannot know where the files are mounted.
    """

    name: str
    external_id: str | None = None
    path_mappings: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Asset:
    """One media file that the catalogue knows.

    Attributes:
        canonical_key: The path as the source reports it, normalised; unique within the collection.
        file_path: Absolute local path at the time of the last ingest that wrote it.
        size: Bytes.
        mtime_ns: Nanoseconds since the epoch.
        state: `ready` once a duration is known.
        approved: Set by the operator only.
        duration_ms: Milliseconds.
        missing_since: UTC time of the first ingest that looked for its file and did not find it; None: it was there.
        title: Name of the show or movie that it belongs to.
        episode_numbers: Ascending; empty unless it is an episode.
        part: From 1, where the file holds but a part of its movie or episode; two parts are no versions of each other.
    """

    id: str
    collection_id: str
    canonical_key: str
    file_path: str
    kind: AssetKind
    state: AssetState
    approved: bool
    size: int | None = None
    mtime_ns: int | None = None
    duration_ms: int | None = None
    container: str | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    height: int | None = None
    missing_since: str | None = None
    title: str | None = None
    year: int | None = None
    season_number: int | None = None
    episode_numbers: tuple[int, ...] = ()
    episode_title: str | None = None
    part: int | None = None


@attrs.frozen
class Title:
    """A show or a movie.

    Attributes:
        seasons: How many; 0 for a movie.
        episodes: How many; 0 for a movie.
        assets: How many files show it, in all collections.
    """

    id: str
    kind: TitleKind
    name: str
    year: int | None = None
    seasons: int = 0
    episodes: int = 0
    assets: int = 0


def _as_text(path: str | os.PathLike[str] | None) -> str | None:
    return os.fspath(path) if isinstance(path, os.PathLike) else path


@attrs.frozen
class IngestFilters:
    """Which part of a collection to ingest; none: all of it.

    Attributes:
        title: Name of a show or movie, whole; case and Unicode form make no difference.
        season: Needs `title`.
        episode: Needs `season`.
        exclude: Glob patterns below the mapped roots; such files are neither ingested nor marked missing.
        under: Absolute path of a local folder; nothing outside it is looked at, and nothing but what lies below it can be
            missing or return.
    """

    title: str | None = None
    season: int | None = None
    episode: int | None = None
    exclude: tuple[str, ...] = ()
    under: str | None = attrs.field(default=None, converter=_as_text)

    @property
    def is_full(self) -> bool:
        """Whether the ingest looks at all of the collection or of a folder, so that what it does not see there is missing."""
        return self.title is None

    def excludes(self, relative_path: str) -> bool:
        """Whether a file at `relative_path` below its mapped root is left out by one of the patterns of `exclude`.

        A pattern without a slash matches the name of a file or folder at any depth, one with a slash the path from the
        root; `*` and `?` stay within a segment, `**` spans any number of them. What is below a folder that matches is
        left out with it. Case and Unicode form make no difference, as in the selectors.

        Raises:
            ValidationError: a pattern is empty or blank.
        """
        if not self.exclude:
            return False
        is_name, globs = self._globs
        segments = tuple(folded(relative_path).split("/"))
        return any(map(is_name, segments)) or any(_fits(segments, glob) for glob in globs)

    @cached_property
    def _globs(self) -> tuple[Callable[[str], object], list[tuple[str, ...]]]:
        """A match of a single name with the patterns that have no slash; the others by their segments."""
        names: list[str] = []
        globs: list[tuple[str, ...]] = []
        for pattern in self.exclude:
            segments = [segment for segment in folded(pattern).split("/") if segment not in ("", ".")]
            if not "".join(segments).strip():
                raise ValidationError(f"exclude pattern {pattern!r} is empty: name a file, a folder or a glob such as '*.iso'")
            if "/" in pattern.rstrip("/"):
                globs.append(tuple(each for each, next_ in pairwise([*segments, ""]) if (each, next_) != ("**", "**")))
            else:
                names.append(translate(segments[0]))
        return re.compile("|".join(names) or "(?!)").match, globs


@attrs.frozen(kw_only=True)
class AssetSelector:
    """Which assets; None: whatever it is. All that is given must hold.

    Attributes:
        collection: Identifier, external id or name of a collection.
        path: A glob pattern for the path of the file; from the root on, or of its last parts (`Season 01/*`). Case makes a
            difference, Unicode form none.
        kind: Kind of the assets.
        state: State of the assets.
        missing: True: only those that are missing; False: only those that are not.
        approved: True: only those that are approved; False: only those that are not.
        unclassified: True: only those of kind `other`.
        title: A show or movie as it is printed: `Doctor Who (1963)`, its name where that is one title's, or its id.
        season: Needs `title`.
        episode: Needs `season`.
        broken: True: only those whose file was found to be broken; False: only the others.
        versions: `all`: only those that may go on the air; `best`: of those, only the one to air of each that show the same.
    """

    collection: str | None = None
    path: str | None = None
    kind: AssetKind | None = None
    state: AssetState | None = None
    missing: bool | None = None
    approved: bool | None = None
    unclassified: bool | None = None
    title: str | None = None
    season: int | None = None
    episode: int | None = None
    broken: bool | None = None
    versions: Versions | None = None


@attrs.frozen
class WipeOptions:
    """How to wipe. `expect_assets=N` refuses if the collection does not hold exactly N assets."""

    dry_run: bool = False
    expect_assets: int | None = None


@attrs.frozen
class RowChange:
    """A row that was changed.

    Attributes:
        key: Its primary key.
        old: Values by column before the change; of an update, only those that changed, and the key. None: it was added.
            Configurations are without their secrets; undo has its own record, which keeps them.
        new: The same after the change. None: it was deleted.
    """

    table: str
    kind: ChangeKind
    key: str | int | float | bytes
    old: Json | None = None
    new: Json | None = None


@attrs.frozen
class Changes:
    """What a unit of work or an operation changed in the catalogue's tables.

    Attributes:
        counts: Rows by table and kind of change.
        rows: The changed rows themselves, decoded as they are asked for.
    """

    counts: Mapping[str, Mapping[ChangeKind, int]] = attrs.field(factory=dict)
    rows: Sequence[RowChange] = attrs.field(default=(), repr=False)


@attrs.frozen
class JournalOperation:
    """An operation that was committed, as the journal has it.

    Attributes:
        arguments: As it was called with; secrets in them are masked (as in the result).
        result: What it returned, as JSON: its counts, without the lists behind them.
        started_at: UTC text.
        duration_ms: Milliseconds.
    """

    name: str
    arguments: Json
    result: object
    started_at: str
    duration_ms: int


@attrs.frozen
class JournalUnit:
    """A unit of work that was committed, as the journal has it.

    Attributes:
        started_at: UTC text.
        committed_at: UTC text, just before the COMMIT.
        pid: The process that did it.
        library_version: The version of this library that did it.
        schema_version: How many migrations the catalogue had had.
        operations: In the order in which they ended.
        counts: Changed rows by table and kind of change; None where the SQLite at hand could not record them.
        is_recorded: Whether its rows can still be told, and so be undone; False once that has expired.
        undoes: The units that it undid.
        undone_by: The unit that undid it, unless that was undone itself.
        extensions: How many migrations of each extension the catalogue had had, of those whose rows it changed.
    """

    id: str
    started_at: str
    committed_at: str
    pid: int
    library_version: str
    schema_version: int
    operations: tuple[JournalOperation, ...] = ()
    counts: Mapping[str, Mapping[ChangeKind, int]] | None = None
    is_recorded: bool = False
    undoes: tuple[str, ...] = ()
    undone_by: str | None = None
    extensions: Mapping[str, int] = {}

    @property
    def can_be_undone(self) -> bool:
        """Whether there is something to undo, and it is still recorded and not undone already."""
        return self.is_recorded and bool(self.counts) and self.undone_by is None


@attrs.frozen(kw_only=True)
class Result:
    """What every operation's result tells.

    Attributes:
        unit_id: The unit of work in the journal; None in a dry run.
        duration_s: Seconds from the start of the operation to its last check before the commit.
        changes: What changed, row by row; None where this SQLite cannot record it.
    """

    unit_id: str | None = None
    dry_run: bool = False
    duration_s: float = 0.0
    changes: Changes | None = None


@attrs.frozen
class Extension:
    """Tables, rules and views of the station's own, which the catalogue then keeps like its own.

    Attributes:
        name: Small letters and digits; with `_` it begins the name of all that the extension has, as in `playlog_airing`.
        package: The importable package with its SQL, in the folders `migrations/` (`0001_….sql` and so on), `rules/` and
            `views/`, as in `retrovue_uow.schema`.
    """

    name: str
    package: str


def printed_title(name: str, year: int | None) -> str:
    """A title as listings print it: with its year, where that is known."""
    return f"{name} ({year})" if year else name


PRINTED_TITLE = re.compile(r"(.*\S) \(([0-9]{4})\)")
"""The name and year of a title as listings print it."""


def folded(text: str) -> str:
    """Text that users type, as it is compared: whatever its case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@lru_cache(maxsize=4096)  # without it, many `**` try the same tails over and over
def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    import hashlib  # which takes its time to load, and few need it

    return hashlib.sha256(text.encode()).hexdigest()


def _fits(segments: tuple[str, ...], glob: tuple[str, ...]) -> bool:
    if not glob:
        return True
    if glob[0] == "**":
        return any(_fits(segments[start:], glob[1:]) for start in range(len(segments)))
    return bool(segments) and fnmatchcase(segments[0], glob[0]) and _fits(segments[1:], glob[1:])


def summary(result: object) -> object:
    """What the journal keeps of a result: not what every result tells of its own unit, nor the lists behind its counts."""
    if not isinstance(result, Result):
        return result
    own = {field.name for field in attrs.fields(Result)}
    wanted = [field for field in attrs.fields(type(result)) if field.name not in own and not field.metadata.get(LISTS)]
    return {field.name: getattr(result, field.name) for field in wanted}


@cache
def _converter() -> Converter:
    """Made when the first value is turned into JSON: until then nobody waits for cattrs."""
    # By name, for errors speak of these values.
    with import_module("retrovue_uow.errors").loading("cattrs"):
        from cattrs import Converter
        from cattrs.gen import make_dict_unstructure_fn, override

    converter = Converter()
    for configured in (Source, AttachedEnricher):
        hook = make_dict_unstructure_fn(configured, converter, config=override(unstruct_hook=redacted))
        converter.register_unstructure_hook(configured, hook)
    return converter


def as_argument(number: object) -> object:
    """What was given for a number, as the journal can keep it: JSON has neither NaN nor infinity."""
    is_json = number is None or isinstance(number, int | str) or (isinstance(number, float) and isfinite(number))
    return number if is_json else repr(number)


def as_json(value: object) -> object:
    """`value` as JSON knows it: attrs values become objects by field name, tuples arrays; configurations show no secret."""
    return _converter().unstructure(value)
