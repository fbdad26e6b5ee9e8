"""Why an asset is what it is, in sentences: what happened to it, and what keeps it off the air."""

from __future__ import annotations

from retrovue_uow.model import Asset, Explanation, JournalUnit, RowChange
from retrovue_uow.rules import curation
from retrovue_uow.store import assets, decisions, findings, journal
from retrovue_uow.uow.database import Database

_UNTOLD = frozenset({"id", "updated_at", "enrichers", "sidecars"})


def explanation(db: Database, asset: Asset) -> Explanation:
    """All that can be said of an asset."""
    found = tuple(findings.findings(db, asset.id))
    reasons = curation.not_schedulable(asset, is_broken=any(each.severity == "broken" for each in found))
    created_at = assets.created_at(db, asset.id)
    # a large unit is not unpacked for one row, whose time of creation names it as well
    adding = journal.recorded_units(db, "asset", "insert", at=created_at)
    if len(adding) != 1:
        adding = [unit for unit, _ in journal.changes_of(db, "asset", asset.id, "insert")]
    created = f"by {_named(adding[0])}" if adding else f"at {created_at}, by a unit that is no longer recorded row by row"
    updates = journal.changes_of(db, "asset", asset.id, "update")
    later = [f"changed by {_named(unit)}: {_columns(row)}" for unit, row in updates]
    return Explanation(asset, not reasons, reasons, (f"created {created}", *later, *_assignment(db, asset)), found)


def _named(unit: JournalUnit) -> str:
    names = ", ".join(dict.fromkeys(operation.name for operation in unit.operations))
    return f"{names} at {unit.committed_at} (unit {unit.id})"


def _columns(row: RowChange) -> str:
    old, new = row.old or {}, row.new or {}
    changed = [f"{name} {old.get(name)!r} -> {value!r}" for name, value in new.items() if name not in _UNTOLD]
    return ", ".join(changed) or "read again, with nothing new"


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
