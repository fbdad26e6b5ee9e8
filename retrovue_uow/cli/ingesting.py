"""How a folder becomes a collection and is ingested, and how a collection is rebuilt."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import attrs

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.command import Page, is_made
from retrovue_uow.cli.options import Asked
from retrovue_uow.cli.output import progress_bar
from retrovue_uow.cli.reports import ingest_page, rebuild_page, source_page
from retrovue_uow.cli.text import is_quiet, plain, say
from retrovue_uow.errors import ResourceError, ValidationError, amount, positional
from retrovue_uow.media import paths, probing, roots
from retrovue_uow.media.roots import absolute
from retrovue_uow.model import Asset, Collection, WipeOptions, folded
from retrovue_uow.results import IngestResult
from retrovue_uow.rules import preflight
from retrovue_uow.store import assets, journal

SOURCE_NAME = "filesystem"


def ingest_folder(path: str, folder: str, asked: Asked, *, dry_run: bool, probe: bool) -> Page:
    """Ingest `folder`, which becomes a collection if it is none; a dry run of such a folder leaves no trace."""
    root = _readable_folder(folder)
    preflight.validate_ingest_filters(asked["filters"])
    with _scratch_copy(path) if dry_run and not _is_known(path, root) else nullcontext(path) as used, Catalog(used) as catalog:
        found = _collection_of(catalog, root)
        if found is not None and dry_run:
            return ingest(catalog, found.id, asked, dry_run=True)
        with catalog.session():
            found = found or _new_collection(catalog, root)
            ready = _probing(catalog, found, probe=probe)
        if ready != found and asked["refresh"] == "files":  # what ffprobe never saw
            asked = {**asked, "refresh": "changed"}
        return ingest(catalog, ready.id, asked, dry_run=dry_run)


def _readable_folder(folder: str) -> str:
    root = absolute(folder)
    if not paths.is_utf8(root):
        raise ValidationError(f"folder {root!r} has a name that is not UTF-8: rename it")
    verdict = roots.root_status(root)
    if verdict.problem is not None:
        raise ResourceError(verdict.problem) from verdict.error
    return root


def _is_known(catalog_path: str, root: str) -> bool:
    if not is_made(catalog_path):
        return False
    with Catalog(catalog_path, read_only=True) as catalog:
        return _collection_of(catalog, root) is not None


@contextmanager
def _scratch_copy(catalog_path: str) -> Iterator[str]:
    """A copy of the catalogue that is gone afterwards; an empty place for one if there is none."""
    with tempfile.TemporaryDirectory(prefix="retrovue-dry-run-") as folder:
        scratch = os.path.join(folder, "catalog.db")
        if is_made(catalog_path):
            with Catalog(catalog_path, read_only=True) as catalog:
                catalog.backup(scratch)
        yield scratch


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


def _new_collection(catalog: Catalog, root: str) -> Collection:
    """A collection for the folder, with the enrichers that need no program. No file is to be in two of them by oversight."""
    for each, there in [(other, mapping.local_path) for other in catalog.collections() for mapping in other.path_mappings]:
        if paths.is_below(root, there):
            how = f"`collection ingest --under {shlex.quote(root)} {positional(each.name)}` ingests it alone"
            raise ValidationError(f"folder {root!r} is part of collection {each.name!r}: {how}")
        if paths.is_below(there, root):
            how = "ingest folders beside that one, or make a collection of all with `collection add`"
            raise ValidationError(f"folder {root!r} holds {there!r}, which is part of collection {each.name!r}: {how}")
        if os.path.basename(root) == os.path.basename(there) and not os.path.lexists(there):
            how = f"`collection relocate {positional(each.name)} {shlex.join((there, root))}` keeps what was said of its files"
            _note(f"{there!r} of collection {each.name!r} is not there. If {root!r} is the same folder, stop here: {how}")
    source = _filesystem_source(catalog)
    added = catalog.add_collection(source, _free_name(catalog, root), path_mappings={root: root})
    catalog.attach_enricher(added.id, "filename", priority=10)
    return catalog.attach_enricher(added.id, "nfo", priority=20)


def _note(text: str) -> None:
    say([] if is_quiet() else [plain(f"note: {text}")], sys.stderr)


def _probing(catalog: Catalog, found: Collection, *, probe: bool) -> Collection:
    """The collection with ffprobe attached, if that is there and the operator never took it from this collection.

    Who does not want it takes it away: that is in the journal, so that no later ingest brings it back.
    """
    types = [each.type for each in found.enrichers]
    if set(types) != {"filename", "nfo"} or journal.is_detached(catalog.database, found.id, "ffprobe"):
        return found
    if probe and shutil.which(probing.program()) is None:
        _note(
            f"{probing.program()} is not on PATH, so no lengths are measured: install ffmpeg (Debian, Ubuntu: "
            "`apt install ffmpeg`) and ingest again, which attaches it and reads all files once more"
        )
        return found
    attached = catalog.attach_enricher(found.id, "ffprobe", priority=30)
    return attached if probe else catalog.detach_enricher(found.id, "ffprobe")


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


def ingest(catalog: Catalog, collection: str, asked: Asked, *, dry_run: bool) -> Page:
    """Ingest a collection, and read what came in."""
    if dry_run:
        return _in_one_unit(catalog, collection, asked, dry_run=True)
    with progress_bar() as progress:
        result = catalog.ingest_collection(collection, **asked, progress=progress)
    return ingest_page(result, _arrived(catalog, result))


def rebuild(catalog: Catalog, collection: str, asked: Asked, agreed: Callable[..., Page | None]) -> Page | None:
    """Wipe a collection and ingest it anew, in one unit, once the user has typed `yes`; None if anything else was typed."""
    return agreed(
        lambda _, *, dry_run: _in_one_unit(catalog, collection, {**asked, "as_if_empty": True}, dry_run=dry_run),
        lambda seen: (
            f"rebuilding collection {seen.collection.name!r} deletes its {amount(seen.deleted['asset'], 'asset')} and ingests "
            "it anew; what was assigned, renamed, merged, approved and retired stays so for files that are as they were"
        ),
        preview=lambda: catalog.wipe_collection(collection, WipeOptions(dry_run=True)),
    )


def _in_one_unit(catalog: Catalog, collection: str, asked: Asked, *, dry_run: bool) -> Page:
    """An ingest, as if empty after a wipe; a dry run is rolled back once what came in was read."""
    started = time.monotonic()
    with progress_bar() as progress:
        prepared = catalog.prepare_ingest(collection, **asked, progress=progress)
    with prepared, catalog.session() as db:
        if dry_run:
            db.set_rollback_only("a dry run")
        wiped = catalog.wipe_collection(prepared.collection.id) if asked.get("as_if_empty") else None
        result = catalog.ingest_collection(prepared)
        arrived = _arrived(catalog, result)
    kept: dict[str, Any] = {"dry_run": True, "unit_id": None} if dry_run else {}
    # with the look at the files, which takes most of the time
    result = attrs.evolve(result, duration_s=time.monotonic() - started, **kept)
    return ingest_page(result, arrived) if wiped is None else rebuild_page(attrs.evolve(wiped, **kept), result, arrived)


def _arrived(catalog: Catalog, result: IngestResult) -> list[Asset]:
    keys = {key for count in ("created", "refreshed", "returned") for key in result.paths[count]}
    named = assets.assets_named(catalog.database, keys) if keys else []
    return [asset for asset in named if asset.collection_id == result.collection.id and asset.canonical_key in keys]


def ingest_source(catalog: Catalog, source: str, asked: Asked, *, dry_run: bool) -> Page:
    """Ingest every enabled collection of a source."""
    with progress_bar() as progress:
        outcome = catalog.ingest_source(source, **asked, dry_run=dry_run, progress=progress)
    return source_page(outcome, {each.collection.id: _arrived(catalog, each) for each in outcome.results if not dry_run})
