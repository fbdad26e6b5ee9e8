"""One draft becomes one asset, even while others work on its collection."""

from __future__ import annotations

import os

import attrs

import retrovue_uow
from retrovue_uow import media
from retrovue_uow.errors import AssetProcessingError, ValidationError
from retrovue_uow.media import paths, plugins, roots
from retrovue_uow.model import AssetDraft, Broken, Outcome, PathMapping, Refresh
from retrovue_uow.operations.discover import Found, facts_of
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.operations.prepare import enriched
from retrovue_uow.operations.write import Writer
from retrovue_uow.rules import integrity, preflight
from retrovue_uow.rules.drafts import validate_asset_draft, validate_inside_mapping
from retrovue_uow.store import assets, decisions
from retrovue_uow.store.known import KnownAsset, is_broken, known_asset


def process_asset(
    catalog: OpenCatalog,
    asset_draft: AssetDraft,
    collection: str,
    *,
    refresh: Refresh | None = "files",
    broken: Broken = "refuse",
) -> retrovue_uow.AssetProcessingResult:
    """Enrich one draft and write it into a collection, even while others work on that collection.

    Pre-conditions:
        - The draft is sound, and its file is there, below a path mapping of the collection without leaving it by a link. No
          other file is the asset whose name differs in Unicode form alone.
        - The collection exists and is enabled, and the mapped folder can be read.
        - The collection's enrichers are available.

    Post-conditions:
        - There is one asset for the draft's path. A new one is ready if its duration is known, and approved only where the
          operator had approved the same file before.
        - An existing one is as it was, unless its file changed or `refresh` asked for it; its approval is withdrawn only if
          facts changed, or if the file is broken, and the result says why.
          A size or an mtime that was not known is filled in, and is no change.
        - Every title, season and episode holds something up, and the asset has the links that its kind asks for.

    Atomicity: The asset with all that belongs to it, or nothing. Enrichers run before the write lock is taken.

    Args:
        collection: Identifier, external id or name.
        refresh: What to do with an existing asset: `"files"` enriches it again if its file, path or sidecars changed,
            `"changed"` also if the enrichers did, `"all"` does in any case; None leaves it, unless its file was broken and is
            another one now.
        broken: What to do where an enricher calls the file broken: `"refuse"` fails, `"record"` keeps the asset as new, with a
            finding.

    Raises:
        AssetProcessingError: As in every operation, and where an enricher failed.
        ContractError: A unit of work is open: prepare an ingest in front of it instead.
    """
    if isinstance(asset_draft, AssetDraft):
        asset_draft = plugins.masked_draft(asset_draft)
    path = getattr(asset_draft, "source_path", None)
    with catalog.operation(
        "asset_process",
        AssetProcessingError,
        prepares=True,
        source_path=path,
        collection=collection,
        refresh=refresh,
        broken=broken,
    ) as op:
        with op.preflight() as db:
            preflight.validate_refresh(refresh)
            preflight.validate_broken(broken)
            owner = preflight.validate_collection_exists(db, collection)
            key, mapping = validate_asset_draft(asset_draft, owner)
            preflight.validate_collection_accessible(owner, mapping)
            enrichers = plugins.ready(owner.enrichers, catalog.enrichers, owner.path_mappings)
            preflight.validate_enrichers_available(enrichers)
            known = known_asset(db, owner.id, key)
            was_broken = known is not None and is_broken(db, known.id)
        with op.preparation():
            op.working_on = key
            validate_inside_mapping(asset_draft, mapping, roots.Links())
            draft = _there(asset_draft, mapping)
            _refuse_twin(draft, known)
            warned: list[str] = []
            draft = media.walk.with_sidecars(
                draft,
                mapping.local_path,
                media.walk.refuse if broken == "refuse" else lambda *told: warned.append(str(told[2])),
            )
            draft = attrs.evolve(draft, warnings=(*draft.warnings, *warned))
            fingerprint = plugins.fingerprint(owner.enrichers, [each.enricher for each in enrichers])
            found = Found(key, draft, mapping, facts_of(draft, fingerprint), known)
            if found.is_due(refresh, was_broken=was_broken):
                recalls = refresh != "all"
                (read,) = enriched([draft], enrichers, catalog.database.path, recalls=recalls, broken=broken)
                if read is not None:
                    found = found._replace(draft=read.draft, is_enriched=True, findings=read.findings)
            validate_asset_draft(found.draft, owner)
        with op.execution() as db:
            preflight.validate_collection_unchanged(db, owner)
            decided = decisions.decisions(db, owner.id, ((key, key),))
            writer = Writer(op, db, owner.id, decided)
            found, known = found.settled(decided, known_as=key), known_asset(db, owner.id, key)
            outcome: Outcome = "created" if known is None else writer.update([(found, known)])[0]
            (asset_id,) = writer.create([found]) if known is None else (known.id,)
        with op.postvalidation() as db:
            integrity.validate_asset_relationships(db, asset_id)
            integrity.validate_hierarchy_integrity(db)
            integrity.validate_no_duplicates(db)
        asset = assets.asset(catalog.database, asset_id)
        added = dict(writer.hierarchy.added)
        return op.finish(
            retrovue_uow.AssetProcessingResult(
                asset=asset,
                outcome=outcome,
                created_entities=added,
                findings=found.findings,
                withdrawals=tuple(writer.withdrawals),
            )
        )


def _there(draft: AssetDraft, mapping: PathMapping) -> AssetDraft:
    """The draft with what the disk knows of its file, which is there."""
    (found,) = roots.on_disk([draft])
    if found is None:
        raise ValidationError(
            f"file {draft.file_path!r} is not there: is its disk mounted, and is {mapping.local_path!r} the folder that "
            f"{mapping.source_path!r} is mapped to?"
        )
    return found


def _refuse_twin(draft: AssetDraft, known: KnownAsset | None) -> None:
    """Two files whose names differ in Unicode form alone have one key: the one that is known stays the asset."""
    taken = draft.file_path if known is None else known.facts.file_path
    if paths.are_twins(draft.file_path, taken) and os.path.exists(taken) and not os.path.samefile(taken, draft.file_path):
        raise ValidationError(
            f"file {paths.with_form(draft.file_path)} differs from {paths.with_form(taken)}, which is the asset, in Unicode "
            "form alone: rename one of the two"
        )
