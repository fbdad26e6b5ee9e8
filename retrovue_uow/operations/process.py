"""One draft becomes one asset, with its title, season, episodes, markers and metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import attrs

from retrovue_uow.errors import AssetProcessingError, ValidationError
from retrovue_uow.media import plugins, roots, walk
from retrovue_uow.media.enrichment import ReadyEnricher, enrich_all
from retrovue_uow.media.probe_results import ProbeResults
from retrovue_uow.model import (
    Asset,
    AssetDraft,
    AssetProcessingResult,
    Collection,
    Marker,
    Outcome,
    PathMapping,
    Refresh,
    Sidecar,
)
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import integrity, preflight
from retrovue_uow.rules.drafts import validate_asset_draft
from retrovue_uow.store import assets, decisions, titles
from retrovue_uow.store.assets import KnownAsset
from retrovue_uow.store.ids import new_id, utc_now
from retrovue_uow.store.result_cache import ResultCache
from retrovue_uow.store.titles import Hierarchy
from retrovue_uow.uow.database import Database

_REFRESHES = (None, "changed", "all")


def process_asset(
    catalog: OpenCatalog, asset_draft: AssetDraft, collection: str, *, refresh: Refresh | None = None
) -> AssetProcessingResult:
    """Enrich one draft and write it into a collection, whoever else is working on that collection.

    Pre-conditions:
        - The draft is sound, and its file is there, below a path mapping of the collection without leaving it by a link.
        - The collection exists and is enabled, and the mapped folder can be read.
        - The collection's enrichers are available.

    Post-conditions:
        - There is one asset for the draft's path. A new one is ready if its duration is known, and never approved.
        - An existing one is as it was, unless `refresh` asked for it; its approval is withdrawn only if facts changed.
          A size or an mtime that was not known is filled in, and is no change.
        - Every title, season and episode holds something up, and the asset has the links that its kind asks for.

    Atomicity: The asset with all that belongs to it, or nothing. Enrichers run before the write lock is taken.

    Args:
        collection: Identifier, external id or name.
        refresh: What to do with an existing asset: None leaves it, `"changed"` enriches it again if the file, its sidecars
            or the enrichers changed, `"all"` does in any case.

    Raises:
        AssetProcessingError: As in every operation, and where an enricher failed.
        ContractError: A unit of work is open: prepare an ingest in front of it instead.
    """
    if isinstance(asset_draft, AssetDraft):
        asset_draft = plugins.masked_draft(asset_draft)
    path = getattr(asset_draft, "source_path", None)
    with catalog.operation(
        "asset_process", AssetProcessingError, prepares=True, source_path=path, collection=collection, refresh=refresh
    ) as op:
        with op.preflight() as db:
            validate_refresh(refresh)
            found = preflight.validate_collection_exists(db, collection)
            key, mapping = validate_asset_draft(asset_draft, found)
            preflight.validate_collection_accessible(found, mapping)
            enrichers = plugins.ready(found.enrichers, catalog.enrichers)
            preflight.validate_enrichers_available(enrichers)
            known = assets.known_asset(db, found.id, key)
        with op.preparation():
            op.working_on = key
            validate_inside_mapping(asset_draft, mapping, roots.Links())
            draft = walk.with_sidecars(_there(asset_draft, mapping), mapping.local_path)
            fingerprint = plugins.fingerprint(found.enrichers, [each.enricher for each in enrichers])
            is_enriched = known is None or wants_refresh(known, draft, fingerprint, refresh)
            if is_enriched:
                with probe_results(catalog.database.path, found, refresh) as kept:
                    draft = _enriched(draft, enrichers, kept)
            validate_asset_draft(draft, found)
        with op.execution() as db:
            preflight.validate_collection_unchanged(db, found)
            decided = decisions.decisions(db, found.id, key)
            if is_enriched:
                draft = decided.settle(key, draft)
            with db.session():
                write = AssetWrite(
                    found.id, key, mapping.id, draft, fingerprint, known, is_enriched, is_retired=key in decided.retired
                )
                hierarchy = Hierarchy(db)
                written = write_asset(db, hierarchy, write, assets.known_asset(db, found.id, key), now=utc_now())
        with op.postvalidation() as db:
            integrity.validate_asset_relationships(db, written.asset_id)
            integrity.validate_hierarchy_integrity(db)
            integrity.validate_no_duplicates(db)
        return op.finish(
            AssetProcessingResult(
                asset=existing_asset(catalog.database, written.asset_id),
                outcome=written.outcome,
                created_entities=dict(hierarchy.added),
            )
        )


def _there(draft: AssetDraft, mapping: PathMapping) -> AssetDraft:
    """The draft with what the disk knows of its file, which is there."""
    (found,) = walk.on_disk([draft])
    if found is None:
        raise ValidationError(
            f"file {draft.file_path!r} is not there: is its disk mounted, and is {mapping.local_path!r} the folder that "
            f"{mapping.source_path!r} is mapped to?"
        )
    return found


def _enriched(draft: AssetDraft, enrichers: list[ReadyEnricher], kept: ProbeResults) -> AssetDraft:
    (enriched,) = enrich_all([draft], enrichers, results=kept)
    return draft if enriched is None else classified(enriched)


@contextmanager
def probe_results(catalog_path: str, collection: Collection, refresh: Refresh | None) -> Iterator[ProbeResults]:
    """A block in which what is found in files is kept beside the catalogue, also where the block fails.

    With `refresh="all"` every file is read again.
    """
    with ResultCache(catalog_path) as cache:
        yield ProbeResults(cache, lambda draft: validate_asset_draft(draft, collection), recalls=refresh != "all")


def validate_refresh(refresh: object) -> None:
    """`refresh` is one of the three things that it can be."""
    if refresh not in _REFRESHES:
        raise ValidationError(f"refresh must be None, 'changed' or 'all', not {refresh!r}")


def validate_inside_mapping(draft: AssetDraft, mapping: PathMapping, links: roots.Links) -> None:
    """The file, with every link followed, lies inside the mapped folder."""
    if links.lead_out(draft.file_path, mapping.local_path):
        raise ValidationError(
            f"{draft.file_path!r} leads out of the mapped folder {mapping.local_path!r} by a link: map the folder it leads to"
        )


def classified(draft: AssetDraft) -> AssetDraft:
    """The draft with kind `other` where nothing could classify it; the catalogue never guesses."""
    return draft if draft.kind is not None else attrs.evolve(draft, kind="other")


def sidecar_fingerprint(draft: AssetDraft) -> str:
    """That of a draft's sidecars; of one that nobody has looked for, as if there were none."""
    return fingerprint_of(draft.sidecars or ())


def fingerprint_of(sidecars: tuple[Sidecar, ...]) -> str:
    """A short text that changes with the names, sizes and mtimes of the sidecars; empty where there are none."""
    if not sidecars:
        return ""
    facts = sorted((sidecar.path, sidecar.size, sidecar.mtime_ns) for sidecar in sidecars)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def is_changed(known: KnownAsset, draft: AssetDraft, fingerprint: str) -> bool:
    """Whether the file, its sidecars or the enrichers differ from what the catalogue recorded."""
    return is_other_file(known, draft) or (known.file_path, known.sidecars, known.enrichers) != (
        draft.file_path,
        sidecar_fingerprint(draft),
        fingerprint,
    )


def is_other_file(known: KnownAsset, draft: AssetDraft) -> bool:
    """Whether size or mtime differ from what the catalogue recorded; what it did not record is no difference."""
    return known.size not in (None, draft.size) or known.mtime_ns not in (None, draft.mtime_ns)


def wants_refresh(known: KnownAsset, draft: AssetDraft, fingerprint: str, refresh: Refresh | None) -> bool:
    """Whether an existing asset is to be enriched again."""
    return refresh == "all" or (refresh == "changed" and is_changed(known, draft, fingerprint))


@attrs.frozen
class AssetWrite:
    """A draft, ready to be written.

    Attributes:
        enrichers: Fingerprint of the collection's enrichers.
        seen: What the catalogue knew of the asset when the draft was prepared; None: nothing.
        is_enriched: Whether the enrichers saw the draft; only then may it create or change an asset.
        is_retired: Whether the operator has taken the file out of use; the asset may not be there.
    """

    collection_id: str
    key: str
    mapping_id: int
    draft: AssetDraft
    enrichers: str
    seen: KnownAsset | None
    is_enriched: bool
    is_retired: bool = False


class Written(NamedTuple):
    """What became of a draft."""

    asset_id: str
    outcome: Outcome


def write_asset(db: Database, hierarchy: Hierarchy, write: AssetWrite, known: KnownAsset | None, *, now: str) -> Written:
    """Create the asset, refresh it, or leave it; `known` is what the open unit knows of it, `now` the time to write.

    Raises:
        ValidationError: Somebody changed or removed the asset since the draft was prepared.
    """
    if known is None:
        if not write.is_enriched or write.seen is not None:
            raise ValidationError(f"{write.key!r} went from the catalogue while its file was looked at: run it again")
        return _create(db, hierarchy, write, now=now)
    if known.missing_since is not None:
        assets.mark_returned(db, known.id)
        if is_other_file(known, write.draft):
            assets.withdraw_approval(db, known.id)  # what was approved is not what has come back
    if known.lacks_facts:
        assets.fill_in_facts(db, known.id, write.draft, now=now)
    if not write.is_enriched or write.seen is None:
        return Written(known.id, "changed" if is_changed(known, write.draft, write.enrichers) else "unchanged")
    if known._replace(missing_since=None) != write.seen._replace(missing_since=None):
        raise ValidationError(f"{write.key!r} was changed by somebody else while its file was looked at: run it again")
    return _refresh(db, hierarchy, write, known, now=now)


def _create(db: Database, hierarchy: Hierarchy, write: AssetWrite, *, now: str) -> Written:
    written = Written(new_id(), "created")
    assets.add_asset(
        db,
        written.asset_id,
        write.draft,
        collection_id=write.collection_id,
        path_mapping_id=write.mapping_id,
        canonical_key=write.key,
        sidecars=sidecar_fingerprint(write.draft),
        enrichers=write.enrichers,
        is_retired=write.is_retired,
        now=now,
    )
    _link(db, hierarchy, write.draft, written.asset_id, now=now)
    assets.add_markers(db, written.asset_id, write.draft.markers)
    assets.set_metadata(db, written.asset_id, write.draft.metadata)
    return written


def _refresh(db: Database, hierarchy: Hierarchy, write: AssetWrite, known: KnownAsset, *, now: str) -> Written:
    before = _facts(db, known.id)
    assets.update_asset(
        db,
        known.id,
        write.draft,
        path_mapping_id=write.mapping_id,
        sidecars=sidecar_fingerprint(write.draft),
        enrichers=write.enrichers,
        now=now,
    )
    link_again(db, hierarchy, before[0], write.draft, now=now)
    if set(before[1]) != set(write.draft.markers):
        assets.remove_markers(db, known.id)
        assets.add_markers(db, known.id, write.draft.markers)
    assets.remove_metadata(db, known.id, keep=write.draft.metadata)
    assets.set_metadata(db, known.id, write.draft.metadata)
    if _facts(db, known.id) != before:
        assets.withdraw_approval(db, known.id)
    return Written(known.id, "refreshed")


def link_again(db: Database, hierarchy: Hierarchy, asset: Asset, draft: AssetDraft, *, now: str) -> None:
    """Let an asset show what the draft says, and remove what nothing shows any more; links that are right stay."""
    if identity(asset) == identity(draft):
        _name_episodes(db, draft, asset.id)
        return
    episodes, movies = assets.unlink(db, asset.id)
    _link(db, hierarchy, draft, asset.id, now=now)
    _name_episodes(db, draft, asset.id)
    titles.prune(db, episodes, movies)
    hierarchy.forget()


def identity(asset: Asset | AssetDraft) -> tuple[object, ...]:
    """What an asset is and shows, as far as its kind shows anything."""
    shown = {"movie": (asset.title, asset.year), "episode": (asset.title, asset.year, asset.season_number)}
    numbers = tuple(sorted(asset.episode_numbers)) if asset.kind == "episode" else ()
    return asset.kind, shown.get(asset.kind or "", ()), numbers


def _name_episodes(db: Database, draft: AssetDraft, asset_id: str) -> None:
    if draft.kind == "episode" and draft.episode_title is not None:
        titles.name_episodes(db, asset_id, draft.episode_title)


def _facts(db: Database, asset_id: str) -> tuple[Asset, list[Marker]]:
    """What an operator approved: all that is known of an asset but when its file was last touched and where it lies."""
    asset = existing_asset(db, asset_id)
    stripped = attrs.evolve(asset, mtime_ns=None, missing_since=None, approved=False, file_path="")
    return stripped, assets.markers(db, asset_id)


def existing_asset(db: Database, asset_id: str) -> Asset:
    """The asset with this identifier; raises `ValidationError` if there is none."""
    asset = assets.asset(db, asset_id)
    if asset is None:
        raise ValidationError(f"there is no asset {asset_id!r}: `asset list` shows them")
    return asset


def _link(db: Database, hierarchy: Hierarchy, draft: AssetDraft, asset_id: str, *, now: str) -> None:
    if draft.kind == "movie":
        assets.link_movie(db, hierarchy.title("movie", _title(draft), draft.year, now=now), asset_id)
    elif draft.kind == "episode":
        title_id = hierarchy.title("show", _title(draft), draft.year, now=now)
        season_id = hierarchy.season(title_id, draft.season_number or 0)
        for number in draft.episode_numbers:
            assets.link_episode(db, hierarchy.episode(season_id, number, draft.episode_title), asset_id)


def _title(draft: AssetDraft) -> str:
    if draft.title is None:
        raise ValidationError(f"draft {draft.source_path!r} is of kind {draft.kind} and has no title")
    return draft.title


def move_asset(db: Database, hierarchy: Hierarchy, write: AssetWrite, known: KnownAsset, *, refresh: bool, now: str) -> Written:
    """Let an asset follow its file; identity, approval and links stay.

    Where the new name tells something else, the asset counts as changed, and is read anew by the next refresh, or by this one.
    """
    decisions.move_decisions(db, known.id, write.key)
    assets.move_asset(
        db,
        known.id,
        write.draft,
        key=write.key,
        path_mapping_id=write.mapping_id,
        sidecars=sidecar_fingerprint(write.draft),
        is_changed=identity(existing_asset(db, known.id)) != identity(write.draft),
        now=now,
    )
    if refresh:
        _refresh(db, hierarchy, write, known, now=now)
    return Written(known.id, "moved")
