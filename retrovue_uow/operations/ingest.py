"""Ingesting: what a collection's source has comes into the catalogue, and what it no longer has is marked missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

import attrs

import retrovue_uow
from retrovue_uow.errors import ContractError, IngestError, ValidationError, some
from retrovue_uow.model import AssetDraft, Broken, Finding, IngestFilters, Outcome, Progress, Refresh, as_argument, as_json
from retrovue_uow.operations.discover import Found, Request, keys_to_look_for, spans
from retrovue_uow.operations.moves import find_moves, replace
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.operations.prepare import PreparedIngest, prepare, validate
from retrovue_uow.operations.write import Writer
from retrovue_uow.rules import integrity, preflight
from retrovue_uow.store import assets, decisions
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.known import KnownAsset, assets_alike, known_assets, set_twins, twinned_keys
from retrovue_uow.uow.database import Database

NAME = "collection_ingest"
BATCH = 1000
"""Assets that are created, or read again, in one savepoint, a table at a time."""
_NO_ASSETS = ("duplicates", "twins", "unreachable")
_OF_ASSETS = (
    "created",
    "changed",
    "outdated",
    "refreshed",
    "missing",
    "returned",
    "moved",
    "unclassified",
    "ambiguous",
    "replaced",
    "retitled",
    "approved",
    "broken",
    "warnings",
)
_LISTED = (*_OF_ASSETS, *_NO_ASSETS)


def prepare_ingest(
    catalog: OpenCatalog,
    collection_id: str,
    filters: IngestFilters = IngestFilters(),  # noqa: B008  frozen
    *,
    refresh: Refresh | None = "files",
    as_if_empty: bool = False,
    allow_empty: bool = False,
    strict_names: bool = False,
    broken: Broken = "refuse",
    settle_s: float = 0,
    max_missing: float | None = None,
    progress: Progress | None = None,
) -> PreparedIngest:
    """Do all of an ingest that asks the outside world, in front of the unit that will write it.

    Pre-conditions:
        - No unit of work is open.
        - Those of `ingest_collection`.

    Post-conditions:
        - Nothing is written. The collection is claimed until the prepared ingest is used or closed.

    Atomicity: Nothing is written.

    Args:
        as_if_empty: Prepare for a collection that will have been wiped by then: every file is enriched.

    Raises:
        IngestError: As `ingest_collection`.
        ContractError: A unit of work is open.
    """
    request = Request(filters, refresh, as_if_empty, allow_empty, strict_names, broken, settle_s, max_missing, progress)
    with _frame(catalog, "collection_prepare_ingest", collection_id, request, prepares=True) as op:
        prepared = _prepared(catalog, op, collection_id, request)
        op.finish(None)
        return attrs.evolve(prepared, claims=op.hand_over_claims())


def ingest_collection(
    catalog: OpenCatalog,
    collection_id: str | PreparedIngest,
    filters: IngestFilters = IngestFilters(),  # noqa: B008  frozen
    *,
    dry_run: bool = False,
    refresh: Refresh | None = "files",
    allow_empty: bool = False,
    strict_names: bool = False,
    broken: Broken = "refuse",
    settle_s: float = 0,
    max_missing: float | None = None,
    progress: Progress | None = None,
) -> retrovue_uow.IngestResult:
    """Bring what a collection's source has into the catalogue.

    Pre-conditions:
        - The collection exists, is enabled, and nobody else is working on it.
        - Its mapped folders are there and can be read; none is empty while the collection has assets, and below none of them is
          all that the source has there gone from the disk. With `filters.under`, the same of that folder, which is one
          of them or lies below one: whether others are there makes no difference. No asset's file lies in another folder
          whose name differs from its in Unicode form alone.
        - Its source lets us in, and its enrichers are available.
        - The filters make sense, and match something, unless some file is too young to be read.

    Post-conditions:
        - Every file found is one asset, but for the second of two whose names differ in Unicode form alone: it is skipped as a
          twin, and the first is warned of it until a full ingest no longer finds both. New assets are ready if their duration
          is known, and approved only where the operator had approved the same file before.
        - A file that the source has and the disk has not becomes no asset, and is listed as unreachable; a known one is marked
          missing, also by an ingest with filters that it matches. Whether a file is there is asked only where the importer
          gave no size or no mtime; what it gave is believed.
        - Existing ones are as they were, or enriched again where their file changed or `refresh` asked for it. A size or an
          mtime that was not known is filled in, and is no change. The approval of what is no longer what was approved is
          withdrawn, and the result says why.
        - After a full ingest, assets whose file was not seen are marked missing, and those that came back no longer are.
        - A missing asset and a new file of the same known size, mtime and duration are one that moved: the asset follows its
          file with identity, approval and links. Where several look the same, even one that stayed, none of them is
          moved, and all are listed. Where the file says another title, and nothing else that is new, the asset is left under
          its own unless `refresh` is `"all"`, and listed as retitled.
        - After a full ingest, a new file that shows exactly what a missing one showed is listed as replaced. If the collection
          is set so (`set_upgrades`), it is approved and preferred as that was. Several that show the same are listed alone.
        - With a folder (`filters.under`), all this holds for what lies below it, as if it were the collection, and nothing else
          is looked at or changed, but for an asset elsewhere whose own file is gone, while its mapped folder is there, and
          which is a new file of the folder by size, mtime and duration: it moved there.
        - Nothing is deleted, but for titles, seasons and episodes that a refresh left holding nothing up.

    Atomicity: The whole collection, or nothing: one file that cannot be written fails the ingest, and so does one that cannot
    be enriched, unless it is broken and recorded. The files are looked at before the write lock is taken.

    Args:
        collection_id: Identifier, external id or name; or what `prepare_ingest` returned, inside a unit of work or not.
        filters: Which part of the collection; none: all of it. What lies outside `filters.under` costs nothing.
        refresh: What to do with existing assets: `"files"` enriches again those whose file, path or sidecars changed,
            `"changed"` also those that only older enrichers or configurations saw, `"all"` every one; None leaves them, but
            for a file that was broken and is another one now.
        allow_empty: Believe that an empty folder was emptied on purpose, and that files which are all gone went on purpose.
        strict_names: Refuse files that nothing can classify, naming all of them, rather than ingest them as kind `other`.
        broken: What to do with broken files: `"refuse"` names up to 20 and writes nothing; `"record"` writes each as an asset
            that is `new` and never ready, with a finding that says what is wrong, and lists what can be no asset as `skipped`.
        settle_s: Seconds for which a file must not have changed; younger ones are left for the next ingest, listed under
            `skipped` as `too_young`, and never marked missing. An mtime in the future is old enough.
        max_missing: The part of the assets, from 0 to 1, that the source may no longer name; more is refused. None: as its
            importer has it (a folder 1, a media server 0.5), and 1 with `allow_empty`. 1 believes that all of them went.
        progress: Called with files done, files in all (None while they are being found) and the path.

    Raises:
        IngestError: As in every operation, and where a file, an enricher or the importer failed.
        ContractError: A unit of work is open, and the ingest is not prepared.
    """
    if isinstance(collection_id, PreparedIngest):
        options = (filters, refresh, allow_empty, strict_names, broken, settle_s, max_missing, progress)
        if options != (IngestFilters(), "files", False, False, "refuse", 0, None, None):
            raise ContractError("a prepared ingest has its filters and options already: give them to `prepare_ingest`")
        return _ingest_prepared(catalog, collection_id, dry_run=dry_run)
    request = Request(filters, refresh, False, allow_empty, strict_names, broken, settle_s, max_missing, progress)
    with _frame(catalog, NAME, collection_id, request, dry_run=dry_run, prepares=True) as op:
        return _finished(op, _prepared(catalog, op, collection_id, request))


def _ingest_prepared(catalog: OpenCatalog, prepared: PreparedIngest, *, dry_run: bool) -> retrovue_uow.IngestResult:
    prepared.use()
    try:
        with _frame(catalog, NAME, prepared.collection.id, prepared.request, dry_run=dry_run) as op:
            with op.preflight() as db:
                preflight.validate_collection_unchanged(db, prepared.collection)
                preflight.validate_no_conflicting_operations(op, prepared.collection)
            return _finished(op, prepared)
    finally:
        prepared.close()


def _finished(op: Operation, prepared: PreparedIngest) -> retrovue_uow.IngestResult:
    """Execution and post-validation."""
    with op.execution() as db:
        preflight.validate_collection_unchanged(db, prepared.collection)
        result = _execute(op, db, prepared)
    with op.postvalidation() as db:
        integrity.validate_no_orphaned_records(db)
        integrity.validate_all_relationships(db)
        integrity.validate_business_rules(db)
    return op.finish(result)


def _frame(
    catalog: OpenCatalog, name: str, collection: str, request: Request, *, dry_run: bool = False, prepares: bool = False
) -> Operation:
    return catalog.operation(
        name,
        IngestError,
        dry_run=dry_run,
        prepares=prepares,
        collection=collection,
        filters=as_json(request.filters),
        refresh=request.refresh,
        allow_empty=request.allow_empty,
        strict_names=request.strict_names,
        broken=request.broken,
        settle_s=as_argument(request.settle_s),
        max_missing=as_argument(request.max_missing),
    )


def _prepared(catalog: OpenCatalog, op: Operation, collection_id: str, request: Request) -> PreparedIngest:
    """Pre-flight and preparation."""
    with op.preflight() as db:
        seen = validate(catalog, op, db, collection_id, request)
    with op.preparation():
        return prepare(op, seen)


def _execute(op: Operation, db: Database, prepared: PreparedIngest) -> retrovue_uow.IngestResult:
    collection, request = prepared.collection, prepared.request
    asked = spans(collection, request.filters.under)
    known = prepared.known if db.data_version() == prepared.known_at else known_assets(db, collection.id, asked)
    if request.as_if_empty and known:
        raise ValidationError(
            f"collection {collection.name!r} was prepared as if it were empty, but holds {len(known)} assets: "
            "wipe it first, in the same unit"
        )
    unseen = _unseen(prepared, known)
    stale = _stale(prepared, known)
    found = [*prepared.assets, *stale]
    origins, ambiguous = _moved(db, prepared, known, unseen, found) if request.filters.is_full else ({}, [])
    decided = decisions.decisions(db, collection.id, [*asked, *((each.key, each.key) for each in origins.values())])
    found = [each.settled(decided, known_as=origins[each.key].key if each.key in origins else each.key) for each in found]
    unknown = [each.key for each in found if each.is_enriched and each.draft.kind == "other"]
    if unknown and request.strict_names:
        shown = some(unknown, 20, between="\n  ")
        raise ValidationError(f"{len(unknown)} file(s) cannot be classified; rename or exclude them:\n  {shown}")
    writer = Writer(op, db, collection.id, decided)
    paths = _tallied(_written(writer, found, known, origins, refresh=request.refresh))
    twinned = _twinned(db, prepared)
    paths["warnings"] = list(dict.fromkeys((*paths["warnings"], *twinned)))
    said = {each.key: each.findings for each in prepared.assets if each.findings}
    moved = {origin.key for origin in origins.values()}
    left = [each for each in unseen if each.key not in moved]
    paths["missing"] = sorted(each.key for each in left if each.missing_since is None)
    created = [each for each in found if each.key not in known and each.key not in origins] if request.filters.is_full else []
    replacements, unclear = replace(db, collection, left, created)
    paths["replaced"] = [each.path for each in replacements]
    paths["retitled"] = [each.path for each in writer.retitlings]
    paths["approved"] = writer.approved
    assets.mark_missing(db, [known[key].id for key in paths["missing"]], since=writer.hierarchy.now)
    paths.update({"ambiguous": sorted({*ambiguous, *unclear}), **{name: list(getattr(prepared, name)) for name in _NO_ASSETS}})
    return retrovue_uow.IngestResult(
        collection=collection,
        under=request.filters.under,
        discovered=len(prepared.assets) + len(prepared.unchanged) + sum(len(paths[name]) for name in _NO_ASSETS),
        unchanged=len(prepared.unchanged) - len(stale) + len(paths["unchanged"]),
        paths={name: tuple(paths[name]) for name in _LISTED},
        created_entities=dict(writer.hierarchy.added),
        findings={key: (*said.get(key, ()), *twinned.get(key, ())) for key in (*said, *twinned)},
        skipped=prepared.skipped,
        left_out={reason: len(paths) for reason, paths in prepared.left_out.items()},
        left_out_paths=prepared.left_out,
        withdrawals=tuple(writer.withdrawals),
        replacements=tuple(replacements),
        retitlings=writer.retitled(),
        **{name: len(paths[name]) for name in _LISTED},  # type: ignore[arg-type]  # each of them counts one kind of paths
    )


def _moved(
    db: Database,
    prepared: PreparedIngest,
    known: Mapping[str, KnownAsset],
    unseen: Sequence[KnownAsset],
    found: Sequence[Found],
) -> tuple[dict[str, KnownAsset], list[str]]:
    """As `find_moves` has it. What an ingest of a folder does not see may have left another place for it."""
    collection = prepared.collection
    arrived = [each.facts for each in found if each.key not in known] if prepared.request.filters.under is not None else []
    alike = assets_alike(db, collection.id, arrived) if arrived else ()
    outside = {each.key: each for each in alike if each.key not in known}
    gone = [each for each in prepared.gone_elsewhere if outside.get(each.key) == each]
    return find_moves([*unseen, *gone], found, {**known, **outside} if outside else known)


def _tallied(written: Iterator[tuple[Found, KnownAsset | None, Outcome]]) -> defaultdict[str, list[str]]:
    """Write the files, and list their keys by what became of them, and by what else is to be said of them."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for each, existing, outcome in written:
        paths[outcome].append(each.key)
        if existing is not None and existing.missing_since is not None:
            paths["returned"].append(each.key)
        if each.draft.kind == "other" and outcome in {"created", "refreshed"}:
            paths["unclassified"].append(each.key)
        for name in {"broken" if said.severity == "broken" else "warnings" for said in each.findings}:
            paths[name].append(each.key)
    return paths


def _twinned(db: Database, prepared: PreparedIngest) -> Mapping[str, Sequence[Finding]]:
    """Write the warnings of twins that the filters let through, by key; no file is read for it.

    Only a full ingest knows that an asset has no twin any more.
    """
    collection, filters = prepared.collection, prepared.request.filters
    written = {each.key for each in prepared.assets} if prepared.twinned else ()
    twinned = {key: said for key, said in prepared.twinned.items() if key in written or key in prepared.unchanged}
    warned = keys_to_look_for(collection, filters, twinned_keys(db, collection.id)) if filters.is_full else ()
    set_twins(db, collection.id, {**dict.fromkeys(warned, ()), **twinned})
    return twinned


def _written(
    writer: Writer,
    found: Sequence[Found],
    known: Mapping[str, KnownAsset],
    origins: Mapping[str, KnownAsset],
    *,
    refresh: Refresh | None,
) -> Iterator[tuple[Found, KnownAsset | None, Outcome]]:
    """Each file, with what the catalogue knew of it and what became of it; those in a row of which is the same, in batches."""
    for what, run in groupby(found, lambda each: "known" if each.key in known else "moved" if each.key in origins else "new"):
        while batch := list(islice(run, BATCH)):
            if what == "known":
                existing = [known[each.key] for each in batch]
                yield from zip(batch, existing, writer.update(list(zip(batch, existing, strict=True))), strict=True)
            elif what == "moved":
                yield from ((each, None, writer.move(each, origins[each.key], refresh=refresh)) for each in batch)
            else:
                writer.create(batch)
                yield from ((each, None, "created") for each in batch)
    writer.op.working_on = None


def _stale(prepared: PreparedIngest, known: Mapping[str, KnownAsset]) -> list[Found]:
    """The unchanged files of which the catalogue knows something else by now; what it knew of them is what the disk said."""
    stale: list[Found] = []
    for key, mapping in prepared.unchanged.items() if known is not prepared.known else ():
        seen = prepared.known[key]
        if known.get(key) != seen:
            draft = AssetDraft(seen.facts.file_path, key, size=seen.facts.size, mtime_ns=seen.facts.mtime_ns)
            stale.append(Found(key, draft, mapping, seen.facts, seen))
    return stale


def _unseen(prepared: PreparedIngest, known: Mapping[str, KnownAsset]) -> list[KnownAsset]:
    """The assets that the ingest should have seen, and did not, those included that were missing already."""
    if not prepared.request.filters.is_full:
        return [known[key] for key in prepared.unreachable if key in known]
    not_found = [key for key in known if key not in prepared.found]
    return [known[key] for key in keys_to_look_for(prepared.collection, prepared.request.filters, not_found)]


def ingest_source(
    catalog: OpenCatalog,
    source_id: str,
    filters: IngestFilters = IngestFilters(),  # noqa: B008  frozen
    *,
    dry_run: bool = False,
    refresh: Refresh | None = "files",
    allow_empty: bool = False,
    strict_names: bool = False,
    broken: Broken = "refuse",
    settle_s: float = 0,
    max_missing: float | None = None,
    progress: Progress | None = None,
) -> retrovue_uow.SourceIngestResult:
    """Ingest every enabled collection of a source, one unit of work each; a failure stops none of the others.

    Pre-conditions:
        - The source exists, and has an enabled collection; where the filters name a folder, one that has it.
        - No unit of work is open.

    Post-conditions:
        - Those of `ingest_collection` for each collection that did not fail. Those that have not the folder are passed over.

    Atomicity: Each collection is whole or untouched; they do not depend on each other.

    Args:
        source_id: Identifier or name of the source.
        filters: And everything after it: as for `ingest_collection`.

    Raises:
        IngestError: There is no such source, or nothing in it to ingest.
        ContractError: A unit of work is open.
    """
    with catalog.operation("source_ingest", IngestError, prepares=True, source=source_id) as op:
        with op.preflight() as db:
            source = preflight.validate_source_exists(db, source_id)
            preflight.validate_ingest_filters(filters)
            enabled = preflight.validate_collections_to_ingest(db, source, filters.under)
        with op.preparation():
            options: dict[str, Any] = {
                "dry_run": dry_run,
                "allow_empty": allow_empty,
                "strict_names": strict_names,
                "broken": broken,
                "settle_s": settle_s,
                "max_missing": max_missing,
            }
        op.finish(None)
    cancelling: list[BaseException] = []

    def report(done: int, total: int | None, path: str) -> None:
        try:
            if progress is not None:
                progress(done, total, path)
        except BaseException as error:
            cancelling.append(error)
            raise

    results: list[retrovue_uow.IngestResult] = []
    failures: list[retrovue_uow.IngestFailure] = []
    for each in enabled:
        try:
            results.append(ingest_collection(catalog, each.id, filters, refresh=refresh, progress=report, **options))
        except IngestError as error:
            if cancelling:
                raise
            failures.append(retrovue_uow.IngestFailure(each, str(error), type(error.cause).__name__))
    return retrovue_uow.SourceIngestResult(source, results=tuple(results), failures=tuple(failures))
