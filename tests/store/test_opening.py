"""Opening a catalogue: what is ours is brought up to date, what is not is left alone."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import attrs
import pytest

from retrovue_uow import Catalog, ContractError, Database, ResourceError
from retrovue_uow.store import extensions, migrations
from retrovue_uow.uow.connection import SQLITE_HEADER


def with_migration(sql: str) -> extensions.Schema:
    """The catalogue's own schema, with one migration more."""
    own = extensions.own()
    return attrs.evolve(own, migrations={**own.migrations, "9999_next": sql})


def fingerprint(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def foreign_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE recipe (id INTEGER PRIMARY KEY); INSERT INTO recipe VALUES (1)").fetchall()
    connection.close()


def foreign_wal_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute("CREATE TABLE recipe (id INTEGER PRIMARY KEY)").fetchall()
    connection.close()


def newer_catalogue(path: Path) -> None:
    Catalog(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 999").fetchall()
    connection.close()


def text_file(path: Path) -> None:
    path.write_text("once upon a time there was a file with no database in it, and it was long enough")


def nothing_after_the_header(path: Path) -> None:
    path.write_bytes(SQLITE_HEADER + bytes(1000))


def one_byte(path: Path) -> None:
    path.write_text("x")  # SQLite takes that for an empty file


def fifo_for_a_journal(path: Path) -> None:
    Catalog(path).close()
    os.mkfifo(f"{path}-journal")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (one_byte, "not a SQLite database"),
        (fifo_for_a_journal, "no regular file, and SQLite needs that name"),
        (foreign_database, "database of another program"),
        (foreign_wal_database, "database of another program"),
        (newer_catalogue, "some.db' has schema version 999"),
        (text_file, "not a SQLite database"),
        (nothing_after_the_header, "some.db' is not a SQLite database (file is not"),
        (Path.mkdir, "is a folder"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_untouched(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "some.db"
    make(path)
    before = fingerprint(tmp_path)

    with pytest.raises(ResourceError, match=re.escape(message)):
        Catalog(path)

    assert fingerprint(tmp_path) == before


def crashed(path: Path, aside: Path, sql: str) -> None:
    """A catalogue at `path` as a power cut left it after `sql`: its first page torn, and a journal that has it whole."""
    Catalog(aside).close()
    connection = apsw.Connection(str(aside))
    connection.execute("PRAGMA journal_mode = delete").fetchall()
    connection.execute(f"{sql}; BEGIN; PRAGMA cache_spill = 1; PRAGMA cache_size = 1; PRAGMA user_version = 7").fetchall()
    connection.execute("CREATE TABLE half (pixels BLOB); INSERT INTO half VALUES (zeroblob(100000))").fetchall()
    whole = aside.read_bytes()
    path.write_bytes(bytes(100) + whole[100:])
    path.with_name(f"{path.name}-journal").write_bytes(aside.with_name(f"{aside.name}-journal").read_bytes())
    connection.close()


def test_a_catalogue_whose_header_a_power_cut_has_torn_is_mended_from_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    crashed(path, tmp_path / "aside.db", "INSERT INTO source VALUES (printf('%036d', 1), 'disk', 'filesystem', '{}', '')")

    with Catalog(path) as catalog:
        assert [source.name for source in catalog.sources()] == ["disk"]
        assert catalog.check().is_sound


def test_a_newer_catalogue_with_a_torn_header_is_mended_and_otherwise_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    crashed(path, tmp_path / "aside.db", "PRAGMA user_version = 999")

    with pytest.raises(ResourceError, match=f"'{path}' has schema version 999"):
        Catalog(path)

    assert path.read_bytes() == (tmp_path / "aside.db").read_bytes()


def test_a_database_of_which_nothing_is_left_becomes_a_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    foreign_database(path)
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE recipe").fetchall()
    connection.close()

    with Catalog(path) as catalog:
        assert catalog.check().is_sound


def test_a_missing_parent_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"'.*nowhere' of the catalogue does not exist"):
        Catalog(tmp_path / "nowhere" / "catalog.db")

    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere, so the question is answered here

    with pytest.raises(ResourceError, match="may not be written by this user"):
        Catalog(tmp_path / "catalog.db")

    assert not (tmp_path / "catalog.db").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_path_that_cannot_be_looked_at_is_named(tmp_path: Path, *, read_only: bool) -> None:
    with pytest.raises(ResourceError, match=r"aaa' cannot be looked at: File name too long"):
        Catalog(tmp_path / ("a" * 300), read_only=read_only)


def test_a_working_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalog(tmp_path / "catalog.db") as catalog:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()

        for use in (Catalog, catalog.backup, catalog.explain):
            with pytest.raises(ResourceError, match=r"the working folder is gone, in which 'some\.db' is to be"):
                use("some.db")


def test_reading_a_catalogue_that_does_not_exist_creates_none(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="does not exist"):
        Catalog(tmp_path / "catalog.db", read_only=True)

    assert not list(tmp_path.iterdir())


def test_an_empty_file_becomes_a_catalogue_and_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.touch()

    with Catalog(path) as catalog:
        assert catalog.check().is_sound

    assert not list(tmp_path.glob("*.bak"))


def test_a_catalogue_that_is_up_to_date_is_opened_while_another_program_writes(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE").fetchall()

    with Catalog(path, busy_timeout_ms=0, write_wait_s=0) as catalog:
        assert catalog.sources() == []

    other.close()


def test_reading_a_catalogue_after_a_crash_leaves_it_to_whoever_writes_next(tmp_path: Path) -> None:
    path, aside = tmp_path / "catalog.db", tmp_path / "aside.db"
    Catalog(aside).close()
    with Catalog(aside) as catalog:
        catalog.add_source("disk")
        path.write_bytes(aside.read_bytes())
        (tmp_path / "catalog.db-wal").write_bytes((tmp_path / "aside.db-wal").read_bytes())
    before = path.read_bytes(), (tmp_path / "catalog.db-wal").read_bytes()

    with Catalog(path, read_only=True) as catalog:
        assert [source.name for source in catalog.sources()] == ["disk"]

    assert (path.read_bytes(), (tmp_path / "catalog.db-wal").read_bytes()) == before


def test_a_new_catalogue_is_marked_as_ours(tmp_path: Path) -> None:
    Catalog(tmp_path / "catalog.db").close()

    connection = apsw.Connection(str(tmp_path / "catalog.db"))
    assert connection.execute("PRAGMA application_id").fetchall() == [(migrations.APPLICATION_ID,)]
    assert connection.execute("PRAGMA user_version").fetchall() == [(len(extensions.own().migrations),)]
    connection.close()


def test_a_catalogue_whose_pages_are_all_in_the_wal_is_known_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    keeper = Catalog(path)
    assert path.stat().st_size < (tmp_path / "catalog.db-wal").stat().st_size

    with Catalog(path) as second:
        assert second.check().is_sound
    keeper.close()


def test_an_older_catalogue_is_copied_beside_itself_and_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    with Catalog(path) as catalog:
        catalog.add_source("disk")
    known = len(extensions.own().migrations)
    newer = with_migration("CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT")
    monkeypatch.setattr(migrations, "own", lambda: newer)

    with Catalog(path) as catalog:
        assert catalog.database.execute("SELECT count(*) FROM extra") == [(0,)]
        assert [source.name for source in catalog.sources()] == ["disk"]

    (found,) = tmp_path.glob(f"catalog.db.v{known}.*.bak")
    copy = apsw.Connection(str(found))
    assert copy.execute("PRAGMA user_version").fetchall() == [(known,)]
    assert copy.execute("SELECT name FROM source").fetchall() == [("disk",)]
    copy.close()


def test_a_catalogue_of_the_first_version_is_copied_beside_itself_and_migrated(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    connection = apsw.Connection(str(path))
    connection.execute(extensions.own().migrations["0001_catalogue"]).fetchall()
    connection.execute("INSERT INTO source VALUES (printf('%036d', 1), 'disk', 'filesystem', '{}', '')").fetchall()
    connection.execute(f"PRAGMA user_version = 1; PRAGMA application_id = {migrations.APPLICATION_ID}").fetchall()
    connection.close()

    with Catalog(path) as catalog:
        assert [source.name for source in catalog.sources()] == ["disk"]
        assert catalog.check().is_sound

    (found,) = tmp_path.glob("catalog.db.v1.*.bak")
    copy = apsw.Connection(str(found))
    assert copy.execute("PRAGMA user_version").fetchall() == [(1,)]
    assert copy.execute("SELECT name FROM source").fetchall() == [("disk",)]
    copy.close()


def test_a_catalogue_is_migrated_in_a_unit_of_its_own(tmp_path: Path) -> None:
    with Database(tmp_path / "catalog.db") as db:
        with pytest.raises(ContractError, match="outermost"), db.session():
            migrations.migrate(db, lambda _: None)

        assert db.execute("SELECT count(*) FROM sqlite_schema") == [(0,)]


def test_a_migration_that_fails_leaves_the_older_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    broken = with_migration("CREATE TABLE fine (id INTEGER PRIMARY KEY); CREATE TABLE source (id INTEGER)")
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "own", lambda: broken)
        with pytest.raises(Exception, match="already exists"):
            Catalog(path)

    with Catalog(path) as catalog:
        assert catalog.database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'fine'") == [(0,)]


def test_an_older_catalogue_is_not_migrated_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    newer = with_migration("")
    monkeypatch.setattr(migrations, "own", lambda: newer)

    with pytest.raises(ResourceError, match="open it once for writing"):
        Catalog(path, read_only=True)


def views(path: Path) -> dict[str, str]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'").fetchall()
    connection.close()
    return {str(name): str(sql) for name, sql in rows}


@pytest.mark.parametrize("name", ["violation", "asset_without_movie", "asset_listing", "schedulable_asset"])
@pytest.mark.parametrize("tampering", ["DROP VIEW {0}", "DROP VIEW {0}; CREATE VIEW {0} AS SELECT 1 AS id"])
def test_a_view_that_was_tampered_with_is_rebuilt(tmp_path: Path, name: str, tampering: str) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    before = views(path)
    connection = apsw.Connection(str(path))
    connection.execute(tampering.format(name)).fetchall()
    connection.close()

    with Catalog(path) as catalog:
        assert catalog.check().is_sound

    assert views(path) == before
    assert not list(tmp_path.glob("*.bak"))


def test_reading_a_catalogue_whose_view_was_tampered_with_rebuilds_none(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP VIEW asset_listing").fetchall()
    connection.close()
    before = views(path)

    with Catalog(path, read_only=True) as catalog:
        assert catalog.sources() == []

    assert views(path) == before


def test_the_comments_of_a_rule_stay_out_of_the_file(tmp_path: Path) -> None:
    """Else another wording would be another rule, and every catalogue would be written to."""
    Catalog(tmp_path / "catalog.db").close()

    stored = views(tmp_path / "catalog.db")

    assert all(sql.startswith(f"CREATE VIEW {name} AS\nSELECT ") and "--" not in sql for name, sql in stored.items())


def test_a_view_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE VIEW mine AS SELECT file FROM asset_listing; DROP VIEW asset_listing").fetchall()
    connection.close()

    with Catalog(path) as catalog:
        assert catalog.database.execute("SELECT file FROM mine") == []


def test_the_views_survive_a_migration_of_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    before = views(path)
    rebuilding = """
        CREATE TABLE new_operation (id INTEGER PRIMARY KEY, unit_id TEXT NOT NULL, name TEXT NOT NULL) STRICT;
        DROP TABLE operation;
        ALTER TABLE new_operation RENAME TO operation
        """
    newer = with_migration(rebuilding)
    monkeypatch.setattr(migrations, "own", lambda: newer)

    with Catalog(path) as catalog:
        assert catalog.database.execute("SELECT operations FROM unit_listing") == []

    assert views(path) == before


@pytest.mark.parametrize("read_only", [False, True])
def test_every_setting_is_what_the_design_says(tmp_path: Path, *, read_only: bool) -> None:
    Catalog(tmp_path / "catalog.db").close()

    with Catalog(tmp_path / "catalog.db", read_only=read_only) as catalog:
        settings = {
            name: catalog.database.execute(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "foreign_keys", "synchronous", "trusted_schema")
        }
        assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "trusted_schema": 0}
        with pytest.raises(Exception, match="no such column"):
            catalog.database.execute('SELECT "not a column"')


def test_a_catalogue_in_memory_works() -> None:
    with Catalog(":memory:") as catalog:
        catalog.add_source("disk")
        assert catalog.check().is_sound


def test_nothing_can_be_changed_through_a_read_only_catalogue(tmp_path: Path) -> None:
    Catalog(tmp_path / "catalog.db").close()

    with Catalog(tmp_path / "catalog.db", read_only=True) as catalog, pytest.raises(Exception, match="read-only"):
        catalog.add_source("disk")


def test_opening_a_catalogue_again_keeps_the_locks_that_this_process_has_on_it(tmp_path: Path) -> None:
    """Whoever opens and closes a database otherwise than through SQLite drops them; others then think themselves alone."""
    path = str(tmp_path / "catalog.db")
    take_everything = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)"  # where SQLite's shared locks lie
    )
    with Catalog(path) as first:
        first.add_source("disk")
        Catalog(path).close()
        Catalog(path, read_only=True).close()

        other = subprocess.run([sys.executable, "-c", take_everything, path], capture_output=True, text=True, check=False)

        assert "BlockingIOError" in other.stderr
    assert subprocess.run([sys.executable, "-c", take_everything, path], check=False).returncode == 0


def test_a_schema_version_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with Catalog(path):
        other = apsw.Connection(str(path))
        other.execute("PRAGMA user_version = -1").fetchall()

        with pytest.raises(ResourceError, match=f"'{path}' has schema version -1"):
            Catalog(path)
        other.close()


def test_a_relative_path_means_the_same_file_wherever_the_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Database("some.db") as db:
        monkeypatch.chdir("/")

        assert db.path == str(tmp_path / "some.db")


def test_moments_of_two_connections_are_never_equal(tmp_path: Path) -> None:
    with Database(tmp_path / "some.db") as one, Database(tmp_path / "some.db") as other:
        assert one.data_version() == one.data_version()
        assert one.data_version() != other.data_version()


def test_a_backup_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with Database(tmp_path / "some.db") as db:
        with db.session():
            db.execute("CREATE TABLE picture (id INTEGER PRIMARY KEY, pixels BLOB) STRICT")
            db.execute("INSERT INTO picture (pixels) VALUES (zeroblob(17000000))")

        db.backup(str(tmp_path / "copy.db"), progress=lambda done, pages: told.append((done, pages)))

    assert len(told) == 2
    assert 0 < told[0][0] < told[0][1] == told[1][0] == told[1][1]


def test_a_backup_that_has_no_room_says_so_under_its_own_name_and_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Catalog(tmp_path / "catalog.db") as catalog:
        before = sorted(tmp_path.iterdir())
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
            with pytest.raises(ResourceError, match=r"copy\.db' cannot be read or written: look after its disk$"):
                catalog.backup(tmp_path / "copy.db")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        assert sorted(tmp_path.iterdir()) == before


def test_a_backup_into_a_folder_that_is_missing_says_so(tmp_path: Path) -> None:
    with Database(tmp_path / "some.db") as db, pytest.raises(ResourceError, match="missing"):
        db.backup(str(tmp_path / "missing" / "copy.db"))


def test_a_file_format_that_sqlite_does_not_support_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    content = bytearray(path.read_bytes())
    content[47] = 9  # the schema format number: https://www.sqlite.org/fileformat.html#schema_format_number
    path.write_bytes(content)

    with pytest.raises(ResourceError, match="damaged: restore a backup"):
        Catalog(path)
