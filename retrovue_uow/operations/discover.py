"""What files a collection's source has: those that are as the catalogue knows them are told apart before a draft is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from retrovue_uow.media import plugins
from retrovue_uow.media.interfaces import Importer
from retrovue_uow.media.walk import Run
from retrovue_uow.model import AssetDraft, Collection, IngestFilters, Progress, Sidecar
from retrovue_uow.operations import process
from retrovue_uow.store.assets import KnownAssets

Sidecars: TypeAlias = tuple[Sidecar, ...] | None


@attrs.define
class Discovered:
    """What was found.

    Attributes:
        drafts: Of the files that are new to the catalogue, or not as it knows them; of a foreign importer, all.
        unchanged: By canonical key, the sidecars of those that are as it knows them.
        heard: Identifiers of the mappings below which the unchanged ones lie.
    """

    drafts: list[AssetDraft] = attrs.field(factory=list)
    unchanged: dict[str, Sidecars] = attrs.field(factory=dict)
    heard: set[int] = attrs.field(factory=set)


def discover(
    importer: Importer,
    collection: Collection,
    filters: IngestFilters,
    known: KnownAssets,
    enrichers: str,
    *,
    progress: Progress | None,
) -> Discovered:
    """All that `importer` finds; `enrichers` is their fingerprint. Raises what `plugins.discover` raises."""
    file_runs = getattr(importer, "file_runs", None)
    if callable(file_runs):
        return _walked(file_runs(collection.path_mappings, filters), known, enrichers, progress)
    return Discovered(plugins.discover(importer, collection, collection.path_mappings, filters, progress=progress))


def _walked(
    runs: Iterable[Run],
    known: KnownAssets,
    enrichers: str,
    progress: Progress | None,
) -> Discovered:
    """All files of some runs: no draft is made of an unchanged one, for that would cost more than to look at it."""
    drafts: list[AssetDraft] = []
    unchanged: dict[str, Sidecars] = {}
    heard: set[int] = set()
    differing: set[str] = set()
    for run in runs:
        of_show = process.fingerprint_of(run.shows)
        for entry, status in run.examined():
            key, sidecars = run.key(entry.name), run.sidecars(entry.name)
            fingerprint = of_show if sidecars is run.shows else process.fingerprint_of(sidecars)
            is_as_known = known.has_unchanged(key, entry.path, status.st_size, status.st_mtime_ns, fingerprint, enrichers)
            if is_as_known and key not in unchanged and key not in differing:
                unchanged[key] = sidecars
                heard.add(run.mapping.id)
            else:
                drafts.append(run.draft(entry, status))
                differing.add(key)
            if progress is not None:
                progress(len(drafts) + len(unchanged), None, entry.path)
    return Discovered(drafts, unchanged, heard)
