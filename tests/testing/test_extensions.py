"""`assert_extension` accepts what is sound, and names the rule or the version where something is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from extending import MIGRATIONS, RULES, MakeExtension

from retrovue_uow import Catalog, RetroVueError
from retrovue_uow.testing import assert_atomic, assert_extension, snapshot

AIRING, SLOT = MIGRATIONS.values()
LENGTH = RULES["playlog_airing_length"]
AIRED = "INSERT INTO playlog_airing (asset_id, aired_at, duration_ms) SELECT id, 'now', {} FROM asset;"
PLANNED = "INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT min(id), 0, 1 FROM asset;"
UNCLASSIFY = "UPDATE asset SET kind = 'other'"
SOUND: dict[str, Any] = {
    "breaks": {
        "playlog_slot_overlap": PLANNED + PLANNED,
        "playlog_airing_length": AIRED.format(0),
        "playlog_slot_unclassified": f"{PLANNED}{UNCLASSIFY}",
    },
    "data": {1: AIRED.format(1), 2: AIRED.format(1) + PLANNED},
}
WIDE = PLANNED.replace("0, 1", "-1, 1")
EMPTY = AIRED.format(1) + PLANNED.replace("0, 1", "0, 0")


def test_a_sound_extension_is_accepted(extension: MakeExtension) -> None:
    assert_extension(extension(), **SOUND)


def test_one_without_migrations_is_accepted(extension: MakeExtension) -> None:
    rule = "SELECT 'playlog_new' AS rule, 'asset' AS subject, id, 'it is new' AS detail FROM asset WHERE state = 'new'"

    assert_extension(
        extension(migrations=(), rules={"playlog_new": rule}, views={}),
        breaks={"playlog_new": "UPDATE asset SET state = 'new', approved = 0"},
    )


UNSOUND: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a rule that nothing breaks": ({}, {"breaks": {}}, r"give SQL that breaks each rule, by its name: it has \('playlog_"),
    "a rule that is not broken": (
        {},
        {"breaks": {**SOUND["breaks"], "playlog_slot_overlap": PLANNED}},
        "what breaks rule 'playlog_slot_overlap' was committed",
    ),
    "SQL that cannot run": (
        {},
        {"breaks": {**SOUND["breaks"], "playlog_slot_overlap": "INSERT INTO nowhere VALUES (1)"}},
        "what breaks rule 'playlog_slot_overlap' cannot be written: .*no such table: nowhere",
    ),
    "rows that cannot be written": ({}, {"data": {**SOUND["data"], 1: PLANNED}}, "the rows of version 1 cannot be written"),
    "another rule that is broken": (
        {},
        {"breaks": {**SOUND["breaks"], "playlog_slot_overlap": AIRED.format(0)}},
        "what breaks rule 'playlog_slot_overlap' was refused, but not by it",
    ),
    "a rule that says a key of no row": (
        {
            "rules": {
                **RULES,
                "playlog_airing_length": LENGTH.replace("       id,", "       -id AS id,"),
            }
        },
        {},
        "rule 'playlog_airing_length' says -1, which is the key of no row of 'playlog_airing'",
    ),
    "a rule that says another's name": (
        {"rules": {**RULES, "playlog_airing_length": LENGTH.replace("length' AS", "size' AS")}},
        {},
        "rule 'playlog_airing_length' must say its name, a table, a key and words",
    ),
    "a rule without words": (
        {
            "rules": {
                **RULES,
                "playlog_airing_length": LENGTH.replace("'airing ' || id || ' has no length'", "''"),
            }
        },
        {},
        "rule 'playlog_airing_length' must say its name, a table, a key and words",
    ),
    "a version without rows": ({}, {"data": {2: SOUND["data"][2]}}, r"give rows for each version from 1 to 2, not for \(2,\)"),
    "a table without rows": (
        {},
        {"data": {**SOUND["data"], 2: PLANNED}},
        "the rows of version 2 leave table 'playlog_airing' empty",
    ),
    "a migration that fails where there are rows": (
        {"migrations": (AIRING, SLOT, "CREATE UNIQUE INDEX playlog_slot_start ON playlog_slot (start_ms)")},
        {
            "breaks": {**SOUND["breaks"], "playlog_slot_overlap": WIDE + PLANNED},
            "data": {**SOUND["data"], 2: EMPTY * 2, 3: EMPTY},
        },
        "migration '0003_step' of extension 'playlog' failed at statement 1",
    ),
    "a migration that breaks a rule": (
        {"migrations": (AIRING, SLOT, "UPDATE playlog_airing SET duration_ms = 0")},
        {"data": {**SOUND["data"], 3: SOUND["data"][2]}},
        "has no length",
    ),
    "a table that is not STRICT": ({"migrations": (AIRING.replace("STRICT", ""), SLOT)}, {}, "not STRICT"),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_what_is_unsound_is_named(extension: MakeExtension, case: str) -> None:
    parts, given, message = UNSOUND[case]

    with pytest.raises((AssertionError, RetroVueError), match=message):
        assert_extension(extension(**parts), **{**SOUND, **given})


def test_the_fixture_has_assets_that_may_air(
    retrovue_extended_catalog: Callable[..., Catalog], extension: MakeExtension
) -> None:
    catalog = retrovue_extended_catalog(extension())

    assert len(catalog.schedulable_assets(versions="all")) == len(catalog.assets()) == 12
    assert [each.name for each in catalog.extensions()] == ["playlog"]
    assert retrovue_extended_catalog().extensions() == []


def test_assert_atomic_works_on_copies_with_the_extension_s_code(
    retrovue_extended_catalog: Callable[..., Catalog], extension: MakeExtension
) -> None:
    catalog = retrovue_extended_catalog(extension())
    versions = set()

    def act(copy: Catalog) -> None:
        versions.add(copy.extensions()[0].known_version)
        with copy.session() as db:
            db.execute(PLANNED)

    report = assert_atomic(catalog, act, faults=["statement"], sample=5)

    assert report.faults == 5
    assert versions == {2}


def test_a_snapshot_knows_rows_by_a_key_that_is_not_the_first_column(
    retrovue_extended_catalog: Callable[..., Catalog], extension: MakeExtension
) -> None:
    table = "CREATE TABLE playlog_note (what TEXT NOT NULL, id INTEGER PRIMARY KEY) STRICT"
    catalog = retrovue_extended_catalog(extension(migrations=[table], rules={}, views={}))
    with catalog.session() as db:
        db.execute("INSERT INTO playlog_note VALUES ('b', 1), ('a', 2)")
    before = snapshot(catalog, journal=False)

    with catalog.session() as db:
        db.execute("UPDATE playlog_note SET what = 'b'")

    assert before["playlog_note"] == [("b", 1), ("a", 2)]
    assert before.differences(snapshot(catalog, journal=False)) == ["~ playlog_note 2: what 'a' → 'b'"]
