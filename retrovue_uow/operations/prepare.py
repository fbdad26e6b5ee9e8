"""What an ingest does before it takes the write lock: it asks the source, the disk and the enrichers."""

from __future__ import annotations

import unicodedata
import weakref
from collections import defaultdict
from collections.abc import Collection as Collected
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial
from types import TracebackType

import attrs

from retrovue_uow.errors import ContractError, ResourceError, ValidationError
from retrovue_uow.media import paths, plugins, roots, walk
from retrovue_uow.media.enrichment import ReadyEnricher, enrich_all
from retrovue_uow.media.interfaces import Importer
from retrovue_uow.model import (
    Asset,
    AssetDraft,
    Collection,
    IngestFilters,
    PathMapping,
    Progress,
    Refresh,
    Source,
    folded,
    printed_title,
)
from retrovue_uow.operations import process
from retrovue_uow.operations.discover import Discovered, Sidecars, discover
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import preflight
from retrovue_uow.rules.drafts import validate_asset_draft
from retrovue_uow.secrets import redacting_errors
from retrovue_uow.store import assets, decisions
from retrovue_uow.store.assets import AssetQuery, KnownAsset, KnownAssets
from retrovue_uow.store.claims import Claim
from retrovue_uow.store.decisions import Decisions
from retrovue_uow.store.frame import Operation
from retrovue_uow.uow.database import Database

_NAMED = 20


@attrs.frozen
class Request:
    """What the caller of an ingest asked for."""

    filters: IngestFilters
    refresh: Refresh | None
    as_if_empty: bool
    allow_empty: bool
    strict_names: bool
    progress: Progress | None = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen
class PreparedAsset:
    """A draft that was found. `seen` is what the catalogue knew of it then; only an enriched one can be written."""

    key: str
    draft: AssetDraft
    mapping_id: int
    seen: KnownAsset | None
    is_enriched: bool = False


@attrs.define(eq=False)
class PreparedIngest:
    """An ingest of which only the writing is left. Holds its collection's claim until it is used or closed.

    Attributes:
        assets: What there may be something to write of.
        unchanged: By canonical key, the sidecars of the files that are as `known` has them.
        found: The canonical key of every file that is there, whether or not the filters let it through.
        twins: Files left out because their names differ from another's in Unicode form alone: both, in words.
        unreachable: The canonical keys of files that the source has and the disk has not, where the filters let them through.
        fingerprint: Of the enrichers that saw the drafts.
        known: What the catalogue knew before the files were looked at.
        known_at: The moment, as the database tells it, when it knew that.
    """

    collection: Collection
    request: Request
    assets: Sequence[PreparedAsset]
    unchanged: Mapping[str, Sidecars] = attrs.field(repr=False)
    found: frozenset[str] = attrs.field(repr=False)
    duplicates: Sequence[str]
    twins: Sequence[str]
    unreachable: Sequence[str]
    fingerprint: str
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


@attrs.frozen
class Validated:
    """What pre-flight found: all that is needed to look at the files."""

    source: Source
    collection: Collection
    importer: Importer
    enrichers: Sequence[ReadyEnricher]
    fingerprint: str
    catalog_path: str
    known: KnownAssets
    known_at: tuple[object, ...]
    assets: Mapping[str, Asset]
    decisions: Decisions
    wanted_titles: Set[str]


def validate(catalog: OpenCatalog, op: Operation, db: Database, collection_id: str, request: Request) -> Validated:
    """Pre-flight of an ingest."""
    process.validate_refresh(request.refresh)
    preflight.validate_ingest_filters(request.filters)
    named = preflight.validate_collection_exists(db, collection_id)
    preflight.validate_no_conflicting_operations(op, named)
    collection = preflight.validate_collection_exists(db, named.id)  # as it is now that nobody else can change it
    preflight.validate_collection_enabled(collection)
    preflight.validate_path_mappings(db, collection, allow_empty=request.allow_empty)
    source = preflight.validate_source_exists(db, collection.source_id)
    importer = plugins.make_importer(source.type, source.config, catalog.importers)
    preflight.validate_source_connectivity(source, importer)
    enrichers = plugins.ready(collection.enrichers, catalog.enrichers)
    preflight.validate_enrichers_available(enrichers)
    return Validated(
        source=source,
        collection=collection,
        importer=importer,
        enrichers=enrichers,
        fingerprint=plugins.fingerprint(collection.enrichers, [each.enricher for each in enrichers]),
        catalog_path=catalog.database.path,
        known=assets.known_assets(db, collection.id),
        known_at=db.data_version(),
        assets=_assets_to_match(db, collection, request),
        decisions=decisions.decisions(db, collection.id),
        wanted_titles=set() if request.filters.title is None else decisions.meant_by(db, request.filters.title),
    )


def _assets_to_match(db: Database, collection: Collection, request: Request) -> dict[str, Asset]:
    """A filter is held against what the catalogue knows of a file that is not enriched again."""
    if request.filters.is_full or request.as_if_empty:
        return {}
    found = assets.assets(db, AssetQuery(collection_id=collection.id))
    return {asset.canonical_key: asset for asset in found}


def prepare(op: Operation, seen: Validated, request: Request) -> PreparedIngest:
    """Find the files, and enrich those of them that will be written."""
    collection = seen.collection
    known = KnownAssets() if request.as_if_empty or request.refresh == "all" else seen.known
    with redacting_errors(seen.source.config):
        discovered = discover(seen.importer, collection, request.filters, known, seen.fingerprint, progress=request.progress)
    there, absent = _met(op, discovered, seen, request)
    discovered.heard.update(each.mapping_id for each in there)
    _refuse_absent_mappings(absent, discovered.heard, seen, request)
    _refuse_silent_mappings(discovered.heard, seen, request)
    found, duplicates, twins = _told_apart(there, discovered.unchanged, known, seen)
    reached = {*discovered.unchanged, *found}
    unreachable = {each.key for each in absent if _is_meant(each, seen, request.filters)} - reached
    assets = _selected(list(found.values()), seen, request)
    unchanged = discovered.unchanged if request.filters.is_full else _matching(discovered.unchanged, seen, request.filters)
    _refuse_no_match(assets or unchanged or unreachable, request.filters)
    return PreparedIngest(
        collection,
        request,
        assets,
        unchanged=unchanged,
        found=frozenset(reached),
        duplicates=duplicates,
        twins=twins,
        unreachable=sorted(unreachable),
        fingerprint=seen.fingerprint,
        known=seen.known,
        known_at=seen.known_at,
    )


def _met(
    op: Operation, discovered: Discovered, seen: Validated, request: Request
) -> tuple[list[PreparedAsset], list[PreparedAsset]]:
    """What is not excluded, with the size and mtime that the importer left out; and what of it is not there."""
    met: list[PreparedAsset] = []
    for draft in discovered.drafts:
        op.working_on = draft.source_path
        key, mapping = validate_asset_draft(draft, seen.collection)
        if not _is_excluded(key, mapping, request.filters):
            met.append(PreparedAsset(key, draft, mapping.id, None if request.as_if_empty else seen.known.get(key)))
    op.working_on = None
    bare = [each for each in met if each.draft.size is None or each.draft.mtime_ns is None]
    answers = dict(zip(map(id, bare), walk.on_disk([each.draft for each in bare]), strict=True))
    there: list[PreparedAsset] = []
    for each in met:
        answer = answers.get(id(each), each.draft)
        if answer is each.draft:
            there.append(each)
        elif answer is not None:
            validate_asset_draft(answer, seen.collection)
            there.append(attrs.evolve(each, draft=answer))
    return there, [each for each in bare if answers[id(each)] is None]


def _told_apart(
    there: Sequence[PreparedAsset], unchanged: dict[str, Sidecars], known: KnownAssets, seen: Validated
) -> tuple[dict[str, PreparedAsset], list[str], list[str]]:
    """What is new or differs, by key, what was reported again, and twins; what is as it is known joins the `unchanged`.

    Of several files with one key, the one that is known is taken, then the one that is spelled in NFC, then the first by name:
    the order in which they are found makes no difference.
    """
    found: dict[str, PreparedAsset] = {}
    duplicates: list[str] = []
    twins: list[str] = []
    by_key: dict[str, list[PreparedAsset]] = {}
    for each in there:
        by_key.setdefault(each.key, []).append(each)
    for key, alike in by_key.items():
        if key in unchanged:
            taken = seen.known[key].file_path
        else:
            alike.sort(key=partial(_precedence, seen.known.get(key)))
            first = alike.pop(0)
            taken = first.draft.file_path
            sidecars = process.sidecar_fingerprint(first.draft)
            if known.has_unchanged(key, taken, first.draft.size, first.draft.mtime_ns, sidecars, seen.fingerprint):
                unchanged[key] = first.draft.sidecars
            else:
                found[key] = first
        for other in alike:
            path = other.draft.file_path
            if path != taken and unicodedata.normalize("NFC", path) == unicodedata.normalize("NFC", taken):
                twins.append(f"{paths.with_form(path)} beside {paths.with_form(taken)}")
            else:
                duplicates.append(key)
    return found, duplicates, twins


def _precedence(known: KnownAsset | None, each: PreparedAsset) -> tuple[bool, bool, str]:
    path = each.draft.file_path
    return known is None or path != known.file_path, not unicodedata.is_normalized("NFC", path), path


def outdated(prepared: PreparedIngest, known: KnownAssets) -> list[PreparedAsset]:
    """The files that were as the catalogue knew them, of which it knows something else by now."""
    if known is prepared.known:
        return []
    return [_as_known(prepared, key) for key in prepared.known.differing(known, prepared.unchanged)]


def _as_known(prepared: PreparedIngest, key: str) -> PreparedAsset:
    """An unchanged file: what the catalogue knew of it is what the disk said."""
    seen = prepared.known[key]
    draft = AssetDraft(seen.file_path, key, size=seen.size, mtime_ns=seen.mtime_ns, sidecars=prepared.unchanged[key])
    _, mapping = validate_asset_draft(draft, prepared.collection)
    return PreparedAsset(key, draft, mapping.id, seen)


def _refuse_absent_mappings(absent: Sequence[PreparedAsset], heard: Set[int], seen: Validated, request: Request) -> None:
    """That no file of a mapping is there tells of the disk or of the mapping, not of the files."""
    if request.allow_empty:
        return
    below: defaultdict[int, list[str]] = defaultdict(list)
    for each in absent:
        below[each.mapping_id].append(each.draft.file_path)
    for mapping in seen.collection.path_mappings:
        lost = below[mapping.id]
        if lost and mapping.id not in heard:
            raise ResourceError(
                f"none of {len(lost)} files that the source has below {mapping.source_path!r} is there, not even {lost[0]!r}: "
                f"is the disk of {mapping.local_path!r} mounted, and is it the right folder? "
                "If all of them went on purpose, say so with allow_empty=True (--allow-empty)"
            )
        if lost and (verdict := roots.root_status(mapping.local_path)).state is not roots.RootState.HAS_ENTRIES:
            raise ResourceError(
                verdict.problem
                or f"folder {mapping.local_path!r} became empty while its files were looked for: was it unmounted?"
            ) from verdict.error


def _refuse_silent_mappings(heard: Set[int], seen: Validated, request: Request) -> None:
    """A folder may have been unmounted since pre-flight looked at it, or hold a stray file in place of everything else."""
    unheard = {mapping for mapping in seen.collection.path_mappings if mapping.id not in heard}
    if request.allow_empty or not request.filters.is_full or not unheard:
        return
    expected = keys_to_look_for(seen.collection, request.filters, seen.known)
    lost = {mapping for key in expected if (mapping := paths.mapping_for(key, seen.collection.mappings_by_source)) in unheard}
    for mapping in seen.collection.path_mappings:
        if mapping in lost:
            raise ResourceError(
                f"nothing was found below {mapping.local_path!r}, but the catalogue has assets from there: "
                "is its disk mounted? "
                "If all of them went on purpose, say so with allow_empty=True (--allow-empty)"
            )


def _is_excluded(key: str, mapping: PathMapping, filters: IngestFilters) -> bool:
    return bool(filters.exclude) and filters.excludes(relative_key(key, mapping))


def relative_key(key: str, mapping: PathMapping) -> str:
    """What of a canonical key lies below its mapping."""
    return key.removeprefix(mapping.source_path).lstrip("/")


def keys_to_look_for(collection: Collection, filters: IngestFilters, known: Iterable[str]) -> list[str]:
    """Those of the known keys that a full ingest is expected to see: all that no glob pattern excludes."""
    if not filters.exclude:
        return list(known)
    mapped = ((key, paths.mapping_for(key, collection.mappings_by_source)) for key in known)
    return [key for key, mapping in mapped if mapping is None or not _is_excluded(key, mapping, filters)]


def _selected(found: Sequence[PreparedAsset], seen: Validated, request: Request) -> list[PreparedAsset]:
    """What the filters let through, with those enriched that are new or to be refreshed."""
    to_enrich = [each for each in found if _is_to_be_enriched(each, seen, request)]
    enriched = dict(zip((each.key for each in to_enrich), _enriched(to_enrich, seen, request), strict=True))
    selected: list[PreparedAsset] = []
    for each in found:
        if each.key not in enriched:
            if request.filters.is_full or _matches_asset(request.filters, seen.assets[each.key], seen.wanted_titles):
                selected.append(each)
        elif (draft := enriched[each.key]) is not None:
            selected.append(attrs.evolve(each, draft=draft, is_enriched=True))
    return selected


def _matching(unchanged: Mapping[str, Sidecars], seen: Validated, filters: IngestFilters) -> dict[str, Sidecars]:
    """Those of the unchanged files that the filters let through."""
    return {
        key: sidecars for key, sidecars in unchanged.items() if _matches_asset(filters, seen.assets[key], seen.wanted_titles)
    }


def _is_to_be_enriched(each: PreparedAsset, seen: Validated, request: Request) -> bool:
    return each.seen is None or process.wants_refresh(each.seen, each.draft, seen.fingerprint, request.refresh)


def _enriched(chosen: Sequence[PreparedAsset], seen: Validated, request: Request) -> list[AssetDraft | None]:
    mappings = {mapping.id: mapping for mapping in seen.collection.path_mappings}
    links = roots.Links()
    drafts = []
    for each in chosen:
        process.validate_inside_mapping(each.draft, mappings[each.mapping_id], links)
        drafts.append(each.draft)
    keep = None if request.filters.is_full else partial(_is_wanted, seen, request.filters)
    with process.probe_results(seen.catalog_path, seen.collection, request.refresh) as kept:
        enriched = enrich_all(drafts, seen.enrichers, keep=keep, results=kept, progress=request.progress)
    finished = [None if draft is None else process.classified(draft) for draft in enriched]
    _refuse_unsound([_settled(draft, seen.decisions) for draft in finished if draft is not None], seen.collection)
    return finished


def _settled(draft: AssetDraft, decisions: Decisions) -> AssetDraft:
    return decisions.settle(paths.canonical_key(draft.source_path), draft)


def settled(each: PreparedAsset, decisions: Decisions, *, known_as: str) -> PreparedAsset:
    """What was prepared, as the operator would have it now; `known_as` is the path that was decided about."""
    if not each.is_enriched:
        return each
    draft = decisions.settle(known_as, each.draft)
    return each if draft is each.draft else attrs.evolve(each, draft=draft)


def _refuse_unsound(drafts: Sequence[AssetDraft], collection: Collection) -> None:
    """One error that names the first drafts that are not what a draft must be."""
    problems: list[ValidationError] = []
    for draft in drafts:
        try:
            validate_asset_draft(draft, collection)
        except ValidationError as error:
            problems.append(error)
        if len(problems) == _NAMED:
            break
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "\n  ".join(str(problem) for problem in problems)
        raise ValidationError(f"{len(problems)} files cannot become assets; mend or exclude them:\n  {listed}") from problems[0]


def _is_wanted(seen: Validated, filters: IngestFilters, draft: AssetDraft) -> bool:
    found = _settled(draft, seen.decisions)
    return _matches(filters, seen.wanted_titles, found)


def _is_meant(absent: PreparedAsset, seen: Validated, filters: IngestFilters) -> bool:
    """Whether a file that is not there is what the filters are about, as far as anybody knows."""
    if filters.is_full:
        return True
    asset = seen.assets.get(absent.key)
    if asset is None:
        return _is_wanted(seen, filters, absent.draft)
    return _matches_asset(filters, asset, seen.wanted_titles)


def _matches_asset(filters: IngestFilters, asset: Asset, titles: Set[str]) -> bool:
    return _matches(filters, titles, asset)


def _matches(filters: IngestFilters, titles: Set[str], found: AssetDraft | Asset) -> bool:
    """A title is meant by its name, of whichever year, or by its name and year as they are printed."""
    return (
        found.title is not None
        and (folded(found.title) in titles or folded(printed_title(found.title, found.year)) in titles)
        and filters.season in (None, found.season_number)
        and (filters.episode is None or filters.episode in found.episode_numbers)
    )


def _refuse_no_match(matching: Collected[object], filters: IngestFilters) -> None:
    if matching or filters.is_full:
        return
    wanted = f"title {filters.title!r}"
    if filters.season is not None:
        wanted += f", season {filters.season}"
    if filters.episode is not None:
        wanted += f", episode {filters.episode}"
    raise ValidationError(f"no file matches {wanted}: is it spelt as the file names have it?")


def refuse_unclassified(assets: Sequence[PreparedAsset]) -> None:
    """Refuse an ingest of files that nothing could classify, naming them."""
    unknown = [each.key for each in assets if each.is_enriched and each.draft.kind == "other"]
    if unknown:
        shown = "\n  ".join(unknown[:_NAMED])
        more = f"\n  and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise ValidationError(f"{len(unknown)} file(s) cannot be classified; rename or exclude them:\n  {shown}{more}")
