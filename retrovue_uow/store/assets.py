"""Assets with their markers and metadata: queries and changes."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import attrs

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.model import Asset, AssetDraft, AssetKind, AssetSelector, AssetState, FileFacts, Finding, Json, Marker
from retrovue_uow.store import titles
from retrovue_uow.store.extensions import own_names
from retrovue_uow.store.ids import as_stored, from_json, new_id, utc_now
from retrovue_uow.store.known import IS_BROKEN, add_findings, set_findings
from retrovue_uow.store.titles import NewRows
from retrovue_uow.uow.database import Database, Row, Value

Decision = Literal["approve", "withdraw_approval", "retire", "reinstate", "unassign", "prefer", "unprefer"]
_document = json.JSONEncoder(ensure_ascii=False, default=dict)
FACTS = ("size", "mtime_ns", "duration_ms", "container", "video_codec", "audio_codec", "width", "height", "part")
"""The columns of `asset` that say what its file is, called as in `Asset` and `AssetDraft`; statements take them from here."""
_facts = attrgetter(*FACTS)
_SHOWN = {
    "title": "coalesce(movie.name, show.name)",
    "year": "coalesce(movie.year, show.year)",
    "season_number": "season.number",
    "episode_numbers": """(SELECT group_concat(each_episode.number ORDER BY each_episode.number)
                             FROM episode_asset AS each_link
                             JOIN episode AS each_episode ON each_episode.id = each_link.episode_id
                            WHERE each_link.asset_id = asset.id)""",
    "episode_title": "episode.name",
}
"""The fields of an `Asset` that come from other tables; the others are columns of its own."""
_COLUMNS = [field.name for field in attrs.fields(Asset)]
_APPROVED, _NUMBERS = _COLUMNS.index("approved"), _COLUMNS.index("episode_numbers")
_SELECT = f"SELECT {', '.join(_SHOWN.get(column, f'asset.{column}') for column in _COLUMNS)}"
_FROM = """
  FROM asset
  LEFT JOIN movie_asset ON movie_asset.asset_id = asset.id
  LEFT JOIN title AS movie ON movie.id = movie_asset.title_id
  LEFT JOIN episode_asset ON episode_asset.id = (SELECT min(first_link.id)
                                                   FROM episode_asset AS first_link
                                                  WHERE first_link.asset_id = asset.id)
  LEFT JOIN episode ON episode.id = episode_asset.episode_id
  LEFT JOIN season ON season.id = episode.season_id
  LEFT JOIN title AS show ON show.id = season.title_id
"""
_FIND = _SELECT + _FROM
_IN_ORDER = "ORDER BY asset.collection_id, asset.canonical_key"
_BY_ID = "asset.id IN (SELECT value FROM json_each(:values))"
_BY_GLOB = """
(SELECT max(asset.file_path GLOB path.value
            OR asset.file_path GLOB '*/' || path.value
            OR asset.canonical_key GLOB path.value
            OR asset.canonical_key GLOB '*/' || path.value)
   FROM json_each(:values) AS path)"""
"""No EXISTS, which SQLite would ask only after it has joined everything else."""
_CONDITIONS = {
    "collection": "asset.collection_id = :collection",
    "kind": "asset.kind = :kind",
    "state": "asset.state = :state",
    "missing": "(asset.missing_since IS NOT NULL) = :missing",
    "approved": "asset.approved = :approved",
    "unclassified": "asset.kind = 'other'",
    "broken": f"{IS_BROKEN} = :broken",
    "title": """
asset.id IN (SELECT asset_id FROM movie_asset WHERE title_id = :title
              UNION ALL
             SELECT asset_id
               FROM season
               JOIN episode ON episode.season_id = season.id
               JOIN episode_asset ON episode_asset.episode_id = episode.id
              WHERE season.title_id = :title)""",
    "season": "season.number = :season",
    "versions": """
(asset.state = 'ready' AND asset.approved = 1 AND asset.missing_since IS NULL
 AND (:versions = 'all' OR (SELECT version_rank FROM schedulable_asset AS airing WHERE airing.id = asset.id) = 1))""",
    "episode": """
:episode IN (SELECT episode.number
               FROM episode_asset
               JOIN episode ON episode.id = episode_asset.episode_id
              WHERE episode_asset.asset_id = asset.id)""",
    "after": "(asset.collection_id, asset.canonical_key) > (:after_collection, :after)",
}
"""What each field of a selector asks, and `after`; left out of the statement where nothing is asked."""
_ANY = AssetSelector()
_ADD = (
    titles.ASSET,
    f"""
INSERT INTO asset (id, collection_id, path_mapping_id, canonical_key, file_path, kind, state, approved, sidecars, enrichers,
                   {", ".join(FACTS)}, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {", ".join("?" * len(FACTS))}, ?, ?)
""",  # noqa: S608  likewise
)
_ADD_MARKER = titles.ASSET + 1, "INSERT INTO marker (asset_id, kind, start_ms, end_ms, name) VALUES (?, ?, ?, ?, ?)"
_ADD_METADATA = titles.ASSET + 1, "INSERT INTO asset_metadata (asset_id, domain, document) VALUES (?, ?, ?)"
_SET_METADATA = (
    titles.ASSET + 1,
    """
INSERT INTO asset_metadata (asset_id, domain, document)
VALUES (?, ?, ?)
    ON CONFLICT (asset_id, domain) DO UPDATE
   SET document = excluded.document
""",
)
_UNSHOWN = ("path_mapping_id", "sidecars", "enrichers")
"""What an ingest keeps of a file, and no `Asset` shows."""
_READ = ("file_path", "kind", *FACTS)
_read = attrgetter(*_READ)
_SET = " = ?, ".join((*_UNSHOWN, *_READ, "state", "updated_at"))
_UPDATE = titles.ASSET, f"UPDATE asset SET {_SET} = ? WHERE id = ?"  # noqa: S608  likewise
_TOUCH = titles.ASSET, "UPDATE asset SET updated_at = ? WHERE id = ?"
_REMOVE_MARKERS = titles.ASSET, "DELETE FROM marker WHERE asset_id = ?"
_REMOVE_METADATA = titles.ASSET, "DELETE FROM asset_metadata WHERE asset_id = ? AND domain = ?"


class StoredAsset(NamedTuple):
    """An asset with what hangs on it, as it is written, to be compared with what was read of its file."""

    asset: Asset
    unshown: Row
    markers: set[Marker]
    documents: dict[str, str]
    findings: list[Finding]


def assets(
    db: Database,
    selector: AssetSelector = _ANY,
    *,
    collection_id: str | None = None,
    title_id: str | None = None,
    limit: int | None = None,
    after: Asset | None = None,
) -> list[Asset]:
    """The assets that a selector describes, by collection and key; with `limit`, the first so many of those `after` one.

    The identifiers stand for the selector's collection and title.
    """
    asked: dict[str, Value] = {
        **attrs.asdict(selector),
        "collection": collection_id,
        "title": title_id,
        "unclassified": selector.unclassified or None,
        "after": None if after is None else after.canonical_key,
        "after_collection": None if after is None else after.collection_id,
        "limit": limit,
    }
    conditions = [text for name, text in _CONDITIONS.items() if asked[name] is not None]
    if selector.path is not None:
        # in each Unicode form that a file system may have given a path; keys are NFC
        forms = {selector.path, *(unicodedata.normalize(form, selector.path) for form in ("NFC", "NFD"))}
        found = [] if set(selector.path) & set("*?[") else _ids_at(db, forms)
        conditions.append(_BY_ID if found else _BY_GLOB)
        asked["values"] = json.dumps(found or sorted(forms))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    last = "" if limit is None else "LIMIT :limit"
    return [_asset(row) for row in db.execute(f"{_FIND} {where} {_IN_ORDER} {last}", asked)]


def asset(db: Database, asset_id: str) -> Asset:
    """The asset with this identifier. Raises `ValidationError` if there is none."""
    rows = db.execute(f"{_FIND} WHERE asset.id = ?", (asset_id,))
    if not rows:
        raise ValidationError(f"there is no asset {asset_id!r}: `asset list` shows them")
    return _asset(rows[0])


def assets_by_id(db: Database, asset_ids: Iterable[str]) -> list[Asset]:
    """Those of the assets that are there, by collection and key."""
    return [_asset(row) for row in db.execute(f"{_FIND} WHERE {_BY_ID} {_IN_ORDER}", {"values": json.dumps(list(asset_ids))})]


def assets_named(db: Database, names: Iterable[str]) -> list[Asset]:
    """The assets that have one of the names as identifier, canonical key or path, by collection and key.

    A file that lies elsewhere than its mapping says is looked for, among all, only where nothing else has one of the names.
    """
    named = list(map(as_stored, names))
    astray = "SELECT id FROM asset WHERE file_path IN (SELECT value FROM json_each(?))"
    found = assets_by_id(db, [*named, *_ids_at(db, named)])
    return found or assets_by_id(db, [id_ for (id_,) in db.execute(astray, (json.dumps(named),))])


def _ids_at(db: Database, paths: Iterable[str]) -> list[str]:
    """Identifiers of the assets that have one of the paths as their key, or as the file that their mapping leads to."""
    rows = db.execute(
        """
        SELECT asset.id
          FROM json_each(?1) AS path
         CROSS JOIN collection                                      -- in this order: the index leads with the collection
         CROSS JOIN asset ON asset.collection_id = collection.id
                         AND asset.canonical_key = path.value
         UNION
        SELECT asset.id
          FROM json_each(?1) AS path
         CROSS JOIN path_mapping ON substr(path.value, 1, length(path_mapping.local_path)) = path_mapping.local_path
         CROSS JOIN asset ON asset.collection_id = path_mapping.collection_id
                         AND asset.canonical_key = rtrim(path_mapping.source_path, '/')
                                                   || substr(path.value, length(rtrim(path_mapping.local_path, '/')) + 1)
                         AND asset.file_path IN (SELECT value FROM json_each(?1))
        """,
        (json.dumps(list(paths)),),
    )
    return [str(id_) for (id_,) in rows]


def _asset(row: Row) -> Asset:
    values = list(row)
    values[_APPROVED] = bool(row[_APPROVED])
    try:
        values[_NUMBERS] = tuple(map(int, row[_NUMBERS].split(","))) if row[_NUMBERS] else ()
    except ValueError as error:
        raise ResourceError(f"episode.number holds {row[_NUMBERS]!r}: the catalogue is damaged, restore a backup") from error
    return Asset(*values)


def stored_assets(db: Database, asset_ids: Sequence[str]) -> dict[str, StoredAsset]:
    """Those of the assets that are there, with what hangs on them."""
    asked = f"{_SELECT}, {', '.join(f'asset.{column}' for column in _UNSHOWN)} {_FROM} WHERE {_BY_ID}"
    rows = db.execute(asked, {"values": json.dumps(asset_ids)})
    stored = {row[0]: StoredAsset(_asset(row[: len(_COLUMNS)]), row[len(_COLUMNS) :], set(), {}, []) for row in rows}
    for asset_id, each in _hanging(db, "kind, start_ms, end_ms, name FROM marker", asset_ids):
        stored[asset_id].markers.add(Marker(*each))
    for asset_id, (domain, document) in _hanging(db, "domain, document FROM asset_metadata", asset_ids):
        stored[asset_id].documents[domain] = document
    for asset_id, each in _hanging(db, "enricher, severity, message FROM finding", asset_ids):
        stored[asset_id].findings.append(Finding(*each))
    return stored


def _hanging(db: Database, what: str, asset_ids: Sequence[str]) -> Iterator[tuple[str, list[Any]]]:
    asked = f"SELECT asset_id, {what} WHERE asset_id IN (SELECT value FROM json_each(?)) ORDER BY id"  # noqa: S608  ours
    for asset_id, *each in db.execute(asked, (json.dumps(asset_ids),)):
        yield str(asset_id), each


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


def add_asset(
    rows: NewRows,
    draft: AssetDraft,
    facts: FileFacts,
    *,
    collection_id: str,
    mapping_id: int,
    key: str,
    is_retired: bool,
    is_approved: bool,
    findings: Sequence[Finding],
    now: str,
) -> str:
    """Add an asset with all that hangs on it; it is ready if its duration is known and its file sound, unless it is retired."""
    asset_id = new_id()
    state = "retired" if is_retired else _state(draft, findings)
    place = (asset_id, collection_id, mapping_id, key, draft.file_path)
    is_approved = is_approved and state == "ready"
    rows[_ADD].append((*place, draft.kind, state, is_approved, facts.sidecars, facts.enrichers, *_facts(draft), now, now))
    if draft.markers or findings:  # which most have not
        add_markers(rows, asset_id, draft.markers)
        add_findings(rows, asset_id, findings)
    for domain, document in draft.metadata.items():
        rows[_ADD_METADATA].append((asset_id, domain, _document.encode(document)))
    return asset_id


def update_asset(
    rows: NewRows,
    stored: StoredAsset,
    draft: AssetDraft,
    facts: FileFacts,
    *,
    mapping_id: int,
    findings: Sequence[Finding],
    now: str,
) -> None:
    """Write what is known now of an asset, and of what hangs on it what differs; a retired one stays retired."""
    asset_id, before = stored.asset.id, (*stored.unshown, *_read(stored.asset), stored.asset.state)
    state = "retired" if stored.asset.state == "retired" else _state(draft, findings)
    row = (mapping_id, facts.sidecars, facts.enrichers, *_read(draft), state)
    if row == before:
        rows[_TOUCH].append((now, asset_id))
    else:
        rows[_UPDATE].append((*row, now, asset_id))
    if stored.markers != set(draft.markers):
        rows[_REMOVE_MARKERS].append((asset_id,))
        add_markers(rows, asset_id, draft.markers)
    set_findings(rows, asset_id, stored.findings, findings)
    documents = {domain: _document.encode(document) for domain, document in draft.metadata.items()}
    for domain in stored.documents.keys() - documents.keys():
        rows[_REMOVE_METADATA].append((asset_id, domain))
    for domain, document in documents.items() - stored.documents.items():
        rows[_SET_METADATA].append((asset_id, domain, document))


def _state(draft: AssetDraft, findings: Sequence[Finding]) -> AssetState:
    """What an asset that is in use is: ready if its duration is known and its file sound."""
    return "new" if draft.duration_ms is None or "broken" in [each.severity for each in findings] else "ready"


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


def withdraw_approval(db: Database, asset_id: str) -> bool:
    """Take the operator's approval from an asset, and say whether it had it."""
    db.execute("UPDATE asset SET approved = 0 WHERE id = ? AND approved = 1", (asset_id,))
    return db.changes() > 0


def decide(db: Database, decision: Decision, asset_ids: list[str]) -> None:
    """Write into assets what was decided about them; what was taken back counts as changed, until its file is read again."""
    change = {
        "approve": "approved = 1",
        "withdraw_approval": "approved = 0",
        "retire": "state = 'retired', approved = 0",
        "reinstate": f"state = iif(duration_ms IS NULL OR {IS_BROKEN}, 'new', 'ready')",
        "unassign": "enrichers = ''",
    }.get(decision)
    if change is None:  # a preference is beside the assets alone
        return
    db.execute(
        f"UPDATE asset SET {change}, updated_at = ? WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608  as above
        (utc_now(), json.dumps(asset_ids)),
    )


def set_kind(db: Database, asset_id: str, kind: AssetKind, *, now: str) -> None:
    """Let an asset be of another kind."""
    db.execute("UPDATE asset SET kind = ?, updated_at = ? WHERE id = ?", (kind, now, asset_id))


def add_markers(rows: NewRows, asset_id: str, found: Iterable[Marker]) -> None:
    """Add the markers of an asset."""
    for each in found:
        rows[_ADD_MARKER].append((asset_id, each.kind, each.start_ms, each.end_ms, each.name))


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
            # no asset need be looked up for a table in which nothing hangs on any
            is_empty = not db.execute(f"SELECT 1 FROM {below.child} LIMIT 1")  # noqa: S608  the name is the schema's
            delete = f"DELETE FROM {below.child} {going} {held.get(below.child, '')}"  # noqa: S608  likewise
            shown[below.child] = set() if is_empty else {id_ for (id_,) in db.execute(delete, (param,))}
            rows[below.child] = 0 if is_empty else db.changes()
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
