"""Ingest and wipe as the command line has them: a folder becomes a collection, nothing is deleted unasked."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import attrs

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli_consent import with_consent
from retrovue_uow.cli_output import AssetPage, note, progress_bar
from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media import paths, probing, roots
from retrovue_uow.media.roots import absolute
from retrovue_uow.model import (
    Asset,
    Broken,
    Collection,
    ForgetResult,
    IngestFilters,
    IngestResult,
    Progress,
    Refresh,
    Result,
    SourceIngestResult,
    WipeOptions,
    WipeResult,
    folded,
)
from retrovue_uow.operations import explain
from retrovue_uow.operations.prepare import PreparedIngest
from retrovue_uow.rules import preflight
from retrovue_uow.store import assets

SOURCE_NAME = "filesystem"
R = TypeVar("R", bound=Result)


@attrs.frozen(kw_only=True)
class IngestRequest:
    """What the user asked of an ingest."""

    filters: IngestFilters
    refresh: Refresh | None
    allow_empty: bool
    strict_names: bool
    broken: Broken
    settle_s: float
    dry_run: bool
    max_missing: float | None = None


@attrs.frozen
class Ingested:
    """What an ingest did, and the assets that it brought in or refreshed."""

    result: IngestResult
    arrived: Sequence[Asset]


def ingest_folder(catalog_path: str, folder: str, request: IngestRequest, *, probe: bool) -> Ingested:
    """Ingest `folder`, which becomes a collection if it is none; a dry run of such a folder leaves no trace."""
    root = _readable_folder(folder)
    preflight.validate_ingest_filters(request.filters)
    if request.dry_run and not _is_known(catalog_path, root):
        with _scratch_copy(catalog_path) as scratch:
            return _ingest_root(scratch, root, request, probe=probe)
    return _ingest_root(catalog_path, root, request, probe=probe)


def _readable_folder(folder: str) -> str:
    root = absolute(folder)
    if not paths.is_utf8(root):
        raise ValidationError(f"folder {root!r} has a name that is not UTF-8: rename it")
    verdict = roots.root_status(root)
    if verdict.problem is not None:
        raise ResourceError(verdict.problem) from verdict.error
    return root


def _is_known(catalog_path: str, root: str) -> bool:
    if not os.path.exists(catalog_path):
        return False
    with Catalog(catalog_path, read_only=True) as catalog:
        return _collection_of(catalog, root) is not None


@contextmanager
def _scratch_copy(catalog_path: str) -> Iterator[str]:
    """A copy of the catalogue that is gone afterwards; an empty place for one if there is none."""
    with tempfile.TemporaryDirectory(prefix="retrovue-dry-run-") as folder:
        scratch = os.path.join(folder, "catalog.db")
        if os.path.exists(catalog_path):
            with Catalog(catalog_path, read_only=True) as catalog:
                catalog.backup(scratch)
        yield scratch


def _ingest_root(catalog_path: str, root: str, request: IngestRequest, *, probe: bool) -> Ingested:
    with Catalog(catalog_path) as catalog:
        collection = _collection_of(catalog, root) or _new_collection(catalog, root, probe=probe)
        return ingest(catalog, collection.id, request)


def _collection_of(catalog: Catalog, root: str) -> Collection | None:
    """The collection whose one mapping is exactly that folder."""
    filesystems = {source.id for source in catalog.sources() if source.type == "filesystem"}
    found = [
        each
        for each in catalog.collections()
        if each.source_id in filesystems and [mapping.local_path for mapping in each.path_mappings] == [root]
    ]
    if len(found) > 1:
        listed = ", ".join(f"{each.name!r} ({each.id})" for each in found)
        raise ValidationError(f"folder {root!r} is in several collections: ingest one of {listed} with `collection ingest`")
    return found[0] if found else None


def _new_collection(catalog: Catalog, root: str, *, probe: bool) -> Collection:
    """A collection for the folder, with its enrichers: all of it, or nothing."""
    probes = probe and shutil.which(probing.program()) is not None
    with catalog.session():
        source = _filesystem_source(catalog)
        collection = catalog.add_collection(source, _free_name(catalog, root), path_mappings={root: root})
        catalog.attach_enricher(collection.id, "filename", priority=10)
        collection = catalog.attach_enricher(collection.id, "nfo", priority=20)
        if probes:
            collection = catalog.attach_enricher(collection.id, "ffprobe", priority=30)
    if probe and not probes:
        name = shlex.quote(collection.name)
        note(
            f"{probing.program()} is not on PATH, so no lengths are measured: install ffmpeg, then "
            f"`enricher attach {name} ffprobe` and `collection ingest {name} --refresh changed`"
        )
    return collection


def _filesystem_source(catalog: Catalog) -> str:
    for source in catalog.sources():
        if source.type == "filesystem" and folded(source.name) == SOURCE_NAME:
            return source.id
    taken = {folded(source.name) for source in catalog.sources()}
    return catalog.add_source(_first_free([SOURCE_NAME], taken)).id


def _free_name(catalog: Catalog, root: str) -> str:
    """The folder's name; with where it lies, if another collection answers to that name."""
    taken = {folded(name) for each in catalog.collections() for name in (each.name, each.external_id or "")}
    parent, name = os.path.split(root)
    if not name.strip():
        return _first_free([root], taken)
    return _first_free([name, f"{name} ({os.path.basename(parent) or parent})", f"{name} ({parent})"], taken)


def _first_free(names: Sequence[str], taken: set[str]) -> str:
    numbered = (f"{names[-1]} {number}" for number in range(2, len(taken) + 3))
    return next(name for name in (*names, *numbered) if folded(name) not in taken)


def ingest(catalog: Catalog, collection: str, request: IngestRequest) -> Ingested:
    """Ingest a collection, and read what came in."""
    with progress_bar() as progress:
        if request.dry_run:
            return _rehearsed(catalog, collection, request, progress)
        result = catalog.ingest_collection(
            collection,
            request.filters,
            refresh=request.refresh,
            allow_empty=request.allow_empty,
            strict_names=request.strict_names,
            broken=request.broken,
            settle_s=request.settle_s,
            max_missing=request.max_missing,
            progress=progress,
        )
    return Ingested(result, _arrived(catalog, result))


def _rehearsed(catalog: Catalog, collection: str, request: IngestRequest, progress: Progress | None) -> Ingested:
    """A dry run in a session of its own: what came in can be read before it is rolled back."""
    started = time.monotonic()
    prepared = _prepared(catalog, collection, request, progress)
    with prepared, catalog.session() as db:
        db.set_rollback_only("a dry run")
        result = catalog.ingest_collection(prepared)
        arrived = _arrived(catalog, result)
    return Ingested(attrs.evolve(_rehearsal(result, request), duration_s=time.monotonic() - started), arrived)


def _prepared(
    catalog: Catalog, collection: str, request: IngestRequest, progress: Progress | None, *, as_if_empty: bool = False
) -> PreparedIngest:
    return catalog.prepare_ingest(
        collection,
        request.filters,
        refresh=request.refresh,
        as_if_empty=as_if_empty,
        allow_empty=request.allow_empty,
        strict_names=request.strict_names,
        broken=request.broken,
        settle_s=request.settle_s,
        max_missing=request.max_missing,
        progress=progress,
    )


def _rehearsal(result: R, request: IngestRequest) -> R:
    """The result of what was rolled back from outside, where the user asked for a dry run."""
    return attrs.evolve(result, dry_run=True, unit_id=None) if request.dry_run else result


def _arrived(catalog: Catalog, result: IngestResult) -> list[Asset]:
    keys = {key for count in ("created", "refreshed", "returned") for key in result.paths[count]}
    named = assets.assets_named(catalog.database, keys) if keys else []
    return [asset for asset in named if asset.collection_id == result.collection.id and asset.canonical_key in keys]


def ingest_source(catalog: Catalog, source: str, request: IngestRequest) -> SourceIngestResult:
    """Ingest every enabled collection of a source."""
    with progress_bar() as progress:
        return catalog.ingest_source(
            source,
            request.filters,
            dry_run=request.dry_run,
            refresh=request.refresh,
            allow_empty=request.allow_empty,
            strict_names=request.strict_names,
            broken=request.broken,
            settle_s=request.settle_s,
            progress=progress,
        )


def asset_page(catalog: Catalog, selector: str) -> AssetPage:
    """The asset with that identifier, key or file, with what hangs on it."""
    asset = asset_named(catalog, selector)
    return AssetPage(asset, catalog.markers(asset.id), catalog.metadata(asset.id))


def asset_named(catalog: Catalog, selector: str) -> Asset:
    """The asset with that identifier, key or file."""
    named = explain.asset_named(catalog.database, selector)
    if named is None:
        raise ValidationError(f"{selector!r} is no asset: {'; '.join(catalog.explain(selector).reasons)}")
    return named


def wipe(catalog: Catalog, collection: str, *, expect_assets: int | None, force: bool) -> WipeResult | None:
    """Wipe a collection once the user has typed `yes`; None if anything else was typed."""
    return with_consent(
        preview=None if force else lambda: wiping(catalog, collection, expect_assets=expect_assets, dry_run=True),
        question=lambda preview: (
            f"wiping collection {preview.collection.name!r} deletes {preview.deleted['asset']} assets, and no media file"
        ),
        act=lambda preview: wiping(
            catalog,
            collection if preview is None else preview.collection.id,
            expect_assets=expect_assets if preview is None else preview.deleted["asset"],
        ),
    )


def wiping(catalog: Catalog, collection: str, *, expect_assets: int | None, dry_run: bool = False) -> WipeResult:
    """Wipe a collection, or see what that would do."""
    return catalog.wipe_collection(collection, WipeOptions(dry_run=dry_run, expect_assets=expect_assets))


@attrs.frozen
class ForgetRequest:
    """Which missing assets the user wants to be forgotten."""

    collection: str
    older_than: timedelta | None
    expect_assets: int | None
    max_fraction: float


def forget(catalog: Catalog, request: ForgetRequest, *, force: bool) -> ForgetResult | None:
    """Forget missing assets once the user has typed `yes`; None if anything else was typed."""
    return with_consent(
        preview=None if force else lambda: forgetting(catalog, request, dry_run=True),
        question=lambda preview: (
            f"{preview.forgotten} assets of collection {preview.collection.name!r} that are missing are forgotten"
        ),
        act=lambda preview: forgetting(
            catalog, request if preview is None else attrs.evolve(request, expect_assets=preview.forgotten)
        ),
    )


def forgetting(catalog: Catalog, request: ForgetRequest, *, dry_run: bool = False) -> ForgetResult:
    """Forget missing assets, or see which that would be."""
    return catalog.forget_missing(
        request.collection,
        older_than=request.older_than,
        expect_assets=request.expect_assets,
        max_fraction=request.max_fraction,
        dry_run=dry_run,
    )


@attrs.frozen
class Rebuilt:
    """What a rebuild wiped, and what it brought in."""

    wiped: WipeResult
    ingested: Ingested


def rebuild(catalog: Catalog, collection: str, request: IngestRequest, *, force: bool) -> Rebuilt | None:
    """Wipe a collection and ingest it anew, in one unit, once the user has typed `yes`; None if anything else was typed."""
    return with_consent(
        preview=None if force or request.dry_run else lambda: wiping(catalog, collection, expect_assets=None, dry_run=True),
        question=lambda preview: (
            f"rebuilding collection {preview.collection.name!r} deletes its {preview.deleted['asset']} assets and ingests "
            "it anew; what was assigned, renamed, merged, approved and retired stays so for files that are as they were"
        ),
        act=lambda _: _rebuilding(catalog, collection, request),
    )


def _rebuilding(catalog: Catalog, collection: str, request: IngestRequest) -> Rebuilt:
    started = time.monotonic()
    with progress_bar() as progress:
        prepared = _prepared(catalog, collection, request, progress, as_if_empty=True)
    with prepared, catalog.session() as db:
        if request.dry_run:
            db.set_rollback_only("a dry run")
        wiped = catalog.wipe_collection(prepared.collection.id)
        result = catalog.ingest_collection(prepared)
        arrived = _arrived(catalog, result)
    whole = attrs.evolve(result, duration_s=time.monotonic() - started)  # with the look at the files, most of the time
    return Rebuilt(_rehearsal(wiped, request), Ingested(_rehearsal(whole, request), arrived))
