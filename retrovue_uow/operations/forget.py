"""Forgetting: assets that have been missing leave the catalogue, on demand, bounded, and so that it can be undone."""

from __future__ import annotations

from datetime import timedelta

import retrovue_uow
from retrovue_uow.errors import ForgetError
from retrovue_uow.model import as_argument
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import curation, integrity, preflight
from retrovue_uow.store import assets, checks, decisions
from retrovue_uow.store.ids import utc_ago
from retrovue_uow.store.known import missing_assets


def forget_missing(
    catalog: OpenCatalog,
    collection: str,
    *,
    older_than: timedelta | None = None,
    expect_assets: int | None = None,
    max_fraction: float = 0.1,
    dry_run: bool = False,
) -> retrovue_uow.ForgetResult:
    """Delete those assets of a collection that are marked missing, with all that only they held up.

    Pre-conditions:
        - The collection exists and nobody else is working on it.
        - What is to go is at most `max_fraction` of its assets, and exactly `expect_assets` of them, if that is given; in
          production none of them is protected.
        - No row of the station's own tables refers to what goes, but for those that go along (`ON DELETE CASCADE`).

    Post-conditions:
        - Its assets that have been missing for longer than `older_than` are gone, with their links, markers and metadata, what
          the operator had said of their files, and the titles, seasons and episodes that only they held up.
        - Every other asset, and the collection itself with its mappings and enrichers, are as they were.

    Atomicity: All of them go, or none. No media file is touched.

    Args:
        collection: Identifier, external id or name.
        older_than: How long an asset must have been missing; None: since whenever.
        expect_assets: Refuse if the number of assets to go is another.
        max_fraction: From 0 to 1, of all assets of the collection; 1 allows all of them to go.

    Raises: `ForgetError`.
    """
    seconds = older_than.total_seconds() if isinstance(older_than, timedelta) else older_than
    with catalog.operation(
        "collection_forget_missing",
        ForgetError,
        dry_run=dry_run,
        collection=collection,
        older_than_s=seconds,
        expect_assets=expect_assets,
        max_fraction=as_argument(max_fraction),
    ) as op:
        with op.preflight() as db:
            found = preflight.validate_collection_exists(db, collection)
            preflight.validate_no_conflicting_operations(op, found)
            preflight.validate_forget_options(older_than, max_fraction)
            missing = missing_assets(db, found.id)
            until = utc_ago(older_than or timedelta(0))
            doomed = [each for each in missing if each.missing_since and each.missing_since <= until]
            preflight.validate_forget_bounds(db, found, len(doomed), expect_assets=expect_assets, max_fraction=max_fraction)
            if catalog.protections:
                curation.validate_not_protected(catalog.protections, assets.assets_by_id(db, [each.id for each in doomed]))
            ids = [each.id for each in doomed]
            if checks.foreign_references(db):
                going = decisions.of_files(db, ids) | {"asset": [*ids]}
                curation.validate_nothing_refers(db, going, ", or let them stay: what is missing is not scheduled")
        with op.execution() as db:
            decisions.forget(db, ids)
            deleted = assets.delete_assets(db, ids)
        with op.postvalidation() as db:
            integrity.validate_no_orphaned_records(db)
            integrity.validate_collection_preserved(db, found)
            integrity.validate_path_mappings_preserved(db, found)
            integrity.validate_database_consistency(db)
        return op.finish(
            retrovue_uow.ForgetResult(
                collection=found,
                forgotten=len(doomed),
                kept=len(missing) - len(doomed),
                deleted=deleted,
                paths=tuple(each.key for each in doomed),
            )
        )
