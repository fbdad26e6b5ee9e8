"""The operator's decisions, kept by path and by spelling: what files are, what of them is in use, approved or preferred, and
how titles are called. Queries and changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cached_property
from typing import NamedTuple

import attrs

from retrovue_uow.model import Asset, AssetDraft, AssetKind, TitleKind, folded
from retrovue_uow.store import assets, titles
from retrovue_uow.store.assets import Decision
from retrovue_uow.store.collections import Relocation, follow, of_mapping
from retrovue_uow.store.ids import from_json, utc_now
from retrovue_uow.store.known import EVERYWHERE, Span
from retrovue_uow.uow.changes import Key
from retrovue_uow.uow.database import Database

TitleIdentity = tuple[TitleKind, str, int | None]


class Identity(NamedTuple):
    """What an asset is and shows, as far as its kind shows anything."""

    kind: AssetKind
    title: str | None = None
    year: int | None = None
    season_number: int | None = None
    episode_numbers: tuple[int, ...] = ()
    episode_title: str | None = None


_BY_PATH = ("assignment", "retirement", "approval", "preference")
"""The tables of what was decided about files: their rows are kept by path, whether or not the asset is there."""
_FORGETTING: Mapping[Decision, str] = {"reinstate": "retirement", "unassign": "assignment", "unprefer": "preference"}
"""Decisions that take back what one of the tables keeps."""
_FACTS = Identity._fields
"""The columns of `assignment` that say what a file is."""
_ASSIGN = f"""
INSERT INTO assignment (collection_id, canonical_key, {", ".join(_FACTS)}, assigned_at)
VALUES (:collection_id, :canonical_key, {", ".join(f":{fact}" for fact in _FACTS)}, :assigned_at)
    ON CONFLICT (collection_id, canonical_key) DO UPDATE
   SET {", ".join(f"{fact} = excluded.{fact}" for fact in (*_FACTS, "assigned_at"))}
 WHERE ({", ".join(_FACTS)}) IS NOT ({", ".join(f"excluded.{fact}" for fact in _FACTS)})
"""  # noqa: S608  the names are those above

_IN_SPANS = """
  FROM json_each(?2) AS span
 CROSS JOIN {0} ON {0}.collection_id = ?1
               AND {0}.canonical_key BETWEEN span.value ->> 0 AND span.value ->> 1
"""


class Approval(NamedTuple):
    """The operator's last word on whether a file may go on the air, and the file that it speaks of.

    Attributes:
        approved: False: the approval was withdrawn.
        shown: What the asset was and showed at the time, but for the name of an episode.
    """

    approved: bool
    size: int | None
    mtime_ns: int | None
    duration_ms: int | None
    shown: Identity

    def why_void(self, found: Asset | AssetDraft, decided: Decisions) -> str | None:
        """Why it says nothing of a file that has come back, in a sentence; None: it is the file that it speaks of."""
        if self.size != found.size or found.size is None:
            return f"its file is another one: {self.size} bytes before, {found.size} now"
        if self.mtime_ns != found.mtime_ns or found.mtime_ns is None:
            return "its file was written since"
        if self.duration_ms != found.duration_ms:
            return f"its length is another one: {self.duration_ms} ms before, {found.duration_ms} ms now"
        title, year = decided.called(self.shown.kind, self.shown.title, self.shown.year)
        now = shown(found)
        # a name that was given up may have been given anew since
        names = {(folded(name or ""), of) for name, of in ((title, year), (self.shown.title, self.shown.year))}
        if (folded(now.title or ""), now.year) in names and self.shown._replace(title=now.title, year=now.year) == now:
            return None
        return "it shows something else"


@attrs.frozen(slots=False)
class Decisions:
    """What the operator decided about the files of a collection.

    Attributes:
        assignments: By canonical key, what they are.
        retired: Canonical keys of those that are out of use.
        spellings: What files call a title, and what the station calls it.
        titles: Titles that go by one of those spellings, in any case: a file that names one exactly means that one.
        has_approvals: Whether any file was ever approved; which ones, `approvals` says.
    """

    assignments: Mapping[str, Identity] = attrs.field(factory=dict)
    retired: Set[str] = frozenset()
    spellings: Mapping[TitleIdentity, tuple[str, int | None]] = attrs.field(factory=dict)
    titles: Set[TitleIdentity] = frozenset()
    has_approvals: bool = False

    @cached_property
    def _alike(self) -> Mapping[TitleIdentity, tuple[str, int | None]]:
        """The spellings by the folded name that files give a title: case and Unicode form make no difference."""
        return {(kind, folded(spelled), year): name for (kind, spelled, year), name in self.spellings.items()}

    def settle(self, key: str, draft: AssetDraft) -> AssetDraft:
        """The draft as the operator would have it: as it was assigned, or else with the name that the station uses."""
        if key in self.assignments:
            return attrs.evolve(draft, **self.assignments[key]._asdict())
        title, year = self.called(draft.kind, draft.title, draft.year)
        return draft if (title, year) == (draft.title, draft.year) else attrs.evolve(draft, title=title, year=year)

    def called(self, kind: AssetKind | None, title: str | None, year: int | None) -> tuple[str | None, int | None]:
        """The name and year that the station uses for what an asset of a kind shows."""
        title_kind = title_kind_of(kind) if self.spellings else None
        if title_kind is None or title is None:
            return title, year
        named = (title_kind, title, year)
        spelling = self.spellings.get(named)
        if spelling is None and named not in self.titles:
            spelling = self._alike.get((title_kind, folded(title), year))
        return (title, year) if spelling is None else spelling


def title_kind_of(kind: AssetKind | None) -> TitleKind | None:
    """The kind of title that an asset of this kind belongs to; None: to none."""
    kinds: Mapping[AssetKind | None, TitleKind] = {"episode": "show", "movie": "movie"}
    return kinds.get(kind)


def decisions(db: Database, collection_id: str, spans: Sequence[Span] = EVERYWHERE) -> Decisions:
    """All that was decided about the files of a collection whose canonical key is in one of the spans."""
    asked = collection_id, json.dumps(spans)
    retired = db.execute(f"SELECT canonical_key {_IN_SPANS.format('retirement')}", asked)
    assignments: dict[str, Identity] = {}
    for own_key, *facts in db.execute(f"SELECT canonical_key, {', '.join(_FACTS)} {_IN_SPANS.format('assignment')}", asked):
        said = dict(zip(_FACTS, facts, strict=True))
        said["episode_numbers"] = tuple(from_json(said["episode_numbers"], list, column="the episode numbers of a decision"))
        assignments[own_key] = Identity(**said)
    spelled = spellings(db)
    called = titles.titles_alike(db, [name for _, name, _ in spelled]) if spelled else ()
    identities = frozenset((each.kind, each.name, each.year) for each in called)
    ((has_approvals,),) = db.execute("SELECT EXISTS (SELECT 1 FROM approval WHERE collection_id = ?)", (collection_id,))
    return Decisions(assignments, {str(own_key) for (own_key,) in retired}, spelled, identities, bool(has_approvals))


def spellings(db: Database) -> dict[TitleIdentity, tuple[str, int | None]]:
    """Names and years that were given up, and what is said instead."""
    rows = db.execute("SELECT kind, spelled, spelled_year, name, year FROM title_spelling")
    # Text in a damaged file, too, whatever type it has there.
    return {(kind, str(spelled), spelled_year): (str(name), year) for kind, spelled, spelled_year, name, year in rows}


def meant_by(db: Database, title: str) -> set[str]:
    """The folded names of the titles that are meant by a name: that name, or what is now called otherwise and once was so."""
    wanted = folded(title)
    if wanted in {folded(each.name) for each in titles.titles_alike(db, [title])}:
        return {wanted}
    renamed = {folded(name) for (_, spelled, _), (name, _) in spellings(db).items() if folded(spelled) == wanted}
    return renamed or {wanted}


def set_assignment(db: Database, collection_id: str, key: str, identity: Identity, *, now: str) -> None:
    """Remember what the operator says that a file is, in place of what was said before."""
    numbers = json.dumps(list(identity.episode_numbers))
    own = {"collection_id": collection_id, "canonical_key": key, "assigned_at": now}
    db.execute(_ASSIGN, {**identity._asdict(), "episode_numbers": numbers, **own})


def decide(db: Database, decision: Decision, found: Sequence[Asset]) -> None:
    """Keep, or no longer, what was decided about assets, for the day when they are wiped and come back."""
    asset_ids = [asset.id for asset in found]
    if decision == "approve":
        keep_approvals(db, found)
    if decision in ("withdraw_approval", "retire"):
        db.execute(
            """
            UPDATE approval
               SET approved = 0,
                   decided_at = ?
             WHERE approved = 1
               AND (collection_id, canonical_key) IN (SELECT asset.collection_id, asset.canonical_key
                                                        FROM asset
                                                       WHERE asset.id IN (SELECT value FROM json_each(?)))
            """,
            (utc_now(), json.dumps(asset_ids)),
        )
    if decision == "prefer":  # anew, even if it was preferred before: the last word has the highest id
        forget(db, [each.id for each in titles.versions(db, asset_ids)], ["preference"])
    if decision in ("retire", "prefer"):
        table, at = ("retirement", "retired_at") if decision == "retire" else ("preference", "preferred_at")
        db.execute(
            f"""
            INSERT INTO {table} (collection_id, canonical_key, {at})
            SELECT collection_id, canonical_key, ?
              FROM asset
             WHERE id IN (SELECT value FROM json_each(?))
             ORDER BY collection_id, canonical_key
                ON CONFLICT (collection_id, canonical_key) DO NOTHING
            """,  # noqa: S608  the names are those above
            (utc_now(), json.dumps(asset_ids)),
        )
    elif decision in _FORGETTING:
        forget(db, asset_ids, [_FORGETTING[decision]])


def forget(db: Database, asset_ids: Sequence[str], tables: Iterable[str] = _BY_PATH) -> None:
    """Forget what was decided about the files of assets: all of it, or what is in some of the tables."""
    for table in tables:
        db.execute(
            f"""
            DELETE FROM {table}
             WHERE (collection_id, canonical_key) IN (SELECT asset.collection_id, asset.canonical_key
                                                        FROM asset
                                                       WHERE asset.id IN (SELECT value FROM json_each(?)))
            """,  # noqa: S608  the names are those above
            (json.dumps(asset_ids),),
        )


def of_files(db: Database, asset_ids: Sequence[str]) -> dict[str, list[Key]]:
    """The keys of all that was decided about the files of assets, by table."""
    files = "SELECT collection_id, canonical_key FROM asset WHERE id IN (SELECT value FROM json_each(?))"
    decided = f"SELECT id FROM {{}} WHERE (collection_id, canonical_key) IN ({files})"  # noqa: S608  likewise
    return {table: [id_ for (id_,) in db.execute(decided.format(table), (json.dumps(asset_ids),))] for table in _BY_PATH}


def keep_approvals(db: Database, found: Iterable[Asset]) -> None:
    """Keep that assets are approved, as the files that they are now."""
    now = utc_now()
    db.executemany(
        """
        INSERT INTO approval (collection_id, canonical_key, approved, size, mtime_ns, duration_ms, shown, decided_at)
        VALUES (?, ?, 1, ?, ?, ?, ?, ?)
            ON CONFLICT (collection_id, canonical_key) DO UPDATE
           SET approved = 1,
               size = excluded.size,
               mtime_ns = excluded.mtime_ns,
               duration_ms = excluded.duration_ms,
               shown = excluded.shown,
               decided_at = excluded.decided_at
        """,
        [
            (
                each.collection_id,
                each.canonical_key,
                each.size,
                each.mtime_ns,
                each.duration_ms,
                json.dumps(shown(each)[:-1]),
                now,
            )
            for each in found
        ],
    )


def keep_as_they_are(db: Database, collection_id: str) -> None:
    """Keep what assets that are to go say themselves, whoever wrote it: approved or, of the same file, not approved."""
    unsaid = db.execute(
        """
        SELECT asset.id
          FROM asset
          LEFT JOIN approval ON approval.collection_id = asset.collection_id
                            AND approval.canonical_key = asset.canonical_key
         WHERE asset.collection_id = ?
           AND asset.approved = 1
           AND approval.id IS NULL
        """,
        (collection_id,),
    )
    keep_approvals(db, assets.assets_by_id(db, [str(id_) for (id_,) in unsaid]) if unsaid else ())
    db.execute(
        """
        UPDATE approval
           SET approved = 0
         WHERE collection_id = ?
           AND approved = 1
           AND EXISTS (SELECT 1
                         FROM asset
                        WHERE asset.collection_id = approval.collection_id
                          AND asset.canonical_key = approval.canonical_key
                          AND asset.approved = 0
                          AND (asset.size, asset.mtime_ns, asset.duration_ms)
                              IS (approval.size, approval.mtime_ns, approval.duration_ms))
        """,
        (collection_id,),
    )


def follow_file(db: Database, collection_id: str, key: str, size: int | None, mtime_ns: int | None) -> None:
    """Let an approved file's approval speak of the size and mtime that it has now: not known before, or mtime alone changed."""
    db.execute(
        """
        UPDATE approval
           SET size = ?1,
               mtime_ns = ?2
         WHERE collection_id = ?3
           AND canonical_key = ?4
           AND EXISTS (SELECT 1 FROM asset WHERE collection_id = ?3 AND canonical_key = ?4 AND approved = 1)
        """,
        (size, mtime_ns, collection_id, key),
    )


def void_approval(db: Database, collection_id: str, key: str) -> None:
    """Forget the approval of a file that is no longer the one that was approved."""
    db.execute("DELETE FROM approval WHERE collection_id = ? AND canonical_key = ?", (collection_id, key))


def approvals(db: Database, collection_id: str, keys: Iterable[str]) -> dict[str, Approval]:
    """What was said of the approval of files, by their canonical keys."""
    rows = db.execute(
        """
        SELECT approval.canonical_key, approval.approved, approval.size, approval.mtime_ns, approval.duration_ms, approval.shown
          FROM json_each(?2) AS wanted
         CROSS JOIN approval ON approval.collection_id = ?1         -- in this order: SQLite would go through all approvals
                            AND approval.canonical_key = wanted.value
        """,
        (collection_id, json.dumps(list(keys))),
    )
    said: dict[str, Approval] = {}
    for key, approved, size, mtime_ns, duration_ms, text in rows:
        kind, title, year, season, numbers = from_json(text, list, column="approval.shown")
        was = Identity(kind, title, year, season, tuple(numbers))
        said[str(key)] = Approval(bool(approved), size, mtime_ns, duration_ms, was)
    return said


def shown(asset: Asset | AssetDraft) -> Identity:
    """What an asset is and shows, as far as its kind shows anything; without the name of an episode."""
    kind = asset.kind or "other"
    if kind == "movie":
        return Identity(kind, asset.title, asset.year)
    if kind == "episode":
        return Identity(kind, asset.title, asset.year, asset.season_number, tuple(sorted(asset.episode_numbers)))
    return Identity(kind)


def move_decisions(db: Database, asset_id: str, key: str) -> None:
    """Let what was decided about an asset's file follow it to `key`, before the asset itself moves there.

    A decision about another file that once lay there is removed.
    """
    for table in _BY_PATH:
        db.execute(
            f"""
            DELETE FROM {table}
             WHERE canonical_key = ?2
               AND collection_id = (SELECT collection_id FROM asset WHERE id = ?1)
            """,  # noqa: S608  the names are those above
            (asset_id, key),
        )
        db.execute(
            f"""
            UPDATE {table}
               SET canonical_key = ?2
             WHERE (collection_id, canonical_key) = (SELECT collection_id, canonical_key FROM asset WHERE id = ?1)
            """,  # noqa: S608  the names are those above
            (asset_id, key),
        )


def relocate_decisions(db: Database, relocation: Relocation) -> None:
    """Let what was decided about the files of a path mapping follow them, whether or not there are assets of them.

    Decisions about other files that once lay there are removed.
    """
    for table in _BY_PATH if relocation.changes_keys else ():
        where, asked = of_mapping(relocation)
        db.execute(
            f"""
            DELETE FROM {table}
             WHERE collection_id = :collection
               AND canonical_key IN (SELECT :new || substr(canonical_key, length(:old) + 1) FROM {table} WHERE {where})
               AND NOT (canonical_key >= :old || '/' AND canonical_key < :old || '0')
            """,  # noqa: S608  the names are those above
            asked,
        )
        follow(db, relocation, table)


def naming_title(db: Database, kind: TitleKind, name: str, year: int | None) -> list[tuple[str, int, str]]:
    """The decisions that name a title, as table, key and words: files assigned to it, and other spellings of it."""
    rows = db.execute(
        """
        SELECT 'assignment', id, quote(canonical_key) || ' is assigned to it'
          FROM assignment
         WHERE kind = iif(?1 = 'show', 'episode', 'movie')
           AND title = ?2
           AND year IS ?3
        UNION ALL
        SELECT 'title_spelling', id, quote(spelled) || ' is another spelling of it'
          FROM title_spelling
         WHERE kind = ?1
           AND name = ?2
           AND year IS ?3
        """,
        (kind, name, year),
    )
    return [(str(table), int(key), str(words)) for table, key, words in rows]


def add_alias(db: Database, kind: TitleKind, old: tuple[str, int | None], new: tuple[str, int | None]) -> None:
    """From now on, files that name `old` mean `new`; and so do those that meant `old` so far, and what was assigned to it."""
    db.execute(
        """
        UPDATE title_spelling
           SET name = ?4,
               year = ?5
         WHERE kind = ?1
           AND name = ?2
           AND year IS ?3
        """,
        (kind, *old, *new),
    )
    db.execute(
        """
        INSERT INTO title_spelling (kind, spelled, spelled_year, name, year)
        VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (kind, spelled, ifnull(spelled_year, 0)) DO NOTHING
        """,
        (kind, *old, *new),
    )
    db.execute("DELETE FROM title_spelling WHERE kind = ? AND spelled = name AND spelled_year IS year", (kind,))
    db.execute(
        """
        UPDATE assignment
           SET title = ?4,
               year = ?5
         WHERE kind = ?1
           AND title = ?2
           AND year IS ?3
        """,
        ({"show": "episode", "movie": "movie"}[kind], *old, *new),
    )
