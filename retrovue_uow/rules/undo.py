"""What must hold so that a unit of work can be undone. Each function raises, naming the row and who changed it, or returns."""

from __future__ import annotations

from collections.abc import Iterator

from retrovue_uow.errors import ValidationError, Violation, some
from retrovue_uow.model import JournalUnit
from retrovue_uow.rules.verdict import rule
from retrovue_uow.store import checks, decisions, extensions, journal, rows, titles
from retrovue_uow.store.ids import whole_id
from retrovue_uow.store.rows import RowName
from retrovue_uow.uow.changes import ApplyConflict, Changeset, Key
from retrovue_uow.uow.database import Database

_SHOWN = 10


@rule
def validate_unit_exists(db: Database, unit_id: object) -> JournalUnit:
    """The unit of the journal with that identifier."""
    unit = journal.unit(db, whole_id(db, "unit_of_work", unit_id)) if isinstance(unit_id, str) else None
    if unit is None:
        raise ValidationError(f"there is no unit {unit_id!r} in the journal: `history` lists them")
    return unit


@rule
def validate_unit_can_be_undone(db: Database, unit: JournalUnit) -> Changeset:
    """What undoes the unit, which changed something and is not undone; its record is there, whole, and fits the tables."""
    if unit.undone_by is not None:
        raise ValidationError(f"unit {unit.id!r} was undone already, by unit {unit.undone_by!r}: undo that one to have it back")
    inverse = journal.recorded(db, unit, inverted=True)
    if not inverse:
        raise ValidationError(f"unit {unit.id!r} changed nothing: there is nothing to undo")
    goes = {table for table, changed in inverse.keys.changed.items() if changed.get("DELETE")}
    if unsafe := goes.intersection(extensions.folded_tables(db)):
        raise ValidationError(
            f"unit {unit.id!r} cannot be undone: it added rows to table {min(unsafe)!r}, whose key is compared by another "
            "collation than BINARY, and may only have spelled one anew, which would be deleted. Change its rows back yourself"
        )
    return inverse


@rule
def validate_rows_are_as_left(db: Database, unit: JournalUnit, inverse: Changeset) -> None:
    """No row that the unit changed was changed since, not even in other columns, which SQLite would not compare."""
    updated = {table: keys for table, changed in inverse.keys.changed.items() if (keys := changed.get("UPDATE"))}
    since = journal.changed_since(db, unit) if updated else []
    for table, keys in updated.items():
        changed_since = set[Key]().union(*(keys for each in since for keys in each.keys.changed[table].values()))
        for key in keys:
            if key in changed_since:
                row = rows.named(db, table, key)
                reason = f"{row} was changed since{_since(db, unit, row)}"
                raise ValidationError(f"unit {unit.id!r} cannot be undone, and nothing was changed: {reason}")


@rule
def validate_nothing_in_the_way(db: Database, unit: JournalUnit, conflict: ApplyConflict | None) -> None:
    """Every row that the unit changed is still as the unit left it, and nothing has taken the place of one that it deleted."""
    if conflict is None:
        return
    row = rows.name_of(db, conflict.change)
    if conflict.kind == "refused":
        twin = rows.row_with_same_unique_key(db, conflict.change)
        if twin is None:
            reason = f"{row} cannot be as it was: SQLite refuses it as the catalogue is now"
        else:
            reason = f"{twin} has taken the place of {row}{_since(db, unit, twin)}"
    else:
        verb = {"changed": "was changed since", "gone": "is gone", "there": "is there again"}[conflict.kind]
        reason = f"{row} {verb}{_since(db, unit, row)}"
    raise ValidationError(f"unit {unit.id!r} cannot be undone, and nothing was changed: {reason}")


@rule
def validate_no_later_decision(db: Database, unit: JournalUnit, inverse: Changeset) -> None:
    """No title loses, by what `inverse` has just changed, a name in which something was decided since."""
    if not inverse.keys.changed["title"]["UPDATE"]:
        return
    there = {each.id: each for each in titles.titles(db)}
    for change in inverse.rows():
        if change.table != "title" or change.old is None or not {"name", "year"} & set(change.new or {}):
            continue
        title = there[str(change.key)]
        name, year = str(change.old.get("name", title.name)), change.old.get("year", title.year)
        decided = decisions.naming_title(db, title.kind, name, year if isinstance(year, int) else None)
        if decided:
            reasons = [words + _since(db, unit, RowName(table, key)) for table, key, words in decided[:_SHOWN]]
            raise ValidationError(
                f"unit {unit.id!r} cannot be undone, and nothing was changed: the operator has decided since in the name of "
                f"{title.kind} {name!r}: {some(reasons, of=len(decided))}. Or rename the title instead"
            )


@rule
def validate_nothing_hangs_loose(db: Database, unit: JournalUnit, inverse: Changeset) -> None:
    """No row that goes has got children since, and every row that comes back finds what it refers to."""
    broken = checks.broken_references(db)
    if not broken:
        return
    reasons = list(dict.fromkeys(reason for each in broken[:_SHOWN] for reason in _loose(db, unit, inverse, each)))
    listed = some(reasons, of=len(broken))
    raise ValidationError(f"unit {unit.id!r} cannot be undone, and nothing was changed: {listed}", violations=broken)


def _loose(db: Database, unit: JournalUnit, inverse: Changeset, broken: Violation) -> Iterator[str]:
    row = rows.named(db, broken.subject, broken.id)
    if row.key not in inverse.keys.changed[row.table]["INSERT"]:
        yield f"below what it added there is more now, {row}{_since(db, unit, row)}"
        return
    for table, key in checks.missing_parents(db, broken.subject, broken.id):
        parent = RowName(table, key)
        yield f"{row} would come back below {parent}, which is gone{_since(db, unit, parent)}"


def _since(db: Database, unit: JournalUnit, row: RowName) -> str:
    """Who changed a row last, in words."""
    last = journal.last_unit_that_changed(db, row.table, row.key, after=unit)
    if last is None:
        return ", by somebody whom the journal does not know"
    names = ", ".join(operation.name for operation in last.operations)
    return f", by unit {last.id!r} ({names}, {last.committed_at}): undo that first"
