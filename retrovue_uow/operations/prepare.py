"""What an ingest does before it takes the write lock: it asks the source, the disk and the enrichers."""

from __future__ import annotations

import time
import unicodedata
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as Collected
from functools import partial
from types import TracebackType

import attrs

from retrovue_uow.errors import ContractError, ResourceError, RetroVueError, ValidationError
from retrovue_uow.media import paths, plugins, roots
from retrovue_uow.media.enrichment import Read, ReadyEnricher, enrich_all, finding
from retrovue_uow.media.probe_results import ProbeResults
from retrovue_uow.model import Asset, AssetDraft, Broken, Collection, Finding, PathMapping, Progress, folded, printed_title
from retrovue_uow.operations.discover import (
    Found,
    Request,
    Seen,
    discover,
    refuse_absent_mappings,
    refuse_loss,
    refuse_silent_mappings,
    spans,
    split,
)
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import preflight
from retrovue_uow.rules.drafts import validate_draft_content, validate_inside_mapping
from retrovue_uow.store import assets, decisions
from retrovue_uow.store.claims import Claim
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.known import TWIN, KnownAsset, KnownAssets, assets_alike, broken_among, known_assets
from retrovue_uow.store.result_cache import ResultCache
from retrovue_uow.uow.database import Database

_NAMED = 20


@attrs.define(eq=False)
class PreparedIngest:
    """An ingest of which only the writing is left. Holds its collection's claim until it is used or closed.

    Attributes:
        assets: What there may be something to write of.
        unchanged: By canonical key, the mappings of the files that are as `known` has them.
        found: The canonical key of every file that is there, whether or not the filters let it through.
        twins: Files left out because their names differ from another's in Unicode form alone: both, in words.
        twinned: Warnings of twins, by the canonical key that the files have in common.
        unreachable: The canonical keys of files that the source has and the disk has not, where the filters let them through.
        gone_elsewhere: Assets outside the folder that new files may be, and whose own files are gone.
        skipped: Paths of what can be no asset, by reason.
        left_out: Paths of what was passed over, by reason.
        known: What the catalogue knew before the files were looked at.
        known_at: The data version of the database from which `known` was read.
    """

    collection: Collection
    request: Request
    assets: Sequence[Found]
    unchanged: Mapping[str, PathMapping] = attrs.field(repr=False)
    found: frozenset[str] = attrs.field(repr=False)
    duplicates: Sequence[str]
    twins: Sequence[str]
    twinned: Mapping[str, Sequence[Finding]]
    unreachable: Sequence[str]
    gone_elsewhere: Collected[KnownAsset]
    skipped: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, tuple[str, ...]] = attrs.field(repr=False)
    known: KnownAssets = attrs.field(repr=False)
    known_at: tuple[object, ...] = attrs.field(repr=False)
    claims: list[Claim] = attrs.field(factory=list)
    _is_used: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        weakref.finalize(self, _release, self.claims).atexit = False

    def __enter__(self) -> PreparedIngest:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def use(self) -> None:
        """Note that it is being written; it can be only once."""
        if self._is_used:
            raise ContractError("a prepared ingest is used once, and not after it was closed: prepare another one")
        self._is_used = True

    def close(self) -> None:
        """Give the claim back; the prepared ingest can no longer be used."""
        self._is_used = True
        _release(self.claims)


def _release(claims: list[Claim]) -> None:
    while claims:
        claims.pop().release()


def validate(catalog: OpenCatalog, op: Operation, db: Database, collection_id: str, request: Request) -> Seen:
    """Pre-flight of an ingest."""
    preflight.validate_refresh(request.refresh)
    preflight.validate_broken(request.broken)
    preflight.validate_settle_s(request.settle_s)
    preflight.validate_max_missing(request.max_missing)
    preflight.validate_ingest_filters(request.filters)
    named = preflight.validate_collection_exists(db, collection_id)
    preflight.validate_no_conflicting_operations(op, named)
    collection = preflight.validate_collection_exists(db, named.id)  # as it is now that nobody else can change it
    preflight.validate_collection_enabled(collection)
    if request.filters.under is not None:
        under = preflight.validate_folder_mapped(collection, request.filters.under)
        request = request._replace(filters=attrs.evolve(request.filters, under=under))
    known = known_assets(db, collection.id, asked := spans(collection, request.filters.under))
    _refuse_twin_folder(request.filters.under, known)
    preflight.validate_path_mappings(collection, request.filters.under, refuse_empty=bool(known) and not request.allow_empty)
    source = preflight.validate_source_exists(db, collection.source_id)
    exclude = tuple(dict.fromkeys((*collection.excludes, *request.filters.exclude)))
    request = request._replace(filters=attrs.evolve(request.filters, exclude=exclude))
    importer = plugins.make_importer(source.type, source.config, catalog.importers)
    preflight.validate_source_connectivity(source, importer)
    enrichers = plugins.ready(collection.enrichers, catalog.enrichers, collection.path_mappings)
    preflight.validate_enrichers_available(enrichers)
    # A filter is held against what the catalogue knows of a file that is not enriched again.
    is_matching = not request.filters.is_full and not request.as_if_empty
    to_match = assets.assets_by_id(db, [each.id for each in known.values()]) if is_matching else []
    return Seen(
        request=request,
        source=source,
        collection=collection,
        importer=importer,
        enrichers=enrichers,
        fingerprint=plugins.fingerprint(collection.enrichers, [each.enricher for each in enrichers]),
        database=db,
        known=known,
        known_at=db.data_version(),
        assets={asset.canonical_key: asset for asset in to_match},
        decisions=decisions.decisions(db, collection.id, asked),
        wanted_titles=set() if request.filters.title is None else decisions.meant_by(db, request.filters.title),
    )


def _refuse_twin_folder(under: str | None, known: KnownAssets) -> None:
    """The folder's keys are those of its twin's, too: it cannot be told which of them went."""
    if under is None or under.isascii():
        return
    nfc = partial(unicodedata.normalize, "NFC")
    for path in (each.facts.file_path for each in known.values()):
        if paths.is_below(nfc(path), nfc(under)) and not paths.is_below(path, under) and not _is_gone(path):
            raise ValidationError(
                f"folder {paths.with_form(under)} has a twin, in which {path!r} lies, and their names differ in Unicode form "
                "alone: rename one of them, or ingest the whole collection"
            )


def prepare(op: Operation, seen: Seen) -> PreparedIngest:
    """Find the files, and enrich those of them that will be written."""
    request, filters = seen.request, seen.request.filters
    skipped: defaultdict[str, list[str]] = defaultdict(list)
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    there, absent, unchanged = discover(op, seen, skipped, left_out)
    refuse_loss([*there, *absent], unchanged, seen)
    if not request.allow_empty:
        mappings_seen = {mapping.id for mapping in unchanged.values()} | {each.mapping.id for each in there}
        refuse_absent_mappings(absent, mappings_seen, seen)
        if request.max_missing != 1:
            refuse_silent_mappings(mappings_seen, seen)
    found, duplicates, twins = split(there, unchanged, seen.known)
    reached = {*unchanged, *found}
    twinned: defaultdict[str, list[Finding]] = defaultdict(list)
    for key, path, taken in twins:
        skipped["twin"].append(path)
        text = f"file {_beside(path, taken)} has the same name in another Unicode form, and is left out: rename or exclude it"
        twinned[key].append(finding(TWIN, "warning", text))
    unreachable = {each.key for each in absent if _is_meant(seen, each)} - reached
    for each in _unsettled(found.values(), request.settle_s):
        del found[each.key]
        skipped["too_young"].append(each.draft.file_path)
    chosen, vanished = _chosen(found, seen)
    _leave_out(vanished, skipped, reached)
    if not filters.is_full:
        unchanged = {key: each for key, each in unchanged.items() if _matches(seen, seen.assets[key])}
        if not (chosen or unchanged or unreachable or skipped["too_young"]):  # nobody knows what those are
            given = {name: value for name, value in attrs.asdict(filters).items() if name != "exclude" and value is not None}
            wanted = ", ".join(f"{name} {value!r}" for name, value in given.items())
            raise ValidationError(f"no file matches {wanted}: is it spelt as the file names have it?")
    return PreparedIngest(
        seen.collection,
        request,
        chosen,
        unchanged=unchanged,
        found=frozenset(reached),
        duplicates=duplicates,
        twins=[_beside(path, taken) for _, path, taken in twins],
        twinned=twinned,
        unreachable=sorted(unreachable),
        gone_elsewhere=_gone_elsewhere(chosen, seen),
        skipped={reason: tuple(paths) for reason, paths in sorted(skipped.items())},
        left_out={reason: tuple(paths) for reason, paths in sorted(left_out.items())},
        known=seen.known,
        known_at=seen.known_at,
    )


def _gone_elsewhere(chosen: Iterable[Found], seen: Seen) -> list[KnownAsset]:
    """The assets outside the folder that one of its new files may be: their own files are gone, and their disks are not."""
    if seen.request.filters.under is None or not seen.request.filters.is_full:
        return []
    with seen.database.read_only() as db:
        alike = assets_alike(db, seen.collection.id, [each.facts for each in chosen if each.known is None])
    by_source = seen.collection.mappings_by_source
    outside = [(each, paths.mapping_for(each.key, by_source)) for each in alike if each.key not in seen.known]
    mounted = {
        mapping
        for mapping in {mapping for _, mapping in outside}
        if mapping and roots.root_status(mapping.local_path).state is roots.RootState.HAS_ENTRIES
    }
    return [each for each, mapping in outside if mapping in mounted and _is_gone(each.facts.file_path)]


def _is_gone(path: str) -> bool:
    try:
        return roots.on_disk([AssetDraft(path, path)]) == [None]
    except ResourceError:
        return False  # nobody can tell


def _beside(path: str, taken: str) -> str:
    return f"{paths.with_form(path)} beside {paths.with_form(taken)}"


def _unsettled(found: Iterable[Found], settle_s: float) -> list[Found]:
    """Files that somebody may still be writing. A clock that was set back makes none of them."""
    now = time.time_ns()
    return [each for each in found if now - settle_s * 1e9 < (each.draft.mtime_ns or 0) <= now]


def _leave_out(vanished: Iterable[Found], skipped: Mapping[str, list[str]], reached: set[str]) -> None:
    """What went while it was read; what is there, and has lost a sidecar, is left for the next ingest."""
    for each in vanished:
        _refuse_lost_root(each)
        is_gone = _is_gone(each.draft.file_path)
        skipped["vanished" if is_gone else "too_young"].append(each.draft.file_path)
        if is_gone:
            reached.remove(each.key)


def _refuse_lost_root(vanished: Found) -> None:
    status = roots.root_status(vanished.mapping.local_path)
    if status.state is not roots.RootState.HAS_ENTRIES:
        raise ResourceError(
            f"file {vanished.draft.file_path!r} went while it was read, and all of {vanished.mapping.local_path!r} with it: "
            "was its disk unmounted?"
        ) from status.error


def _chosen(found: Mapping[str, Found], seen: Seen) -> tuple[list[Found], list[Found]]:
    """What the filters let through, with those enriched that are new or to be refreshed, and what went before it was read."""
    request = seen.request
    with seen.database.read_only() as db:
        broken = broken_among(db, [each.known.id for each in found.values() if each.known is not None])
    due = [
        each
        for each in found.values()
        if each.is_due(request.refresh, was_broken=each.known is not None and each.known.id in broken)
    ]
    links = roots.Links()
    for each in due:
        validate_inside_mapping(each.draft, each.mapping, links)
    read = _read(due, seen)
    by_key = {each.key: result for each, result in zip(due, read, strict=True)}
    chosen: list[Found] = []
    vanished: list[Found] = []
    for key, each in found.items():
        if key not in by_key:
            if request.filters.is_full or _matches(seen, seen.assets[key]):
                chosen.append(each)
        elif (result := by_key[key]) is not None:
            enriched_now = each._replace(draft=result.draft, is_enriched=True, findings=result.findings)
            (vanished if result.has_vanished else chosen).append(enriched_now)
    if request.broken == "record":
        return [_believable(each, seen) for each in chosen], vanished
    _refuse_unsound(chosen, seen)
    return chosen, vanished


def _read(due: Sequence[Found], seen: Seen) -> list[Read | None]:
    """Those files after all enrichers. Where that fails and their disk has gone, it is the disk that is named."""
    request = seen.request
    try:
        return enriched(
            [each.draft for each in due],
            seen.enrichers,
            seen.database.path,
            recalls=request.refresh != "all",
            keep=None if request.filters.is_full else partial(_is_wanted, seen),
            broken=request.broken,
            progress=request.progress,
        )
    except RetroVueError:
        for each in {each.mapping.id: each for each in due}.values():
            _refuse_lost_root(each)
        raise


def enriched(
    drafts: Sequence[AssetDraft],
    enrichers: Sequence[ReadyEnricher],
    catalog_path: str,
    *,
    recalls: bool,
    keep: Callable[[AssetDraft], bool] | None = None,
    broken: Broken = "refuse",
    progress: Progress | None = None,
) -> list[Read | None]:
    """The drafts after all enrichers, with findings; None for those that `keep` drops.

    The catalogue never guesses: what nothing can classify is of kind `other`.

    Args:
        recalls: Whether what was found in a file before is believed; False: every file is read again.
    """
    with ResultCache(catalog_path) as cache:
        results = ProbeResults(cache, validate_draft_content, recalls=recalls)
        read = enrich_all(drafts, enrichers, keep=keep, results=results, broken=broken, progress=progress)
    return [
        each._replace(draft=attrs.evolve(each.draft, kind="other")) if each is not None and each.draft.kind is None else each
        for each in read
    ]


def _problem(each: Found, seen: Seen) -> ValidationError | None:
    """What keeps a draft from being what a draft must be."""
    # What the operator assigned outranks what the draft says; it is settled for good under the write lock.
    is_assigned = each.key in seen.decisions.assignments
    try:
        validate_draft_content(seen.decisions.settle(each.key, each.draft) if is_assigned else each.draft)
    except ValidationError as error:
        return error
    return None


def _believable(each: Found, seen: Seen) -> Found:
    """The file itself, without what was said of it, where that cannot be."""
    problem = _problem(each, seen)
    if problem is None:
        return each
    seen_by_importer = each.draft.size, each.draft.mtime_ns, each.draft.sidecars
    bare = AssetDraft(each.draft.file_path, each.draft.source_path, *seen_by_importer, kind="other")
    return each._replace(draft=bare, findings=(*each.findings, finding("draft", "broken", str(problem))))


def _refuse_unsound(chosen: Iterable[Found], seen: Seen) -> None:
    """One error that names the first drafts that are not what a draft must be."""
    problems: list[ValidationError] = []
    for each in chosen:
        if (problem := _problem(each, seen)) is not None:
            problems.append(problem)
        if len(problems) == _NAMED:
            break
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "\n  ".join(map(str, problems))
        raise ValidationError(f"{len(problems)} files cannot become assets; mend or exclude them:\n  {listed}") from problems[0]


def _is_wanted(seen: Seen, draft: AssetDraft) -> bool:
    return _matches(seen, seen.decisions.settle(paths.canonical_key(draft.source_path), draft))


def _is_meant(seen: Seen, absent: Found) -> bool:
    """Whether a file that is not there is what the filters are about, as far as anybody knows."""
    asset = seen.assets.get(absent.key)
    return seen.request.filters.is_full or (_is_wanted(seen, absent.draft) if asset is None else _matches(seen, asset))


def _matches(seen: Seen, found: AssetDraft | Asset) -> bool:
    """A title is meant by its name, of whichever year, or by its name and year as they are printed."""
    filters = seen.request.filters
    return (
        found.title is not None
        and not seen.wanted_titles.isdisjoint({folded(found.title), folded(printed_title(found.title, found.year))})
        and filters.season in (None, found.season_number)
        and (filters.episode is None or filters.episode in found.episode_numbers)
    )
