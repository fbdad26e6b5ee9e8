"""Why an asset is what it is, in sentences: what happened to it, and what keeps it off the air."""

from __future__ import annotations

from retrovue_uow.model import Asset, Explanation, JournalUnit, RowChange
from retrovue_uow.rules import curation
from retrovue_uow.store import assets, decisions, journal
from retrovue_uow.uow.database import Database

_UNTOLD = frozenset({"id", "updated_at", "enrichers", "sidecars"})


def explanation(db: Database, asset: Asset) -> Explanation:
    """All that can be said of an asset."""
    reasons = curation.not_schedulable(asset)
    changes = list(journal.changes_of(db, "asset", asset.id))
    return Explanation(
        asset=asset,
        is_schedulable=not reasons,
        reasons=reasons,
        history=(*_creation(db, asset, changes), *_later(changes), *_assignment(db, asset)),
    )


def _creation(db: Database, asset: Asset, changes: list[tuple[JournalUnit, RowChange]]) -> list[str]:
    created = [unit for unit, row in changes if row.kind == "insert"]
    if created:
        return [f"created by {_named(created[0])}"]
    return [f"created at {assets.created_at(db, asset.id)}, by a unit that is no longer recorded row by row"]


def _later(changes: list[tuple[JournalUnit, RowChange]]) -> list[str]:
    return [f"changed by {_named(unit)}: {_told(row)}" for unit, row in changes if row.kind == "update"]


def _named(unit: JournalUnit) -> str:
    names = ", ".join(dict.fromkeys(operation.name for operation in unit.operations))
    return f"{names} at {unit.committed_at} (unit {unit.id})"


def _told(row: RowChange) -> str:
    old, new = row.old or {}, row.new or {}
    told = [f"{name} {old.get(name)!r} -> {value!r}" for name, value in new.items() if name not in _UNTOLD]
    return ", ".join(told) or "read again, with nothing new"


def _assignment(db: Database, asset: Asset) -> list[str]:
    decided = decisions.decisions(db, asset.collection_id, asset.canonical_key)
    identity = decided.assignments.get(asset.canonical_key)
    if identity is None:
        return []
    words: list[str] = [identity.kind]
    if identity.title is not None:
        words.append(f"of {identity.title!r}" + (f" ({identity.year})" if identity.year else ""))
    if identity.season_number is not None:
        words.append(f"season {identity.season_number}, episodes {', '.join(map(str, identity.episode_numbers))}")
    return [f"assigned by the operator, whose word outranks the file's: {' '.join(words)}"]
