"""A catalogue with an extension: its rows and rules have what the catalogue's own have, with no line of code of their own."""

# ruff: noqa: S608  the statements are put together from our own names

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from extending import MIGRATIONS, PLAYLOG, MakeExtension

from retrovue_uow import (
    AssetSelector,
    Catalog,
    Collection,
    ContractError,
    Extension,
    OperationError,
    ResourceError,
    RetroVueError,
    UndoError,
    ValidationError,
    WipeOptions,
)
from retrovue_uow.media import plugins
from retrovue_uow.rules.integrity import validate_business_rules, validate_database_consistency
from retrovue_uow.store import checks
from retrovue_uow.testing import snapshot
from retrovue_uow.uow.database import Params, Row

AIRING, SLOT = MIGRATIONS.values()


@pytest.fixture
def playlog(extension: MakeExtension) -> Extension:
    return extension()


@pytest.fixture
def station(catalog: Catalog, collection: Collection, playlog: Extension) -> Catalog:
    """Three episodes and a movie, all approved, and a playlog without rows."""
    catalog.ingest_collection(collection.name)
    catalog.approve(AssetSelector(state="ready"))
    catalog.add_extension(playlog)
    return catalog


def plan(catalog: Catalog, start_ms: int, end_ms: int, *, kind: str = "movie") -> None:
    """A slot for the first asset of a kind, in a unit of its own."""
    with catalog.session() as db:
        db.execute(
            "INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT min(id), ?, ? FROM asset WHERE kind = ?",
            (start_ms, end_ms, kind),
        )


def air(catalog: Catalog, duration_ms: int = 1000) -> None:
    with catalog.session() as db:
        db.execute(
            "INSERT INTO playlog_airing (asset_id, aired_at, duration_ms) SELECT id, 'noon', ? FROM asset WHERE kind = 'movie'",
            (duration_ms,),
        )


def elsewhere(catalog: Catalog, *statements: str) -> None:
    connection = apsw.Connection(catalog.database.path)
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


class TestRules:
    def test_a_unit_that_breaks_one_is_refused_by_rule_and_extension(self, station: Catalog) -> None:
        plan(station, 0, 10)
        before = snapshot(station)

        with pytest.raises(
            ValidationError, match=r"begins within another \(rule 'playlog_slot_overlap' of extension 'playlog'\)"
        ):
            plan(station, 5, 15)

        assert snapshot(station) == before

    def test_a_program_without_the_code_is_refused_just_so(self, station: Catalog) -> None:
        plan(station, 0, 10)
        with Catalog(station.database.path) as other, pytest.raises(ValidationError, match="'playlog_slot_overlap'"):
            plan(other, 5, 15)

    def test_what_another_program_broke_is_listed_by_any_shell_and_by_check(self, station: Catalog) -> None:
        plan(station, 0, 10)
        elsewhere(
            station,
            "UPDATE playlog_slot SET end_ms = 20",
            "INSERT INTO playlog_slot SELECT 9, asset_id, 5, 6, NULL FROM playlog_slot",
        )

        connection = apsw.Connection(station.database.path, flags=apsw.SQLITE_OPEN_READONLY)
        listed = connection.execute("SELECT rule, subject, id FROM violation").fetchall()
        connection.close()

        assert listed == [("playlog_slot_overlap", "playlog_slot", 9)]
        assert [(each.rule, each.id) for each in station.check().violations] == [("playlog_slot_overlap", "9")]

    def test_a_row_far_from_the_change_that_it_breaks_is_found(
        self, catalog: Catalog, collection: Collection, extension: MakeExtension
    ) -> None:
        """An approval that is withdrawn touches no slot that refers to the asset; nor does a slot the one after it."""
        approved = """
            SELECT 'playlog_slot_approved' AS rule, 'playlog_slot' AS subject, playlog_slot.id AS id, 'not approved' AS detail
              FROM playlog_slot
              JOIN asset_listing ON asset_listing.id = playlog_slot.asset_id
             WHERE asset_listing.approved = 'no'
            """
        gap = """
            SELECT 'playlog_slot_gap' AS rule, 'playlog_slot' AS subject, slot.id AS id, 'a gap before it' AS detail
              FROM playlog_slot AS slot
             WHERE slot.start_ms > 0
               AND NOT EXISTS (SELECT 1 FROM playlog_slot AS earlier WHERE earlier.end_ms = slot.start_ms)
            """
        catalog.ingest_collection(collection.name)
        catalog.approve(AssetSelector(state="ready"))
        catalog.add_extension(extension(rules={"playlog_slot_approved": approved, "playlog_slot_gap": gap}))
        plan(catalog, 0, 10)
        plan(catalog, 10, 20, kind="episode")
        before = snapshot(catalog)

        with pytest.raises(OperationError, match="not approved"):
            catalog.withdraw_approval(AssetSelector(kind="movie"))
        with pytest.raises(ValidationError, match="a gap before it"), catalog.session() as db:
            db.execute("DELETE FROM playlog_slot WHERE start_ms = 0")

        assert snapshot(catalog) == before

    def test_what_one_says_of_no_table_is_told_under_its_own_name(
        self, catalog: Catalog, collection: Collection, extension: MakeExtension
    ) -> None:
        odd = "SELECT 'asset_without_movie' AS rule, 'nowhere' AS subject, NULL AS id, 'no' AS detail FROM playlog_slot"
        catalog.ingest_collection(collection.name)
        catalog.add_extension(extension(rules={"playlog_odd": odd}))

        with pytest.raises(ValidationError, match=r"no \(rule 'playlog_odd' of extension 'playlog'\)") as caught:
            plan(catalog, 0, 10)

        assert [(each.rule, each.subject) for each in caught.value.violations] == [("playlog_odd", "nowhere")]

    def test_what_is_broken_already_stops_what_touches_the_tables_that_the_rule_reads_and_nothing_else(
        self, station: Catalog
    ) -> None:
        air(station)
        elsewhere(station, "UPDATE playlog_airing SET duration_ms = 0")

        station.add_source("another", "fake")
        plan(station, 0, 10)
        with pytest.raises(ValidationError, match="'playlog_airing_length'"):
            air(station)
        with station.session() as db:
            db.execute("UPDATE playlog_airing SET duration_ms = 1")

    def test_one_that_an_operation_names_is_asked(self, station: Catalog) -> None:
        with pytest.raises(OperationError, match="'playlog_slot_overlap'") as caught, station.operation("plan") as op:
            with op.preflight():
                pass
            with op.execution() as db:
                for start in (0, 1):
                    db.execute(
                        "INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT min(id), ?, 9 FROM asset", (start,)
                    )
            with op.postvalidation() as db:
                assert [each.id for each in checks.violations(db, ["playlog_slot_overlap"])] == ["2"]
                validate_business_rules(db)
                validate_database_consistency(db)
            op.finish(None)

        assert caught.value.phase == "postvalidation"
        assert isinstance(caught.value.cause, ValidationError)
        assert [each.rule for each in caught.value.cause.violations] == ["playlog_slot_overlap"]

    def test_what_all_rules_have_seen_is_not_judged_again_at_the_gate(
        self, station: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        execute = station.database.execute

        def noted(sql: str, params: Params = ()) -> list[Row]:
            asked.append(sql)
            return execute(sql, params)

        monkeypatch.setattr(station.database, "execute", noted)

        with station.operation("plan") as op:
            with op.preflight():
                pass
            with op.execution() as db:
                db.execute("INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT min(id), 0, 9 FROM asset")
            with op.postvalidation() as db:
                validate_database_consistency(db)
            op.finish(None)

        assert sum("main.playlog_slot_overlap" in sql for sql in asked) == 1
        assert sum("main.playlog_airing_length" in sql for sql in asked) == 0


NEVER_ENDING = """
WITH RECURSIVE forever (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
SELECT 'playlog_x' AS rule, 'playlog_slot' AS subject, n AS id, '' AS detail FROM playlog_slot CROSS JOIN forever WHERE n < 0
"""
FAILING = """
SELECT 'playlog_x' AS rule, 'playlog_slot' AS subject, id, abs(-9223372036854775807 - start_ms) AS detail
  FROM playlog_slot
"""


class TestRulesThatCannotJudge:
    @pytest.mark.parametrize(
        ("rule", "told"), [(NEVER_ENDING, "takes longer than 0.2 s"), (FAILING, "integer overflow")], ids=["endless", "raising"]
    )
    def test_the_unit_is_refused_and_check_names_it(
        self,
        catalog: Catalog,
        collection: Collection,
        extension: MakeExtension,
        monkeypatch: pytest.MonkeyPatch,
        rule: str,
        told: str,
    ) -> None:
        monkeypatch.setattr(checks, "RULE_LIMIT_S", 0.2)
        catalog.ingest_collection(collection.name)
        catalog.add_extension(extension(rules={"playlog_x": rule}))
        before = snapshot(catalog)

        with pytest.raises(ValidationError, match=f"a rule cannot judge: .*{told}.*'playlog_x' of extension 'playlog'"):
            plan(catalog, 1, 2)

        assert snapshot(catalog) == before
        elsewhere(catalog, "INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT min(id), 1, 2 FROM asset")
        (found,) = catalog.check().violations
        assert (found.rule, found.subject, found.id) == ("playlog_x", "view", "playlog_x")
        catalog.add_source("goes on", "fake")
        assert catalog.database.execute("SELECT count(*) FROM playlog_slot") == [(1,)]


def test_a_rule_that_never_ends_is_not_added(
    catalog: Catalog, extension: MakeExtension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "RULE_LIMIT_S", 0.2)
    before = snapshot(catalog)

    with pytest.raises(ValidationError, match=r"longer than 0.2 s \(rule 'playlog_x' of extension 'playlog'\)"):
        catalog.add_extension(extension(rules={"playlog_x": NEVER_ENDING.replace("playlog_slot CROSS JOIN ", "")}))

    assert snapshot(catalog) == before


class TestRows:
    def test_they_are_recorded_journalled_and_undone_with_cascades(self, station: Catalog) -> None:
        start = snapshot(station, journal=False)
        air(station)
        plan(station, 0, 10)
        with station.session() as db:
            db.execute("UPDATE playlog_slot SET airing_id = (SELECT id FROM playlog_airing), end_ms = 12")
        units = station.history(3)
        before = snapshot(station, journal=False)

        with station.session() as db:
            db.execute("DELETE FROM playlog_airing")
            assert db.execute("SELECT airing_id FROM playlog_slot") == [(None,)]
        unit = station.history(1)[0]

        assert unit.counts == {"playlog_airing": {"delete": 1}, "playlog_slot": {"update": 1}}
        assert unit.extensions == units[0].extensions == {"playlog": 2}
        assert [row.table for row in station.changes(unit.id).rows] == ["playlog_slot", "playlog_airing"]
        station.undo(unit.id)
        assert snapshot(station, journal=False) == before
        for each in units:
            station.undo(each.id)
        assert {
            name: station.database.execute(f"SELECT count(*) FROM {name}") for name in ("playlog_slot", "playlog_airing")
        } == {
            "playlog_slot": [(0,)],
            "playlog_airing": [(0,)],
        }
        assert snapshot(station, journal=False) == start

    def test_what_a_trigger_wrote_is_undone_and_done_again_once(self, station: Catalog) -> None:
        start = snapshot(station, journal=False)
        plan(station, 0, 10)
        plan(station, 10, 20)
        (counted,) = (end := snapshot(station, journal=False))["playlog_count"]
        assert counted[1] == 2

        units = station.history(2)
        undone = [station.undo(unit.id) for unit in units]
        assert snapshot(station, journal=False) == start
        for each in reversed(undone):
            station.undo(str(each.unit_id))

        assert snapshot(station, journal=False) == end

    def test_a_unit_that_changed_none_of_them_names_no_extension(self, station: Catalog) -> None:
        station.add_source("another", "fake")

        assert station.history(1)[0].extensions == {}

    def test_what_goes_with_an_asset_is_counted_before_and_comes_back_after(self, station: Catalog) -> None:
        plan(station, 0, 10)
        before = snapshot(station, journal=False)

        preview = station.wipe_collection("Shows", WipeOptions(dry_run=True))
        wiped = station.wipe_collection("Shows")

        for result in (preview, wiped):
            assert result.changes is not None
            assert result.changes.counts["playlog_slot"] == {"delete": 1}
        assert station.history(1)[0].extensions == {"playlog": 2}
        station.undo(str(wiped.unit_id))
        assert snapshot(station, journal=False) == before

    def test_titles_that_are_merged_and_renamed_keep_what_refers_to_their_assets(self, station: Catalog) -> None:
        plan(station, 0, 10)
        slots = snapshot(station)["playlog_slot"]

        station.rename_title("Tron", name="TRON")

        assert snapshot(station)["playlog_slot"] == slots

    def test_a_secret_in_a_row_is_masked_as_in_any_other(self, catalog: Catalog, extension: MakeExtension) -> None:
        keys = "CREATE TABLE playlog_rights (id INTEGER PRIMARY KEY, config TEXT NOT NULL) STRICT"
        catalog.add_extension(extension(migrations=[keys], rules={}, views={}))
        with catalog.session() as db:
            db.execute("""INSERT INTO playlog_rights VALUES (1, '{"password": "rosebud", "url": "http://u:rosebud@nas"}')""")

        (row,) = catalog.changes(catalog.history(1)[0].id).rows

        assert "rosebud" not in str(row)

    def test_a_row_of_its_own_that_keeps_another_from_an_undo_is_told_in_words(self, station: Catalog) -> None:
        air(station)
        airing = station.history(1)[0]
        plan(station, 0, 10)
        elsewhere(
            station,
            "CREATE TABLE note (id INTEGER PRIMARY KEY, airing_id INTEGER REFERENCES playlog_airing (id))",
            "INSERT INTO note (airing_id) SELECT id FROM playlog_airing",
        )

        with pytest.raises(
            UndoError, match=r"1 row of table 'playlog_airing' cannot be deleted because of 1 row of table 'note'"
        ):
            station.undo(airing.id)

    def test_a_backup_has_them_and_opens_without_the_code(self, station: Catalog, tmp_path: Path) -> None:
        plan(station, 0, 10)
        station.backup(tmp_path / "copy.db")

        with Catalog(tmp_path / "copy.db") as copy:
            assert copy.check().is_sound
            assert [each.name for each in copy.extensions()] == ["playlog"]
            assert snapshot(copy) == snapshot(station)
            copy.undo(copy.history(1)[0].id)

    def test_a_fault_at_any_statement_leaves_all_of_a_unit_undone(self, station: Catalog) -> None:
        before = snapshot(station)

        with pytest.raises(RetroVueError), station.session() as db:
            db.execute("INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT id, 0, 1 FROM asset LIMIT 1")
            db.execute("INSERT INTO playlog_slot (asset_id, start_ms, end_ms) VALUES ('nowhere', 5, 6)")

        assert snapshot(station) == before


class TestReshaped:
    RESHAPING = "ALTER TABLE playlog_slot DROP COLUMN airing_id; ALTER TABLE playlog_slot ADD COLUMN note TEXT"
    GROWING = "ALTER TABLE playlog_slot ADD COLUMN note TEXT"

    def test_a_unit_is_refused_where_a_table_that_it_touched_has_another_shape_now(
        self, station: Catalog, extension: MakeExtension
    ) -> None:
        plan(station, 0, 10)
        air(station)
        airing, slot = station.history(2)
        station.add_extension(extension(migrations=[AIRING, SLOT, self.RESHAPING]))

        with pytest.raises(UndoError, match="table 'playlog_slot' has another shape now"):
            station.undo(slot.id)
        station.undo(airing.id)

        assert station.check().violations == ()

    def test_one_that_only_grew_is_undone(self, station: Catalog, extension: MakeExtension) -> None:
        plan(station, 0, 10)
        slot = station.history(1)[0]
        station.add_extension(extension(migrations=[AIRING, SLOT, self.GROWING]))
        with station.session() as db:
            other = "(SELECT max(id) FROM asset WHERE kind = 'episode')"
            db.execute(f"INSERT INTO playlog_slot SELECT 7, {other}, 20, 30, NULL, 'later' FROM playlog_slot")

        station.undo(slot.id)

        assert [row[0] for row in snapshot(station)["playlog_slot"]] == [7]

    def test_without_the_code_it_is_told_as_well(self, station: Catalog, extension: MakeExtension) -> None:
        plan(station, 0, 10)
        slot = station.history(1)[0]
        station.add_extension(extension(migrations=[AIRING, SLOT, self.RESHAPING]))

        with (
            Catalog(station.database.path) as other,
            pytest.raises(UndoError, match="table 'playlog_slot' has another shape now"),
        ):
            other.undo(slot.id)


class TestAddingAndRemoving:
    def test_one_is_added_to_an_open_catalogue_and_used(self, catalog: Catalog, playlog: Extension) -> None:
        found = catalog.add_extension(playlog)

        assert (found.name, found.version, found.known_version) == ("playlog", 2, 2)
        assert catalog.add_extension(playlog) == found
        assert len(list(Path(catalog.database.path).parent.glob("*.bak"))) == 1
        with pytest.raises(RetroVueError, match="is written by this library alone"), catalog.session() as db:
            db.execute("DELETE FROM operation")
        elsewhere(catalog, "CREATE TABLE note (text)")
        with pytest.raises(RetroVueError, match="cannot be recorded"), catalog.session() as db:
            db.execute("INSERT INTO note VALUES (1)")

    @pytest.mark.parametrize(
        ("migrations", "told"), [([AIRING], "its code here knows 1"), ([AIRING, SLOT + " "], "'0002_step' .* is not what")]
    )
    def test_one_that_is_older_or_edited_is_refused_and_nothing_changes(
        self, station: Catalog, extension: MakeExtension, migrations: list[str], told: str
    ) -> None:
        with pytest.raises(ResourceError, match=told):
            station.add_extension(extension(migrations=migrations, rules={}, views={}))

        plan(station, 0, 10)

    def test_a_fault_of_its_sql_is_not_told_as_damage(self, station: Catalog, extension: MakeExtension) -> None:
        for parts in ({"migrations": ["MAKE IT SO"]}, {"migrations": [], "rules": {"other_r": "SELECT 1 FROM nowhere"}}):
            with pytest.raises(ContractError, match="SQLite cannot run this"):
                station.add_extension(extension("other", **{"rules": {}, "views": {}, **parts}))
        elsewhere(station, "DROP VIEW asset_listing")
        with pytest.raises(ResourceError, match="is damaged, or was changed"):
            station.database.execute("SELECT id FROM asset_listing")

    @pytest.mark.parametrize("given", [None, 5])
    def test_what_is_no_extension_is_refused(self, catalog: Catalog, given: Extension) -> None:
        with pytest.raises(ContractError, match=f"not as {given}"):
            catalog.add_extension(given)

    def test_one_that_nobody_offers_is_refused(self, catalog: Catalog) -> None:
        with pytest.raises(ValidationError, match="no installed distribution offers an extension 'playlog'"):
            catalog.add_extension("playlog")

    def test_one_that_fails_leaves_the_open_catalogue_as_it_was(self, catalog: Catalog, extension: MakeExtension) -> None:
        before = snapshot(catalog)

        with pytest.raises(RetroVueError, match="'source' is not named"):
            catalog.add_extension(extension(migrations=["DROP TABLE source"]))

        assert snapshot(catalog) == before
        assert not list(Path(catalog.database.path).parent.glob("*.bak"))
        assert catalog.extensions() == []
        catalog.add_source("goes on", "fake")

    def test_neither_is_done_inside_a_unit_or_read_only(
        self, station: Catalog, playlog: Extension, extension: MakeExtension
    ) -> None:
        other = extension("other", ["CREATE TABLE other_a (id INTEGER PRIMARY KEY) STRICT"], {}, {})
        before = snapshot(station)

        acts = (
            lambda: station.add_extension(other),
            lambda: station.add_extension(playlog),
            lambda: station.remove_extension("playlog"),
        )
        for act in acts:
            with pytest.raises(ContractError, match="outermost"), station.session():
                act()
        with Catalog(station.database.path, read_only=True) as reading:
            for act in (lambda: reading.add_extension(other), lambda: reading.remove_extension("playlog")):
                with pytest.raises(ResourceError):
                    act()

        assert snapshot(station) == before

    def test_one_is_removed_after_a_copy(self, station: Catalog) -> None:
        plan(station, 0, 10)
        slot = station.history(1)[0]
        before = snapshot(station)

        copy = station.remove_extension("playlog")

        assert snapshot(str(copy)) == before
        assert station.extensions() == []
        assert station.check().violations == ()
        assert "playlog_slot" not in snapshot(station).tables
        with pytest.raises(UndoError, match=r"'playlog_\w+' has another shape now"):
            station.undo(slot.id)
        station.wipe_collection("Shows")
        with Catalog(station.database.path) as again:
            assert again.check().mentions == ()

    def test_what_comes_back_begins_anew(self, station: Catalog, playlog: Extension) -> None:
        station.remove_extension("playlog")

        station.add_extension(playlog)

        plan(station, 0, 10)
        assert station.check().is_sound

    def test_one_to_which_a_table_of_others_refers_stays(self, station: Catalog, extension: MakeExtension) -> None:
        plan(station, 0, 10)
        bill = "CREATE TABLE bill_item (id INTEGER PRIMARY KEY, slot_id INTEGER REFERENCES playlog_slot (id)) STRICT"
        station.add_extension(extension("bill", [bill], {}, {}))
        with station.session() as db:
            db.execute("INSERT INTO bill_item (slot_id) SELECT id FROM playlog_slot")
        before = snapshot(station)

        with pytest.raises(ValidationError, match=r"rows of table 'bill_item' refer to its table 'playlog_slot' \(1 of them\)"):
            station.remove_extension("playlog")

        assert snapshot(station) == before
        station.remove_extension("bill")
        station.remove_extension("playlog")

    def test_one_that_a_view_of_another_reads_stays_and_leaves_no_copy(
        self, station: Catalog, extension: MakeExtension
    ) -> None:
        station.add_extension(extension("bill", [], {}, {"bill_due": "SELECT id FROM playlog_slot"}))
        folder = Path(station.database.path).parent
        before, copies = snapshot(station), sorted(folder.glob("*.bak"))

        with pytest.raises(RetroVueError, match=r"view 'bill_due' of extension 'bill' cannot be: .*playlog_slot"):
            station.remove_extension("playlog")

        assert snapshot(station) == before
        assert sorted(folder.glob("*.bak")) == copies
        elsewhere(station, "DROP VIEW schedulable_asset")  # of which queries are still told
        with pytest.raises(ResourceError, match="schedulable_asset"):
            station.schedulable_assets()

    @pytest.mark.parametrize("action", ["", "ON DELETE CASCADE"])
    def test_one_to_which_a_table_without_a_key_refers_stays(self, station: Catalog, action: str) -> None:
        plan(station, 0, 10)
        elsewhere(
            station,
            f"CREATE TABLE note (text, slot_id INTEGER REFERENCES playlog_slot (id) {action})",
            "INSERT INTO note SELECT 'x', id FROM playlog_slot",
        )
        before = snapshot(station)

        with pytest.raises(ValidationError, match="rows of table 'note' refer to its table 'playlog_slot'"):
            station.remove_extension("playlog")

        assert snapshot(station) == before
        assert not list(Path(station.database.path).parent.glob("*.v*T*.bak"))[1:]  # but that of its addition

    def test_a_table_that_it_has_not_made_stays(self, station: Catalog) -> None:
        elsewhere(station, "CREATE TABLE playlog_hand (id INTEGER PRIMARY KEY)", "INSERT INTO playlog_hand VALUES (1)")

        station.remove_extension("playlog")

        assert [name for name in snapshot(station).tables if name.startswith("playlog")] == ["playlog_hand"]
        assert snapshot(station)["playlog_hand"] == [(1,)]

    def test_a_table_made_by_hand_under_the_name_of_one_without_migrations_is_undone(
        self, catalog: Catalog, extension: MakeExtension
    ) -> None:
        catalog.add_extension(extension("house", [], {}, {"house_source": "SELECT id FROM source"}))
        elsewhere(catalog, "CREATE TABLE house_hand (id INTEGER PRIMARY KEY)")
        with catalog.session() as db:
            db.execute("INSERT INTO house_hand VALUES (1)")

        assert catalog.check().is_sound
        catalog.undo(catalog.history(1)[0].id)

        assert snapshot(catalog)["house_hand"] == []

    def test_one_whose_tables_a_view_of_another_reads_stays(self, station: Catalog, extension: MakeExtension) -> None:
        station.add_extension(extension("bill", [], {}, {"bill_due": "SELECT id FROM playlog_airing"}))

        with pytest.raises(RetroVueError, match=r"view 'bill_due' of extension 'bill' cannot be"):
            station.remove_extension("playlog")

        assert [each.name for each in station.extensions()] == ["bill", "playlog"]

    def test_one_whose_tables_and_views_hold_each_other_up_goes_whole(self, catalog: Catalog, extension: MakeExtension) -> None:
        circle = """
        CREATE TABLE ring_a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES ring_b (id)) STRICT;
        CREATE TABLE ring_b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES ring_a (id)) STRICT;
        CREATE VIEW ring_v AS SELECT id FROM ring_a;
        """
        catalog.add_extension(extension("ring", [circle], {}, {}))
        with catalog.session() as db:
            db.execute("PRAGMA defer_foreign_keys = 1")
            db.execute("INSERT INTO ring_a VALUES (1, 2); INSERT INTO ring_b VALUES (2, 1)")

        catalog.remove_extension("ring")

        assert not [name for name in snapshot(catalog).tables if name.startswith("ring")]
        assert catalog.check().is_sound

    def test_several_are_added_in_the_order_in_which_they_are_given(self, tmp_path: Path, extension: MakeExtension) -> None:
        first = extension(
            "zebra", ["CREATE TABLE zebra_a (id INTEGER PRIMARY KEY) STRICT; INSERT INTO zebra_a VALUES (1)"], {}, {}
        )
        copying = "CREATE TABLE ant_a (id INTEGER PRIMARY KEY) STRICT; INSERT INTO ant_a SELECT id FROM zebra_a"

        with Catalog(tmp_path / "new.db", extensions=[first, extension("ant", [copying], {}, {})]) as catalog:
            assert [each.name for each in catalog.extensions()] == ["ant", "zebra"]
            assert snapshot(catalog)["ant_a"] == [(1,)]

    def test_what_comes_back_in_another_shape_is_neither_undone_nor_damage(
        self, station: Catalog, extension: MakeExtension
    ) -> None:
        plan(station, 0, 10)
        with station.session() as db:
            db.execute("UPDATE playlog_slot SET end_ms = 11")
        updated = station.history(1)[0]
        plan(station, 20, 30)
        station.remove_extension("playlog")
        other = "CREATE TABLE playlog_slot (id INTEGER PRIMARY KEY, {} TEXT) STRICT"
        station.add_extension(extension(migrations=["", other.format("a TEXT, b TEXT, c TEXT, d TEXT, e")], rules={}, views={}))
        with station.session() as db:
            db.execute("INSERT INTO playlog_slot (id) VALUES (1); UPDATE playlog_slot SET a = 'x'")
        with station.session() as db:
            db.execute("UPDATE playlog_slot SET a = 'y'")
        with pytest.raises(UndoError, match="shape"):
            station.undo(updated.id)
        station.remove_extension("playlog")
        station.add_extension(extension(migrations=["", other.format("a")], rules={}, views={}))

        assert station.check().is_sound

    def test_a_table_of_others_to_which_a_reference_leads_is_not_dropped(
        self, station: Catalog, extension: MakeExtension
    ) -> None:
        elsewhere(station, "CREATE TABLE note (id INTEGER PRIMARY KEY, slot INTEGER REFERENCES playlog_slot (id))")
        before = snapshot(station)

        with pytest.raises(ValidationError, match="reference of note to a table that is not there, playlog_slot"):
            station.add_extension(extension(migrations=[AIRING, SLOT, "DROP TABLE playlog_slot"], rules={}, views={}))

        assert snapshot(station) == before

    def test_a_table_that_is_made_anew_takes_nothing_along(self, catalog: Catalog, extension: MakeExtension) -> None:
        tables = """
            CREATE TABLE rights_holder (id INTEGER PRIMARY KEY, name TEXT) STRICT;
            CREATE TABLE rights_title (
                id INTEGER PRIMARY KEY,
                holder_id INTEGER NOT NULL REFERENCES rights_holder (id) ON DELETE CASCADE
            ) STRICT;
            INSERT INTO rights_holder VALUES (1, 'a'), (2, 'b');
            INSERT INTO rights_title VALUES (1, 1), (2, 2);
            """
        anew = """
            CREATE TABLE rights_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
            INSERT INTO rights_new SELECT id, name FROM rights_holder;
            DROP TABLE rights_holder;
            ALTER TABLE rights_new RENAME TO rights_holder;
            """
        catalog.add_extension(extension("rights", [tables], {}, {}))

        with pytest.raises(ValidationError, match="row 2 of rights_title refers to a row of rights_holder that is not there"):
            catalog.add_extension(extension("rights", [tables, f"{anew} DELETE FROM rights_holder WHERE id = 2"], {}, {}))
        catalog.add_extension(extension("rights", [tables, anew], {}, {}))

        assert snapshot(catalog)["rights_title"] == [(1, 1), (2, 2)]
        assert catalog.check().is_sound
        with pytest.raises(RetroVueError, match="FOREIGN KEY"), catalog.session() as db:
            db.execute("INSERT INTO rights_title VALUES (3, 3)")

    def test_one_that_is_not_there_is_refused(self, station: Catalog) -> None:
        with pytest.raises(ValidationError, match=r"has no extension 'bill': it has \['playlog'\]"):
            station.remove_extension("bill")

    def test_in_memory_it_works_without_a_copy(self, playlog: Extension) -> None:
        with Catalog(":memory:") as catalog:
            catalog.add_extension(playlog)
            assert catalog.check().is_sound
            assert catalog.remove_extension("playlog") is None
            assert catalog.check().is_sound


@pytest.mark.usefixtures("offered")
class TestOffered:
    def test_the_code_of_what_a_file_has_is_found_and_nothing_is_added_to_one_that_has_it_not(self, catalog: Catalog) -> None:
        with Catalog(catalog.database.path) as other:
            assert other.extensions() == []

        found = catalog.add_extension("playlog")

        assert (found.version, found.known_version) == (2, 2)
        with Catalog(catalog.database.path) as other:
            assert other.extensions() == [found]
            assert other.check().mentions == ()
            other.add_source("another")

    def test_nobody_looks_for_what_was_given(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        def looked(**_: str) -> None:
            pytest.fail("the installed distributions were looked through")

        monkeypatch.setattr(plugins, "entry_points", looked)

        catalog.add_extension(PLAYLOG)

        Catalog(catalog.database.path, extensions=[PLAYLOG]).close()
