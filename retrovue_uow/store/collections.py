"""Sources, collections, path mappings and attached enrichers: queries and changes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import retrovue_uow
from retrovue_uow.errors import Violation
from retrovue_uow.model import AttachedEnricher, Collection, PathMapping, Source, Upgrades, folded
from retrovue_uow.store.ids import from_json
from retrovue_uow.store.known import IS_BROKEN
from retrovue_uow.uow.database import Database, Row, Value

_NEW_PATH = """
:new_local || iif(substr(file_path, 1, length(:old_local) + 1) = :old_local || '/',
                  substr(file_path, length(:old_local) + 1),
                  substr(canonical_key, length(:old) + 1))"""


class Relocation(NamedTuple):
    """A path mapping as it is and as it will be.

    Attributes:
        others: Source paths of the collection's mappings below this one: what lies there is not this one's.
    """

    collection_id: str
    mapping: PathMapping
    moved: PathMapping
    others: tuple[str, ...] = ()

    @property
    def changes_keys(self) -> bool:
        """Whether the source finds the files elsewhere, too."""
        return self.moved.source_path != self.mapping.source_path

    def new_key(self, key: str) -> str:
        """The canonical key that a file of the mapping will have."""
        return under(self.moved.source_path, key, self.mapping.source_path)


def under(root: str, path: str, old_root: str) -> str:
    """A path below `old_root`, as it is below `root`."""
    return root.rstrip("/") + path[len(old_root.rstrip("/")) :]


def sources(db: Database) -> list[Source]:
    """Every source, by name."""
    rows = db.execute("SELECT id, name, type, config FROM source ORDER BY name")
    return [Source(id_, name, type_, from_json(config, dict, column="source.config")) for id_, name, type_, config in rows]


def add_source(db: Database, source: Source, *, created_at: str) -> None:
    """Add a source."""
    db.execute(
        "INSERT INTO source (id, name, type, config, created_at) VALUES (?, ?, ?, ?, ?)",
        (source.id, source.name, source.type, json.dumps(source.config, ensure_ascii=False, default=dict), created_at),
    )


def remove_source(db: Database, source_id: str) -> None:
    """Remove a source that has no collections."""
    db.execute("DELETE FROM source WHERE id = ?", (source_id,))


def collections(db: Database) -> list[Collection]:
    """Every collection with its mappings, enrichers and excludes, by source and name."""
    mappings: dict[str, list[PathMapping]] = defaultdict(list)
    for id_, *facts in db.execute("SELECT collection_id, id, source_path, local_path FROM path_mapping ORDER BY source_path"):
        mappings[id_].append(PathMapping(*facts))
    enrichers: dict[str, list[AttachedEnricher]] = defaultdict(list)
    attached = "SELECT collection_id, type, config, priority FROM collection_enricher ORDER BY priority, type"
    for id_, type_, config, priority in db.execute(attached):
        own = from_json(config, dict, column="collection_enricher.config")
        enrichers[id_].append(AttachedEnricher(type_, own, priority))
    excludes: dict[str, list[str]] = defaultdict(list)
    for id_, pattern in db.execute("SELECT collection_id, pattern FROM collection_exclude ORDER BY pattern"):
        excludes[id_].append(pattern)
    rows = db.execute(
        """
        SELECT collection.id, collection.source_id, collection.name, collection.external_id, collection.enabled,
               collection.upgrades
          FROM collection
          JOIN source ON source.id = collection.source_id
         ORDER BY source.name, collection.name
        """
    )
    return [
        Collection(
            *(id_, source_id, name, external_id, bool(enabled)),
            *(tuple(mappings[id_]), tuple(enrichers[id_]), tuple(excludes[id_]), upgrades),
        )
        for id_, source_id, name, external_id, enabled, upgrades in rows
    ]


def alike_names(db: Database) -> list[Violation]:
    """Sources, collections of one source, and titles of one kind and year, whose names differ in case or Unicode form alone."""
    rows = db.execute(
        """
        SELECT subject, source_id, id, name
          FROM (SELECT 'source' AS subject, NULL AS source_id, id, name
                  FROM source
                 UNION ALL
                SELECT 'collection', source_id, id, name
                  FROM collection
                 UNION ALL
                SELECT 'title', kind || ' ' || ifnull(year, ''), id, name
                  FROM title)
         WHERE typeof(name) = 'text'                                -- a damaged page may hold anything, which is told as damage
         ORDER BY subject, source_id, name
        """
    )
    first: dict[tuple[object, ...], str] = {}
    alike: list[Violation] = []
    for subject, source_id, id_, name in rows:
        other = first.setdefault((subject, source_id, folded(name)), name)
        if other != name:
            remedy = "let them be one by `title merge`" if subject == "title" else "name both by their ids"
            detail = f"{name!r} differs from {other!r} in case or Unicode form alone: {remedy}"
            alike.append(Violation("alike_names", subject, id_, detail))
    return alike


def add_collection(db: Database, collection: Collection, *, created_at: str) -> None:
    """Add a collection, without its mappings, enrichers and excludes."""
    db.execute(
        "INSERT INTO collection (id, source_id, name, external_id, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (collection.id, collection.source_id, collection.name, collection.external_id, collection.enabled, created_at),
    )


def set_enabled(db: Database, collection_id: str, *, enabled: bool) -> None:
    """Enable or disable a collection."""
    db.execute("UPDATE collection SET enabled = ? WHERE id = ?", (int(enabled), collection_id))


def set_upgrades(db: Database, collection_id: str, upgrades: Upgrades) -> None:
    """Keep what is done with the approval of a file that another one replaces."""
    db.execute("UPDATE collection SET upgrades = ? WHERE id = ?", (upgrades, collection_id))


def remove_collection(db: Database, collection_id: str) -> None:
    """Remove a collection that has no assets, with its mappings, enrichers and excludes."""
    db.execute("DELETE FROM collection WHERE id = ?", (collection_id,))


def add_path_mapping(db: Database, collection_id: str, source_path: str, local_path: str) -> None:
    """Add a path mapping."""
    db.execute(
        "INSERT INTO path_mapping (collection_id, source_path, local_path) VALUES (?, ?, ?)",
        (collection_id, source_path, local_path),
    )


def remove_path_mapping(db: Database, mapping_id: int) -> None:
    """Remove a path mapping through which no asset came."""
    db.execute("DELETE FROM path_mapping WHERE id = ?", (mapping_id,))


def count_assets(db: Database, collection_id: str) -> int:
    """How many assets a collection has."""
    ((count,),) = db.execute("SELECT count(*) FROM asset WHERE collection_id = ?", (collection_id,))
    return int(count)


def asset_ids(db: Database, collection_id: str) -> list[str]:
    """The identifiers of the assets of a collection."""
    return [str(id_) for (id_,) in db.execute("SELECT id FROM asset WHERE collection_id = ?", (collection_id,))]


def assets_of_mapping(db: Database, mapping_id: int) -> int:
    """How many assets came through a path mapping."""
    ((count,),) = db.execute("SELECT count(*) FROM asset WHERE path_mapping_id = ?", (mapping_id,))
    return int(count)


def mapped_files(db: Database, relocation: Relocation) -> list[Row]:
    """The assets that come through a path mapping, by key: identifier, key, new path, size, mtime, since when it is missing.

    They stay the rows that SQLite gave, as in `KnownAssets`.
    """
    where, asked = of_mapping(relocation)
    facts = f"id, canonical_key, {_NEW_PATH}, size, mtime_ns, missing_since"
    return db.execute(f"SELECT {facts} FROM asset WHERE {where} ORDER BY canonical_key", asked)  # noqa: S608  our own texts


def relocate(db: Database, relocation: Relocation) -> None:
    """Let a path mapping lead elsewhere, and its assets with it."""
    where, asked = of_mapping(relocation)
    asked["mapping"] = relocation.mapping.id
    # assets that are older than a mapping came through another one above it
    for other in sorted(relocation.others, reverse=True):
        db.execute(
            """
            UPDATE asset
               SET path_mapping_id = (SELECT id FROM path_mapping WHERE collection_id = ?1 AND source_path = ?2)
             WHERE collection_id = ?1
               AND path_mapping_id = ?3
               AND substr(canonical_key, 1, length(?2) + 1) = ?2 || '/'
            """,
            (relocation.collection_id, other, relocation.mapping.id),
        )
    db.execute(
        f"""
        UPDATE asset INDEXED BY asset_path_mapping
           SET path_mapping_id = :mapping
         WHERE path_mapping_id IN (SELECT id FROM path_mapping WHERE collection_id = :collection AND id <> :mapping)
           AND {where}
        """,  # noqa: S608  our own texts
        asked,
    )
    follow(db, relocation, "asset", f"file_path = {_NEW_PATH}")
    db.execute(
        "UPDATE path_mapping SET source_path = ?, local_path = ? WHERE id = ?",
        (relocation.moved.source_path, relocation.moved.local_path, relocation.mapping.id),
    )


def follow(db: Database, relocation: Relocation, table: str, also: str = "") -> None:
    """Let the rows of a table that has a canonical key follow the files of a path mapping, and set what `also` says."""
    where, asked = of_mapping(relocation)
    old, new = relocation.mapping.source_path.rstrip("/"), relocation.moved.source_path.rstrip("/")
    if old != new:
        also = f"canonical_key = :new || substr(canonical_key, length(:old) + 1){also and ', '}{also}"
        if old.startswith(f"{new}/"):  # a new key may be another file's old one
            db.execute(f"UPDATE {table} SET canonical_key = '?' || canonical_key WHERE {where}", asked)  # noqa: S608
            asked["old"] = f"?{old}"
    if also:
        db.execute(f"UPDATE {table} SET {also} WHERE {where}", asked)  # noqa: S608  our own names


def of_mapping(relocation: Relocation) -> tuple[str, dict[str, Value]]:
    """Which rows of a table that has a canonical key speak of the files of a path mapping: SQL, and its parameters."""
    # the character after the slash ends the range
    where = "collection_id = :collection AND canonical_key >= :old || '/' AND canonical_key < :old || '0'"
    if relocation.others:
        where += """
            AND NOT EXISTS (SELECT 1
                              FROM json_each(:others)
                             WHERE substr(canonical_key, 1, length(value) + 1) = value || '/')
            """
    return where, {
        "collection": relocation.collection_id,
        "old": relocation.mapping.source_path.rstrip("/"),
        "new": relocation.moved.source_path.rstrip("/"),
        "old_local": relocation.mapping.local_path.rstrip("/"),
        "new_local": relocation.moved.local_path.rstrip("/"),
        "others": json.dumps(relocation.others),
    }


def attach_enricher(db: Database, collection_id: str, enricher: AttachedEnricher) -> None:
    """Attach an enricher."""
    db.execute(
        "INSERT INTO collection_enricher (collection_id, type, config, priority) VALUES (?, ?, ?, ?)",
        (collection_id, enricher.type, json.dumps(enricher.config, ensure_ascii=False, default=dict), enricher.priority),
    )


def detach_enricher(db: Database, collection_id: str, type_: str) -> None:
    """Detach the enricher of a type."""
    db.execute("DELETE FROM collection_enricher WHERE collection_id = ? AND type = ?", (collection_id, type_))


def add_exclude(db: Database, collection_id: str, pattern: str) -> None:
    """Add a pattern that every ingest of the collection leaves out."""
    db.execute("INSERT INTO collection_exclude (collection_id, pattern) VALUES (?, ?)", (collection_id, pattern))


def remove_exclude(db: Database, collection_id: str, pattern: str) -> None:
    """Remove such a pattern."""
    db.execute("DELETE FROM collection_exclude WHERE collection_id = ? AND pattern = ?", (collection_id, pattern))


def statuses(db: Database, ingest: str) -> Iterator[retrovue_uow.CollectionStatus]:
    """How each collection stands, by name; `ingest` is the operation that counts as one."""
    rows = db.execute(
        f"""
        SELECT collection.id,
               collection.name,
               source.name,
               collection.enabled,
               count(asset.id),
               count(*) FILTER (WHERE asset.state = 'new'),
               count(*) FILTER (WHERE asset.state = 'ready'),
               count(*) FILTER (WHERE asset.state = 'retired'),
               count(*) FILTER (WHERE asset.approved),
               count(*) FILTER (WHERE asset.missing_since IS NOT NULL),
               count(*) FILTER (WHERE asset.kind = 'other' AND asset.state <> 'retired'),
               count(*) FILTER (WHERE asset.state = 'ready' AND NOT asset.approved AND asset.missing_since IS NULL),
               count(*) FILTER (WHERE {IS_BROKEN}),
               (SELECT committed_at
                  FROM operation
                  JOIN unit_of_work ON unit_of_work.id = operation.unit_id
                 WHERE operation.name = ?
                   AND json_extract(operation.result, '$.collection.id') = collection.id
                 ORDER BY operation.id DESC
                 LIMIT 1)
          FROM collection
          JOIN source ON source.id = collection.source_id
          LEFT JOIN asset ON asset.collection_id = collection.id
         GROUP BY collection.id
         ORDER BY collection.name
        """,  # noqa: S608  ours
        (ingest,),
    )
    return (
        retrovue_uow.CollectionStatus(id_, name, source, bool(enabled), *counts) for id_, name, source, enabled, *counts in rows
    )
