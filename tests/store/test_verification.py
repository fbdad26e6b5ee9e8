"""What is wrong with a catalogue beyond its rows is told by rule, kind and name, with a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apsw
import pytest

from retrovue_uow import Catalog, Collection, Database, ResourceError, Violation
from retrovue_uow.store import verification
from retrovue_uow.uow.database import Value


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    catalog.ingest_collection(collection.name)
    return catalog


def tamper(catalog: Catalog, sql: str, *values: Value) -> None:
    """Change the file as another program would that knows nothing of its rules."""
    other = apsw.Connection(catalog.database.path)
    other.execute("PRAGMA ignore_check_constraints = on").fetchall()
    other.execute(sql, values).fetchall()
    other.close()


class TestSchema:
    @pytest.mark.parametrize(
        ("statement", "found"),
        [
            (
                "DROP INDEX operation_unit",
                Violation("schema", "index", "operation_unit", "index 'operation_unit' is missing: restore a backup"),
            ),
            (
                "ALTER TABLE marker ADD COLUMN colour TEXT",
                Violation("schema", "table", "marker", "table 'marker' is not as this library made it"),
            ),
            (
                "CREATE TRIGGER nosy AFTER INSERT ON asset BEGIN SELECT 1; END",
                Violation("schema", "trigger", "nosy", "trigger 'nosy' on table 'asset' is not this library's: drop it"),
            ),
            (
                "DROP TRIGGER path_mapping_in_use;CREATE TRIGGER path_mapping_in_use AFTER INSERT ON asset BEGIN SELECT 1; END",
                Violation(
                    "schema", "trigger", "path_mapping_in_use", "trigger 'path_mapping_in_use' is not as this library made it"
                ),
            ),
            (
                "CREATE TABLE note (text TEXT)",
                Violation(
                    "schema", "table", "note", "table 'note' has no primary key of one column: its changes go unrecorded"
                ),
            ),
        ],
        ids=["index dropped", "table altered", "trigger added", "trigger exchanged", "table without a key"],
    )
    def test_what_is_not_as_the_migrations_made_it_is_told_once(
        self, stocked: Catalog, statement: str, found: Violation
    ) -> None:
        tamper(stocked, statement)

        assert [each for each in stocked.check().violations if each.rule == "schema"] == [found]

    @pytest.mark.parametrize("other", ["", ";CREATE VIEW {0} AS SELECT 1"], ids=["missing", "another"])
    def test_a_view_of_another_version_wants_no_backup_but_an_opening_for_writing(self, stocked: Catalog, other: str) -> None:
        path, view = stocked.database.path, "asset_marker_outside_duration"
        tamper(stocked, f"DROP VIEW {view}" + other.format(view))

        with Catalog(path, read_only=True) as catalog:
            (found,) = catalog.check().violations
        with Catalog(path) as catalog:
            report = catalog.check()

        detail = f"view {view!r} is not this version's, so no rule could judge: open the catalogue once for writing"
        assert found == Violation("schema", "view", view, detail)
        assert report.is_sound

    def test_what_litestream_keeps_in_the_file_that_it_replicates_is_no_harm(self, stocked: Catalog) -> None:
        """Its statements, of version 0.5.17."""
        tamper(
            stocked,
            "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);CREATE TABLE _litestream_lock (id INTEGER)",
        )

        assert stocked.check().is_sound


class TestFile:
    def test_what_sqlite_finds_is_told_in_its_words(self, stocked: Catalog) -> None:
        tamper(stocked, "UPDATE asset SET size = -1")
        path = stocked.database.path

        found = list(verification.damage(stocked.database))

        assert found == [Violation("integrity_check", "file", path, "CHECK constraint failed in asset")] * 4

    def test_read_only_json_that_is_none_is_told_by_its_row(self, stocked: Catalog) -> None:
        (source,) = stocked.sources()
        tamper(stocked, "UPDATE source SET config = '[]'")

        with Database(stocked.database.path, read_only=True) as db:
            found = list(verification.damage(db))

        detail = f"column config of source {source.id!r} does not hold the JSON that it must: restore a backup"
        assert found == [Violation("json", "source", source.id, detail)]

    @pytest.mark.parametrize("cause", [apsw.CorruptError("torn"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "torn"), None])
    def test_damage_that_keeps_it_from_looking_on_is_told_with_what_was_found(
        self, stocked: Catalog, cause: Exception | None
    ) -> None:
        before = Violation("schema", "table", "some", "some detail")

        def find(db: Database) -> Iterator[Violation]:
            yield before
            raise ResourceError("a page is torn") from cause

        found = list(verification.listed(stocked.database, find))

        assert found == [before, Violation("damage", "file", stocked.database.path, "a page is torn")]

    @pytest.mark.parametrize("cause", [apsw.BusyError("locked"), apsw.IOError("gone")])
    def test_what_is_no_damage_is_raised(self, stocked: Catalog, cause: apsw.Error) -> None:
        def find(db: Database) -> Iterable[Violation]:
            raise ResourceError("not now") from cause

        with pytest.raises(ResourceError, match="not now"):
            list(verification.listed(stocked.database, find))


class TestConnection:
    def test_a_setting_that_was_changed_is_told_with_what_it_must_be(self, stocked: Catalog) -> None:
        stocked.database.connection.authorizer = None
        stocked.database.connection.execute("PRAGMA recursive_triggers = off").fetchall()

        found = list(verification.wrong_connection(stocked.database))

        detail = "recursive_triggers is 0 and must be 1: open the catalogue again"
        assert found == [Violation("setting", "connection", "recursive_triggers", detail)]

    def test_whether_others_write_ahead_is_nothing_to_who_only_reads(self, stocked: Catalog) -> None:
        path = stocked.database.path
        stocked.close()
        tamper(stocked, "PRAGMA journal_mode = delete")

        with Database(path, read_only=True) as db:
            assert list(verification.wrong_connection(db)) == []


class TestJournal:
    def found(self, catalog: Catalog) -> list[tuple[str, str, str, str]]:
        return [(each.rule, each.subject, each.id, each.detail) for each in verification.wrong_journal(catalog.database)]

    def test_every_unit_that_is_wrong_is_told_with_what_is_wrong_with_it(self, stocked: Catalog) -> None:
        source, collection, enricher, ingest = (unit.id for unit in reversed(stocked.history()))
        tamper(stocked, "UPDATE unit_of_work SET counts = 'none' WHERE id = ?", source)
        tamper(stocked, "DELETE FROM operation WHERE unit_id = ?", collection)
        tamper(stocked, "UPDATE unit_of_work SET changeset = x'00' WHERE id = ?", enricher)
        tamper(stocked, "UPDATE unit_of_work SET counts = '{}' WHERE id = ?", ingest)

        (unreadable, *others, damaged, miscounted) = self.found(stocked)

        assert unreadable[:3] == ("journal", "unit_of_work", source)
        assert unreadable[3].startswith(f"unit {source!r} cannot be read: ")
        assert others == [("journal", "unit_of_work", collection, f"unit {collection!r} has no operation")]
        assert damaged[:3] == ("journal", "unit_of_work", enricher)
        assert damaged[3].startswith(f"unit {enricher!r} cannot be read: the journal's record of the unit is damaged")
        assert miscounted == (
            "journal",
            "unit_of_work",
            ingest,
            f"unit {ingest!r} does not count the changes that it recorded",
        )

    def test_what_an_older_schema_has_recorded_is_counted_like_any_other(self, stocked: Catalog) -> None:
        tamper(stocked, "UPDATE unit_of_work SET schema_version = 1")
        assert self.found(stocked) == []

        tamper(stocked, "UPDATE unit_of_work SET counts = '{}'")

        assert self.found(stocked) != []
