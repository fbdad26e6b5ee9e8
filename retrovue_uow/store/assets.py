"""Assets with their markers and metadata: queries and changes."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import Asset, AssetDraft, AssetKind, AssetState, FileFacts, Json, Marker
from retrovue_uow.store import titles
from retrovue_uow.store.ids import as_stored, from_json, utc_now
from retrovue_uow.store.migrations import own_names
from retrovue_uow.uow.database import Database, Row, Value

_document = json.JSONEncoder(ensure_ascii=False, default=dict)
FACTS = ("size", "mtime_ns", "duration_ms", "container", "video_codec", "audio_codec", "width", "height")
"""The columns of `asset` that say what its file is, called as in `Asset` and `AssetDraft`; statements take them from here."""
_SHOWN = {
    "title": "coalesce(movie.name, show.name)",
    "year": "coalesce(movie.year, show.year)",
    "season_number": "season.number",
    "episode_numbers": """(SELECT json_group_array(each_episode.number ORDER BY each_episode.number)
                             FROM episode_asset AS each_link
                             JOIN episode AS each_episode ON each_episode.id = each_link.episode_id
                            WHERE each_link.asset_id = asset.id)""",
    "episode_title": "episode.name",
}
"""The fields of an `Asset` that come from other tables; the others are columns of its own."""
_COLUMNS = [field.name for field in attrs.fields(Asset)]
_APPROVED, _NUMBERS = _COLUMNS.index("approved"), _COLUMNS.index("episode_numbers")
_FIND = f"""
SELECT {", ".join(_SHOWN.get(column, f"asset.{column}") for column in _COLUMNS)}
  FROM asset
  LEFT JOIN movie_asset ON movie_asset.asset_id = asset.id
  LEFT JOIN title AS movie ON movie.id = movie_asset.title_id
  LEFT JOIN episode_asset ON episode_asset.id = (SELECT min(first_link.id)
                                                   FROM episode_asset AS first_link
                                                  WHERE first_link.asset_id = asset.id)
  LEFT JOIN episode ON episode.id = episode_asset.episode_id
  LEFT JOIN season ON season.id = episode.season_id
  LEFT JOIN title AS show ON show.id = season.title_id
"""  # noqa: S608  the names are those above
_ADD = f"""
INSERT INTO asset (id, collection_id, path_mapping_id, canonical_key, file_path, kind, state, approved,
                   sidecars, enrichers, {", ".join(FACTS)}, created_at, updated_at)
VALUES (:id, :collection_id, :path_mapping_id, :canonical_key, :file_path, :kind,
        CASE WHEN :is_retired THEN 'retired' WHEN :duration_ms IS NULL THEN 'new' ELSE 'ready' END, 0,
        :sidecars, :enrichers, {", ".join(f":{fact}" for fact in FACTS)}, :now, :now)
"""  # noqa: S608  likewise
_UPDATE = f"""
UPDATE asset
   SET path_mapping_id = :path_mapping_id,
       file_path = :file_path,
       kind = :kind,
       state = CASE WHEN state = 'retired' THEN state WHEN :duration_ms IS NULL THEN 'new' ELSE 'ready' END,
       approved = iif(:duration_ms IS NULL, 0, approved),
       sidecars = :sidecars,
       enrichers = :enrichers,
       {", ".join(f"{fact} = :{fact}" for fact in FACTS)},
       updated_at = :now
 WHERE id = :id
"""  # noqa: S608  likewise


@attrs.frozen
class AssetQuery:
    """Which assets; None: any.

    Attributes:
        missing: True: only those that are missing; False: only those that are not.
        approved: True: only those that are approved; False: only those that are not.
        path: A glob pattern for the whole path, or for its last parts, in any Unicode form.
    """

    collection_id: str | None = None
    kind: AssetKind | None = None
    state: AssetState | None = None
    missing: bool | None = None
    approved: bool | None = None
    path: str | None = None
    title_id: str | None = None
    season: int | None = None
    episode: int | None = None


class KnownAsset(NamedTuple):
    """What the catalogue knows of an asset, for an ingest to compare a file with."""

    id: str
    key: str
    duration_ms: int | None
    missing_since: str | None
    facts: FileFacts

    @classmethod
    def of(cls, row: Row) -> KnownAsset:
        """As SQLite gave it."""
        id_, key, duration_ms, missing_since, *facts = row
        return cls(id_, key, duration_ms, missing_since, FileFacts(*facts))


_KNOWN = """
SELECT id, canonical_key, duration_ms, missing_since, file_path, size, mtime_ns, sidecars, enrichers
  FROM asset
 WHERE collection_id = ?
"""


class KnownAssets(Mapping[str, KnownAsset]):
    """Assets by their canonical keys.

    They stay the rows that SQLite gave until somebody wants one: a rescan asks of every file whether it is as it was, and
    named tuples of all, which the garbage collector looks at again and again, took longer to make than to compare.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = {row[1]: row for row in rows}

    def __getitem__(self, key: str) -> KnownAsset:
        return KnownAsset.of(self._rows[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, key: str, facts: FileFacts) -> bool:
        """Whether the file of that key was there when it was last looked for, and just so."""
        row = self._rows.get(key)
        return row is not None and row[3] is None and row[4:] == facts


def assets(db: Database, query: AssetQuery) -> list[Asset]:
    """The assets that `query` describes, by collection and key."""
    # in each Unicode form that a file system may have given a path; keys are NFC
    forms = None if query.path is None else {query.path, *(unicodedata.normalize(form, query.path) for form in ("NFC", "NFD"))}
    paths = None if forms is None else json.dumps(sorted(forms))
    rows = db.execute(
        _FIND  # noqa: S608  both texts are ours
        + """
 WHERE (:collection_id IS NULL OR asset.collection_id = :collection_id)
   AND (:kind IS NULL OR asset.kind = :kind)
   AND (:state IS NULL OR asset.state = :state)
   AND (:missing IS NULL OR (asset.missing_since IS NOT NULL) = :missing)
   AND (:approved IS NULL OR asset.approved = :approved)
   AND (:paths IS NULL
        OR EXISTS (SELECT 1
                     FROM json_each(:paths) AS path
                    WHERE asset.file_path GLOB path.value
                       OR asset.file_path GLOB '*/' || path.value
                       OR asset.canonical_key GLOB path.value
                       OR asset.canonical_key GLOB '*/' || path.value))
   AND (:title_id IS NULL OR coalesce(movie.id, show.id) = :title_id)
   AND (:season IS NULL OR season.number = :season)
   AND (:episode IS NULL
        OR EXISTS (SELECT 1
                     FROM episode_asset AS other_link
                     JOIN episode AS other_episode ON other_episode.id = other_link.episode_id
                    WHERE other_link.asset_id = asset.id
                      AND other_episode.number = :episode))
 ORDER BY asset.collection_id, asset.canonical_key
""",
        {**attrs.asdict(query), "paths": paths},
    )
    return [_asset(row) for row in rows]


def asset(db: Database, asset_id: str) -> Asset:
    """The asset with this identifier. Raises `ValidationError` if there is none."""
    rows = db.execute(_FIND + " WHERE asset.id = ?", (asset_id,))
    if not rows:
        raise ValidationError(f"there is no asset {asset_id!r}: `asset list` shows them")
    return _asset(rows[0])


def assets_by_id(db: Database, asset_ids: Iterable[str]) -> list[Asset]:
    """Those of the assets that are there, by collection and key."""
    there = f"{_FIND} WHERE asset.id IN (SELECT value FROM json_each(?)) ORDER BY asset.collection_id, asset.canonical_key"  # noqa: S608  both are ours
    return [_asset(row) for row in db.execute(there, (json.dumps(list(asset_ids)),))]


def assets_named(db: Database, names: Iterable[str]) -> list[Asset]:
    """The assets that have one of the names as identifier, canonical key or path."""
    rows = db.execute(
        """
        SELECT id
          FROM asset
         WHERE id IN (SELECT value FROM json_each(?1))
            OR canonical_key IN (SELECT value FROM json_each(?1))
            OR file_path IN (SELECT value FROM json_each(?1))
        """,
        (json.dumps([as_stored(name) for name in names]),),
    )
    return assets_by_id(db, [id_ for (id_,) in rows])


def _asset(row: Row) -> Asset:
    values = list(row)
    values[_APPROVED] = bool(row[_APPROVED])
    values[_NUMBERS] = tuple(json.loads(row[_NUMBERS]))
    return Asset(*values)


def markers(db: Database, asset_id: str) -> list[Marker]:
    """The markers of an asset, in time."""
    asked = "SELECT kind, start_ms, end_ms, name FROM marker WHERE asset_id = ? ORDER BY start_ms, kind"
    return [Marker(*row) for row in db.execute(asked, (asset_id,))]


def metadata(db: Database, asset_id: str) -> dict[str, Json]:
    """The metadata documents of an asset, by domain."""
    rows = db.execute("SELECT domain, document FROM asset_metadata WHERE asset_id = ? ORDER BY domain", (asset_id,))
    return {str(domain): from_json(document, dict, column="asset_metadata.document") for domain, document in rows}


def created_at(db: Database, asset_id: str) -> str:
    """When an asset was created (UTC text)."""
    ((created,),) = db.execute("SELECT created_at FROM asset WHERE id = ?", (asset_id,))
    return str(created)


def known_assets(db: Database, collection_id: str) -> KnownAssets:
    """Every asset of a collection by its canonical key."""
    return KnownAssets(db.execute(_KNOWN, (collection_id,)))


def known_asset(db: Database, collection_id: str, key: str) -> KnownAsset | None:
    """The asset of a collection with this canonical key."""
    rows = db.execute(f"{_KNOWN} AND canonical_key = ?", (collection_id, key))
    return KnownAsset.of(rows[0]) if rows else None


def missing_assets(db: Database, collection_id: str) -> list[KnownAsset]:
    """The assets of a collection that are marked missing, by key."""
    rows = db.execute(f"{_KNOWN} AND missing_since IS NOT NULL ORDER BY canonical_key", (collection_id,))
    return [KnownAsset.of(row) for row in rows]


def add_asset(
    db: Database,
    asset_id: str,
    draft: AssetDraft,
    facts: FileFacts,
    *,
    collection_id: str,
    path_mapping_id: int,
    canonical_key: str,
    is_retired: bool,
    now: str,
) -> None:
    """Add an asset; it is ready if its duration is known, unless it is out of use."""
    db.execute(
        _ADD,
        {
            **_written(draft, facts),
            "id": asset_id,
            "collection_id": collection_id,
            "path_mapping_id": path_mapping_id,
            "canonical_key": canonical_key,
            "is_retired": is_retired,
            "now": now,
        },
    )


def update_asset(
    db: Database,
    asset_id: str,
    draft: AssetDraft,
    facts: FileFacts,
    *,
    path_mapping_id: int,
    now: str,
) -> None:
    """Write what is known now of an asset; a retired one stays retired."""
    db.execute(
        _UPDATE,
        {
            **_written(draft, facts),
            "id": asset_id,
            "path_mapping_id": path_mapping_id,
            "now": now,
        },
    )


def _written(draft: AssetDraft, facts: FileFacts) -> dict[str, Value]:
    of_draft = {name: getattr(draft, name) for name in ("file_path", "kind", *FACTS)}
    return {**of_draft, "sidecars": facts.sidecars, "enrichers": facts.enrichers}


def fill_in_facts(db: Database, asset_id: str, draft: AssetDraft, *, now: str) -> None:
    """Write the size and the mtime of an asset where they were not known."""
    db.execute(
        """
        UPDATE asset
           SET size = coalesce(size, ?2),
               mtime_ns = coalesce(mtime_ns, ?3),
               updated_at = ?4
         WHERE id = ?1
        """,
        (asset_id, draft.size, draft.mtime_ns, now),
    )


def withdraw_approval(db: Database, asset_id: str) -> None:
    """Take the operator's approval from an asset, if it has it."""
    db.execute("UPDATE asset SET approved = 0 WHERE id = ? AND approved = 1", (asset_id,))


def approve(db: Database, asset_ids: list[str]) -> None:
    """Approve assets, which are ready."""
    _update(db, "approved = 1", asset_ids)


def withdraw_approvals(db: Database, asset_ids: list[str]) -> None:
    """Take the operator's approval from assets."""
    _update(db, "approved = 0", asset_ids)


def retire(db: Database, asset_ids: list[str]) -> None:
    """Take assets out of use."""
    _update(db, "state = 'retired', approved = 0", asset_ids)


def reinstate(db: Database, asset_ids: list[str]) -> None:
    """Take assets back into use."""
    _update(db, "state = iif(duration_ms IS NULL, 'new', 'ready')", asset_ids)


def _update(db: Database, change: str, asset_ids: list[str]) -> None:
    db.execute(
        f"UPDATE asset SET {change}, updated_at = ? WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608  as above
        (utc_now(), json.dumps(asset_ids)),
    )


def mark_stale(db: Database, asset_ids: list[str]) -> None:
    """Let assets count as changed, until a refresh reads their files again."""
    _update(db, "enrichers = ''", asset_ids)


def set_kind(db: Database, asset_id: str, kind: AssetKind, *, now: str) -> None:
    """Let an asset be of another kind."""
    db.execute("UPDATE asset SET kind = ?, updated_at = ? WHERE id = ?", (kind, now, asset_id))


def add_markers(db: Database, asset_id: str, found: Iterable[Marker]) -> None:
    """Add the markers of an asset."""
    db.executemany(
        "INSERT INTO marker (asset_id, kind, start_ms, end_ms, name) VALUES (?, ?, ?, ?, ?)",
        [(asset_id, marker.kind, marker.start_ms, marker.end_ms, marker.name) for marker in found],
    )


def remove_markers(db: Database, asset_id: str) -> None:
    """Remove the markers of an asset."""
    db.execute("DELETE FROM marker WHERE asset_id = ?", (asset_id,))


def set_metadata(db: Database, asset_id: str, documents: Mapping[str, Json]) -> None:
    """Write metadata documents, each in place of an older one of its domain; other domains stay."""
    for domain, document in documents.items():
        db.execute(
            """
            INSERT INTO asset_metadata (asset_id, domain, document)
            VALUES (?, ?, ?)
                ON CONFLICT (asset_id, domain) DO UPDATE
               SET document = excluded.document
             WHERE document <> excluded.document
            """,
            (asset_id, domain, _document.encode(document)),
        )


def remove_metadata(db: Database, asset_id: str, *, keep: Iterable[str]) -> None:
    """Remove the metadata documents of an asset, but for those of some domains."""
    db.execute(
        "DELETE FROM asset_metadata WHERE asset_id = ? AND domain NOT IN (SELECT value FROM json_each(?))",
        (asset_id, json.dumps(list(keep))),
    )


def mark_missing(db: Database, asset_ids: Iterable[str], *, since: str) -> None:
    """Mark assets whose files an ingest looked for and did not find."""
    db.executemany("UPDATE asset SET missing_since = ? WHERE id = ?", [(since, id_) for id_ in asset_ids])


def mark_returned(db: Database, asset_id: str) -> None:
    """Mark that a missing asset is back."""
    db.execute("UPDATE asset SET missing_since = NULL WHERE id = ?", (asset_id,))


def delete_assets_of(db: Database, collection_id: str) -> dict[str, int]:
    """Delete every asset of a collection, what hangs on it, and titles that hold nothing up then: rows per table."""
    return _delete(db, "collection_id = ?", collection_id)


def delete_assets(db: Database, asset_ids: Iterable[str]) -> dict[str, int]:
    """Delete assets, what hangs on them, and titles that hold nothing up then: rows per table."""
    return _delete(db, "id IN (SELECT value FROM json_each(?))", json.dumps(list(asset_ids)))


def _delete(db: Database, which: str, param: str) -> dict[str, int]:
    held = {"episode_asset": "RETURNING episode_id", "movie_asset": "RETURNING title_id"}
    rows: dict[str, int] = {}
    shown: dict[str, set[Any]] = {}
    for below in db.shape.references:
        if below.parent == "asset" and below.child in own_names():  # SQLite's cascades would not count them
            going = f"WHERE {below.column} IN (SELECT id FROM asset WHERE {which})"  # noqa: S608  the text is one of those above
            returned = db.execute(f"DELETE FROM {below.child} {going} {held.get(below.child, '')}", (param,))  # noqa: S608  likewise
            shown[below.child] = {id_ for (id_,) in returned}
            rows[below.child] = db.changes()
    db.execute(f"DELETE FROM asset WHERE {which}", (param,))  # noqa: S608  the text is one of those above
    rows["asset"] = db.changes()
    return rows | titles.prune(db, shown["episode_asset"], shown["movie_asset"])


def move_asset(
    db: Database, asset_id: str, draft: AssetDraft, *, key: str, path_mapping_id: int, sidecars: str, is_changed: bool, now: str
) -> None:
    """Let an asset follow its file. Where `is_changed`, it counts as changed until it is refreshed."""
    db.execute(
        """
        UPDATE asset
           SET canonical_key = ?2,
               path_mapping_id = ?3,
               file_path = ?4,
               sidecars = ?5,
               enrichers = iif(?6, '', enrichers),
               missing_since = NULL,
               updated_at = ?7
         WHERE id = ?1
        """,
        (asset_id, key, path_mapping_id, draft.file_path, sidecars, is_changed, now),
    )
