"""What a unit changes is recorded row by row; and to judge the rows near it is to judge the whole catalogue."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import apsw
import attrs
import pytest
from extending import PLAYLOG
from harness import draft, episode, movie
from hypothesis import given
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow import AssetSelector, Catalog, Collection, Marker, ValidationError, Violation, WipeOptions
from retrovue_uow.errors import ConstraintError
from retrovue_uow.model import Result
from retrovue_uow.store import checks, extensions, rows
from retrovue_uow.testing import FakeImporter, snapshot
from retrovue_uow.uow.changes import Changeset, Recording, decompressed
from retrovue_uow.uow.database import Database, Value
from retrovue_uow.uow.tables import Shape

FRESH_ID = "f" * 36
UNIT = "a" * 36
VALUES: Mapping[str, Sequence[Value]] = {
    "asset.kind": ("episode", "movie", "bumper", "other"),
    "asset.state": ("new", "ready", "retired"),
    "asset.duration_ms": (None, 4, 60_000),
    "asset.canonical_key": ("/media/new.mkv", "/elsewhere/new.mkv"),
    "title.kind": ("show", "movie"),
    "path_mapping.source_path": ("/media/inner", "/elsewhere"),
    "path_mapping.local_path": ("/nowhere", "/nowhere/inner"),
    "finding.severity": ("broken", "warning"),
    "marker.start_ms": (0, 10, 70_000),
    "marker.end_ms": (None, 11, 80_000),
    "playlog_airing.duration_ms": (0, 7),
    "playlog_slot.start_ms": (0, 9, 10),
    "playlog_slot.end_ms": (10, 20),
}
SYMMETRIC = "episode_of_other_season"  # two rows break it together: one of them may be far from the change


@attrs.frozen
class Write:
    """One statement, as a failing example shows it."""

    sql: str
    params: tuple[Value, ...]


@attrs.frozen
class Pools:
    """What random writes are made of: the rows that are there, and few values per column, so that they meet."""

    shape: Shape = attrs.field(repr=False)
    rows: Mapping[str, Sequence[tuple[Value, ...]]] = attrs.field(repr=False)
    values: Mapping[tuple[str, str], Sequence[Value]] = attrs.field(repr=False)

    def writes(self) -> st.SearchStrategy[Write]:
        tables = [table for table in self.shape.keys if self.rows[table]]
        return st.sampled_from(tables).flatmap(
            lambda table: st.one_of(self._inserts(table), self._updates(table), self._deletes(table))
        )

    def _value_of(self, table: str, column: str) -> st.SearchStrategy[Value]:
        return st.sampled_from(self.values[table, column])

    def _assignments(self, table: str, *, most: int) -> st.SearchStrategy[dict[str, Value]]:
        pairs = st.sampled_from(self.shape.columns[table]).flatmap(
            lambda column: st.tuples(st.just(column), self._value_of(table, column))
        )
        return st.lists(pairs, min_size=1, max_size=most).map(dict)

    def _inserts(self, table: str) -> st.SearchStrategy[Write]:
        """A row like one that is there, with a few columns of other values."""
        columns, key = self.shape.columns[table], self.shape.keys[table]

        def insert(verb: str, like: tuple[Value, ...], own_key: Value, other: dict[str, Value]) -> Write:
            row = {**dict(zip(columns, like, strict=True)), key: own_key, **other}
            return Write(f"{verb} INTO {table} VALUES ({', '.join('?' * len(columns))})", tuple(row.values()))

        return st.builds(
            insert,
            st.sampled_from(("INSERT", "INSERT OR REPLACE")),
            st.sampled_from(self.rows[table]),
            self._value_of(table, key),
            self._assignments(table, most=4),
        )

    def _updates(self, table: str) -> st.SearchStrategy[Write]:
        key = self.shape.keys[table]

        def update(verb: str, own_key: Value, new: dict[str, Value]) -> Write:
            sets = ", ".join(f"{column} = ?" for column in new)
            return Write(f"{verb} {table} SET {sets} WHERE {key} = ?", (*new.values(), own_key))

        verbs = st.sampled_from(("UPDATE", "UPDATE OR REPLACE"))
        return st.builds(update, verbs, self._value_of(table, key), self._assignments(table, most=2))

    def _deletes(self, table: str) -> st.SearchStrategy[Write]:
        key = self.shape.keys[table]
        sql = f"DELETE FROM {table} WHERE {key} = ?"  # noqa: S608  the names are the schema's
        return self._value_of(table, key).map(lambda own_key: Write(sql, (own_key,)))


def pools_of(db: Database) -> Pools:
    shape = db.shape
    rows = {table: db.execute(f"SELECT * FROM {table} ORDER BY {key}") for table, key in shape.keys.items()}  # noqa: S608  ours
    values: dict[tuple[str, str], Sequence[Value]] = {}
    for table, columns in shape.columns.items():
        for position, column in enumerate(columns):
            found = [row[position] for row in rows[table]]
            values[table, column] = list(dict.fromkeys((*found, *VALUES.get(f"{table}.{column}", ()))))
    parents = {(reference.child, reference.column): reference.parent for reference in shape.references}
    for table, key in shape.keys.items():
        values[table, key] = [*values[table, key], FRESH_ID if isinstance(values[table, key][0], str) else 999]
    for child, parent in parents.items():
        values[child] = values[parent, shape.keys[parent]]
    return Pools(shape, rows, values)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A sound catalogue in memory: two collections that share a show, with movies, interstitials and a double episode."""
    importer = FakeImporter()
    media = str(tmp_path_factory.mktemp("media"))
    Path(media, "mounted.txt").touch()
    facts = {
        "duration_ms": 60_000,
        "metadata": {"editorial": {}},
        "markers": (Marker("avail", 5), Marker("intro", 0, 4)),
        "warnings": ("odd",),
    }
    with Catalog(":memory:", importers={"fake": importer}, extensions=[PLAYLOG]) as opened:
        opened.add_source("station", "fake")
        opened.add_source("spare", "fake")
        for name in ("Shows", "More"):
            opened.add_collection("station", name, external_id=name, path_mappings={"/media": media})
            opened.attach_enricher(name, "filename")
            opened.exclude(name, "Samples")
        importer.drafts = [
            episode("Both", 1, 1, **facts),
            episode("Both", 1, 2, episode_numbers=(2, 3)),
            episode("Both", 2, 1),
            movie("Tron", 1982, **facts),
            draft("bumper.mkv", kind="bumper"),
        ]
        opened.ingest_collection("Shows")
        importer.drafts = [episode("Both", 1, 1), movie("Alien", 1979), draft("promo.mkv", kind="promo", duration_ms=10)]
        opened.ingest_collection("More")
        opened.approve(opened.select(AssetSelector(state="ready")))
        opened.prefer(AssetSelector(collection="Shows", kind="movie"))
        opened.withdraw_approval(AssetSelector(path="promo.mkv"))
        opened.assign(AssetSelector(path="bumper.mkv"), kind="psa")
        opened.retire(AssetSelector(path="promo.mkv"))
        opened.rename_title("Alien", name="Alien!")
        with opened.session() as db:
            db.execute("INSERT INTO playlog_airing (asset_id, aired_at, duration_ms) SELECT id, 'noon', 5 FROM asset LIMIT 2")
            db.execute(
                """
                INSERT INTO playlog_slot (asset_id, start_ms, end_ms, airing_id)
                SELECT id, 10 * rowid, 10 * rowid + 10, iif(kind = 'movie', 1, NULL) FROM asset WHERE kind <> 'other'
                """
            )
        assert opened.check().is_sound
        yield opened


@pytest.fixture(scope="module")
def pools(sound: Catalog) -> Pools:
    return pools_of(sound.database)


@contextmanager
def undone(catalog: Catalog) -> Iterator[Database]:
    """A unit in which rows may break any rule, for it is rolled back."""
    with catalog.session() as db:
        db.set_rollback_only("a test looks at what would be")
        yield db


@contextmanager
def recorded(db: Database) -> Iterator[Recording]:
    recording = Recording(db, db.shape)
    try:
        yield recording
    finally:
        recording.close()


def attempt(db: Database, write: Write) -> bool:
    """Whether SQLite took it."""
    try:
        with db.session(contain=True):
            db.execute(write.sql, write.params)
    except ConstraintError:
        return False
    return True


def scoped(db: Database, changeset: Changeset) -> set[Violation]:
    with checks.narrowed(db, changeset, extensions.rules(db)):
        return {*checks.broken_references(db), *checks.violations(db)}


def full(db: Database) -> set[Violation]:
    return {*checks.all_broken_references(db), *checks.all_violations(db)}


def alike(found: Violation) -> Violation:
    """A contradicted decision is told from the side of the row and of the decision: either will do."""
    return attrs.evolve(found, subject="", id="") if found.rule.endswith("_contradicted") else found


def clashes(db: Database) -> set[frozenset[str]]:
    """The pairs of episodes that break the symmetric rule together."""
    rows = db.execute(
        """
        SELECT one.id, other.id
          FROM episode AS one
          JOIN episode_asset AS own_link ON own_link.episode_id = one.id
          JOIN episode_asset AS other_link ON other_link.asset_id = own_link.asset_id
          JOIN episode AS other ON other.id = other_link.episode_id
         WHERE other.season_id <> one.season_id
        """
    )
    return {frozenset(map(str, pair)) for pair in rows}


@pytest.mark.proof(
    "To check the rows near a change is to check the whole catalogue",
    how="Hypothesis writes at random into every table, past every rule; the narrowed check and the full one must find the same",
)
@given(data=st.data())
def test_what_the_touched_rows_break_is_what_the_catalogue_breaks(
    sound: Catalog, pools: Pools, figures: Proof, data: st.DataObject
) -> None:
    deferred = data.draw(st.booleans(), label="references may break")
    writes = data.draw(st.lists(pools.writes(), min_size=1, max_size=10), label="writes")
    many = data.draw(st.sampled_from((0, checks.MANY)), label="rows are handled all at once from so many on")
    with undone(sound) as db, recorded(db) as recording, pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "MANY", many)
        if deferred:
            db.execute("PRAGMA defer_foreign_keys = 1")
        for write in writes:
            attempt(db, write)

        near = scoped(db, recording.changeset())
        everywhere = full(db)

        assert {alike(found) for found in near if found.rule != SYMMETRIC} == {
            alike(found) for found in everywhere if found.rule != SYMMETRIC
        }
        named = {found.id for found in near if found.rule == SYMMETRIC}
        assert named <= {found.id for found in everywhere if found.rule == SYMMETRIC}
        assert all(pair & named for pair in clashes(db))
    figures.add({"units": 1, "writes": len(writes), "violations": len(everywhere)})


def test_an_episode_that_comes_to_share_an_asset_with_another_season_is_named(sound: Catalog) -> None:
    with undone(sound) as db, recorded(db) as recording:
        ((asset, other),) = db.execute(
            """
            SELECT link.asset_id, other.id
              FROM episode_asset AS link
              JOIN episode ON episode.id = link.episode_id
              JOIN season ON season.id = episode.season_id
              JOIN episode AS other ON other.season_id <> season.id
             WHERE season.number = 1 AND episode.number = 3
            """
        )
        db.execute("INSERT INTO episode_asset (episode_id, asset_id) VALUES (?, ?)", (other, asset))

        assert (SYMMETRIC, str(other)) in {(found.rule, found.id) for found in scoped(db, recording.changeset())}


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    """A catalogue on disk with three episodes and a movie, which has a marker and a finding."""
    catalog.ingest_collection(collection.name)
    with catalog.session() as db:
        db.execute("INSERT INTO marker (asset_id, kind, start_ms) VALUES (?, 'avail', 5)", (film(catalog),))
        warning = "INSERT INTO finding (asset_id, enricher, severity, message) VALUES (?, 'fake', 'warning', 'odd')"
        db.execute(warning, (film(catalog),))
    return catalog


def film(catalog: Catalog) -> str:
    (found,) = catalog.assets(kind="movie")
    return found.id


def first_episode(catalog: Catalog) -> str:
    return catalog.assets(kind="episode")[0].id


def add_bumper(db: Database, like: str) -> None:
    """An asset that nothing holds up and that holds nothing up, so that it may come and go."""
    db.execute(
        """
        INSERT INTO asset (id, collection_id, path_mapping_id, canonical_key, file_path, kind, state, approved, duration_ms,
                           sidecars, enrichers, created_at, updated_at)
        SELECT ?, collection_id, path_mapping_id, '/media/bumper.mkv', '/bumper.mkv', 'bumper', state, approved, duration_ms,
               sidecars, enrichers, created_at, updated_at
          FROM asset
         WHERE id = ?
        """,
        (FRESH_ID, like),
    )


def widen(db: Database, asset_id: str, width: int) -> None:
    db.execute("UPDATE asset SET width = ? WHERE id = ?", (width, asset_id))


def test_a_changeset_counts_rows_by_table_and_kind_with_cascades(stocked: Catalog) -> None:
    with undone(stocked) as db, recorded(db) as recording:
        add_bumper(db, first_episode(stocked))
        widen(db, first_episode(stocked), 640)
        db.execute("DELETE FROM asset WHERE id = ?", (film(stocked),))

        changeset = recording.changeset()

        assert changeset.counts == {
            "asset": {"insert": 1, "update": 1, "delete": 1},
            "finding": {"delete": 1},
            "marker": {"delete": 1},
            "movie_asset": {"delete": 1},
        }
        assert dict(rows.changes_in(changeset).counts) == changeset.counts
        assert len(rows.changes_in(changeset).rows) == len(list(changeset.rows())) == 6


def test_a_changed_row_has_its_key_and_only_what_changed(stocked: Catalog) -> None:
    asset = first_episode(stocked)
    with undone(stocked) as db, recorded(db) as recording:
        widen(db, asset, 640)
        db.execute("UPDATE asset SET height = height")

        (row,) = recording.changeset().rows()

    assert (row.table, row.kind, row.key) == ("asset", "update", asset)
    assert row.old == {"id": asset, "width": None}
    assert row.new == {"width": 640}


def test_added_and_deleted_rows_are_told_whole(stocked: Catalog) -> None:
    with undone(stocked) as db:
        with recorded(db) as recording:
            db.execute("INSERT INTO marker (id, asset_id, kind, start_ms) VALUES (9, ?, 'intro', 7)", (film(stocked),))
            (added,) = recording.changeset().rows()
        with recorded(db) as recording:
            db.execute("DELETE FROM marker WHERE id = 9")
            (deleted,) = recording.changeset().rows()

    whole = {"id": 9, "asset_id": film(stocked), "kind": "intro", "start_ms": 7, "end_ms": None, "name": None}
    assert (added.kind, added.key, added.old, added.new) == ("insert", 9, None, whole)
    assert (deleted.kind, deleted.key, deleted.old, deleted.new) == ("delete", 9, whole, None)


def test_what_was_undone_within_the_unit_is_no_change(stocked: Catalog) -> None:
    with undone(stocked) as db, recorded(db) as recording:
        add_bumper(db, first_episode(stocked))
        db.execute("DELETE FROM asset WHERE id = ?", (FRESH_ID,))

        assert not recording.changeset()


def test_the_inverted_changeset_restores_every_row_as_it_was(stocked: Catalog) -> None:
    before = snapshot(stocked, journal=False)
    with stocked.session() as db, recorded(db) as recording:
        stocked.wipe_collection("Shows")
        db.execute("UPDATE source SET name = 'renamed'")
        changeset = recording.changeset()
    assert snapshot(stocked, journal=False) != before

    with stocked.session() as db:
        assert changeset.inverted().apply(db) is None

    assert snapshot(stocked, journal=False) == before
    assert stocked.check().is_sound


def test_a_row_changed_since_is_named_and_nothing_is_applied(stocked: Catalog) -> None:
    theirs = first_episode(stocked)
    with stocked.session() as db, recorded(db) as recording:
        db.execute("UPDATE asset SET width = 640")
        changeset = recording.changeset()
    with stocked.session() as db:
        widen(db, theirs, 800)
    before = snapshot(stocked, journal=False)

    with stocked.session() as db:
        in_the_way = changeset.inverted().apply(db)

    assert in_the_way is not None
    assert (in_the_way.change.table, in_the_way.change.key, in_the_way.kind) == ("asset", theirs, "changed")
    assert snapshot(stocked, journal=False) == before


def test_rows_that_another_collection_got_since_are_not_in_the_way(
    stocked: Catalog, importer: FakeImporter, media: Path
) -> None:
    stocked.add_collection("station", "More", path_mappings={"/media": str(media)})
    with stocked.session() as db, recorded(db) as recording:
        stocked.wipe_collection("Shows")
        changeset = recording.changeset()
    importer.drafts = [episode("Other", 1, 1)]
    stocked.ingest_collection("More")

    with undone(stocked) as db:
        assert changeset.inverted().apply(db) is None


def test_rows_added_later_below_a_row_that_goes_are_kept(stocked: Catalog) -> None:
    with undone(stocked) as db:
        with recorded(db) as recording:
            add_bumper(db, first_episode(stocked))
            changeset = recording.changeset()
        db.execute("INSERT INTO marker (id, asset_id, kind, start_ms) VALUES (9, ?, 'intro', 7)", (FRESH_ID,))

        assert changeset.inverted().apply(db) is None

        assert db.execute("SELECT id FROM asset WHERE id = ?", (FRESH_ID,)) == []
        assert db.execute("SELECT asset_id FROM marker WHERE id = 9") == [(FRESH_ID,)]
        (broken,) = checks.all_broken_references(db)
        assert (broken.subject, broken.id) == ("marker", "9")


@pytest.fixture
def written(stocked: Catalog) -> Changeset:
    """The changeset of a session that changed something."""
    with undone(stocked) as db, recorded(db) as recording:
        widen(db, first_episode(stocked), 640)
        return recording.changeset()


def read(record: bytes, digest: str, written: Changeset, *, size: int | None) -> Changeset:
    return decompressed(record, digest, size, written.shape, unit_id=UNIT)


def test_a_compressed_changeset_comes_back_the_same(written: Changeset) -> None:
    assert read(written.compressed(), written.digest(UNIT), written, size=len(written.content)) == written


def test_so_does_one_from_before_its_size_was_kept(written: Changeset) -> None:
    digest = hashlib.sha256(written.content).hexdigest()

    assert read(written.compressed(), digest, written, size=None) == written


@pytest.mark.parametrize("is_size_kept", [True, False])
def test_a_damaged_changeset_is_refused(written: Changeset, *, is_size_kept: bool) -> None:
    compressed = written.compressed()
    digest = written.digest(UNIT if is_size_kept else "")
    other = Changeset(written.content[:-1] + bytes([written.content[-1] ^ 1]), written.shape).compressed()

    for damaged in (other, compressed[:-1], compressed[: len(compressed) // 2], b"", compressed[:4] + b"\0\0" + compressed[6:]):
        with pytest.raises(ValidationError, match="cannot be undone"):
            read(damaged, digest, written, size=len(written.content) if is_size_kept else None)


@pytest.mark.parametrize("size", [None, 1000])
def test_a_changeset_is_not_unpacked_further_than_its_bound(written: Changeset, size: int | None) -> None:
    bomb = zlib.compress(bytes(100 * 2**20))

    tracemalloc.start()
    with pytest.raises(ValidationError, match="unpacks to more than"):
        read(bomb, "", written, size=size)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < (50 * 2**20 if size is None else 2**20)


def test_no_size_that_is_kept_is_too_large_to_be_refused(written: Changeset) -> None:
    with pytest.raises(ValidationError, match="not what was written"):
        read(written.compressed(), "", written, size=2**63 - 1)


Unit = tuple[str, str | None, str | None, bytes | None, int | None]


def units(catalog: Catalog) -> list[Unit]:
    """Identifier, counts, digest, changeset and its size unpacked of each unit in the journal, the oldest first."""
    return [(row[0], *row[6:10]) for row in snapshot(catalog)["unit_of_work"]]


def test_each_outermost_unit_is_one_row_with_what_it_changed(stocked: Catalog) -> None:
    earlier = units(stocked)
    with stocked.session() as db, recorded(db) as recording:
        with db.session():
            widen(db, first_episode(stocked), 640)
        stocked.add_source("another")
        changeset = recording.changeset()

    *rest, (unit_id, counts, digest, content, size) = units(stocked)
    assert rest == earlier
    assert json.loads(counts or "") == {"asset": {"update": 1}, "source": {"insert": 1}}
    assert size == len(changeset.content)
    assert decompressed(content or b"", digest or "", size, changeset.shape, unit_id=unit_id) == changeset


def two_operations(catalog: Catalog) -> None:
    catalog.add_source("one more")
    catalog.add_source("another")


def wipe_and_operation(catalog: Catalog) -> None:
    catalog.wipe_collection("Shows")
    catalog.add_source("another")


def dry_run_alone(catalog: Catalog) -> None:
    catalog.wipe_collection("Shows", WipeOptions(dry_run=True))


def dry_run_and_operation(catalog: Catalog) -> None:
    dry_run_alone(catalog)
    catalog.add_source("another")


def operation_taken_back(catalog: Catalog) -> None:
    with suppress(KeyError), catalog.session(contain=True):
        catalog.wipe_collection("Shows")
        raise KeyError


@pytest.mark.parametrize(
    "work", [two_operations, wipe_and_operation, dry_run_alone, dry_run_and_operation, operation_taken_back]
)
def test_the_journal_tells_what_the_whole_unit_changed(stocked: Catalog, work: Callable[[Catalog], None]) -> None:
    earlier = units(stocked)
    with stocked.session() as db, recorded(db) as recording:
        work(stocked)
        changeset = recording.changeset()

    told = [json.loads(counts or "{}") for _, counts, *_ in units(stocked)[len(earlier) :]]
    assert told == ([changeset.counts] if changeset else [])


def test_a_unit_that_fails_leaves_no_row(stocked: Catalog) -> None:
    before, earlier = snapshot(stocked, journal=False), units(stocked)

    with pytest.raises(ConstraintError), stocked.session() as db:
        widen(db, first_episode(stocked), 640)
        widen(db, first_episode(stocked), 0)
    with stocked.session() as db:
        db.execute("UPDATE asset SET width = width")

    assert snapshot(stocked, journal=False) == before
    assert units(stocked) == earlier


def test_an_unchanged_rescan_writes_its_journal_row_only(stocked: Catalog) -> None:
    before, earlier = snapshot(stocked, journal=False), units(stocked)

    result = stocked.ingest_collection("Shows")

    assert result.unchanged == result.discovered == 4
    assert result.changes is not None
    assert (dict(result.changes.counts), len(result.changes.rows)) == ({}, 0)
    assert snapshot(stocked, journal=False) == before
    *rest, (unit_id, counts, digest, content, size) = units(stocked)
    assert (rest, unit_id, counts, size) == (earlier, result.unit_id, "{}", 0)
    assert not decompressed(content or b"", digest or "", size, stocked.database.shape, unit_id=unit_id)


def test_only_so_many_units_keep_their_changeset(stocked: Catalog) -> None:
    earlier = units(stocked)

    with Catalog(stocked.database.path, undo_units=2) as fewer:
        fewer.add_source("another")

    now = units(fewer)
    assert [row[:3] for row in now[:-1]] == [row[:3] for row in earlier]
    assert [row[3] is not None for row in now] == [False] * (len(now) - 2) + [True] * 2


def test_changesets_of_only_so_many_bytes_are_kept(stocked: Catalog) -> None:
    earlier = units(stocked)
    size = sum(len(row[3] or b"") for row in earlier[-2:]) + 300  # the newest one's own is no longer than that

    with Catalog(stocked.database.path, undo_bytes=size) as smaller:
        smaller.add_source("another")

    now = units(smaller)
    newest = len(now[-1][3] or b"")
    sizes = [*(len(row[3] or b"") for row in earlier), newest]
    fitting = [sum(sizes[position:]) <= size for position in range(len(sizes))]
    assert [row[:3] for row in now[:-1]] == [row[:3] for row in earlier]
    assert [row[3] is not None for row in now] == fitting
    assert fitting[-3:] == [True] * 3
    assert False in fitting


@pytest.fixture
def wronged(stocked: Catalog) -> Catalog:
    """A catalogue into which another program has put a season without episodes."""
    other = apsw.Connection(stocked.database.path)
    other.execute("INSERT INTO season (id, title_id, number) SELECT 99, id, 7 FROM title WHERE kind = 'show'").fetchall()
    other.close()
    assert [found.rule for found in stocked.check().violations] == ["season_without_episode"]
    return stocked


def test_a_violation_elsewhere_that_was_there_before_blocks_nothing(wronged: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [*importer.drafts, movie("Alien", 1979)]

    assert wronged.ingest_collection("Shows").created == 1
    with wronged.session() as db:
        widen(db, film_named(wronged, "Alien"), 640)

    assert [found.id for found in wronged.check().violations] == ["99"]


def film_named(catalog: Catalog, name: str) -> str:
    (found,) = catalog.assets(title=name)
    return found.id


@pytest.mark.parametrize(
    "write",
    ["UPDATE season SET number = 8 WHERE id = 99", "INSERT INTO episode (season_id, number) VALUES (99, 1)"],
    ids=["itself", "below it"],
)
def test_a_violation_that_is_touched_blocks_the_unit(wronged: Catalog, write: str) -> None:
    before = snapshot(wronged)

    with pytest.raises(ValidationError) as caught, wronged.session() as db:
        db.execute(write)

    assert {found.subject for found in caught.value.violations} <= {"season", "episode"}
    assert caught.value.violations
    assert snapshot(wronged) == before


def counts_of(result: Result) -> dict[str, dict[str, int]]:
    assert result.changes is not None
    return {table: {str(kind): count for kind, count in kinds.items()} for table, kinds in result.changes.counts.items()}


def test_a_dry_ingest_tells_the_changes_of_the_real_one(stocked: Catalog, importer: FakeImporter) -> None:
    _, *others = importer.drafts
    importer.drafts = [*others, movie("Alien", 1979, markers=(Marker("avail", 5),))]

    preview = stocked.ingest_collection("Shows", dry_run=True)
    real = stocked.ingest_collection("Shows")

    assert counts_of(preview) == counts_of(real)
    assert counts_of(real) == {
        "asset": {"insert": 1, "update": 1},
        "marker": {"insert": 1},
        "movie_asset": {"insert": 1},
        "title": {"insert": 1},
    }


@pytest.mark.parametrize("refresh", ["changed", "all"])
def test_a_dry_refresh_tells_the_changes_of_the_real_one(
    stocked: Catalog, importer: FakeImporter, refresh: Literal["changed", "all"]
) -> None:
    importer.drafts = [attrs.evolve(found, size=7, season_number=2) for found in importer.drafts]

    preview = stocked.ingest_collection("Shows", dry_run=True, refresh=refresh)
    real = stocked.ingest_collection("Shows", refresh=refresh)

    assert counts_of(preview) == counts_of(real)
    assert counts_of(real)["asset"] == {"update": 4}


def test_a_wipe_tells_the_same_changes_dry_and_real_and_as_deleted(stocked: Catalog) -> None:
    preview = stocked.wipe_collection("Shows", WipeOptions(dry_run=True))
    real = stocked.wipe_collection("Shows")

    gone = {table: {"delete": count} for table, count in real.deleted.items() if count}
    assert counts_of(preview) == counts_of(real) == gone
    assert gone["marker"] == {"delete": 1}
    assert preview.deleted == real.deleted
