"""Wiping a collection: its assets go, with all that only they held up; the collection itself stays."""

from __future__ import annotations

import retrovue_uow
from retrovue_uow.errors import ContractError, WipeError
from retrovue_uow.model import WipeOptions
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import curation, integrity, preflight
from retrovue_uow.store import assets, checks, collections, decisions


def wipe_collection(catalog: OpenCatalog, collection_id: str, options: WipeOptions = WipeOptions()) -> retrovue_uow.WipeResult:  # noqa: B008
    """Wipe a collection and all data that belongs to it.

    Pre-conditions:
        - The collection exists; it need not be enabled, nor its source be reachable.
        - Nobody else is working on it.
        - It holds exactly `options.expect_assets` assets, if that is given; in production none of them is protected.
        - No row of the station's own tables refers to what goes, but for those that go along (`ON DELETE CASCADE`).

    Post-conditions:
        - Its assets are gone, with their links, markers and metadata, and the titles, seasons and episodes that only they
          held up.
        - The collection, its path mappings and its enrichers are as they were, and so is every other collection.
        - What the operator said of its files stays, in case they come back.
        - The result counts exactly the rows that went, per table; `changes` has those of the station's own tables, too.

    Atomicity: All of it goes, or nothing. No media file is touched.

    Args:
        collection_id: Identifier, external id or name of the collection.

    Raises: `WipeError`.
    """
    if not isinstance(options, WipeOptions):
        raise ContractError(f"the options of a wipe must be WipeOptions, not {options!r}")
    with catalog.operation(
        "collection_wipe",
        WipeError,
        dry_run=options.dry_run,
        collection=collection_id,
        expect_assets=options.expect_assets,
    ) as op:
        with op.preflight() as db:
            collection = preflight.validate_collection_exists(db, collection_id)
            preflight.validate_no_conflicting_operations(op, collection)
            preflight.validate_wipe_prerequisites(db, collection, options)
            if checks.foreign_references(db):
                anew = f", or keep the assets and read their files anew: `collection ingest {collection.name!r} --refresh all`"
                curation.validate_nothing_refers(db, {"asset": collections.asset_ids(db, collection.id)}, anew)
            if catalog.protections:
                doomed = assets.assets(db, collection_id=collection.id)
                curation.validate_not_protected(catalog.protections, doomed)
        with op.execution() as db:
            decisions.keep_as_they_are(db, collection.id)
            deleted = assets.delete_assets_of(db, collection.id)
        with op.postvalidation() as db:
            integrity.validate_no_orphaned_records(db)
            integrity.validate_collection_preserved(db, collection)
            integrity.validate_path_mappings_preserved(db, collection)
            integrity.validate_database_consistency(db)
        return op.finish(retrovue_uow.WipeResult(collection=collection, deleted=deleted))
