"""What a catalogue should hold, in plain Python: rows in a dictionary, and every operation as a change of it.

Left out is what nobody can predict: identifiers, which are numbers of the model's own here, and times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import attrs

Key = tuple[str, Any]
Rows = dict[Key, Any]
T = TypeVar("T")
TITLE_KINDS = {"episode": "show", "movie": "movie"}


SOURCE = "station"
"""The source of every collection."""
HELD_UP = ("title", "season", "episode")
DESCRIBING = ("marker", "asset_metadata", "finding")
OF_ASSETS = ("asset", "episode_asset", "movie_asset", *DESCRIBING, *HELD_UP)
"""The tables that a wipe counts."""
WARNED_OF, BROKEN = 5, 6
"""The sizes of files that an enricher warns of, and calls broken. Of these the source tells the duration itself."""
BY_PATH = ("assignment", "retirement", "approval", "preference")
"""The tables of what was decided about files, whether or not the asset is there."""
UNREAD = "?"
"""In place of an asset's enrichers: it counts as changed until it is read again."""
Told = dict[str, Any]
"""What the result of an operation must say, by the names of its fields."""


class RefusedError(Exception):
    """The operation must fail, and change nothing."""


class Identity(NamedTuple):
    """What a file is and shows."""

    kind: str
    title: str | None = None
    year: int | None = None
    season: int | None = None
    episodes: tuple[int, ...] = ()


class File(NamedTuple):
    """A file as the source has it."""

    key: str
    size: int
    mtime: int
    identity: Identity
    place: str = ""

    def __repr__(self) -> str:
        return f"File({self.key!r}, {self.size}, {self.mtime})"


class Asset(NamedTuple):
    """A row of the table; what it shows is in rows of its own."""

    collection: str
    key: str
    kind: str
    state: str
    approved: bool
    missing: bool
    size: int
    mtime: int
    duration: int | None
    enrichers: str
    place: str

    @property
    def may_air(self) -> bool:
        """Whether it may be scheduled."""
        return self.approved and not self.missing


class Shown(NamedTuple):
    """An asset with what it shows: how one that reads the catalogue sees it."""

    asset: Asset
    identity: Identity
    is_broken: bool


Wanted = Callable[[Shown], bool]
RELOCATED = ("found", "missing", "returned", "mtime_differs", "other_size")
"""What a relocation counts, and but for the first lists."""
LISTED = (
    *("created", "changed", "outdated", "refreshed", "missing", "returned", "moved", "duplicates"),
    *("unclassified", "ambiguous", "replaced", "retitled", "approved", "broken", "warnings"),
)
"""What an ingest lists, but for twins and what is unreachable: the files here have plain names, sizes and mtimes."""
READ = ("created", "refreshed", "moved")
"""What became of files that enrichers saw."""


def is_retitled(was: Identity, now: Identity) -> bool:
    """Whether a file that moved says another title, whatever its case, and nothing else that is new."""
    is_another = ((was.title or "").casefold(), was.year) != ((now.title or "").casefold(), now.year)
    return is_another and was._replace(title=now.title, year=now.year) == now


def root_of(key: str) -> str:
    """The mapped path that a file lies in."""
    return key.rpartition("/")[0]


@attrs.frozen
class Options:
    """How to ingest; `exclude` is the name of a file, `under` a mapped path."""

    refresh: str | None = "files"
    title: str | None = None
    exclude: str | None = None
    under: str | None = None
    allow_empty: bool = True
    strict_names: bool = False
    broken: str = "record"

    @property
    def is_full(self) -> bool:
        """Whether what is not seen is missing."""
        return self.title is None

    def refuse_unclassified(self, key: str) -> None:
        """Where the names are to tell what a file is."""
        if self.strict_names:
            raise RefusedError(f"{key} is unclassified")

    def refuse_broken(self, found: Iterable[str | None]) -> None:
        """Where a file that is broken is to keep all others out."""
        if self.broken == "refuse" and "broken" in found:
            raise RefusedError("a file is broken")

    def excludes(self, key: str) -> bool:
        """Whether a file is left out."""
        return self.exclude is not None and key.endswith(f"/{self.exclude}")

    def is_inside(self, key: str) -> bool:
        """Whether a file lies in the folder that is looked at."""
        return self.under in (None, root_of(key))


@attrs.frozen
class OfTitle:
    """What belongs to the title that is named: to one of them, or the name is refused."""

    title: str

    def __call__(self, each: Shown) -> bool:
        return (each.identity.title or "").casefold() == self.title.casefold()

    def of_one_title(self, found: Mapping[int, Shown]) -> dict[int, Shown]:
        """Those of the title that is called exactly so, or is printed without a year."""
        titles = {each.identity[:3] for each in found.values()}
        exactly = [each for each in titles if each[1] == self.title]
        printed = [each for each in titles if each[2] is None]
        meant = not_ambiguous(next((each for each in (exactly, printed) if len(each) == 1), [*titles]))
        return {number: each for number, each in found.items() if each.identity[:3] in meant}


def not_ambiguous(titles: list[T]) -> list[T]:
    """The titles that a name may mean, which must not be several."""
    if len(titles) > 1:
        raise RefusedError("ambiguous")
    return titles


def readable(identity: Identity | None) -> Identity:
    """What a name says, which must be something."""
    if identity is None:
        raise RefusedError("does not fit")
    return identity


@attrs.frozen
class Moves:
    """Which asset is which new file, and the keys of what cannot be told apart."""

    origins: Mapping[str, int]
    ambiguous: list[str]

    @classmethod
    def of(cls, alike: list[list[tuple[str, str]]], known: Mapping[str, int]) -> Moves:
        """Judge what looks the same, for each look."""
        origins: dict[str, int] = {}
        ambiguous: set[str] = set()
        for each in alike:
            roles = dict(each)
            if sorted(role for role, _ in each) == ["come", "gone"]:
                origins[roles["come"]] = known[roles["gone"]]
            elif roles.keys() & {"gone", "replaced"} and roles.keys() & {"come", "replacing"}:
                ambiguous |= {key for _, key in each}
        return cls(origins, sorted(ambiguous))


@attrs.define
class Model:
    """The rows by table and number. Every operation either changes them, or raises `RefusedError`."""

    rows: Rows = attrs.field(factory=dict)
    created: Counter[str] = attrs.field(factory=Counter)
    _last_number: int = 0

    def copied(self) -> Model:
        """The same rows, to be changed without changing these."""
        return Model(dict(self.rows), Counter(), self._last_number)

    def table(self, name: str) -> dict[Any, Any]:
        """The rows of one table by number."""
        return {number: row for (table, number), row in self.rows.items() if table == name}

    def add(self, table: str, row: object) -> int:
        """Add a row under a new number."""
        self._last_number += 1
        self.rows[table, self._last_number] = row
        self.created[table] += 1
        return self._last_number

    def find(self, table: str, row: object) -> int | None:
        """The number of a row; None: it is not there."""
        return next((number for number, each in self.table(table).items() if each == row), None)

    def ensure(self, table: str, row: object) -> int:
        """The number of a row, which is added if need be."""
        found = self.find(table, row)
        return self.add(table, row) if found is None else found

    def remove(self, table: str, numbers: Iterable[int]) -> None:
        """Remove rows."""
        for number in list(numbers):
            del self.rows[table, number]

    def change(self, number: int, **values: object) -> Asset:
        """Change an asset."""
        asset: Asset = self.rows["asset", number]._replace(**values)
        self.rows["asset", number] = asset
        return asset

    # What assets show

    def identity(self, asset: int) -> Identity:
        """What an asset is and shows now; no title where an undo has brought it back to one that is gone."""
        kind = self.rows["asset", asset].kind
        for title, shown_by in self.table("movie_asset").values():
            if shown_by == asset:
                _, name, year = self.rows.get(("title", title), (None, None, None))
                return Identity(kind, name, year)
        episodes = [episode for episode, shown_by in self.table("episode_asset").values() if shown_by == asset]
        if not episodes:
            return Identity(kind)
        there = [self.rows.get(("episode", each), (None, 0)) for each in episodes]
        title, number = self.rows.get(("season", there[0][0]), (None, None))
        _, name, year = self.rows.get(("title", title), (None, None, None))
        numbers = tuple(sorted(each for _, each in there))
        return Identity(kind, name, year, number, numbers)

    def shown(self) -> dict[int, Shown]:
        """Every asset with what it shows."""
        assets = self.table("asset").items()
        return {number: Shown(asset, self.identity(number), self.is_broken(number)) for number, asset in assets}

    def is_broken(self, asset: int) -> bool:
        """Whether its file was broken when it was read."""
        return any(row[:2] == (asset, "broken") for row in self.table("finding").values())

    def link(self, asset: int, identity: Identity) -> None:
        """Let an asset show what it is said to be; titles, seasons and episodes are added as needed."""
        if identity.kind not in TITLE_KINDS:
            return
        title = self._title(TITLE_KINDS[identity.kind], identity.title, identity.year)
        if identity.kind == "movie":
            self.add("movie_asset", (title, asset))
            return
        season = self.ensure("season", (title, identity.season))
        for number in identity.episodes:
            self.add("episode_asset", (self.ensure("episode", (season, number)), asset))

    def _title(self, kind: str, name: str | None, year: int | None) -> int:
        """The title of that name or, unless the operator gave it, the oldest whose name differs in case alone."""
        said = {(TITLE_KINDS.get(each.kind), each.title, each.year) for _, _, each in self.table("assignment").values()}
        is_exact = (kind, name, year) in said or self.find("title", (kind, name, year)) is not None
        asked = None if is_exact else (kind, (name or "").casefold(), year)
        alike = [each for each, row in self.table("title").items() if (row[0], row[1].casefold(), row[2]) == asked]
        return min(alike) if alike else self.ensure("title", (kind, name, year))

    def unlink(self, assets: set[int]) -> None:
        """Let assets show nothing."""
        for table in ("episode_asset", "movie_asset"):
            self.remove(table, [number for number, (_, asset) in self.table(table).items() if asset in assets])

    def sweep(self) -> None:
        """What nothing shows any more is gone."""
        self._remove_unless_held("episode", [episode for episode, _ in self.table("episode_asset").values()])
        self._remove_unless_held("season", [season for season, _ in self.table("episode").values()])
        held = [title for table in ("season", "movie_asset") for title, _ in self.table(table).values()]
        self._remove_unless_held("title", held)

    def _remove_unless_held(self, table: str, held: Iterable[int]) -> None:
        self.remove(table, set(self.table(table)) - set(held))

    def link_again(self, asset: int, identity: Identity) -> None:
        """Let an asset show something else, if it is something else."""
        if self.identity(asset) != identity:
            self.change(asset, kind=identity.kind)
            self.unlink({asset})
            self.link(asset, identity)
            self.sweep()

    # Sources and collections

    def add_source(self, name: str) -> None:
        """A name is had once."""
        if self.find("source", (name,)) is not None:
            raise RefusedError(name)
        self.add("source", (name,))

    def remove_source(self, name: str) -> None:
        """The source that has the collections must have none left."""
        number = self.find("source", (name,))
        if number is None or (name == SOURCE and self.table("collection")):
            raise RefusedError(name)
        self.remove("source", [number])

    def discover(self, found: Mapping[str, str]) -> None:
        """What the source reports, name and mapped path, is added if it is not there, and not enabled."""
        for name, path in found.items():
            if not any(each == name for each, _ in self.table("collection").values()):
                self.add("collection", (name, False))
                self.add("path_mapping", (name, path, ""))

    def require_enabled(self, name: str) -> None:
        """It must be there, and enabled."""
        if not self.rows["collection", self._collection_number(name)][1]:
            raise RefusedError(name)

    def _collection_number(self, name: str) -> int:
        for number, (each, _) in self.table("collection").items():
            if each == name:
                return int(number)
        raise RefusedError(name)

    def add_collection(self, name: str, path: str) -> None:
        """A new one is enabled."""
        if any(each == name for each, _ in self.table("collection").values()):
            raise RefusedError(name)
        self.add("collection", (name, True))
        self.add("path_mapping", (name, path, ""))

    def remove_collection(self, name: str) -> None:
        """What was decided about its files goes with it."""
        number = self._collection_number(name)
        if self.assets_of(name):
            raise RefusedError(name)
        for table in ("path_mapping", "exclude", "enricher", "upgrades", *BY_PATH):
            self.remove(table, [key for key, row in self.table(table).items() if row[0] == name])
        self.remove("collection", [number])

    def set_enabled(self, name: str, *, enabled: bool) -> None:
        """Whether it is ingested."""
        self.rows["collection", self._collection_number(name)] = (name, enabled)

    def set_upgrades(self, name: str, upgrades: str) -> None:
        """Whether what replaces another file takes over its approval."""
        of_collection = "upgrades", self._collection_number(name)
        self.rows.pop(of_collection, None)
        if upgrades == "keep-approval":
            self.rows[of_collection] = (name,)

    def map_path(self, name: str, path: str) -> None:
        """A path is mapped once."""
        self._collection_number(name)
        if path in self.roots(name):
            raise RefusedError(path)
        self.add("path_mapping", (name, path, ""))

    def unmap_path(self, name: str, path: str) -> None:
        """No asset may have come through it."""
        self._collection_number(name)
        if path not in self.roots(name) or any(root_of(key) == path for key in self.assets_of(name)):
            raise RefusedError(path)
        self.remove("path_mapping", [self._mapping_number(name, path)])

    def exclude(self, name: str, file: str) -> None:
        """The name of a file is excluded once."""
        self._collection_number(name)
        if self.find("exclude", (name, file)) is not None:
            raise RefusedError(file)
        self.add("exclude", (name, file))

    def unexclude(self, name: str, file: str) -> None:
        """It must be excluded."""
        self._collection_number(name)
        number = self.find("exclude", (name, file))
        if number is None:
            raise RefusedError(file)
        self.remove("exclude", [number])

    def roots(self, name: str) -> set[str]:
        """The mapped paths of a collection."""
        return {path for each, path, _ in self.table("path_mapping").values() if each == name}

    def place(self, name: str, path: str) -> str:
        """Where a mapped path leads."""
        return str(self.rows["path_mapping", self._mapping_number(name, path)][2])

    def _mapping_number(self, name: str, path: str) -> int:
        return next(int(number) for number, row in self.table("path_mapping").items() if row[:2] == (name, path))

    def relocate(self, name: str, path: str, place: str, looks: Mapping[str, str], min_found: float) -> Told:
        """Let a mapped path lead elsewhere; `looks` tells how the files of assets look there."""
        self._collection_number(name)
        if path not in self.roots(name) or self.place(name, path) == place:
            raise RefusedError(path)
        lists: dict[str, list[str]] = {each: [] for each in RELOCATED}
        assets = {key: number for key, number in self.assets_of(name).items() if root_of(key) == path}
        for key, number in assets.items():
            was_missing, look = self.rows["asset", number].missing, looks[key]
            lists["other_size"] += [key] if look == "other" else []
            lists["mtime_differs"] += [key] if look == "touched" else []
            lists["missing"] += [key] if look in ("gone", "other") and not was_missing else []
            lists["returned"] += [key] if look == "there" and was_missing else []
            lists["found"] += [key] if look == "there" or (look == "touched" and not was_missing) else []
        expected = sum(not self.rows["asset", number].missing for number in assets.values())
        if expected and (expected - len(lists["missing"])) / expected < min_found:
            raise RefusedError("too few")
        self.rows["path_mapping", self._mapping_number(name, path)] = (name, path, place)
        for key, number in assets.items():
            was_missing = self.rows["asset", number].missing
            self.change(number, place=place, missing=key in lists["missing"] or (was_missing and key not in lists["returned"]))
        return {**{each: len(keys) for each, keys in lists.items()}, "paths": {each: lists[each] for each in RELOCATED[1:]}}

    def attach(self, name: str) -> None:
        """Attach the one enricher that there is."""
        self._collection_number(name)
        if self.enrichers(name):
            raise RefusedError(name)
        self.add("enricher", (name,))

    def detach(self, name: str) -> None:
        """Detach it."""
        self._collection_number(name)
        if not self.enrichers(name):
            raise RefusedError(name)
        self.remove("enricher", [number for number, row in self.table("enricher").items() if row == (name,)])

    def enrichers(self, name: str) -> str:
        """Which enrichers see the files of a collection: empty for none."""
        return "".join("+" for row in self.table("enricher").values() if row == (name,)) and "measured"

    def assets_of(self, name: str) -> dict[str, int]:
        """The assets of a collection by key."""
        return {asset.key: number for number, asset in self.table("asset").items() if asset.collection == name}

    # Ingesting

    def ingest(self, name: str, files: list[File], options: Options) -> Told:
        """All that the source has, or the part of it that is asked for."""
        self.created.clear()
        self.require_enabled(name)
        if not self.roots(name) or any(root_of(file.key) not in self.roots(name) for file in files):
            raise RefusedError("a file is below no mapping")
        if any(file.place != self.place(name, root_of(file.key)) for file in files):
            raise RefusedError("a file lies elsewhere")
        if options.under is not None and options.under not in self.roots(name):
            raise RefusedError("below no mapping")
        found: dict[str, File] = {}
        files = [file for file in files if options.is_inside(file.key)]
        excluding = [options, *(Options(exclude=file) for each, file in self.table("exclude").values() if each == name)]
        reported = [file for file in files if not any(each.excludes(file.key) for each in excluding)]
        duplicates = [file.key for file in reported if found.setdefault(file.key, file) is not file]
        known, decided = self.assets_of(name), Decided.of(self, name)
        inside = {key: number for key, number in known.items() if options.is_inside(key)}
        expected = {key: number for key, number in inside.items() if not any(each.excludes(key) for each in excluding)}
        due = [each for each in found.values() if self._is_read(known.get(each.key), each, options.refresh)]
        options.refuse_broken(self._severity(name, each) for each in due)
        if options.is_full and not options.allow_empty and {root_of(key) for key in expected} - {root_of(key) for key in found}:
            raise RefusedError("nothing was found below a mapping")
        wanted = [file for file in found.values() if options.is_full or self._is_wanted(name, file, options, decided)]
        if not wanted and not options.is_full:
            raise RefusedError("nothing matches")
        unseen = {key: number for key, number in expected.items() if key not in found} if options.is_full else {}
        tally = self._write_all(name, wanted, unseen, options, decided)
        tally["duplicates"] = duplicates
        return {
            "discovered": len(wanted) + len(duplicates),
            "created_entities": {table: self.created[table] for table in HELD_UP},
            "unchanged": len(tally.pop("unchanged", [])),
            **{outcome: len(tally[outcome]) for outcome in LISTED},
            "paths": {outcome: sorted(tally[outcome]) for outcome in LISTED},
        }

    def _write_all(
        self, name: str, files: list[File], unseen: Mapping[str, int], options: Options, decided: Decided
    ) -> dict[str, list[str]]:
        """The keys by what became of them."""
        known = self.assets_of(name)
        moves = self._moves(name, unseen, files, options) if options.is_full else Moves({}, [])
        tally: defaultdict[str, list[str]] = defaultdict(list)
        tally["returned"] = [file.key for file in files if file.key in known and self.rows["asset", known[file.key]].missing]
        for file in files:
            origin = moves.origins.get(file.key)
            known_as = file.key if origin is None else self.rows["asset", origin].key
            before = known.get(file.key) if origin is None else origin
            was_approved = before is not None and self.rows["asset", before].approved
            identity = decided.settle(known_as, file.identity)
            if origin is not None:
                if options.refresh != "all" and is_retitled(was := self.identity(origin), identity):
                    tally["retitled"].append(file.key)
                    identity = identity._replace(title=was.title, year=was.year)
                outcome = self._move(origin, file, identity, options.refresh)
            else:
                is_retired = file.key in decided.retired
                outcome = self._write(name, known.get(file.key), file, identity, options.refresh, is_retired=is_retired)
            tally[outcome].append(file.key)
            is_approved = self.rows["asset", self.assets_of(name)[file.key]].approved
            tally["approved"] += [file.key] if is_approved and not was_approved else []
            severity = self._severity(name, file) if outcome in READ else None
            if severity is not None:
                tally["broken" if severity == "broken" else "warnings"].append(file.key)
            if outcome in READ and identity.kind == "other":
                options.refuse_unclassified(file.key)
                tally["unclassified"] += [file.key] if outcome != "moved" else []
        gone = {key: number for key, number in unseen.items() if number not in moves.origins.values()}
        ambiguous = self._replace(name, gone.values(), tally) if options.is_full else set()
        tally["ambiguous"] = sorted({*moves.ambiguous, *ambiguous})
        for key, number in gone.items():
            tally["missing"] += [key] if not self.rows["asset", number].missing else []
            self.change(number, missing=True)
        return tally

    def _replace(self, name: str, gone: Iterable[int], tally: dict[str, list[str]]) -> set[str]:
        """New assets that show what one missing one showed take over its approval; the keys of those that are not just two."""
        ambiguous: set[str] = set()
        new = [self.assets_of(name)[key] for key in tally["created"]]
        for identity in {self.identity(number) for number in gone if self.identity(number).title}:
            missing = [number for number in gone if self.identity(number) == identity]
            left = [number for number in missing if not self.rows["asset", number].missing] or missing
            come = [number for number in new if self.identity(number) == identity]
            if len(left) == len(come) == 1:
                asset = self.rows["asset", come[0]]
                tally["replaced"].append(asset.key)
                if self.find("upgrades", (name,)) is not None:
                    self._take_over(left[0], come[0])
            elif come:
                ambiguous |= {self.rows["asset", number].key for number in (*left, *come)}
        return ambiguous

    def _take_over(self, old: int, new: int) -> None:
        """The approval, if it is ready and its own was never withdrawn; then that it is preferred, if no other one is."""
        asset = self.rows["asset", new]
        is_ready = self.rows["asset", old].approved and asset.state == "ready"
        if is_ready and not any(row[:2] == asset[:2] for row in self.table("approval").values()):
            self.change(new, approved=True)
            self._say_approved(new, approved=True)
        if self.rows["asset", new].approved and {each for each in self._versions(new) if self._preference(each)} == {old}:
            self._forget_decision("preference", *self.rows["asset", old][:2])
            self.add("preference", asset[:2])

    def enabled(self) -> list[str]:
        """The collections that are ingested with their source."""
        return sorted(name for name, is_enabled in self.table("collection").values() if is_enabled)

    def _is_wanted(self, name: str, file: File, options: Options, decided: Decided) -> bool:
        """By what is known of an asset; of a file that is read anew, by that."""
        number = self.assets_of(name).get(file.key)
        if number is None or self._is_read(number, file, options.refresh):
            title = decided.settle(file.key, file.identity).title
        else:
            title = self.identity(number).title
        return title is not None and title.casefold() in self._meant_by(str(options.title))

    def process(self, name: str, file: File, refresh: str | None, broken: str) -> Told:
        """One file."""
        self.created.clear()
        self.require_enabled(name)
        if root_of(file.key) not in self.roots(name):
            raise RefusedError("below no mapping")
        decided = Decided.of(self, name)
        known = self.assets_of(name).get(file.key)
        if self._is_read(known, file, refresh):
            Options(broken=broken).refuse_broken([self._severity(name, file)])
        identity = decided.settle(file.key, file.identity)
        outcome = self._write(name, known, file, identity, refresh, is_retired=file.key in decided.retired)
        return {"outcome": outcome, "created_entities": {table: self.created[table] for table in HELD_UP}}

    def _measured(self, name: str, file: File) -> int | None:
        return file.size * 1000 if self.enrichers(name) or file.size == BROKEN else None

    def _severity(self, name: str, file: File) -> str | None:
        """What the enricher, if there is one, finds out about a file."""
        return {WARNED_OF: "warning", BROKEN: "broken"}.get(file.size) if self.enrichers(name) else None

    def _state(self, name: str, file: File) -> str:
        return "ready" if self._measured(name, file) and self._severity(name, file) != "broken" else "new"

    def _moves(self, name: str, unseen: Mapping[str, int], files: list[File], options: Options) -> Moves:
        """Missing asset and new file, where nothing else looks the same."""
        known = self.assets_of(name)
        alike: defaultdict[Any, list[tuple[str, str]]] = defaultdict(list)
        displaced = set(unseen)
        for key, number in unseen.items():
            asset = self.rows["asset", number]
            alike[asset.size, asset.mtime, asset.duration].append(("gone", key))
        for file in files:
            facts = (file.size, file.mtime, self._measured(name, file))
            if file.key not in known:
                alike[facts].append(("come", file.key))
                continue
            asset = self.rows["asset", known[file.key]]
            if (asset.size, asset.mtime) != facts[:2]:
                displaced.add(file.key)
                alike[asset.size, asset.mtime, asset.duration].append(("replaced", file.key))
                if self._is_read(known[file.key], file, options.refresh):
                    alike[facts].append(("replacing", file.key))
        arrived = {(file.size, file.mtime) for file in files if file.key not in known}
        for key in known.keys() - displaced:
            asset = self.rows["asset", known[key]]
            if options.is_inside(key) or (asset.size, asset.mtime) in arrived:
                alike[asset.size, asset.mtime, asset.duration].append(("stayed", key))
        return Moves.of([each for facts, each in alike.items() if facts[2] is not None], known)

    def _is_read(self, number: int | None, file: File, refresh: str | None) -> bool:
        if number is None or refresh == "all":
            return True
        asset = self.rows["asset", number]
        if self.is_broken(number) and (asset.size, asset.mtime) != (file.size, file.mtime):
            return True
        left = self._left(number, file)
        return (refresh == "files" and left == "changed") or (refresh == "changed" and left != "unchanged")

    def _left(self, number: int, file: File) -> str:
        """What becomes of an asset that is not read again."""
        asset = self.rows["asset", number]
        is_elsewhere = asset.place != self.place(asset.collection, root_of(file.key))
        if asset.enrichers == UNREAD or is_elsewhere or (asset.size, asset.mtime) != (file.size, file.mtime):
            return "changed"
        return "unchanged" if asset.enrichers == self.enrichers(asset.collection) else "outdated"

    def _write(
        self, name: str, number: int | None, file: File, identity: Identity, refresh: str | None, *, is_retired: bool
    ) -> str:
        if number is None:
            state = "retired" if is_retired else self._state(name, file)
            seen = (file.size, file.mtime, self._measured(name, file), self.enrichers(name), file.place)
            number = self.add("asset", Asset(name, file.key, identity.kind, state, False, False, *seen))
            self.link(number, identity)
            self._approve_again(number)
            self._describe(number, self._severity(name, file))
            return "created"
        asset = self.rows["asset", number]
        self.change(number, missing=False)
        if asset.missing and (asset.size, asset.mtime) != (file.size, file.mtime):
            self._void(number)
        if self._is_read(number, file, refresh):
            self._refresh(number, file, identity)
            return "refreshed"
        return self._left(number, file)

    def _describe(self, number: int, severity: str | None) -> None:
        """The marker and the documents of an asset, which tell its duration and size, and what was found out about its file."""
        asset = self.rows["asset", number]
        for table in DESCRIBING:
            self.remove(table, [key for key, row in self.table(table).items() if row[0] == number])
        self.add("asset_metadata", (number, asset.size))
        if severity is not None:
            self.add("finding", (number, severity, asset.size))
        if asset.enrichers and severity != "broken":
            self.add("marker", (number, asset.duration))
            self.add("asset_metadata", (number, asset.duration))

    def _refresh(self, number: int, file: File, identity: Identity) -> None:
        before, was = self.rows["asset", number], self.identity(number)
        duration = self._measured(before.collection, file)
        state = "retired" if before.state == "retired" else self._state(before.collection, file)
        if (before.state, before.size, before.duration, was) != (state, file.size, duration, identity):
            self._void(number)
        self.link_again(number, identity)
        now = self.change(
            number,
            state=state,
            size=file.size,
            mtime=file.mtime,
            duration=duration,
            enrichers=self.enrichers(before.collection),
            place=file.place,
        )
        for key, row in self.table("approval").items():
            if now.approved and row[:2] == (now.collection, now.key):  # mtime alone withdraws nothing
                self.rows["approval", key] = (*row[:4], now.mtime, *row[5:])
        is_another = (before.size, before.mtime, before.duration) != (now.size, now.mtime, now.duration)
        _ = is_another and before.state == "ready" and not before.approved and self._approve_again(number, voids=False)
        self._describe(number, self._severity(before.collection, file))

    def _move(self, number: int, file: File, identity: Identity, refresh: str | None) -> str:
        asset = self.rows["asset", number]
        for table in BY_PATH:
            moving = {key: row for key, row in self.table(table).items() if row[:2] == (asset.collection, asset.key)}
            self._forget_decision(table, asset.collection, file.key)
            for key, row in moving.items():
                self.rows[table, key] = (asset.collection, file.key, *row[2:])
        is_changed = self.identity(number) != identity
        self.change(number, key=file.key, place=file.place, missing=False, enrichers=UNREAD if is_changed else asset.enrichers)
        if refresh is not None:
            self._refresh(number, file, identity)
        return "moved"

    # Deleting

    def delete(self, assets: Iterable[int]) -> Told:
        """Delete assets, and what only they held up."""
        doomed, before = set(assets), self._sizes()
        self.unlink(doomed)
        self.sweep()
        self.remove("asset", doomed)
        for table in (*DESCRIBING, "slot"):
            self.remove(table, [key for key, row in self.table(table).items() if row[0] in doomed])
        return {"deleted": dict(before - self._sizes())}

    def _sizes(self) -> Counter[str]:
        return Counter({table: len(self.table(table)) for table in OF_ASSETS})

    def wipe(self, name: str, expected: int | None = None) -> Told:
        """Delete all assets of a collection; what was decided about its files stays."""
        self._collection_number(name)
        if expected not in (None, len(self.assets_of(name))):
            raise RefusedError("another number")
        for key, number in self.assets_of(name).items():
            asset = self.rows["asset", number]
            said = {row[:2]: row[2:6] for row in self.table("approval").values()}.get((name, key))
            says_otherwise = said == (None if asset.approved else (True, asset.size, asset.mtime, asset.duration))
            _ = says_otherwise and self._say_approved(number, approved=asset.approved)
        return self.delete(self.assets_of(name).values())

    def forget(self, name: str, max_fraction: float) -> Told:
        """Delete its missing assets, and what was decided about them."""
        self._collection_number(name)
        doomed = {key: number for key, number in self.assets_of(name).items() if self.rows["asset", number].missing}
        if len(doomed) > max_fraction * len(self.assets_of(name)):
            raise RefusedError("too many")
        for key in doomed:
            for table in BY_PATH:
                self._forget_decision(table, name, key)
        return {"forgotten": len(doomed), "kept": 0, "paths": tuple(sorted(doomed)), **self.delete(doomed.values())}

    def _forget_decision(self, table: str, collection: str, key: str) -> bool:
        found = [number for number, row in self.table(table).items() if row[:2] == (collection, key)]
        self.remove(table, found)
        return bool(found)

    # The station's own table

    def plan(self, number: int, start: int) -> None:
        """An asset is on at a time."""
        if start in {taken for _, taken in self.table("slot").values()}:
            raise RefusedError("another one is on then")
        self.add("slot", (number, start))

    def judge(self) -> None:
        """What its rules say in the end."""
        if any(self.rows["asset", number].kind == "other" for number, _ in self.table("slot").values()):
            raise RefusedError("what nothing could classify is planned")

    # Deciding

    def chosen(self, wanted: Wanted, expected: int | None) -> dict[int, Shown]:
        """The assets that are meant, which must not be none."""
        found = {number: each for number, each in self.shown().items() if wanted(each)}
        if isinstance(wanted, OfTitle):
            found = wanted.of_one_title(found)
        if not found or expected not in (None, len(found)):
            raise RefusedError("none, or another number")
        return found

    def approve(self, wanted: Wanted, expected: int | None) -> Told:
        """All of them must be ready."""
        found = self.chosen(wanted, expected)
        if any(each.asset.state != "ready" for each in found.values()):
            raise RefusedError("not ready")
        to_change = [number for number, each in found.items() if not each.asset.approved]
        for number in to_change:
            self.change(number, approved=True)
            self._say_approved(number, approved=True)
        return self._decided(found, to_change)

    def withdraw(self, wanted: Wanted, expected: int | None) -> Told:
        """Nothing else changes."""
        found = self.chosen(wanted, expected)
        to_change = [number for number, each in found.items() if each.asset.approved]
        for number in to_change:
            self.change(number, approved=False)
            self._say_approved(number, approved=False)
        return self._decided(found, to_change)

    def _say_approved(self, number: int, *, approved: bool) -> bool:
        """What the operator says last; that an approval is withdrawn is kept only where there was one."""
        asset = self.rows["asset", number]
        said = [key for key, row in self.table("approval").items() if row[:2] == (asset.collection, asset.key)]
        if approved:
            row = (asset.collection, asset.key, True, asset.size, asset.mtime, asset.duration, self.identity(number))
            self.rows["approval", said[0] if said else self.add("approval", row)] = row
        elif said:
            self.rows["approval", said[0]] = (asset.collection, asset.key, False, *self.rows["approval", said[0]][3:])
        return approved

    def _void(self, number: int) -> None:
        """An asset is not what was approved any more."""
        asset = self.rows["asset", number]
        if asset.approved:
            self._forget_decision("approval", asset.collection, asset.key)
            self.change(number, approved=False)

    def _approve_again(self, number: int, *, voids: bool = True) -> bool:
        """An asset that came back is approved if it is what was approved; else the approval is void, or of another file."""
        asset, decided = self.rows["asset", number], Decided.of(self, self.rows["asset", number].collection)
        for key, (collection, own, approved, *facts, was) in list(self.table("approval").items()):
            if (collection, own, approved) == (asset.collection, asset.key, True):
                is_same = tuple(facts) == (asset.size, asset.mtime, asset.duration)
                holds = asset.state == "ready" and is_same and self.identity(number) in (was, decided.called(was))
                self.change(number, approved=holds)
                self.remove("approval", [key] if voids and not holds else [])
        return self.rows["asset", number].approved  # type: ignore[no-any-return]  # rows are of any shape

    def retire(self, wanted: Wanted, expected: int | None) -> Told:
        """It is remembered by path."""
        found = self.chosen(wanted, expected)
        to_change = [number for number, each in found.items() if each.asset.state != "retired"]
        for number in to_change:
            self._say_approved(number, approved=False)
            asset = self.change(number, state="retired", approved=False)
            self.ensure("retirement", (asset.collection, asset.key))
        return self._decided(found, to_change)

    def reinstate(self, wanted: Wanted, expected: int | None) -> Told:
        """All of them must be retired."""
        found = self.chosen(wanted, expected)
        if any(each.asset.state != "retired" for each in found.values()):
            raise RefusedError("not retired")
        for number, (asset, _, is_broken) in found.items():
            self.change(number, state="ready" if asset.duration and not is_broken else "new")
            self._forget_decision("retirement", asset.collection, asset.key)
        return self._decided(found, list(found))

    def assign(self, wanted: Wanted, expected: int | None, said: Identity | int) -> Told:
        """Say what assets are; a number alone is another season, which only episodes have."""
        found = self.chosen(wanted, expected)
        if isinstance(said, int) and any(each.identity.kind != "episode" for each in found.values()):
            raise RefusedError("only episodes have a season")
        meant = Identity("episode", season=said) if isinstance(said, int) else self._title_said(said)
        return self._assign(
            found,
            {number: was._replace(season=said) if isinstance(said, int) else meant for number, (_, was, _) in found.items()},
        )

    def assign_by_name(self, wanted: Wanted, expected: int | None, read: Callable[[str], Identity | None]) -> Told:
        """Every name must be readable; `read` is given one without its ending."""
        found = self.chosen(wanted, expected)
        said = {number: read(each.asset.key.rpartition("/")[2].removesuffix(".mkv")) for number, each in found.items()}
        return self._assign(found, {number: self._title_said(readable(each)) for number, each in said.items()})

    def _assign(self, found: Mapping[int, Shown], meant: Mapping[int, Identity]) -> Told:
        changed = []
        for number, (asset, was, _) in found.items():
            identity = meant[number]
            decided = (asset.collection, asset.key, identity)
            if self.find("assignment", decided) is None:
                self._forget_decision("assignment", asset.collection, asset.key)
                self.add("assignment", decided)
            self.link_again(number, identity)
            if was != identity:
                changed.append(number)
                if asset.approved:
                    self._say_approved(number, approved=True)
        return self._decided(found, changed)

    def unassign(self, wanted: Wanted, expected: int | None) -> Told:
        """Until the next refresh they are as they were."""
        found = self.chosen(wanted, expected)
        changed = []
        for number, (asset, _, _) in found.items():
            if self._forget_decision("assignment", asset.collection, asset.key):
                self.change(number, enrichers=UNREAD)
                changed.append(number)
        return self._decided(found, changed)

    def prefer(self, wanted: Wanted, expected: int | None) -> Told:
        """All of them may be scheduled, and no two show the same. It is remembered by path."""
        found = self.chosen(wanted, expected)
        versions = {number: self._versions(number) for number in found}
        if any(not each.asset.may_air for each in found.values()) or any(
            len(each & {*found}) > 1 for each in versions.values()
        ):
            raise RefusedError("not schedulable, or versions of each other")
        to_change = [number for number in found if {each for each in versions[number] if self._preference(each)} != {number}]
        for number in sorted(to_change, key=lambda each: self._place(found[each].asset)):
            for version in versions[number]:
                self._forget_decision("preference", *self.rows["asset", version][:2])
            self.add("preference", found[number].asset[:2])
        return self._decided(found, to_change)

    def unprefer(self, wanted: Wanted, expected: int | None) -> Told:
        """Nothing else changes."""
        found = self.chosen(wanted, expected)
        return self._decided(
            found, [number for number, each in found.items() if self._forget_decision("preference", *each.asset[:2])]
        )

    def _place(self, asset: Asset) -> tuple[int, str]:
        """Collections by age, and paths in them."""
        return self._collection_number(asset.collection), asset.key

    def _preference(self, number: int) -> int:
        """The number of what was said; the later word is higher, and 0 none."""
        return self.find("preference", self.rows["asset", number][:2]) or 0

    def _versions(self, number: int) -> set[int]:
        """All that show exactly what it shows, and itself."""
        identity = self.identity(number)
        return {number} | {
            other for other in self.table("asset") if identity.kind in TITLE_KINDS and self.identity(other) == identity
        }

    def _airs(self, number: int) -> bool:
        """Whether it is the one of its versions to air."""
        versions = [each for each in self._versions(number) if self.rows["asset", each].may_air]
        ranked = sorted(versions, key=lambda each: (-self._preference(each), -self.rows["asset", each].size, each))
        return ranked[:1] == [number]

    def _decided(self, found: Mapping[int, Shown], changed: list[int]) -> Told:
        return {
            "selected": len(found),
            "changed": len(changed),
            "unchanged": len(found) - len(changed),
            "paths": [found[number].asset.key for number in changed],
        }

    def rename(self, number: int, name: str, year: int | None) -> Told:
        """Files with the old name follow."""
        kind, *old = self.rows["title", number]
        alike = (kind, name.casefold(), year)
        others = [row for each, row in self.table("title").items() if each != number]
        if [kind, name, year] == [kind, *old] or alike in [(row[0], row[1].casefold(), row[2]) for row in others]:
            raise RefusedError("titles")
        self.rows["title", number] = (kind, name, year)
        self._spell(kind, tuple(old), (name, year))
        return {"title": (kind, name, year)}

    def merge(self, goes: int, stays: int) -> Told:
        """Equal seasons and episodes are one."""
        (kind, *old), (other, *new) = self.rows["title", goes], self.rows["title", stays]
        if goes == stays or kind != other:
            raise RefusedError("titles")
        self._join("movie_asset", goes, stays, {})
        self._join("season", goes, stays, {"season": "episode", "episode": "episode_asset"})
        self.remove("title", [goes])
        self._spell(kind, tuple(old), tuple(new))
        return {"title": (kind, *new)}

    def _join(self, table: str, goes: int, stays: int, below: Mapping[str, str]) -> None:
        """Let the rows below one belong to another; where that has an equal one, those below them are joined in turn."""
        for number, (parent, own) in self.table(table).items():
            if parent != goes:
                continue
            twin = self.find(table, (stays, own)) if table in below else None
            if twin is None:
                self.rows[table, number] = (stays, own)
            else:
                self._join(below[table], number, twin, below)
                self.remove(table, [number])

    def _spell(self, kind: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> None:
        spellings = {tuple(row[:3]): (number, row[3:]) for number, row in self.table("title_spelling").items()}
        for spelled, (number, name) in spellings.items():
            if spelled[0] == kind and name == old:
                self.rows["title_spelling", number] = (*spelled, *new)
        if (kind, *old) not in spellings:
            self.add("title_spelling", (kind, *old, *new))
        self.remove("title_spelling", [each for each, row in self.table("title_spelling").items() if row[1:3] == row[3:]])
        for number, (collection, key, identity) in self.table("assignment").items():
            if TITLE_KINDS.get(identity.kind) == kind and (identity.title, identity.year) == old:
                self.rows["assignment", number] = (collection, key, identity._replace(title=new[0], year=new[1]))

    def _title_said(self, said: Identity) -> Identity:
        """Without a year, the one title that is printed so, or goes or went by the name; 0: it is not known."""
        if said.title is None:
            return said._replace(year=said.year or None)
        if said.year is not None:
            return self._as_spelled(said._replace(year=said.year or None))
        names = self._meant_by(said.title)
        of_kind = [row for row in self.table("title").values() if row[0] == TITLE_KINDS.get(said.kind)]
        alike = [row for row in of_kind if row[1].casefold() in names]
        printed = [row for row in of_kind if row[1].casefold() == said.title.casefold() and row[2] is None]
        meant = not_ambiguous(printed if len(printed) == 1 else alike)
        return said._replace(title=meant[0][1], year=meant[0][2]) if meant else self._as_spelled(said)

    def _as_spelled(self, said: Identity) -> Identity:
        """The title that is there, in whatever case, or else what the station calls it instead."""
        kind, asked = TITLE_KINDS.get(said.kind), (said.title or "").casefold()
        there = [
            row[1] for row in self.table("title").values() if (row[0], row[1].casefold(), row[2]) == (kind, asked, said.year)
        ]
        if there:
            return said if said.title in there else said._replace(title=there[0])
        spelled = {row[:3]: row[3:] for row in self.table("title_spelling").values()}
        title, year = spelled.get((kind, said.title, said.year), (said.title, said.year))
        return said._replace(title=title, year=year)

    def _meant_by(self, title: str) -> set[str]:
        """A name, or where nothing goes by it, what was once called so, in lower case."""
        asked = title.casefold()
        called = {row[1].casefold() for row in self.table("title").values()}
        once = {row[3].casefold() for row in self.table("title_spelling").values() if row[1].casefold() == asked}
        return {asked} if asked in called else once or {asked}

    # Undoing

    def undo(self, before: Rows, after: Rows) -> bool:
        """Take back what a unit changed; whether every row of it was as the unit had left it."""
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        fits = all(self.rows.get(key) == after.get(key) for key in changed)
        for key in changed:
            if key in before:
                self.rows[key] = before[key]
            else:
                self.rows.pop(key, None)
        self._settle({number for table, number in changed & self.rows.keys() if table == "asset"})
        if not any(table == "asset" and (table, number) not in after for table, number in changed):
            named = {self.rows[key] for key in changed & self.rows.keys() if key[0] == "title"}
            self._renew_approvals({row[1:] for row in named})
        return fits

    def _renew_approvals(self, named: set[tuple[str, int | None]]) -> None:
        """Approvals speak of titles as an undo has named them."""
        for number, asset in self.table("asset").items():
            identity, decided = self.identity(number), Decided.of(self, asset.collection)
            rows = [row for row in self.table("approval").values() if row[:2] == (asset.collection, asset.key)]
            is_said = any(identity in (row[-1], decided.called(row[-1])) for row in rows)
            is_named = asset.approved and (identity.title, identity.year) in named
            _ = is_named and not is_said and self._say_approved(number, approved=True)

    def _settle(self, back: set[int]) -> None:
        """What came back is as the operator has decided since, also where what it showed is gone.

        A name that was given up and given anew is the title's that has it now.
        """
        spelled = {row[:3]: row[3:] for row in self.table("title_spelling").values()}
        given = {(kind, *name) for (kind, *_), name in spelled.items()}
        for number, row in self.table("title").items():
            name = row[1:] if row in given else spelled.get(row, row[1:])
            there = self.find("title", (row[0], *name))
            _ = there == number or (self.rename(number, *name) if there is None else self.merge(number, there))
        for collection, key, identity in list(self.table("assignment").values()):
            if (number := self.assets_of(collection).get(key)) is not None:
                self.link_again(number, identity)
        for number in back:
            self._settle_state(number)

    def _settle_state(self, number: int) -> None:
        asset = self.rows["asset", number]
        decided = Decided.of(self, asset.collection)
        if asset.key in decided.retired:
            self._say_approved(number, approved=False)
            asset = self.change(number, state="retired", approved=False)
        for collection, own, approved, *facts, was in self.table("approval").values():
            if (collection, own) != (asset.collection, asset.key):
                continue
            same_file = approved and (facts[0], facts[2]) == (asset.size, asset.duration)
            shows_it = self.identity(number) in (was, decided.called(was))
            back = facts[1] == asset.mtime and asset.state == "ready" and shows_it
            self.change(number, approved=bool(same_file and (asset.approved or back)))

    # Comparing

    def content(self) -> dict[str, Counter[Any]]:
        """All of it without numbers, to be held against a catalogue."""
        titles = Counter(
            (
                *row,
                sum(parent == number for parent, _ in self.table("season").values()),
                sum(self.rows["season", parent][0] == number for parent, _ in self.table("episode").values()),
            )
            for number, row in self.table("title").items()
        )
        return {
            "asset": Counter((each.asset._replace(enrichers=""), each.identity) for each in self.shown().values()),
            "title": titles,
            **{
                table: Counter(self.table(table).values())
                for table in (
                    "source",
                    "collection",
                    "path_mapping",
                    "exclude",
                    "enricher",
                    "upgrades",
                    *BY_PATH,
                    "title_spelling",
                )
            },
            **{
                table: Counter((self.rows["asset", number].key, value) for number, value in self.table(table).values())
                for table in ("marker", "asset_metadata", "slot")
            },
            "finding": Counter((self.rows["asset", row[0]].key, *row[1:]) for row in self.table("finding").values()),
            "schedulable": Counter(each.key for number, each in self.table("asset").items() if self._airs(number)),
        }


@attrs.frozen
class Decided:
    """What the operator has decided about the files of a collection."""

    assigned: Mapping[str, Identity]
    retired: set[str]
    spelled: Mapping[tuple[Any, ...], tuple[Any, ...]]
    titles: set[tuple[Any, ...]]

    @classmethod
    def of(cls, model: Model, name: str) -> Decided:
        """As it stands now."""
        return cls(
            {key: identity for collection, key, identity in model.table("assignment").values() if collection == name},
            {key for collection, key in model.table("retirement").values() if collection == name},
            {row[:3]: row[3:] for row in model.table("title_spelling").values()},
            set(model.table("title").values()),
        )

    def settle(self, key: str, identity: Identity) -> Identity:
        """What a file is, as the operator would have it."""
        return self.assigned[key] if key in self.assigned else self.called(identity)

    def called(self, identity: Identity) -> Identity:
        """What it shows, as the station calls it; a name that nothing has is one that differs in case alone."""
        named = (TITLE_KINDS.get(identity.kind), identity.title, identity.year)
        alike = {(kind, name.casefold(), year): meant for (kind, name, year), meant in self.spelled.items()}
        as_is = named[1:] if named in self.titles else alike.get((named[0], (named[1] or "").casefold(), named[2]), named[1:])
        title, year = self.spelled.get(named, as_is)
        return identity._replace(title=title, year=year)
