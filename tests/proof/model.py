"""What a catalogue should hold, in plain Python: rows in a dictionary, and every operation as a change of it.

Left out is what nobody can predict: identifiers, which are numbers of the model's own here, and times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import attrs

Key = tuple[str, Any]
Rows = dict[Key, Any]
TITLE_KINDS = {"episode": "show", "movie": "movie"}


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


class Shown(NamedTuple):
    """An asset with what it shows: how one that reads the catalogue sees it."""

    asset: Asset
    identity: Identity


@attrs.define
class Model:
    """The rows by table and number. Every operation either changes them, or raises `RefusedError`."""

    rows: Rows = attrs.field(factory=dict)
    _last_number: int = 0

    def table(self, name: str) -> dict[Any, Any]:
        """The rows of one table by number."""
        return {number: row for (table, number), row in self.rows.items() if table == name}

    def add(self, table: str, row: object) -> int:
        """Add a row under a new number."""
        self._last_number += 1
        self.rows[table, self._last_number] = row
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

    def change(self, number: int, **values: object) -> None:
        """Change an asset."""
        self.rows["asset", number] = self.rows["asset", number]._replace(**values)

    # What assets show

    def identity(self, asset: int) -> Identity:
        """What an asset is and shows now."""
        kind = self.rows["asset", asset].kind
        for title, shown_by in self.table("movie_asset").values():
            if shown_by == asset:
                _, name, year = self.rows["title", title]
                return Identity(kind, name, year)
        episodes = [episode for episode, shown_by in self.table("episode_asset").values() if shown_by == asset]
        if not episodes:
            return Identity(kind)
        season = self.rows["episode", episodes[0]][0]
        title, number = self.rows["season", season]
        _, name, year = self.rows["title", title]
        numbers = tuple(sorted(self.rows["episode", each][1] for each in episodes))
        return Identity(kind, name, year, number, numbers)

    def shown(self) -> dict[int, Shown]:
        """Every asset with what it shows."""
        return {number: Shown(asset, self.identity(number)) for number, asset in self.table("asset").items()}

    def link(self, asset: int, identity: Identity) -> None:
        """Let an asset show what it is said to be; titles, seasons and episodes are added as needed."""
        if identity.kind not in TITLE_KINDS:
            return
        title = self.ensure("title", (TITLE_KINDS[identity.kind], identity.title, identity.year))
        if identity.kind == "movie":
            self.add("movie_asset", (title, asset))
            return
        season = self.ensure("season", (title, identity.season))
        for number in identity.episodes:
            self.add("episode_asset", (self.ensure("episode", (season, number)), asset))

    def unlink(self, assets: set[int]) -> None:
        """Let assets show nothing; what nothing shows any more is gone."""
        for table in ("episode_asset", "movie_asset"):
            self.remove(table, [number for number, (_, asset) in self.table(table).items() if asset in assets])
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

    # Collections

    def collection(self, name: str) -> bool:
        """Whether a collection is enabled."""
        number = self._collection_number(name)
        return bool(self.rows["collection", number][1])

    def _collection_number(self, name: str) -> int:
        for number, (each, _) in self.table("collection").items():
            if each == name:
                return int(number)
        raise RefusedError(name)

    def add_collection(self, name: str) -> None:
        """A new one is enabled."""
        if any(each == name for each, _ in self.table("collection").values()):
            raise RefusedError(name)
        self.add("collection", (name, True))

    def remove_collection(self, name: str) -> None:
        """What was decided about its files goes with it."""
        number = self._collection_number(name)
        if self.assets_of(name):
            raise RefusedError(name)
        for table in ("enricher", "assignment", "retirement"):
            self.remove(table, [key for key, row in self.table(table).items() if row[0] == name])
        self.remove("collection", [number])

    def set_enabled(self, name: str, *, enabled: bool) -> None:
        """Whether it is ingested."""
        self.rows["collection", self._collection_number(name)] = (name, enabled)

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

    def ingest(self, name: str, files: list[File], *, refresh: str | None) -> None:
        """A full ingest."""
        if not self.collection(name):
            raise RefusedError(name)
        known = self.assets_of(name)
        decided = Decided.of(self, name)
        unseen = {key: number for key, number in known.items() if key not in {file.key for file in files}}
        moves = self._moves(name, unseen, files, refresh=refresh)
        for file in files:
            origin = moves.get(file.key)
            known_as = file.key if origin is None else self.rows["asset", origin].key
            identity = decided.settle(known_as, file.identity)
            if origin is not None:
                self._move(origin, file, identity, refresh=refresh)
            else:
                self._write(name, known.get(file.key), file, identity, refresh=refresh, retired=file.key in decided.retired)
        for number in set(unseen.values()) - set(moves.values()):
            self.change(number, missing=True)

    def process(self, name: str, file: File, *, refresh: str | None) -> None:
        """One file."""
        if not self.collection(name):
            raise RefusedError(name)
        decided = Decided.of(self, name)
        known = self.assets_of(name).get(file.key)
        identity = decided.settle(file.key, file.identity)
        self._write(name, known, file, identity, refresh=refresh, retired=file.key in decided.retired)

    def _measured(self, name: str, file: File) -> int | None:
        return file.size * 1000 if self.enrichers(name) else None

    def _moves(self, name: str, unseen: Mapping[str, int], files: list[File], *, refresh: str | None) -> dict[str, int]:
        """Missing asset and new file, where nothing else that went or came looks the same."""
        known = self.assets_of(name)
        gone: defaultdict[Any, list[int | None]] = defaultdict(list)
        come: defaultdict[Any, list[str | None]] = defaultdict(list)
        for number in unseen.values():
            asset = self.rows["asset", number]
            gone[asset.size, asset.mtime, asset.duration].append(number)
        for file in files:
            facts = (file.size, file.mtime, self._measured(name, file))
            if file.key not in known:
                come[facts].append(file.key)
                continue
            asset = self.rows["asset", known[file.key]]
            if (asset.size, asset.mtime) != facts[:2]:
                gone[asset.size, asset.mtime, asset.duration].append(None)
                if refresh is not None:
                    come[facts].append(None)
        pairs = [(come[facts], gone[facts]) for facts in gone if facts[2] is not None]
        return {new[0]: old[0] for new, old in pairs if len(new) == len(old) == 1 and new[0] is not None and old[0] is not None}

    def _write(
        self, name: str, number: int | None, file: File, identity: Identity, *, refresh: str | None, retired: bool
    ) -> None:
        duration, enrichers = self._measured(name, file), self.enrichers(name)
        if number is None:
            state = "retired" if retired else "ready" if duration else "new"
            asset = Asset(name, file.key, identity.kind, state, False, False, file.size, file.mtime, duration, enrichers)
            self.link(self.add("asset", asset), identity)
            return
        asset = self.rows["asset", number]
        is_another = asset.missing and (asset.size, asset.mtime) != (file.size, file.mtime)
        self.change(number, missing=False, approved=asset.approved and not is_another)
        is_changed = (asset.size, asset.mtime, asset.enrichers) != (file.size, file.mtime, enrichers)
        if refresh == "all" or (refresh == "changed" and is_changed):
            self._refresh(number, file, identity)

    def _refresh(self, number: int, file: File, identity: Identity) -> None:
        before, was = self.rows["asset", number], self.identity(number)
        duration = self._measured(before.collection, file)
        state = "retired" if before.state == "retired" else "ready" if duration else "new"
        facts = (before.state, before.size, before.duration, was)
        self.link_again(number, identity)
        self.change(
            number,
            state=state,
            size=file.size,
            mtime=file.mtime,
            duration=duration,
            enrichers=self.enrichers(before.collection),
            approved=before.approved and facts == (state, file.size, duration, identity),
        )

    def _move(self, number: int, file: File, identity: Identity, *, refresh: str | None) -> None:
        asset = self.rows["asset", number]
        for table in ("assignment", "retirement"):
            moving = {key: row for key, row in self.table(table).items() if row[:2] == (asset.collection, asset.key)}
            self._forget_decision(table, asset.collection, file.key)
            for key, row in moving.items():
                self.rows[table, key] = (asset.collection, file.key, *row[2:])
        is_changed = self.identity(number) != identity
        self.change(number, key=file.key, missing=False, enrichers="" if is_changed else asset.enrichers)
        if refresh is not None:
            self._refresh(number, file, identity)

    # Deleting

    def delete(self, assets: Iterable[int]) -> None:
        """Delete assets, and what only they held up."""
        doomed = set(assets)
        self.unlink(doomed)
        self.remove("asset", doomed)

    def wipe(self, name: str) -> None:
        """Delete all assets of a collection; what was decided about its files stays."""
        self._collection_number(name)
        self.delete(self.assets_of(name).values())

    def forget(self, name: str) -> None:
        """Delete its missing assets, and what was decided about them."""
        self._collection_number(name)
        doomed = {key: number for key, number in self.assets_of(name).items() if self.rows["asset", number].missing}
        for key in doomed:
            self._forget_decision("assignment", name, key)
            self._forget_decision("retirement", name, key)
        self.delete(doomed.values())

    def _forget_decision(self, table: str, collection: str, key: str) -> bool:
        found = [number for number, row in self.table(table).items() if row[:2] == (collection, key)]
        self.remove(table, found)
        return bool(found)

    # Deciding

    def chosen(self, wanted: Callable[[Shown], bool]) -> dict[int, Shown]:
        """The assets that are meant, which must not be none."""
        found = {number: each for number, each in self.shown().items() if wanted(each)}
        if not found:
            raise RefusedError
        return found

    def approve(self, wanted: Callable[[Shown], bool]) -> None:
        """All of them must be ready."""
        found = self.chosen(wanted)
        if any(each.asset.state != "ready" for each in found.values()):
            raise RefusedError
        for number in found:
            self.change(number, approved=True)

    def withdraw(self, wanted: Callable[[Shown], bool]) -> None:
        """Nothing else changes."""
        for number in self.chosen(wanted):
            self.change(number, approved=False)

    def retire(self, wanted: Callable[[Shown], bool]) -> None:
        """It is remembered by path."""
        for number, (asset, _) in self.chosen(wanted).items():
            if asset.state != "retired":
                self.change(number, state="retired", approved=False)
                self.ensure("retirement", (asset.collection, asset.key))

    def reinstate(self, wanted: Callable[[Shown], bool]) -> None:
        """All of them must be retired."""
        found = self.chosen(wanted)
        if any(each.asset.state != "retired" for each in found.values()):
            raise RefusedError
        for number, (asset, _) in found.items():
            self.change(number, state="ready" if asset.duration else "new")
            self._forget_decision("retirement", asset.collection, asset.key)

    def assign(self, wanted: Callable[[Shown], bool], said: Identity | int) -> None:
        """Say what assets are; a number alone is another season, which only episodes have."""
        found = self.chosen(wanted)
        if isinstance(said, int) and any(each.identity.kind != "episode" for each in found.values()):
            raise RefusedError
        meant = Identity("episode", season=said) if isinstance(said, int) else self._title_said(said)
        for number, (asset, was) in found.items():
            identity = was._replace(season=said) if isinstance(said, int) else meant
            self._forget_decision("assignment", asset.collection, asset.key)
            self.add("assignment", (asset.collection, asset.key, identity))
            self.link_again(number, identity)

    def unassign(self, wanted: Callable[[Shown], bool]) -> None:
        """Until the next refresh they are as they were."""
        for number, (asset, _) in self.chosen(wanted).items():
            if self._forget_decision("assignment", asset.collection, asset.key):
                self.change(number, enrichers="")

    def rename(self, number: int, name: str, year: int | None) -> None:
        """Files with the old name follow."""
        kind, *old = self.rows["title", number]
        if self.find("title", (kind, name, year)) is not None:
            raise RefusedError
        self.rows["title", number] = (kind, name, year)
        self._spell(kind, tuple(old), (name, year))

    def merge(self, goes: int, stays: int) -> None:
        """Equal seasons and episodes are one."""
        (kind, *old), (other, *new) = self.rows["title", goes], self.rows["title", stays]
        if goes == stays or kind != other:
            raise RefusedError
        self._join("movie_asset", goes, stays, {})
        self._join("season", goes, stays, {"season": "episode", "episode": "episode_asset"})
        self.remove("title", [goes])
        self._spell(kind, tuple(old), tuple(new))

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
        """Without a year, the one title that goes by the name is meant, or else the one that went by it."""
        if said.title is None or said.year is not None:
            return said
        titles = list(self.table("title").values())
        names = {said.title} if any(row[1] == said.title for row in titles) else self._names_now(said.title)
        alike = [row for row in titles if row[0] == TITLE_KINDS.get(said.kind) and row[1] in names]
        return said._replace(title=alike[0][1], year=alike[0][2]) if len(alike) == 1 else said

    def _names_now(self, title: str) -> set[str]:
        return {row[3] for row in self.table("title_spelling").values() if row[1] == title}

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
        return fits

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
                for table in ("source", "collection", "enricher", "assignment", "retirement", "title_spelling")
            },
        }


@attrs.frozen
class Decided:
    """What the operator has decided about the files of a collection."""

    assigned: Mapping[str, Identity]
    retired: set[str]
    spelled: Mapping[tuple[Any, ...], tuple[Any, ...]]

    @classmethod
    def of(cls, model: Model, name: str) -> Decided:
        """As it stands now."""
        return cls(
            {key: identity for collection, key, identity in model.table("assignment").values() if collection == name},
            {key for collection, key in model.table("retirement").values() if collection == name},
            {row[:3]: row[3:] for row in model.table("title_spelling").values()},
        )

    def settle(self, key: str, identity: Identity) -> Identity:
        """What a file is, as the operator would have it."""
        if key in self.assigned:
            return self.assigned[key]
        kind = TITLE_KINDS.get(identity.kind)
        title, year = self.spelled.get((kind, identity.title, identity.year), (identity.title, identity.year))
        return identity._replace(title=title, year=year)
