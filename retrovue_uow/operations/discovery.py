"""What files a collection's source has: those that are as the catalogue knows them are told apart before a draft is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from retrovue_uow.media import importers
from retrovue_uow.media.importers import FilesystemImporter
from retrovue_uow.media.interfaces import Importer
from retrovue_uow.model import AssetDraft, Collection, IngestFilters, Progress, Sidecar
from retrovue_uow.operations import process
from retrovue_uow.store.queries_assets import KnownAsset

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


@attrs.frozen
class Known:
    """What a file is compared with.

    Attributes:
        assets: By canonical key; those that are asked anew whatever has changed are not among them.
        enrichers: Fingerprint of the collection's enrichers.
    """

    assets: Mapping[str, KnownAsset]
    enrichers: str

    def has(self, key: str, file_path: str, size: int | None, mtime_ns: int | None, sidecars: str) -> bool:
        """Whether the file of that key was there when it was last looked for, and is as it was."""
        asset = self.assets.get(key)
        return (
            asset is not None
            and asset.missing_since is None
            and asset.facts == (file_path, size, mtime_ns, sidecars, self.enrichers)
        )


def discover(
    importer: Importer, collection: Collection, filters: IngestFilters, known: Known, *, progress: Progress | None
) -> Discovered:
    """All that `importer` finds. Raises what `importers.discover` raises."""
    if type(importer) is FilesystemImporter:  # one derived from it may find other things
        return _walked(importer, collection, filters, known, progress)
    return Discovered(importers.discover(importer, collection, collection.path_mappings, filters, progress=progress))


def _walked(
    importer: FilesystemImporter, collection: Collection, filters: IngestFilters, known: Known, progress: Progress | None
) -> Discovered:
    """What the library's own walk finds: of an unchanged file it makes no draft, which would cost more than to look at it."""
    found = Discovered()
    differing: set[str] = set()
    for run in importer.runs(collection.path_mappings, filters):
        of_show = process.fingerprint_of(run.shows)
        for entry, status in run.examined():
            key, sidecars = run.key(entry.name), run.sidecars(entry.name)
            fingerprint = of_show if sidecars is run.shows else process.fingerprint_of(sidecars)
            is_known = known.has(key, entry.path, status.st_size, status.st_mtime_ns, fingerprint)
            if is_known and key not in found.unchanged and key not in differing:
                found.unchanged[key] = sidecars
                found.heard.add(run.mapping.id)
            else:
                found.drafts.append(run.draft(entry, status))
                differing.add(key)
            if progress is not None:
                progress(len(found.drafts) + len(found.unchanged), None, entry.path)
    return found
