"""Extensions: the station's own tables, made, judged and remembered by the code that makes the catalogue's own."""

# ruff: noqa: S608  the statements are put together from our own names

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from extending import MIGRATIONS, RULES, MakeExtension

from retrovue_uow import Catalog, ContractError, Extension, OperationError, ResourceError, RetroVueError, ValidationError
from retrovue_uow.model import digest
from retrovue_uow.store import extensions, migrations
from retrovue_uow.testing import snapshot

AIRING, SLOT = MIGRATIONS.values()
OVERLAP, LENGTH = RULES["playlog_slot_overlap"], RULES["playlog_airing_length"]


def elsewhere(path: Path, *statements: str) -> list[Any]:
    """Let another program write; what the last statement gave."""
    connection = apsw.Connection(str(path))
    rows = [connection.execute(statement).fetchall() for statement in statements]
    connection.close()
    return rows[-1]


def schema_of(path: Path) -> list[Any]:
    return elsewhere(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY name")


@pytest.fixture
def path(tmp_path: Path, empty: bytes) -> Path:
    """An empty catalogue of the current version."""
    (tmp_path / "catalog.db").write_bytes(empty)
    return tmp_path / "catalog.db"


def added(path: Path, *given: Extension) -> None:
    Catalog(path, extensions=given).close()


class TestAdding:
    def test_a_new_file_gets_the_tables_and_views_and_is_not_copied(self, tmp_path: Path, extension: MakeExtension) -> None:
        path = tmp_path / "catalog.db"

        with Catalog(path, extensions=[extension()]) as catalog:
            (found,) = catalog.extensions()
            assert catalog.check().violations == ()

        assert (found.name, found.version, found.known_version) == ("playlog", 2, 2)
        assert found.rules == ("playlog_airing_length", "playlog_slot_overlap", "playlog_slot_unclassified")
        names = {name for _, name, _ in schema_of(path)}
        assert {"playlog_airing", "playlog_slot", "playlog_airing_asset", "playlog_slot_overlap", "playlog_unairable"} <= names
        assert elsewhere(path, "SELECT name, version FROM extension") == [("playlog", 2)]
        assert not list(tmp_path.glob("*.bak"))

    def test_a_catalogue_that_is_there_is_copied_first(self, path: Path, extension: MakeExtension) -> None:
        before = schema_of(path)

        added(path, extension())

        (copy,) = path.parent.glob("catalog.db.v*.bak")
        assert schema_of(copy) == before

    def test_what_is_there_is_not_added_again(self, path: Path, extension: MakeExtension) -> None:
        playlog = extension()
        added(path, playlog)
        before = path.read_bytes()

        added(path, playlog)

        assert path.read_bytes() == before
        assert len(list(path.parent.glob("*.bak"))) == 1

    def test_a_later_version_runs_what_is_pending_alone(self, path: Path, extension: MakeExtension) -> None:
        added(path, extension(migrations=[AIRING], rules={}, views={}))
        elsewhere(path, "PRAGMA foreign_keys = 0", "INSERT INTO playlog_airing VALUES (7, 'a', 'noon', 5)")
        elsewhere(path, "DELETE FROM playlog_airing")

        added(path, extension())

        remembered = (
            "SELECT version, json_array_length(record, '$.columns'), json_array_length(record, '$.digests') FROM extension"
        )
        assert elsewhere(path, remembered) == [(2, 2, 2)]
        assert elsewhere(path, "SELECT seq FROM sqlite_sequence WHERE name = 'playlog_airing'") == [(7,)]

    def test_another_comment_makes_no_other_view(self, path: Path, extension: MakeExtension) -> None:
        added(path, extension(migrations=[], rules={}, views={"playlog_x": "SELECT 1 AS X"}))
        before = path.read_bytes()

        added(path, extension(migrations=[], rules={}, views={"playlog_x": "-- why it is shown\n\nSELECT 1 AS X ;\n"}))

        assert path.read_bytes() == before

    def test_a_view_that_its_code_has_no_more_goes(self, path: Path, extension: MakeExtension) -> None:
        added(path, extension())

        added(path, extension(rules={"playlog_airing_length": LENGTH}, views={}))

        views = {name for kind, name, _ in schema_of(path) if kind == "view"}
        assert {name for name in views if name.startswith("playlog")} == {"playlog_airing_length"}
        assert "playlog_slot_overlap" not in elsewhere(path, "SELECT sql FROM sqlite_schema WHERE name = 'violation'")[0][0]

    def test_a_view_of_a_migration_is_dropped_by_another_before_it_is_one_of_a_file(
        self, path: Path, extension: MakeExtension
    ) -> None:
        making, views = f"{TABLE} CREATE VIEW playlog_v AS SELECT 1 AS one", {"playlog_v": "SELECT 2 AS two"}
        added(path, extension(migrations=[making], rules={}, views={}))

        with pytest.raises(RetroVueError, match=r"view 'playlog_v' of extension 'playlog' cannot be: .*already exists"):
            added(path, extension(migrations=[making], rules={}, views=views))
        with Catalog(
            path, extensions=[extension(migrations=[making, "DROP VIEW playlog_v"], rules={}, views=views)]
        ) as catalog:
            assert elsewhere(path, "SELECT two FROM playlog_v") == [(2,)]
            catalog.remove_extension("playlog")

        assert not [name for _, name, _ in schema_of(path) if name.startswith("playlog")]

    def test_the_older_table_of_another_name_is_read_and_dropped(self, path: Path, extension: MakeExtension) -> None:
        elsewhere(
            path, "CREATE TABLE aired (key, at); CREATE INDEX aired_at ON aired (at); INSERT INTO aired VALUES (1, 'noon')"
        )
        adopting = """
        CREATE TABLE playlog_old (id INTEGER PRIMARY KEY, at TEXT) STRICT;
        INSERT INTO playlog_old (at) SELECT at FROM aired;
        DROP TABLE aired
        """

        added(path, extension(migrations=[adopting], rules={}, views={}))

        assert elsewhere(path, "SELECT id, at FROM playlog_old") == [(1, "noon")]
        assert "aired" not in {name for _, name, _ in schema_of(path)}

    def test_rules_over_the_catalogue_s_own_tables_need_no_migration(self, path: Path, extension: MakeExtension) -> None:
        named = (
            "SELECT 'house_source_named' AS rule, 'source' AS subject, id, name AS detail FROM source WHERE name <> upper(name)"
        )
        house = Extension("house", extension("house", [], {"house_source_named": named}, {}).package)
        added(path, house)

        with Catalog(path) as catalog:
            with pytest.raises(OperationError, match="house_source_named"):
                catalog.add_source("disk")
            catalog.add_source("DISK")

    def test_reading_adds_nothing(self, path: Path, extension: MakeExtension) -> None:
        before = path.read_bytes()

        with pytest.raises(ResourceError, match="lacks extension 'playlog': open it once for writing"):
            Catalog(path, read_only=True, extensions=[extension()])

        assert path.read_bytes() == before


NAMES = [
    "asset",
    "title",
    "path",
    "violation",
    "unit",
    "extension",
    "select",
    "table",
    "",
    "Playlog",
    "play_log",
    "2nd",
    "sqlite",
    "retrovue",
    "json",
    "é",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_the_catalogue_s_or_sql_s_is_refused(path: Path, extension: MakeExtension, name: str) -> None:
    before = path.read_bytes()

    with pytest.raises(ValidationError, match=f"an extension cannot be called '{name}'"):
        added(path, Extension(name, extension().package))

    assert path.read_bytes() == before


def test_what_is_no_extension_is_refused(path: Path) -> None:
    with pytest.raises(ContractError, match="not as 'playlog'"):
        Catalog(path, extensions=["playlog"])  # type: ignore[list-item]  # as a user may


def test_two_of_one_name_are_refused(path: Path, extension: MakeExtension) -> None:
    with pytest.raises(ValidationError, match="two extensions are called 'playlog'"):
        added(path, extension(), extension())


TABLE = "CREATE TABLE playlog_a (id INTEGER PRIMARY KEY) STRICT;"
PACKAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a number left out": ({"migrations": {"0001_a": TABLE, "0003_c": ""}}, r"not numbered 0001_…, 0002_… and so on.*0003_c"),
    "the second without the first": ({"migrations": {"0002_a": TABLE}}, "not numbered"),
    "a rule of another name": ({"rules": {"slot_overlap": OVERLAP}}, "'slot_overlap' .* is not named playlog_…"),
    "a view of another name": ({"views": {"unairable": "SELECT 1"}}, "'unairable' .* is not named playlog_…"),
    "a rule and a view": ({"rules": {"playlog_x": OVERLAP}, "views": {"playlog_x": "SELECT 1"}}, "both a rule and a view"),
    "nothing": ({"migrations": [], "rules": {}, "views": {}}, "has no SQL"),
}


@pytest.mark.parametrize("case", PACKAGES)
def test_a_package_that_is_not_laid_out_so_is_refused(path: Path, extension: MakeExtension, case: str) -> None:
    parts, told = PACKAGES[case]
    before = path.read_bytes()

    with pytest.raises(ValidationError, match=told):
        added(path, extension(**parts))

    assert path.read_bytes() == before


def test_a_package_needs_no_folder_that_would_be_empty_and_is_utf_8(
    path: Path, tmp_path: Path, extension: MakeExtension
) -> None:
    house = extension("house", [], {}, {"house_made": "SELECT id, 'ü' AS at FROM source"})
    folders = tmp_path / house.package
    (folders / "migrations").rmdir()
    (folders / "rules").rmdir()
    added(path, house)
    odd = extension(migrations=[], rules={}, views={"playlog_odd": "SELECT 1"})
    (tmp_path / odd.package / "views" / "playlog_odd.sql").write_bytes(b"SELECT '\xfc'")

    with pytest.raises(ValidationError, match="is not UTF-8"):
        added(path, odd)

    assert elsewhere(path, "SELECT name, version FROM extension") == [("house", 0)]


def test_a_package_that_cannot_be_read_is_named(path: Path, tmp_path: Path, extension: MakeExtension) -> None:
    odd = extension(migrations=[], rules={}, views={})
    (tmp_path / odd.package / "views" / "playlog_odd.sql").mkdir()

    with pytest.raises(ResourceError, match=f"the SQL of '{odd.package}'"):
        added(path, odd)


def test_a_package_that_cannot_be_imported_is_named(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "sql_that_fails.py").write_text("raise KeyError('no')")
    for package in ("sql_that_fails", "sql_that_is_nowhere", "os", ""):
        with pytest.raises(ResourceError, match=f"package '{package}' of extension 'playlog' cannot be imported"):
            added(path, Extension("playlog", package))


FOREIGN = "is not named playlog_…"
NOTHING_ELSE = "does nothing else"
STRAYING: dict[str, tuple[str, str]] = {
    "a foreign table": (
        "CREATE TABLE aired (id INTEGER PRIMARY KEY) STRICT",
        "'aired' is not named playlog_… in small letters: extension 'playlog' changes",
    ),
    "a foreign view": ("CREATE VIEW aired AS SELECT 1", FOREIGN),
    "capitals": ("CREATE TABLE playlog_Aired (id INTEGER PRIMARY KEY) STRICT", FOREIGN),
    "a table with capitals and a blank": (
        'CREATE TABLE "playlog_ A" (id INTEGER PRIMARY KEY) STRICT',
        "'playlog_ A' is not named playlog_… in small letters",
    ),
    "an index on a table of ours": ("CREATE INDEX playlog_i ON asset (kind)", FOREIGN),
    "a trigger on a table of ours": ("CREATE TRIGGER playlog_t AFTER INSERT ON asset BEGIN SELECT 1; END", FOREIGN),
    "a trigger on a table of the station": ("CREATE TRIGGER playlog_t AFTER INSERT ON shelf BEGIN SELECT 1; END", FOREIGN),
    "a trigger that writes ours": (
        f"{TABLE} CREATE TRIGGER playlog_t AFTER UPDATE ON playlog_a BEGIN DELETE FROM source; END",
        "'source' is not named playlog_… in small letters: trigger 'playlog_t' of extension",
    ),
    "a trigger that writes keys given out": (
        f"{TABLE} CREATE TRIGGER playlog_t DELETE ON playlog_a BEGIN DELETE FROM sqlite_sequence; END",
        "'sqlite_sequence' is not named",
    ),
    "a trigger on a view": (
        "CREATE VIEW playlog_v AS SELECT 1; CREATE TRIGGER playlog_t INSTEAD OF DELETE ON playlog_v BEGIN SELECT 1; END",
        "trigger playlog_t on playlog_v, which is no table",
    ),
    "a virtual table": ("CREATE VIRTUAL TABLE playlog_f USING fts5(x)", NOTHING_ELSE),
    "a temp table": ("CREATE TEMP TABLE playlog_x (id INTEGER PRIMARY KEY)", NOTHING_ELSE),
    "a table in temp": ("CREATE TABLE temp.playlog_x (id INTEGER PRIMARY KEY)", "playlog"),
    "rows of ours": ("INSERT INTO source VALUES (printf('%036d', 1), 'x', 'y', '{}', '')", FOREIGN),
    "rows of the station": ("UPDATE shelf SET colour = 'red'", FOREIGN),
    "a table of ours dropped": ("DROP TABLE marker", FOREIGN),
    "a column on ours": ("ALTER TABLE asset ADD COLUMN x TEXT", FOREIGN),
    "a column on the station's": ("ALTER TABLE shelf ADD COLUMN x TEXT", FOREIGN),
    "a table that leaves": (f"{TABLE} ALTER TABLE playlog_a RENAME TO aired", "do not: table aired"),
    "the record of extensions": ("DELETE FROM extension", FOREIGN),
    "the journal": ("DELETE FROM operation", FOREIGN),
    "keys given out": ("DELETE FROM sqlite_sequence", "keys of"),
    "an older table emptied": ("DELETE FROM shelf", "Shelf, which it has emptied and not dropped"),
    "a pragma": ("PRAGMA user_version = 3", NOTHING_ELSE),
    "a setting": ("PRAGMA foreign_keys = 0", "transactions and settings"),
    "another file": ("ATTACH ':memory:' AS other", "transactions and settings"),
    "the end of the transaction": ("COMMIT", "transactions and settings"),
    "a savepoint": ("SAVEPOINT mine", NOTHING_ELSE),
    "statistics": ("ANALYZE", "."),
    "no key": ("CREATE TABLE playlog_a (x TEXT) STRICT", "playlog_a, which has no primary key of one column"),
    "a key of two columns": ("CREATE TABLE playlog_a (x TEXT, y TEXT, PRIMARY KEY (x, y)) STRICT", "no primary key"),
    "not STRICT": ("CREATE TABLE playlog_a (id INTEGER PRIMARY KEY)", "playlog_a, which is not STRICT"),
    "a reference to nothing": (
        "CREATE TABLE playlog_a (id INTEGER PRIMARY KEY, asset_id TEXT REFERENCES assets (id)) STRICT",
        "table 'playlog_a' of extension 'playlog' cannot be written: .*no such table: main.assets",
    ),
    "a reference to what is not unique": (
        "CREATE TABLE playlog_a (id INTEGER PRIMARY KEY, asset_id TEXT REFERENCES asset (kind)) STRICT",
        "table 'playlog_a' of extension 'playlog' cannot be written: .*foreign key mismatch",
    ),
    "a key in any case": (
        "CREATE TABLE playlog_a (id TEXT PRIMARY KEY COLLATE NOCASE) STRICT, WITHOUT ROWID",
        "playlog_a, whose key is compared by another collation than BINARY",
    ),
    "no SQL": ("MAKE IT SO", "syntax error"),
    "no text": ("\0", "file '0001_step' of package .* of extension 'playlog' has NUL") ,
}  # fmt: skip


@pytest.mark.parametrize("case", STRAYING)
def test_a_migration_that_does_more_than_its_own_leaves_the_file_as_it_was(
    path: Path, extension: MakeExtension, case: str
) -> None:
    migration, told = STRAYING[case]
    elsewhere(path, "CREATE TABLE Shelf (id INTEGER PRIMARY KEY, colour TEXT); INSERT INTO shelf (colour) VALUES ('blue')")
    with Catalog(path) as catalog:
        catalog.add_source("disk")
    before, rows = schema_of(path), snapshot(path)

    with pytest.raises(RetroVueError, match=told) as caught:
        added(path, extension(migrations=[migration], rules={}, views={}))

    assert isinstance(caught.value, ContractError | ValidationError)
    assert "'playlog'" in str(caught.value)
    assert schema_of(path) == before
    assert snapshot(path) == rows


def test_a_migration_that_fails_is_named_with_its_statement_and_leaves_all_of_them_undone(
    path: Path, extension: MakeExtension
) -> None:
    failing = """
    -- a comment; with a semicolon
    CREATE TABLE playlog_b (x INTEGER PRIMARY KEY, y TEXT NOT NULL) STRICT;
    CREATE TRIGGER playlog_t AFTER INSERT ON playlog_b BEGIN SELECT ';'; SELECT 2; END; INSERT INTO playlog_b VALUES (1, NULL)
    """
    before = schema_of(path)

    with pytest.raises(RetroVueError, match="migration '0002_step' of extension 'playlog' failed at statement 3"):
        added(path, extension(migrations=[TABLE, failing], rules={}, views={}))

    assert schema_of(path) == before


def test_a_migration_of_the_catalogue_s_own_that_fails_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = extensions.own()
    failing = attrs.evolve(own, migrations={**own.migrations, "0099_next": "DROP INDEX asset_file; MAKE IT SO"})
    monkeypatch.setattr(migrations, "own", lambda: failing)
    before = schema_of(path)

    with pytest.raises(RetroVueError, match=r"^migration '0099_next' failed at statement 2, and nothing was changed: "):
        Catalog(path)

    assert schema_of(path) == before
    assert not list(path.parent.glob("*.bak"))
    monkeypatch.setattr(extensions, "own", lambda: failing)
    with pytest.raises(RetroVueError, match="syntax error"):  # held against what it would be in memory
        extensions.columns_at(len(failing.migrations))


def test_a_name_that_is_there_already_is_not_taken(path: Path, extension: MakeExtension) -> None:
    elsewhere(path, "CREATE TABLE PLAYLOG_notes (id INTEGER PRIMARY KEY)")
    before = schema_of(path)

    with pytest.raises(ValidationError, match="PLAYLOG_notes is there already"):
        added(path, extension())

    assert schema_of(path) == before


def test_names_that_must_be_quoted_are(path: Path, extension: MakeExtension) -> None:
    quoted = """
    CREATE TABLE "playlog_a; b" (id INTEGER PRIMARY KEY, x TEXT) STRICT;
    CREATE TRIGGER "playlog_t t" AFTER INSERT ON "playlog_a; b" BEGIN UPDATE "playlog_a; b" SET x = ';'; END;
    CREATE VIEW "playlog_v v" AS SELECT 1 AS one;
    """
    before = schema_of(path)

    with Catalog(path, extensions=[extension(migrations=[quoted], rules={}, views={})]) as catalog:
        with catalog.session() as db:
            db.execute('INSERT INTO "playlog_a; b" (id) VALUES (1)')
        assert catalog.check().is_sound
        catalog.remove_extension("playlog")

    assert schema_of(path) == before


QUERIES: dict[str, tuple[str, str]] = {
    "too few columns": (
        "SELECT 'playlog_x' AS rule, id AS id FROM playlog_a",
        "view 'playlog_x' of extension 'playlog' cannot",
    ),
    "no such table": ("SELECT 1 AS rule, 2 AS subject, 3 AS id, 4 AS detail FROM nowhere", "no such table: main.nowhere"),
    "two statements": ("SELECT 1 AS rule, 2 AS subject, 3 AS id, 4 AS detail WHERE false; SELECT 2", "one query"),
    "a name that a table has": ("", "view 'playlog_a' of extension 'playlog' cannot be: .*already exists"),
    "one that drops": ("SELECT 1; DROP TABLE source", "is not named playlog_…"),
}


@pytest.mark.parametrize("case", QUERIES)
def test_a_rule_that_cannot_be_asked_is_refused(path: Path, extension: MakeExtension, case: str) -> None:
    query, told = QUERIES[case]
    before = schema_of(path)

    with pytest.raises(RetroVueError, match=told):
        added(path, extension(migrations=[TABLE], rules={"playlog_x" if query else "playlog_a": query or OVERLAP}, views={}))

    assert schema_of(path) == before


def test_a_migration_that_leaves_a_rule_broken_is_refused(path: Path, extension: MakeExtension) -> None:
    before = schema_of(path)
    broken = (
        SLOT.replace(" REFERENCES asset (id) ON DELETE CASCADE", "")
        + "INSERT INTO playlog_slot VALUES (1, '', 1, 3, NULL), (2, '', 2, 4, NULL)"
    )

    with pytest.raises(ValidationError, match=r"slot 2 begins within another \(rule 'playlog_slot_overlap' of extension"):
        added(path, extension(migrations=[AIRING, broken]))

    assert schema_of(path) == before


class TestOtherVersions:
    @pytest.fixture
    def extended(self, path: Path, extension: MakeExtension) -> Path:
        added(path, extension())
        return path

    def test_without_its_code_all_goes_on_and_check_mentions_it(self, extended: Path) -> None:
        for read_only in (False, True):
            with Catalog(extended, read_only=read_only) as catalog:
                (found,) = catalog.extensions()
                report = catalog.check()
            assert (found.version, found.known_version) == (2, None)
            assert report.is_sound
            assert [(each.rule, each.id) for each in report.mentions] == [("extension", "playlog")]

    def test_a_newer_one_in_the_file_is_read_and_not_written(self, extended: Path, extension: MakeExtension) -> None:
        older = extension(migrations=[AIRING], rules={}, views={})
        before = snapshot(extended)

        with Catalog(extended, extensions=[older]) as catalog:
            assert catalog.sources() == []
            assert "has had 2 migrations in the catalogue, and its code here knows 1" in catalog.check().mentions[0].detail
            with pytest.raises(OperationError, match="extension 'playlog' has had 2 migrations"):
                catalog.add_source("disk")

        assert snapshot(extended) == before

    def test_a_migration_that_was_edited_after_its_release_is_named(self, extended: Path, extension: MakeExtension) -> None:
        edited = extension(migrations=[AIRING, SLOT.replace("NOT NULL", "")])
        before = snapshot(extended)

        with Catalog(extended, extensions=[edited]) as catalog:
            assert catalog.sources() == []
            with pytest.raises(OperationError, match="migration '0002_step' of extension 'playlog' is not what"):
                catalog.add_source("disk")

        assert snapshot(extended) == before

    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_newer_one_at_hand_migrates_and_reading_does_not(
        self, extended: Path, extension: MakeExtension, *, read_only: bool
    ) -> None:
        newer = extension(migrations=[AIRING, SLOT, "ALTER TABLE playlog_slot ADD COLUMN note TEXT"])

        with Catalog(extended, extensions=[newer], read_only=read_only) as catalog:
            (found,) = catalog.extensions()
            assert catalog.check().violations == ()

        assert (found.version, found.known_version) == ((2, 3) if read_only else (3, 3))

    def test_a_newer_one_is_not_migrated_past_a_refusal_of_another(self, extended: Path, extension: MakeExtension) -> None:
        older = extension(migrations=[AIRING], rules={}, views={})
        other = extension("other", ["CREATE TABLE other_a (id INTEGER PRIMARY KEY) STRICT"], {}, {})

        with pytest.raises(ResourceError, match="extension 'playlog' has had 2 migrations"):
            added(extended, older, other)

    def test_a_newer_library_migrates_its_own_tables_past_a_refusal_and_reads(
        self, extended: Path, extension: MakeExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own, older = extensions.own(), extension(migrations=[AIRING], rules={}, views={})
        newer = attrs.evolve(own, migrations={**own.migrations, "0099_next": "ALTER TABLE source ADD COLUMN note TEXT"})
        before = schema_of(extended)
        monkeypatch.setattr(migrations, "own", lambda: newer)
        monkeypatch.setattr(extensions, "own", lambda: newer)

        with pytest.raises(ResourceError, match="is of an older version: open it once for writing"):
            Catalog(extended, extensions=[older], read_only=True)
        for read_only in (False, True):
            with Catalog(extended, extensions=[older], read_only=read_only) as catalog:
                assert catalog.sources() == []
        with (
            Catalog(extended, extensions=[older]) as catalog,
            pytest.raises(OperationError, match="extension 'playlog' has had 2 migrations"),
        ):
            catalog.add_source("disk")

        changed = [each for each in schema_of(extended) if each not in before]
        assert [name for _, name, _ in changed] == ["source"]

    def test_what_one_refuses_another_leaves_as_it_is(self, extended: Path, extension: MakeExtension) -> None:
        made = "CREATE TABLE other_a (id INTEGER PRIMARY KEY) STRICT"
        added(extended, extension("other", [made], {}, {}))
        older = extension(migrations=[AIRING], rules={}, views={})
        newer = extension(
            "other", [made, "ALTER TABLE other_a ADD COLUMN note TEXT"], {}, {"other_b": "SELECT note FROM other_a"}
        )
        before = schema_of(extended)

        with Catalog(extended, extensions=[older, newer]) as catalog:
            assert [each.version for each in catalog.extensions()] == [1, 2]

        assert schema_of(extended) == before

    @pytest.mark.parametrize(
        "sql",
        [
            "DROP VIEW playlog_slot_overlap",
            "DROP VIEW playlog_unairable; CREATE VIEW playlog_unairable AS SELECT 1 AS id",
        ],
    )
    def test_a_dropped_or_altered_view_stops_every_unit_and_is_restored_at_opening(self, extended: Path, sql: str) -> None:
        before = schema_of(extended)
        with Catalog(extended) as catalog:
            elsewhere(extended, sql)
            assert not catalog.check().is_sound
            with pytest.raises(OperationError, match="open it again"):
                catalog.add_source("disk")

        with Catalog(extended) as catalog:
            catalog.add_source("disk")

        assert schema_of(extended) == before

    @pytest.mark.parametrize(
        "sql",
        [
            "DROP INDEX playlog_airing_asset",
            "ALTER TABLE playlog_slot ADD COLUMN x TEXT",
            "CREATE TRIGGER nosy AFTER INSERT ON playlog_slot BEGIN SELECT 1; END",
        ],
    )
    def test_a_table_that_another_program_changed_stops_every_unit(self, extended: Path, sql: str) -> None:
        with Catalog(extended) as catalog:
            elsewhere(extended, sql)

            with pytest.raises(OperationError, match="playlog_"):
                catalog.add_source("disk")

            assert not catalog.check().is_sound
            assert catalog.sources() == []

    def test_a_record_that_was_edited_is_refused(self, extended: Path) -> None:
        elsewhere(extended, "UPDATE extension SET record = json_set(record, '$.rules', json('{}'))")

        with pytest.raises(ResourceError, match="remembers of extension 'playlog' is damaged"):
            Catalog(extended)

    def test_a_record_that_speaks_of_the_catalogue_s_own_rules_does_not_replace_them(self, extended: Path) -> None:
        ((text,),) = elsewhere(extended, "SELECT record FROM extension")
        forged = text.replace('"rules": {', '"rules": {"title_without_content": "SELECT 1 AS rule WHERE false", ', 1)
        assert forged != text
        ((own,),) = elsewhere(extended, "SELECT sql FROM sqlite_schema WHERE name = 'title_without_content'")
        elsewhere(extended, f"UPDATE extension SET record = {apsw.format_sql_value(forged)}, digest = '{digest(forged)}'")

        Catalog(extended).close()

        assert {name: sql for _, name, sql in schema_of(extended)}["title_without_content"] == own

    def test_a_table_of_records_with_other_columns_is_damage(self, extended: Path) -> None:
        elsewhere(extended, "ALTER TABLE extension RENAME COLUMN record TO text")

        with pytest.raises(ResourceError, match="table 'extension' is damaged: restore a backup"):
            Catalog(extended)

    def test_what_another_process_adds_meanwhile_asks_for_opening_again(self, path: Path, extension: MakeExtension) -> None:
        with Catalog(path) as catalog:
            added(path, extension())

            with pytest.raises(OperationError, match="open it again"):
                catalog.add_source("disk")
        with Catalog(path) as again:
            again.add_source("disk")

    def test_its_record_is_written_by_the_library_alone(self, extended: Path) -> None:
        with (
            Catalog(extended) as catalog,
            pytest.raises(ContractError, match="written by this library"),
            catalog.session() as db,
        ):
            db.execute("DELETE FROM extension")

    @pytest.mark.parametrize("name", ["playlog_slot", "playlog_slot_overlap"])
    def test_no_temp_table_stands_in_front_of_its_own(self, extended: Path, name: str) -> None:
        with (
            Catalog(extended) as catalog,
            pytest.raises(ContractError, match="is a name of this library's"),
            catalog.session() as db,
        ):
            db.execute(f"CREATE TEMP TABLE {name} (id)")

    def test_a_view_that_breaks_with_our_next_migration_stops_it_by_name(
        self, path: Path, extension: MakeExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        added(path, extension(migrations=[TABLE], rules={}, views={"playlog_made": "SELECT created_at FROM source"}))
        before = schema_of(path)
        own = extensions.own()
        next_one = "ALTER TABLE source RENAME COLUMN created_at TO made_at"
        newer = attrs.evolve(own, migrations={**own.migrations, "0099_next": next_one})
        monkeypatch.setattr(migrations, "own", lambda: newer)

        with pytest.raises(RetroVueError, match=r"view 'playlog_made' of extension 'playlog' cannot be: .*created_at"):
            Catalog(path)

        assert schema_of(path) == before
