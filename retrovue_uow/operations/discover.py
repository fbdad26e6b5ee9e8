"""Which files a collection's source has, and which of them are as the catalogue knows them."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection as Collected
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial
from typing import NamedTuple

from retrovue_uow import media
from retrovue_uow.errors import ResourceError, RetroVueError
from retrovue_uow.media import paths, plugins, roots
from retrovue_uow.media.enrichment import ReadyEnricher
from retrovue_uow.media.interfaces import Importer
from retrovue_uow.model import (
    Asset,
    AssetDraft,
    Broken,
    Collection,
    FileFacts,
    Finding,
    IngestFilters,
    PathMapping,
    Progress,
    Refresh,
    Sidecar,
    Source,
    digest,
)
from retrovue_uow.rules.drafts import validate_asset_draft, validate_draft_place
from retrovue_uow.secrets import redacting_errors
from retrovue_uow.store.decisions import Decisions
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.known import EVERYWHERE, KnownAsset, KnownAssets, Span
from retrovue_uow.uow.database import Database


class Request(NamedTuple):
    """What the caller of an ingest asked for."""

    filters: IngestFilters
    refresh: Refresh | None
    as_if_empty: bool
    allow_empty: bool
    strict_names: bool
    broken: Broken
    settle_s: float
    max_missing: float | None
    progress: Progress | None = None


class Seen(NamedTuple):
    """What pre-flight saw: all that is needed to look at the files.

    Attributes:
        fingerprint: Of the enrichers.
        known_at: The data version of the database from which `known` was read.
        assets: By canonical key, those that filters are held against.
        wanted_titles: The folded names that the filters' title means.
    """

    request: Request
    source: Source
    collection: Collection
    importer: Importer
    enrichers: Sequence[ReadyEnricher]
    fingerprint: str
    database: Database
    known: KnownAssets
    known_at: tuple[object, ...]
    assets: Mapping[str, Asset]
    decisions: Decisions
    wanted_titles: Set[str]


class Found(NamedTuple):
    """A file on its way into the catalogue, from discovery to writing.

    Attributes:
        facts: Those of its draft and of the enrichers, to be compared with what the catalogue knows.
        known: What the catalogue knew of it when it was found.
        is_enriched: Whether the enrichers saw the draft; only then may it create or change an asset.
        findings: What they found out about the file.
    """

    key: str
    draft: AssetDraft
    mapping: PathMapping
    facts: FileFacts
    known: KnownAsset | None
    is_enriched: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether its file is, so that its asset is never ready."""
        return any(each.severity == "broken" for each in self.findings)

    def is_due(self, refresh: Refresh | None, *, was_broken: bool = False) -> bool:
        """Whether the enrichers are to see it: it is new, `refresh` asks for it, or it was broken and is another file now."""
        if self.known is None or refresh == "all":
            return True
        known = self.known.facts
        if was_broken and known.is_another_file(self.facts):
            return True
        return refresh is not None and (
            known.has_changed(self.facts) or (refresh == "changed" and known.is_outdated(self.facts))
        )

    def settled(self, decided: Decisions, *, known_as: str) -> Found:
        """As the operator would have it, if it may be written; `known_as` is the key that was decided about."""
        draft = decided.settle(known_as, self.draft) if self.is_enriched else self.draft
        return self if draft is self.draft else self._replace(draft=draft)


def facts_of(draft: AssetDraft, enrichers: str) -> FileFacts:
    """What a draft says of its file; sidecars that nobody has looked for count as none."""
    return FileFacts(draft.file_path, draft.size, draft.mtime_ns, fingerprint_of(draft.sidecars or ()), enrichers)


def fingerprint_of(sidecars: tuple[Sidecar, ...]) -> str:
    """A short text that changes with the names, sizes and mtimes of the sidecars; empty where there are none."""
    if not sidecars:
        return ""
    facts = sorted((sidecar.path, sidecar.size, sidecar.mtime_ns) for sidecar in sidecars)
    return digest(repr(facts))[:16]


def discover(
    op: Operation, seen: Seen, skipped: defaultdict[str, list[str]], left_out: defaultdict[str, list[str]]
) -> tuple[list[Found], list[Found], dict[str, PathMapping]]:
    """The files that are there, those that the source has and the disk has not, and the mappings of unchanged ones by key.

    What can be no asset is refused, or added to `skipped` by its reason; what is passed over is added to `left_out`. What an
    importer left out of size and mtime is asked of the disk. With `refresh="all"` no file is unchanged.
    """
    request = seen.request
    known = KnownAssets() if request.as_if_empty or request.refresh == "all" else seen.known
    unchanged: dict[str, PathMapping] = {}

    def skip(reason: str, path: str, error: RetroVueError | None) -> None:
        if error is not None and request.broken == "refuse":
            raise error
        (left_out if error is None else skipped)[reason].append(path)

    runs = plugins.file_runs(seen.importer, seen.collection, request.filters, skip)
    with redacting_errors(seen.source.config):
        if runs is not None:
            drafts, known = _walked(runs, seen, known, unchanged), KnownAssets()
        else:
            drafts = plugins.discover(
                seen.importer,
                seen.collection,
                request.filters,
                lambda reason, path: skipped[reason].append(path),
                progress=request.progress,
            )
    met, absent = _examined(_met(op, drafts, seen, left_out), seen.collection)
    there: list[Found] = []
    for each in met:
        if each.key not in unchanged and known.has(each.key, each.facts):
            unchanged[each.key] = each.mapping
        else:
            there.append(each)
    return there, absent, unchanged


def _walked(
    runs: Iterable[media.walk.Run], seen: Seen, known: KnownAssets, unchanged: dict[str, PathMapping]
) -> list[AssetDraft]:
    """All files of some runs: no draft is made of an unchanged one, for that would cost more than to look at it."""
    drafts: list[AssetDraft] = []
    for run in runs:
        of_show = fingerprint_of(run.shows)
        for entry, status in run.examined():
            key, sidecars = run.key(entry.name), run.sidecars(entry.name)
            fingerprint = of_show if sidecars is run.shows else fingerprint_of(sidecars)
            facts = FileFacts(entry.path, status.st_size, status.st_mtime_ns, fingerprint, seen.fingerprint)
            if key not in unchanged and known.has(key, facts):
                unchanged[key] = run.mapping
            else:
                drafts.append(run.draft(entry, status))
            if seen.request.progress is not None:
                seen.request.progress(len(drafts) + len(unchanged), None, entry.path)
    return drafts


def _met(op: Operation, drafts: Iterable[AssetDraft], seen: Seen, left_out: defaultdict[str, list[str]]) -> list[Found]:
    """What the filters do not exclude; what they do is added to `left_out`."""
    filters = seen.request.filters
    met: list[Found] = []
    for draft in drafts:
        op.working_on = draft.source_path
        # What it says itself is only held against filters; otherwise it is judged once the enrichers have seen it.
        validate = validate_draft_place if filters.is_full else validate_asset_draft
        key, mapping = validate(draft, seen.collection)
        if not _is_inside(key, mapping, filters.under):
            continue
        if _is_excluded(key, mapping, filters):
            left_out["excluded"].append(draft.file_path)
        else:
            known = None if seen.request.as_if_empty else seen.known.get(key)
            met.append(Found(key, draft, mapping, facts_of(draft, seen.fingerprint), known))
    op.working_on = None
    return met


def _examined(met: Sequence[Found], collection: Collection) -> tuple[list[Found], list[Found]]:
    """The files that are there, with the size and mtime that the importer left out; and those that the disk has not."""
    answers = iter(roots.on_disk([each.draft for each in met if None in each.facts]))
    there: list[Found] = []
    absent: list[Found] = []
    for each in met:
        if None not in each.facts:
            there.append(each)
        elif (draft := next(answers)) is None:
            absent.append(each)
        else:
            validate_draft_place(draft, collection)
            there.append(each._replace(draft=draft, facts=facts_of(draft, each.facts.enrichers)))
    return there, absent


def split(
    there: Iterable[Found], unchanged: Collected[str], known: KnownAssets
) -> tuple[dict[str, Found], list[str], list[tuple[str, str, str]]]:
    """Files that are new or differ, by key; keys reported again; and twins, whose names differ in Unicode form alone.

    Of each twin the key, its own path and that of the file that has the key.

    Of several files with one key, the one that is known is taken, then the one that is spelled in NFC, then the first by name:
    the order in which they are found makes no difference.
    """
    found: dict[str, Found] = {}
    duplicates: list[str] = []
    twins: list[tuple[str, str, str]] = []
    by_key: defaultdict[str, list[Found]] = defaultdict(list)
    for each in there:
        by_key[each.key].append(each)
    for key, alike in by_key.items():
        if key in unchanged:
            taken = known[key].facts.file_path
        else:
            if len(alike) > 1:
                alike.sort(key=partial(_precedence, known.get(key)))
            found[key] = alike.pop(0)
            taken = found[key].draft.file_path
        for other in alike:
            path = other.draft.file_path
            if paths.are_twins(path, taken):
                twins.append((key, path, taken))
            else:
                duplicates.append(key)
    return found, duplicates, twins


def _precedence(known: KnownAsset | None, each: Found) -> tuple[bool, bool, str]:
    path = each.draft.file_path
    return known is None or path != known.facts.file_path, not unicodedata.is_normalized("NFC", path), path


def refuse_absent_mappings(absent: Iterable[Found], mappings_seen: Set[int], seen: Seen) -> None:
    """Where no file of a mapping is there, the disk or the mapping is wrong, not the files."""
    below: defaultdict[int, list[str]] = defaultdict(list)
    for each in absent:
        below[each.mapping.id].append(each.draft.file_path)
    for mapping in seen.collection.path_mappings:
        lost = below[mapping.id]
        if lost and mapping.id not in mappings_seen:
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


def refuse_loss(named: Iterable[Found], unchanged: Collected[str], seen: Seen) -> None:
    """A server that no longer names most of what it had has lost its library, or was pointed elsewhere; the files are there."""
    request, collection = seen.request, seen.collection
    most = request.max_missing
    if most is None:
        most = 1 if request.allow_empty else plugins.max_missing_of(f"the importer of {seen.source.name!r}", seen.importer)
    if most == 1 or not request.filters.is_full:
        return
    known = [key for key in keys_to_look_for(collection, request.filters, seen.known) if seen.known[key].missing_since is None]
    keys = {*unchanged, *(each.key for each in named)}
    lost = [key for key in known if key not in keys]
    if len(lost) > most * len(known):
        raise ResourceError(
            f"source {seen.source.name!r} names {len(known) - len(lost)} of the {len(known)} files that the catalogue has of "
            f"collection {collection.name!r}, and not {lost[0]!r}: more than the part of {most:g} that may be missing. Was its "
            "library emptied or moved? If the files went on purpose, say so with max_missing=1.0 (--max-missing 1.0)"
        )


def refuse_silent_mappings(mappings_seen: Set[int], seen: Seen) -> None:
    """A folder may have been unmounted since pre-flight looked at it, or hold a stray file in place of everything else."""
    filters, by_source = seen.request.filters, seen.collection.mappings_by_source
    unseen = [mapping for mapping in seen.collection.path_mappings if mapping.id not in mappings_seen and filters.is_full]
    lost = (
        {paths.mapping_for(key, by_source) for key in keys_to_look_for(seen.collection, filters, seen.known)} if unseen else ()
    )
    for mapping in unseen:
        if mapping in lost:
            folder = paths.starts([mapping], filters.under)[mapping]
            raise ResourceError(
                f"nothing was found below {folder!r}, but the catalogue has assets from there: "
                "is its disk mounted? If all of them went on purpose, say so with allow_empty=True (--allow-empty)"
            )


def spans(collection: Collection, under: str | None) -> Sequence[Span]:
    """The keys among which are those of all that lies below the folder `under`; of everything if it is None."""
    if under is None:
        return EVERYWHERE
    keys = [paths.key_at(*each) for each in paths.starts(collection.path_mappings, under).items()]
    return [(os.path.join(key, first), os.path.join(key, last)) for key in keys for first, last in EVERYWHERE]


def keys_to_look_for(collection: Collection, filters: IngestFilters, known: Iterable[str]) -> list[str]:
    """Those of the known keys that a full ingest is expected to see: all in its folder that no glob pattern excludes."""
    if not filters.exclude and filters.under is None:
        return list(known)
    mapped = ((key, paths.mapping_for(key, collection.mappings_by_source)) for key in known)
    return [
        key
        for key, mapping in mapped
        if mapping is None or (_is_inside(key, mapping, filters.under) and not _is_excluded(key, mapping, filters))
    ]


def _is_inside(key: str, mapping: PathMapping, under: str | None) -> bool:
    start = None if under is None else paths.starts([mapping], under).get(mapping)
    return under is None or (start is not None and paths.is_below(key, paths.key_at(mapping, start)))


def _is_excluded(key: str, mapping: PathMapping, filters: IngestFilters) -> bool:
    return bool(filters.exclude) and filters.excludes(key.removeprefix(mapping.source_path).lstrip("/"))
