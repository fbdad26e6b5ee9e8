"""Sources, collections, path mappings, excludes and enrichers: what the operator sets up before anything is ingested."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import attrs

from retrovue_uow.errors import BusinessRuleError, ConfigurationError, ValidationError, amount
from retrovue_uow.media import paths, plugins
from retrovue_uow.model import AttachedEnricher, Collection, FoundCollection, Json, Source, Upgrades
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import curation, integrity, preflight
from retrovue_uow.store import collections
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.ids import new_id, utc_now
from retrovue_uow.uow.database import Database


def add_source(catalog: OpenCatalog, name: str, type: str = "filesystem", config: Json = {}) -> Source:  # noqa: A002, B006
    """Add a source, and return it.

    Pre-conditions:
        - No source has the name; case and Unicode form make no difference.
        - `type` is an importer type that can be had, and accepts `config`.

    Post-conditions:
        - The source is in the catalogue, without collections.

    Atomicity: The source is there whole, or not at all.

    Args:
        type: An importer type: `filesystem`, one registered by entry point, or one given to `Catalog`.
        config: The importer's own configuration; a JSON object. The filesystem importer takes `root` and `extensions`.
            Of a text `env:NAME` the catalogue keeps and shows that alone; the importer gets what the environment variable
            holds whenever it is made, as it is here, to judge the configuration: the variable must be set now, too. A
            literal under a name that looks secret, or in a URL, is stored, and masked wherever it is shown.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("source_add", ConfigurationError, name=name, type=type) as op:
        with op.preflight() as db:
            preflight.validate_name("source", name)
            preflight.validate_name_free("source", name, [source.name for source in collections.sources(db)])
            preflight.validate_configuration("source", name, config)
            plugins.make_importer(type, config, catalog.importers)
        with op.execution() as db:
            source = Source(id=new_id(), name=name, type=type, config=dict(config))
            collections.add_source(db, source, created_at=utc_now())
        _validate(op)
        return op.finish(source)


def discover_collections(catalog: OpenCatalog, source: str) -> list[Collection]:
    """Ask a source for its collections; return them as the catalogue has them now, new ones included.

    Pre-conditions:
        - The source exists, can be reached, and lets us in.
        - It reports no collection whose name differs from another's in Unicode form alone.

    Post-conditions:
        - Each collection that the source reports is in the catalogue; new ones are disabled until the operator enables them.
        - Collections that the catalogue had are left as they are, also those that the source no longer reports.

    Atomicity: All new collections are added, with their path mappings, or none is.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("source_discover", ConfigurationError, prepares=True, source=source) as op:
        with op.preflight() as db:
            found_source = preflight.validate_source_exists(db, source)
        with op.preparation():
            importer = plugins.make_importer(found_source.type, found_source.config, catalog.importers)
            preflight.validate_source_connectivity(found_source, importer)
            reported = [_normalised(found) for found in plugins.reported_collections(importer, found_source)]
        with op.execution() as db:
            preflight.validate_source_exists(db, found_source.id)
            known = [each for each in collections.collections(db) if each.source_id == found_source.id]
            _require_distinct(reported, known)
            ids = [_known_id(found, known) or _add_collection(db, found_source, found, enabled=False) for found in reported]
        _validate(op)
        with_id = {collection.id: collection for collection in collections.collections(catalog.database)}
        return op.finish([with_id[id_] for id_ in ids])


def _normalised(found: FoundCollection) -> FoundCollection:
    preflight.validate_name("collection", found.name)
    mappings = dict(preflight.validate_mapping(source_path, local) for source_path, local in found.path_mappings.items())
    return attrs.evolve(found, path_mappings=mappings)


def _known_id(found: FoundCollection, known: Sequence[Collection]) -> str | None:
    by = "name" if found.external_id is None else "external_id"
    return next((each.id for each in known if getattr(each, by) == getattr(found, by)), None)


def _require_distinct(reported: Sequence[FoundCollection], known: Sequence[Collection]) -> None:
    """No new name differs from another in Unicode form alone."""
    names = {unicodedata.normalize("NFC", each.name): each.name for each in known}
    for found in reported:
        if _known_id(found, known) is None:
            other = names.setdefault(unicodedata.normalize("NFC", found.name), found.name)
            if other != found.name:
                raise ValidationError(
                    f"the name of collection {found.name!r} differs from that of {other!r} in Unicode form alone: rename one"
                )


def add_collection(
    catalog: OpenCatalog,
    source: str,
    name: str,
    *,
    external_id: str | None = None,
    path_mappings: Mapping[str, str] = {},
    enabled: bool = True,
) -> Collection:
    """Add a collection to a source, and return it.

    Pre-conditions:
        - The source exists and has no collection of that name or external id; case and Unicode form make no difference.
        - Path mappings lead from a source path to an absolute local path, and none reaches the files of another.

    Post-conditions:
        - The collection is in the catalogue with its path mappings, without assets.

    Atomicity: The collection is there with all its mappings, or not at all.

    Args:
        source: Identifier or name of the source.
        external_id: What the source itself calls the collection, if it does.
        path_mappings: Source path → absolute local path. For a filesystem source the two are the same.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("collection_add", ConfigurationError, source=source, name=name) as op:
        with op.preflight() as db:
            found_source = preflight.validate_source_exists(db, source)
            found = _normalised(FoundCollection(name, external_id, path_mappings))
            siblings = [each for each in collections.collections(db) if each.source_id == found_source.id]
            preflight.validate_name_free("collection", name, [each.name for each in siblings])
            taken = [each.external_id for each in siblings if each.external_id]
            preflight.validate_name_free("external id", external_id or "", taken)
        with op.execution() as db:
            id_ = _add_collection(db, found_source, found, enabled=enabled)
        return _finished(op, catalog, id_)


def _add_collection(db: Database, source: Source, found: FoundCollection, *, enabled: bool) -> str:
    collection = Collection(new_id(), source.id, found.name, found.external_id, enabled)
    collections.add_collection(db, collection, created_at=utc_now())
    for source_path, local_path in found.path_mappings.items():
        collections.add_path_mapping(db, collection.id, source_path, local_path)
    return collection.id


def map_path(catalog: OpenCatalog, collection: str, source_path: str, local_path: str) -> Collection:
    """Add a path mapping to a collection, and return the collection.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - The collection has no mapping for `source_path`: remove that one first, or relocate the collection.
        - `local_path` is absolute and has no `..`.

    Post-conditions:
        - The collection has the mapping; no file is reached through two of its mappings under two paths.

    Atomicity: The mapping is there, or not at all.

    Raises: `ConfigurationError`.
    """
    with catalog.operation(
        "collection_map", ConfigurationError, collection=collection, source_path=source_path, local_path=local_path
    ) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            source, local = preflight.validate_mapping(source_path, local_path)
            if there := found.mappings_by_source.get(source):
                raise ValidationError(f"{source!r} is mapped to {there.local_path!r} already: remove that mapping first")
        with op.execution() as db:
            collections.add_path_mapping(db, found.id, source, local)
        return _finished(op, catalog, found.id)


def unmap_path(catalog: OpenCatalog, collection: str, source_path: str) -> Collection:
    """Remove a path mapping through which no asset came, and return the collection.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - It has a mapping for `source_path`, and no asset came through it, nor does a row of the station's own refer to it.

    Post-conditions:
        - The mapping is gone, and nothing else.

    Atomicity: The mapping is gone, or all is as before.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("collection_unmap", ConfigurationError, collection=collection, source_path=source_path) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            key = paths.canonical_key(source_path)
            if (mapping := found.mappings_by_source.get(key)) is None:
                raise ValidationError(f"collection {found.name!r} has no mapping for {key!r}")
            if used := collections.assets_of_mapping(db, mapping.id):
                raise BusinessRuleError(f"the mapping of {key!r} led to {amount(used, 'asset')}: wipe the collection first")
            curation.validate_nothing_refers(db, {"path_mapping": [mapping.id]})
        with op.execution() as db:
            collections.remove_path_mapping(db, mapping.id)
        return _finished(op, catalog, found.id)


def exclude(catalog: OpenCatalog, collection: str, pattern: str) -> Collection:
    """Leave out of every ingest of a collection what a pattern matches, and return the collection. Its assets stay as they are.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - `pattern` is one that `IngestFilters.exclude` takes, and not excluded already.

    Post-conditions:
        - The collection has the pattern; an ingest adds it to those that it is given.

    Atomicity: One row is added, or none.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("collection_exclude", ConfigurationError, collection=collection, pattern=pattern) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            preflight.validate_exclude(found, pattern)
        with op.execution() as db:
            collections.add_exclude(db, found.id, pattern)
        return _finished(op, catalog, found.id)


def unexclude(catalog: OpenCatalog, collection: str, pattern: str) -> Collection:
    """Let a collection's ingests see again what a pattern left out, and return the collection.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - It has the pattern.

    Post-conditions:
        - The pattern is gone, and nothing else.

    Atomicity: One row goes, or none.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("collection_unexclude", ConfigurationError, collection=collection, pattern=pattern) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            kept = preflight.validate_excluded(found, pattern)
        with op.execution() as db:
            collections.remove_exclude(db, found.id, kept)
        return _finished(op, catalog, found.id)


def enable_collection(catalog: OpenCatalog, collection: str) -> Collection:
    """Let a collection be ingested, and return it.

    Pre-conditions:
        - The collection exists and nobody else is working on it.

    Post-conditions:
        - The collection is enabled; it may have been before.

    Atomicity: One row changes, or none.

    Raises: `ConfigurationError`.
    """
    return _set_enabled(catalog, "collection_enable", collection, enabled=True)


def disable_collection(catalog: OpenCatalog, collection: str) -> Collection:
    """Keep a collection from being ingested, and return it. Its assets stay.

    Pre-conditions:
        - The collection exists and nobody else is working on it.

    Post-conditions:
        - The collection is disabled; it may have been before.

    Atomicity: One row changes, or none.

    Raises: `ConfigurationError`.
    """
    return _set_enabled(catalog, "collection_disable", collection, enabled=False)


def set_upgrades(catalog: OpenCatalog, collection: str, upgrades: Upgrades) -> Collection:
    """Say what an ingest does with the approval of a file that went, where a new one shows the same; return the collection.

    Pre-conditions:
        - The collection exists and nobody else is working on it. `upgrades` is one of the two.

    Post-conditions:
        - With `"keep-approval"`, the new one of a `Replacement` is approved where the missing one was and it is ready, unless
          the operator withdrew its own approval, and preferred likewise. With `"ask"`, as at first, it waits for the operator.

    Atomicity: One row changes, or none.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("collection_set_upgrades", ConfigurationError, collection=collection, upgrades=upgrades) as op:
        with op.preflight() as db:
            preflight.validate_upgrades(upgrades)
            found = _claimed(op, db, collection)
        with op.execution() as db:
            collections.set_upgrades(db, found.id, upgrades)
        return _finished(op, catalog, found.id)


def attach_enricher(
    catalog: OpenCatalog,
    collection: str,
    type: str,  # noqa: A002  the design's word
    *,
    config: Json = {},  # noqa: B006  read, never written
    priority: int = 100,
) -> Collection:
    """Let an enricher see every draft of a collection from now on, and return the collection.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - `type` is an enricher type that can be had, accepts `config`, and is not attached yet.

    Post-conditions:
        - The enricher is attached; what was ingested without it counts as outdated, until an ingest with `refresh="changed"`
          reads it again.

    Atomicity: One row is added, or none.

    Args:
        config: The enricher's own configuration; what `add_source` says of secrets holds here, too.
        priority: Lower ones run first.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("enricher_attach", ConfigurationError, collection=collection, type=type, priority=priority) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            if any(enricher.type == type for enricher in found.enrichers):
                raise ValidationError(f"enricher {type!r} is attached to collection {found.name!r} already: detach it first")
            preflight.validate_configuration("enricher", type, config)
            plugins.make_enricher(type, config, catalog.enrichers)
        with op.execution() as db:
            collections.attach_enricher(db, found.id, AttachedEnricher(type, dict(config), priority))
        return _finished(op, catalog, found.id)


def detach_enricher(catalog: OpenCatalog, collection: str, type: str) -> Collection:  # noqa: A002  the design's word
    """Take an enricher from a collection, and return the collection. What it found out stays until a refresh.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - An enricher of that type is attached.

    Post-conditions:
        - The enricher is no longer attached.

    Atomicity: One row goes, or none.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("enricher_detach", ConfigurationError, collection=collection, type=type) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            preflight.validate_enricher_attached(found, type)
        with op.execution() as db:
            collections.detach_enricher(db, found.id, type)
        return _finished(op, catalog, found.id)


def remove_collection(catalog: OpenCatalog, collection: str) -> Collection:
    """Remove a collection that has no assets, and return what it was.

    Pre-conditions:
        - The collection exists, nobody else is working on it, it has no assets, and no row of the station's own needs it.

    Post-conditions:
        - The collection, its path mappings, enrichers and excludes, and what the operator had said of its files are gone.

    Atomicity: All of it goes, or nothing.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("collection_remove", ConfigurationError, collection=collection) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
            if count := collections.count_assets(db, found.id):
                raise BusinessRuleError(f"collection {found.name!r} has {amount(count, 'asset')}: wipe it first")
            curation.validate_nothing_refers(db, {"collection": [found.id]})
        with op.execution() as db:
            collections.remove_collection(db, found.id)
        _validate(op)
        return op.finish(found)


def remove_source(catalog: OpenCatalog, source: str) -> Source:
    """Remove a source that has no collections, and return what it was.

    Pre-conditions:
        - The source exists and has no collections, and no row of the station's own tables refers to it.

    Post-conditions:
        - The source is gone, and nothing else.

    Atomicity: It goes, or nothing does.

    Raises: `ConfigurationError`.
    """
    with catalog.operation("source_remove", ConfigurationError, source=source) as op:
        with op.preflight() as db:
            found = preflight.validate_source_exists(db, source)
            if held := [each.name for each in collections.collections(db) if each.source_id == found.id]:
                raise BusinessRuleError(f"source {found.name!r} has collections {held}: remove them first")
            curation.validate_nothing_refers(db, {"source": [found.id]})
        with op.execution() as db:
            collections.remove_source(db, found.id)
        _validate(op)
        return op.finish(found)


def _set_enabled(catalog: OpenCatalog, name: str, collection: str, *, enabled: bool) -> Collection:
    with catalog.operation(name, ConfigurationError, collection=collection) as op:
        with op.preflight() as db:
            found = _claimed(op, db, collection)
        with op.execution() as db:
            collections.set_enabled(db, found.id, enabled=enabled)
        return _finished(op, catalog, found.id)


def _claimed(op: Operation, db: Database, selector: str) -> Collection:
    """The collection that is named; nobody else can work on it from here on."""
    found = preflight.validate_collection_exists(db, selector)
    preflight.validate_no_conflicting_operations(op, found)
    return found


def _finished(op: Operation, catalog: OpenCatalog, id_: str) -> Collection:
    """Post-validation, and the collection as it is now."""
    _validate(op)
    return op.finish(preflight.validate_collection_exists(catalog.database, id_))


def _validate(op: Operation) -> None:
    with op.postvalidation() as db:
        integrity.validate_database_consistency(db)
