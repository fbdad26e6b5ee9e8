"""Recorded changes: rows like those of any sequence, and SQLite's memory of broken references."""

from __future__ import annotations

import apsw
import pytest

from retrovue_uow import Catalog, Collection, ContractError, ValidationError, WipeOptions
from retrovue_uow.store.changes import Changeset
from retrovue_uow.store.shape import read_shape


def test_changed_rows_are_a_sequence(catalog: Catalog, collection: Collection) -> None:
    catalog.ingest_collection("Shows")
    changes = catalog.wipe_collection("Shows", WipeOptions(dry_run=True)).changes
    again = catalog.wipe_collection("Shows", WipeOptions(dry_run=True)).changes
    assert changes is not None
    assert again is not None

    rows = list(changes.rows)

    assert len(changes.rows) == len(rows) > 4
    assert (changes.rows[0], changes.rows[-1], list(changes.rows[1:3])) == (rows[0], rows[-1], rows[1:3])
    assert changes.rows == again.rows
    assert len({changes.rows, again.rows}) == 1
    catalog.wipe_collection("Shows")
    empty = catalog.wipe_collection("Shows").changes
    assert empty is not None
    assert len({changes.rows, empty.rows}) == 2
    assert hash(changes.rows) != hash(empty.rows)


def test_after_an_undo_broken_references_cannot_be_made_forgotten_either(catalog: Catalog, collection: Collection) -> None:
    catalog.ingest_collection("Shows")
    unit = catalog.wipe_collection("Shows").unit_id
    assert unit is not None
    catalog.undo(unit)

    with catalog.session() as db, pytest.raises(ContractError):
        db.execute("PRAGMA defer_foreign_keys = OFF")


def test_a_damaged_changeset_is_told_and_changes_nothing(catalog: Catalog, collection: Collection) -> None:
    damaged = Changeset(b"T\x02\x01", read_shape(catalog.database))

    with pytest.raises(ValidationError, match="damaged"), catalog.session() as db:
        damaged.apply(db)

    assert catalog.check().is_sound
    assert apsw.Changeset.invert(b"") == b""
