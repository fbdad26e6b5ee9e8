"""Catalogue files that are damaged, forged, or no files at all: an error of the library, in time, and nothing is written."""

from __future__ import annotations

import os
import random
import resource
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from extending import PLAYLOG
from harness import episode, movie
from proof.figures import Proof, Size

from retrovue_uow import Catalog, ContractError, OperationError, ResourceError, RetroVueError, WipeOptions
from retrovue_uow.store.extensions import made_by_migrations, own, read
from retrovue_uow.store.migrations import APPLICATION_ID
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

IMPORTER = FakeImporter([episode("Space: 1999", 1, number) for number in (1, 2, 3)] + [movie("Tron", 1982)])
ENRICHER = FakeEnricher()
STEP = 512
PAGES = 8
pytestmark = pytest.mark.proof("Hostile input brings out the library's own errors, in time, and changes nothing")


def opened(path: Path, *, read_only: bool = False) -> Catalog:
    return Catalog(
        path,
        read_only=read_only,
        busy_timeout_ms=200,
        write_wait_s=1,
        importers={"fake": IMPORTER},
        enrichers={"fake": ENRICHER},
        extensions=() if read_only else [PLAYLOG],
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a sound catalogue."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "mounted.txt").write_text("media")
    with opened(folder / "catalog.db") as catalog:
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(folder)})
        catalog.attach_enricher("Shows", "fake")
        catalog.ingest_collection("Shows")
        with catalog.session() as db:
            db.execute("INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT id, 10 * rowid, 10 * rowid + 9 FROM asset")
    return (folder / "catalog.db").read_bytes()


def read_everything(catalog: Catalog) -> None:
    for source in catalog.sources():
        catalog.collections(source.id)
    for asset in catalog.assets():
        catalog.explain(asset.id)
        catalog.metadata(asset.id)
    for unit in catalog.history(100):
        if unit.is_recorded:
            list(catalog.changes(unit.id).rows)
    catalog.titles()
    catalog.check()


ASKED: list[Callable[[Catalog], object]] = [
    read_everything,
    lambda catalog: catalog.sources(),
    lambda catalog: catalog.titles(),
    lambda catalog: catalog.assets(),
    lambda catalog: catalog.history(),
    lambda catalog: catalog.check(),
]
CHANGED: list[Callable[[Catalog], object]] = [
    lambda catalog: catalog.add_source("another", "fake"),
    lambda catalog: catalog.wipe_collection("Shows"),
    lambda catalog: catalog.undo(catalog.history(1)[0].id),
]


def outcomes(path: Path, acts: list[Callable[[Catalog], object]], *, read_only: bool) -> list[str]:
    """What became of each: an error of the library, or nothing worth telling; any other error goes on to the test."""
    told = []
    try:
        with opened(path, read_only=read_only) as catalog:
            for act in acts:
                try:
                    act(catalog)
                except RetroVueError as error:
                    told.append(told_of(error))
    except RetroVueError as error:
        told.append(told_of(error))
    return told


def told_of(error: RetroVueError) -> str:
    """What it says; that a file is damaged is no fault of the caller's, and never a foreign error in the library's coat."""
    cause = error.cause if isinstance(error, OperationError) else error
    assert isinstance(cause, RetroVueError), repr(cause)
    assert not isinstance(cause, ContractError), repr(cause)
    return str(error)


def judge(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for leftover in (f"{path}-wal", f"{path}-shm"):
        Path(leftover).unlink(missing_ok=True)
    told = outcomes(path, ASKED, read_only=True)
    assert path.read_bytes() == content
    told += outcomes(path, CHANGED, read_only=False)
    assert all(len(each) < 3000 for each in told)


@pytest.mark.parametrize("page", range(PAGES))
def test_a_truncated_catalogue_is_read_or_refused(tmp_path: Path, sound: bytes, size: Size, figures: Proof, page: int) -> None:
    lengths = size.some(range(page * 4096, (page + 1) * 4096, STEP), 3)
    for length in lengths:
        judge(tmp_path / "catalog.db", sound[: length or 1])
    figures.add({"truncated files": len(lengths)})


@pytest.mark.parametrize("length", [1, 15, 16, 60, 99, 100, 101])
def test_a_piece_of_a_header_is_no_catalogue(tmp_path: Path, sound: bytes, length: int) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound[:length])

    for read_only in (True, False):
        with pytest.raises(ResourceError):
            opened(path, read_only=read_only)

    assert path.read_bytes() == sound[:length]


@pytest.mark.parametrize("seed", range(4))
def test_a_catalogue_with_flipped_bits_is_read_or_refused(
    tmp_path: Path, sound: bytes, size: Size, figures: Proof, seed: int
) -> None:
    chosen, files = random.Random(f"{size.seed} {seed}"), size.choose(sample=8, full=100)
    figures.add({"files with flipped bits": files})
    for _ in range(files):
        content = bytearray(sound)
        within = len(content) if seed % 2 else 200
        for _ in range(chosen.choice((1, 1, 8))):
            content[chosen.randrange(within)] ^= 1 << chosen.randrange(8)
        judge(tmp_path / "catalog.db", bytes(content))


PAGE = 4096


@pytest.mark.parametrize("seed", range(4))
def test_a_catalogue_with_a_damaged_schema_or_swapped_pages_is_read_or_refused(
    tmp_path: Path, sound: bytes, size: Size, figures: Proof, seed: int
) -> None:
    chosen, files = random.Random(f"{size.seed} {seed}"), size.choose(sample=15, full=250)
    pages = [sound[start : start + PAGE] for start in range(0, len(sound), PAGE)]
    of_schema = [number for number, page in enumerate(pages) if b"CREATE " in page]
    figures.add({"files with a damaged schema" if seed % 2 else "files with swapped pages": files})
    for _ in range(files):
        content = list(pages)
        if seed % 2:
            number = chosen.choice(of_schema)
            damaged = bytearray(content[number])
            damaged[chosen.randrange(PAGE)] = chosen.randrange(256)
            content[number] = bytes(damaged)
        else:
            one, other = chosen.sample(range(1, len(pages)), 2)
            content[one], content[other] = content[other], content[one]
        judge(tmp_path / "catalog.db", b"".join(content))


def rewritten(path: Path, content: bytes, table: str, old: str, new: str) -> None:
    """A catalogue in which the text of a table is another one, as a flipped bit would have it."""
    sql = f"PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = replace(sql, '{old}', '{new}') WHERE name = '{table}'"  # noqa: S608
    forged(path, content, sql)


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("asset", "canonical_key", "canonical_kex"),
        ("season", "REFERENCES title", "REFERENCES tYtle"),
        ("source", "json_valid(", "jsonXvalid("),
    ],
)
def test_damage_in_the_text_of_the_schema_is_listed_by_the_check_which_goes_on(
    tmp_path: Path, sound: bytes, table: str, old: str, new: str
) -> None:
    path = tmp_path / "catalog.db"
    rewritten(path, sound, table, old, new)

    with opened(path) as catalog:
        found = catalog.check().violations

    assert ("schema", table) in {(each.rule, each.id) for each in found}
    outcomes(path, [*ASKED, *CHANGED], read_only=False)


def test_a_column_that_damage_took_away_is_an_error_of_the_file(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    rewritten(path, sound, "asset", "canonical_key", "canonical_kex")

    with opened(path, read_only=True) as catalog, pytest.raises(ResourceError, match=r"table 'asset' is damaged"):
        catalog.assets()

    path.write_bytes(sound)
    with opened(path, read_only=True) as catalog, pytest.raises(ContractError, match="no such column: canonical_kex"):
        catalog.database.execute("SELECT canonical_kex FROM asset")


def test_a_schema_that_is_no_text_refuses_a_session_in_the_library_s_words(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    at = sound.index(b"video_codec ")
    path.write_bytes(sound[:at] + b"\xff" + sound[at + 1 :])

    with opened(path) as catalog, pytest.raises(ResourceError, match="not UTF-8"), catalog.session():
        pytest.fail("it was opened")


@pytest.mark.parametrize("room", range(0, 400_000, 40_000))
def test_opening_without_memory_is_an_error_of_the_library(tmp_path: Path, sound: bytes, room: int) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound)
    made_by_migrations.cache_clear()
    apsw.hard_heap_limit(apsw.memory_used() + room)
    try:
        outcomes(path, [], read_only=False)
    finally:
        apsw.hard_heap_limit(0)
        apsw.soft_heap_limit(0)  # which the hard limit has lowered, too

    assert outcomes(path, ASKED, read_only=False) == []


@pytest.mark.parametrize("left", range(8))
def test_opening_where_no_more_files_can_be_opened_is_an_error_of_the_library(tmp_path: Path, sound: bytes, left: int) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound)
    for cached in (made_by_migrations, own, read):
        cached.cache_clear()
    first_free = os.dup(0)
    os.close(first_free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + left, hard))
    try:
        told = outcomes(path, [], read_only=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert all("oo many" in each for each in told)
    assert outcomes(path, ASKED, read_only=False) == []


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.parent / "fifo")
    path.symlink_to(path.parent / "fifo")


NO_FILES: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "fifo": os.mkfifo,
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "dangling": lambda path: path.symlink_to(path.parent / "nowhere" / "x"),
    "loop": lambda path: path.symlink_to(path),
    "link_to_fifo": link_to_fifo,
}


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], object], *, read_only: bool) -> None:
    make(tmp_path / "catalog.db")
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(ResourceError):
        opened(tmp_path / "catalog.db", read_only=read_only)

    assert sorted(os.listdir(tmp_path)) == before


BESIDE = (
    "-wal",
    "-shm",
    "-journal",
    "-next",
    "-turn",
    ".cache.db",
    ".cache.db-wal",
    ".claims",
    ".claims/{}.db",
    ".claims/{}.db-journal",
)


def link_to_precious(path: Path) -> None:
    (path.parent / "precious").write_text("somebody else's")
    path.symlink_to(path.parent / "precious")


NO_SIDE_FILES: dict[str, Callable[[Path], object]] = {
    **{name: NO_FILES[name] for name in ("folder", "fifo", "link_to_fifo", "loop", "dangling", "socket")},
    "noise": lambda path: path.write_bytes(b"\xff" * 5000),
    "link": link_to_precious,
}


@pytest.mark.parametrize("make", NO_SIDE_FILES.values(), ids=NO_SIDE_FILES)
@pytest.mark.parametrize("suffix", BESIDE)
def test_what_lies_beside_the_catalogue_is_no_obstacle_or_named(
    tmp_path: Path, sound: bytes, suffix: str, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound)
    before = snapshot(path)
    for leftover in (f"{path}-wal", f"{path}-shm"):
        Path(leftover).unlink(missing_ok=True)
    with opened(path, read_only=True) as catalog:
        beside = Path(f"{path}{suffix.format(catalog.collection('Shows').id)}")
    beside.parent.mkdir(exist_ok=True)
    beside.unlink(missing_ok=True)  # a reader leaves the log behind
    make(beside)

    told = outcomes(
        path,
        [
            read_everything,
            lambda catalog: catalog.ingest_collection("Shows", refresh="all", dry_run=True),
            lambda catalog: catalog.wipe_collection("Shows", WipeOptions(dry_run=True)),
        ],
        read_only=False,
    )

    assert all(str(path) in each for each in told)
    if (tmp_path / "precious").exists():
        assert (tmp_path / "precious").read_text() == "somebody else's"
    if beside.is_dir() and not beside.is_symlink():
        shutil.rmtree(beside)
    else:
        beside.unlink(missing_ok=True)
    assert snapshot(path) == before


def forged(path: Path, content: bytes, sql: str) -> None:
    """A catalogue into which somebody has put more, by a connection that lets them."""
    path.write_bytes(content)
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    connection.execute(sql).fetchall()
    connection.close()


REACHING_OUT = {
    "trigger_loads": "CREATE TRIGGER evil AFTER INSERT ON source BEGIN SELECT load_extension('evil'); END",
    "check_tokenizes": "CREATE TRIGGER evil BEFORE INSERT ON source BEGIN SELECT fts3_tokenizer('simple'); END",
    "trigger_writes_pages": "CREATE TRIGGER evil AFTER INSERT ON source BEGIN UPDATE sqlite_dbpage SET data = x'00'; END",
    "trigger_never_ends": "CREATE TRIGGER evil AFTER INSERT ON SOURCE BEGIN"
    " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n; END",
    "trigger_writes_schema": "CREATE TRIGGER evil AFTER INSERT ON source BEGIN DELETE FROM sqlite_schema; END",
}


@pytest.mark.parametrize("sql", REACHING_OUT.values(), ids=REACHING_OUT)
def test_a_trigger_of_somebody_else_s_on_our_tables_stops_every_unit_and_nothing_is_written(
    tmp_path: Path, sound: bytes, sql: str
) -> None:
    path = tmp_path / "catalog.db"
    forged(path, sound, sql)
    before = snapshot(path)

    with opened(path) as catalog:
        with pytest.raises(OperationError, match=r"'evil' \(on (source|SOURCE)\).* drop them") as caught:
            catalog.add_source("another", "fake")
        told = [each.detail for each in catalog.check().violations]
        assert [source.name for source in catalog.sources()] == ["station"]

    assert isinstance(caught.value.cause, ResourceError)
    assert [each for each in told if each.startswith("trigger 'evil' on table")]
    assert snapshot(path) == before


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_trigger_that_has_the_name_of_ours_and_another_body_stops_every_unit(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    forged(
        path,
        sound,
        "DROP TRIGGER path_mapping_in_use;"
        f"CREATE TRIGGER path_mapping_in_use BEFORE INSERT ON path_mapping BEGIN {ENDLESS}; END",
    )

    with opened(path) as catalog, pytest.raises(OperationError, match="'path_mapping_in_use'"):
        catalog.map_path("Shows", "/more", "/srv/more")


def test_a_trigger_that_came_while_the_catalogue_was_open_stops_the_next_unit(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound)
    with opened(path) as catalog:
        catalog.add_source("another", "fake")
        other = apsw.Connection(str(path))
        other.execute(f"CREATE TRIGGER evil AFTER INSERT ON source BEGIN {ENDLESS}; END").fetchall()

        with pytest.raises(OperationError, match="'evil'"):
            catalog.add_source("a third", "fake")
        other.execute("DROP TRIGGER evil").fetchall()
        other.close()
        catalog.add_source("a third", "fake")


def test_tables_and_views_of_one_s_own_may_have_triggers(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    forged(
        path,
        sound,
        """
        CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
        CREATE TRIGGER note_is_neat AFTER INSERT ON note BEGIN UPDATE note SET text = trim(text) WHERE id = new.id; END;
        CREATE VIEW ready AS SELECT id FROM asset WHERE state = 'ready';
        CREATE TRIGGER ready_stays INSTEAD OF DELETE ON ready BEGIN SELECT raise(ABORT, 'no'); END;
        """,
    )

    with opened(path) as catalog:
        with catalog.session() as db:
            db.execute("INSERT INTO note (text) VALUES (' dusty ')")
        assert catalog.database.execute("SELECT text FROM note") == [("dusty",)]
        assert catalog.check().is_sound


@pytest.mark.parametrize("read_only", [True, False])
def test_a_view_in_the_place_of_a_table_is_refused(tmp_path: Path, sound: bytes, *, read_only: bool) -> None:
    path = tmp_path / "catalog.db"
    forged(path, sound, f"PRAGMA foreign_keys = off; DROP TABLE title_spelling; CREATE VIEW Title_Spelling AS {ENDLESS}")

    with pytest.raises(ResourceError, match="'Title_Spelling' is a view instead of a table"):
        opened(path, read_only=read_only)


def test_an_older_catalogue_with_a_trigger_of_somebody_else_s_is_not_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    connection = apsw.Connection(str(path))
    connection.execute(own().migrations["0001_catalogue"]).fetchall()
    connection.execute(
        f"PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID};"
        f"CREATE TRIGGER evil AFTER INSERT ON source BEGIN {ENDLESS}; END"
    ).fetchall()
    connection.close()

    with pytest.raises(ResourceError, match="'evil'"):
        opened(path)

    assert sorted(os.listdir(tmp_path)) == ["catalog.db"]


def test_the_schema_and_the_pages_of_a_catalogue_cannot_be_written(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound)
    before = snapshot(path)

    with opened(path) as catalog:
        for sql in (
            "UPDATE sqlite_schema SET sql = ''",
            "DELETE FROM sqlite_schema",
            "PRAGMA writable_schema = 1",
            "PRAGMA trusted_schema = 1",
            "PRAGMA journal_mode = delete",
            f"ATTACH '{tmp_path}/other.db' AS other",
            f"VACUUM INTO '{tmp_path}/other.db'",
            "SELECT load_extension('evil')",
            "UPDATE sqlite_dbpage SET data = x'00'",
        ):
            with pytest.raises(RetroVueError), catalog.session() as db:
                db.execute(sql)
                db.execute("UPDATE sqlite_schema SET sql = ''")
        assert catalog.check().is_sound

    assert snapshot(path) == before
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith("other")) == []


FORGED = {
    "negative_version": "PRAGMA user_version = -1",
    "newest_version": "PRAGMA user_version = 2147483647",
    "dropped_table": "PRAGMA foreign_keys = off; DROP TABLE asset",
    "virtual_table": "CREATE VIRTUAL TABLE evil USING fts5(x)",
    "view_of_itself": "CREATE VIEW evil AS SELECT * FROM evil2; CREATE VIEW evil2 AS SELECT * FROM evil",
    "view_that_loads": "CREATE VIEW evil AS SELECT load_extension('evil')",
    "malformed_schema": "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = 'CREATE' || char(0) WHERE name = 'asset'",
    "schema_of_another_kind": "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET type = 'view' WHERE name = 'asset'",
    "config_is_no_json": "PRAGMA ignore_check_constraints = 1; UPDATE source SET config = '{'",
    "config_is_a_list": "PRAGMA ignore_check_constraints = 1; UPDATE source SET config = '[1]'",
    "config_is_deep": "PRAGMA ignore_check_constraints = 1; UPDATE source SET config = replace(hex(zeroblob(9000)), '00', '[')",
    "arguments_are_a_list": "PRAGMA ignore_check_constraints = 1; UPDATE operation SET arguments = '[]'",
    "counts_are_no_json": "PRAGMA ignore_check_constraints = 1; UPDATE unit_of_work SET counts = '{'",
    "changeset_is_noise": "PRAGMA ignore_check_constraints = 1; UPDATE unit_of_work SET changeset = randomblob(500)",
    "changeset_is_a_bomb": "PRAGMA ignore_check_constraints = 1; UPDATE unit_of_work SET changeset = zeroblob(10)",
    "metadata_is_no_json": "PRAGMA ignore_check_constraints = 1; UPDATE asset_metadata SET document = '{'",
    "text_is_no_utf8": "UPDATE source SET name = cast(x'ff41' AS TEXT)",
    "time_is_no_time": "PRAGMA ignore_check_constraints = 1; UPDATE unit_of_work SET committed_at = 'soon'",
}


@pytest.mark.parametrize("sql", FORGED.values(), ids=FORGED)
def test_a_forged_catalogue_ends_in_errors_of_the_library(tmp_path: Path, sound: bytes, sql: str) -> None:
    path = tmp_path / "catalog.db"
    forged(path, sound, sql)
    content = path.read_bytes()

    outcomes(path, ASKED, read_only=True)

    assert path.read_bytes() == content
    outcomes(path, CHANGED, read_only=False)


NO_JSON = {
    "open": "'{'",
    "list": "'[]'",
    "empty": "''",
    "deep": "replace(hex(zeroblob(9000)), '00', '[')",
    "no_utf8": "cast(x'ff41' AS TEXT)",
}
JSON_COLUMNS = {
    "source": "config",
    "collection_enricher": "config",
    "operation": "arguments",
    "unit_of_work": "counts",
    "asset_metadata": "document",
}


@pytest.fixture(scope="module")
def described(sound: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a catalogue that has metadata, too."""
    path = tmp_path_factory.mktemp("described") / "catalog.db"
    forged(path, sound, "INSERT INTO asset_metadata (asset_id, domain, document) SELECT id, 'probed', '{}' FROM asset")
    return path.read_bytes()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("table", JSON_COLUMNS)
def test_json_that_is_damaged_is_listed_by_the_check(
    tmp_path: Path, described: bytes, table: str, value: str, *, read_only: bool
) -> None:
    path = tmp_path / "catalog.db"
    damaging = f"UPDATE {table} SET {JSON_COLUMNS[table]} = {value}"  # noqa: S608  all of it is ours
    forged(path, described, f"PRAGMA ignore_check_constraints = 1; {damaging}")

    with opened(path, read_only=read_only) as catalog:
        found = [each.detail for each in catalog.check().violations]

    assert any(table in detail for detail in found), found


def test_a_damaged_undo_in_the_journal_is_an_error_of_the_library(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(sound)
    with opened(path) as catalog:
        catalog.undo(catalog.history(1)[0].id)
    forged(path, path.read_bytes(), "PRAGMA ignore_check_constraints = 1; UPDATE operation SET arguments = '{' WHERE id = 5")

    with opened(path, read_only=True) as catalog:
        with pytest.raises(ResourceError, match=r"operation.arguments holds no JSON"):
            catalog.history()
        assert not catalog.check().is_sound


def test_a_stranger_s_file_that_claims_to_be_ours_is_an_error_of_the_library(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    connection = apsw.Connection(str(path))
    connection.execute(
        f"CREATE TABLE recipe (id INTEGER PRIMARY KEY); PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {len(own().migrations)}"
    ).fetchall()
    connection.close()

    told = outcomes(path, [*ASKED, *CHANGED], read_only=False)

    assert told
