"""What must hold after an operation, before it commits. Each function raises, naming the rows, or returns."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from retrovue_uow.errors import ValidationError, Violation, some
from retrovue_uow.model import Collection
from retrovue_uow.rules.verdict import rule
from retrovue_uow.store import checks, collections
from retrovue_uow.uow.database import Database

_ORPHANS = ("title_without_content", "season_without_episode", "episode_without_asset")
_LINKS = ("asset_without_episode", "asset_without_movie", "asset_link_of_other_kind", "asset_outside_mapping")
_HIERARCHY = ("title_of_other_kind", "episode_of_other_season")
_BUSINESS = ("asset_marker_outside_duration", "asset_ready_though_broken")
_DECISIONS = ("retirement_contradicted", "assignment_contradicted", "title_spelling_contradicted", "approval_contradicted")
_DUPLICATES = ("collection_mapping_overlap",)


@rule
def validate_no_orphaned_records(db: Database) -> None:
    """No title without content, no season without episode, no episode without asset."""
    _refuse(checks.violations(db, _ORPHANS))


@rule
def validate_all_relationships(db: Database) -> None:
    """Every reference points at a row; assets, links and mappings fit together."""
    _refuse([*checks.broken_references(db), *checks.violations(db, (*_LINKS, *_HIERARCHY))])


@rule
def validate_business_rules(db: Database) -> None:
    """What a station expects of sound data, such as markers inside their file; nothing twice, and the operator's word kept."""
    _refuse(checks.violations(db, (*_BUSINESS, *_DUPLICATES, *_DECISIONS)))


@rule
def validate_asset_relationships(db: Database, asset_id: str) -> None:
    """One asset has the links that its kind asks for, markers inside its duration, and a mapping of its collection."""
    _refuse(checks.asset_violations(db, (*_LINKS, *_BUSINESS), asset_id))


@rule
def validate_hierarchy_integrity(db: Database) -> None:
    """Titles, seasons, episodes and assets stand on each other as they should, none without what holds it up."""
    _refuse(checks.violations(db, (*_ORPHANS, *_HIERARCHY)))


@rule
def validate_no_duplicates(db: Database) -> None:
    """No file can be in a collection under two paths. (Equal keys and identities SQLite itself refuses.)"""
    _refuse(checks.violations(db, _DUPLICATES))


@rule
def validate_collection_preserved(db: Database, before: Collection) -> None:
    """The collection is still there, as it was, with its enrichers and excludes."""
    now = _collection(db, before)
    if now is None or attrs.evolve(now, path_mappings=before.path_mappings) != before:
        raise ValidationError(f"collection {before.name!r} was not preserved: {now!r}")


@rule
def validate_path_mappings_preserved(db: Database, before: Collection) -> None:
    """The collection's path mappings are the same as before."""
    now = _collection(db, before)
    if now is None or now.path_mappings != before.path_mappings:
        raise ValidationError(f"the path mappings of collection {before.name!r} were not preserved")


@rule
def validate_database_consistency(db: Database) -> None:
    """Every reference points at a row and no rule is broken, in the whole catalogue."""
    _refuse([*checks.broken_references(db), *checks.violations(db)])


def _collection(db: Database, before: Collection) -> Collection | None:
    return next((collection for collection in collections.collections(db) if collection.id == before.id), None)


def _refuse(found: Sequence[Violation]) -> None:
    if found:
        details = [violation.detail + checks.whose(violation.rule) for violation in found]
        raise ValidationError(f"the catalogue would break its rules: {some(details)}", violations=found)
