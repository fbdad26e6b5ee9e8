"""Undo brings back what was, bit for bit, or refuses in words and changes nothing."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from extending import PLAYLOG
from harness import changed, draft, episode, movie
from hypothesis import given, settings
from hypothesis import strategies as st
from proof.figures import Proof, Size

from retrovue_uow import (
    AssetDraft,
    AssetSelector,
    Catalog,
    Collection,
    ConflictError,
    ContractError,
    CurationError,
    Marker,
    ResourceError,
    UndoError,
    ValidationError,
    WipeOptions,
)
from retrovue_uow.store import checks, extensions, journal, recorder
from retrovue_uow.testing import FakeImporter, snapshot
from retrovue_uow.uow import changes
from retrovue_uow.uow.changes import Recording
from retrovue_uow.uow.database import Database, Value
from retrovue_uow.uow.tables import Shape

OLDER = Path(__file__).parents[1] / "data" / "catalogue_of_schema_3.db.gz"


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    """A catalogue with three episodes and a movie, ingested by its newest unit."""
    catalog.ingest_collection(collection.name)
    return catalog


def newest(catalog: Catalog) -> str:
    return catalog.history(1)[0].id


def refused(catalog: Catalog, unit_id: str) -> str:
    """Why the undo is refused; it changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(UndoError) as caught:
        catalog.undo(unit_id)
    assert snapshot(catalog) == before
    assert isinstance(caught.value.cause, ValidationError)
    return str(caught.value.cause)


def move_a_movie_to_more(db: Database) -> None:
    """Let the movie's asset come through the mapping of another collection."""
    db.execute(
        """
        UPDATE asset
           SET collection_id = path_mapping.collection_id,
               path_mapping_id = path_mapping.id,
               canonical_key = '/more/x.mkv'
          FROM path_mapping
         WHERE path_mapping.source_path = '/more'
           AND asset.kind = 'movie'
        """
    )


class TestRestoring:
    def test_a_wipe_is_undone_bit_for_bit(self, stocked: Catalog) -> None:
        before = snapshot(stocked, journal=False)
        wiped = stocked.wipe_collection("Shows")

        undone = stocked.undo(wiped.unit_id or "")

        assert snapshot(stocked, journal=False) == before
        assert (undone.undone_unit_id, undone.operations) == (wiped.unit_id, ("collection_wipe",))
        assert stocked.unit(undone.unit_id or "").counts == {
            table: {"insert": kinds["delete"]} for table, kinds in (stocked.unit(wiped.unit_id or "").counts or {}).items()
        }
        assert stocked.check().is_sound

    def test_an_undo_is_undone(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        after = snapshot(stocked, journal=False)
        undone = stocked.undo(wiped.unit_id or "")

        stocked.undo(undone.unit_id or "")

        assert snapshot(stocked, journal=False) == after
        assert stocked.check().is_sound

    def test_what_the_undo_changed_is_the_unit_s_inverse_and_its_own_journal_entry(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        recorded = journal.recorded(stocked.database, stocked.unit(wiped.unit_id or ""))

        undone = stocked.undo(wiped.unit_id or "")

        kept = journal.recorded(stocked.database, stocked.unit(undone.unit_id or ""))
        assert kept.content == recorded.inverted().content
        assert undone.changes == stocked.changes(undone.unit_id or "")

    def test_a_dry_run_tells_the_changes_of_the_real_one_and_keeps_nothing(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        before = snapshot(stocked)

        preview = stocked.undo(wiped.unit_id or "", dry_run=True)

        assert snapshot(stocked) == before
        assert (preview.unit_id, preview.dry_run) == (None, True)
        assert preview.changes == stocked.undo(wiped.unit_id or "").changes

    def test_a_wipe_of_many_thousand_assets_is_undone(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, size: Size
    ) -> None:
        count = size.choose(sample=2_000, full=20_000)
        importer.drafts = [episode(f"Show {number // 100}", 1, number % 100) for number in range(count)]
        catalog.detach_enricher("Shows", "fake")
        catalog.ingest_collection("Shows")
        before = snapshot(catalog, journal=False)
        wiped = catalog.wipe_collection("Shows", WipeOptions(expect_assets=count))

        catalog.undo(wiped.unit_id or "")

        assert snapshot(catalog, journal=False) == before

    def test_a_rebuild_is_one_unit_with_two_operations_and_one_undo(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            db.execute("UPDATE asset SET approved = 1")
        before = snapshot(stocked, journal=False)

        with stocked.prepare_ingest("Shows", as_if_empty=True) as prepared, stocked.session():
            stocked.wipe_collection("Shows")
            stocked.ingest_collection(prepared)

        unit = stocked.unit(newest(stocked))
        assert [each.name for each in unit.operations] == ["collection_wipe", "collection_ingest"]
        assert snapshot(stocked, journal=False) != before
        stocked.undo(unit.id)
        assert snapshot(stocked, journal=False) == before

    def test_a_unit_that_added_a_collection_and_filled_it_is_undone(self, stocked: Catalog, media: Path) -> None:
        before = snapshot(stocked, journal=False)
        with stocked.session() as db:
            stocked.add_collection("station", "More", path_mappings={"/more": str(media)})
            move_a_movie_to_more(db)

        stocked.undo(newest(stocked))

        assert snapshot(stocked, journal=False) == before

    def test_undone_inside_a_session_it_is_recorded_with_the_rest(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        before = snapshot(stocked, journal=False)

        with stocked.session():
            stocked.undo(wiped.unit_id or "")
            stocked.disable_collection("Shows")

        unit = stocked.unit(newest(stocked))
        assert [each.name for each in unit.operations] == ["unit_undo", "collection_disable"]
        stocked.undo(unit.id)
        assert snapshot(stocked, journal=False) == before

    def test_a_contained_undo_that_fails_leaves_the_session_usable(self, stocked: Catalog) -> None:
        with stocked.session():
            with pytest.raises(UndoError), stocked.session(contain=True):
                stocked.undo("nothing")
            stocked.disable_collection("Shows")

        assert not stocked.collection("Shows").enabled

    def test_the_configuration_of_a_station_is_undone(self, catalog: Catalog) -> None:
        before = snapshot(catalog, journal=False)
        catalog.add_source("station", "fake")

        catalog.undo(newest(catalog))

        assert snapshot(catalog, journal=False) == before


class TestRefusing:
    def test_a_row_changed_since_is_named_with_the_unit_that_changed_it(self, stocked: Catalog) -> None:
        ingested = newest(stocked)
        asset = stocked.assets(kind="movie")[0]
        with stocked.session() as db:
            db.execute("UPDATE asset SET width = 640 WHERE id = ?", (asset.id,))

        reason = refused(stocked, ingested)

        assert asset.canonical_key in reason
        assert newest(stocked) in reason
        assert "(session, " in reason

    def test_a_row_changed_since_in_other_columns_is_named_too(self, stocked: Catalog, importer: FakeImporter) -> None:
        approved = stocked.approve(AssetSelector(kind="movie"))
        importer.drafts = [each for each in importer.drafts if each.kind != "movie"]
        missing = stocked.ingest_collection("Shows")

        reason = refused(stocked, approved.unit_id or "")

        assert "Tron" in reason
        assert str(missing.unit_id) in reason

    def test_what_was_changed_and_changed_back_is_no_obstacle(self, stocked: Catalog) -> None:
        before = snapshot(stocked, journal=False)
        approved = stocked.approve(AssetSelector(kind="movie"))
        stocked.undo(stocked.wipe_collection("Shows").unit_id or "")

        undone = stocked.undo(approved.unit_id or "")

        assert snapshot(stocked, journal=False) == before
        assert [(each.path, each.reason) for each in undone.withdrawals] == [
            (asset.canonical_key, "what approved it is undone") for asset in stocked.assets(kind="movie")
        ]
        assert stocked.undo(undone.unit_id or "").withdrawals == ()

    def test_a_row_that_is_gone_is_named_with_the_unit_that_deleted_it(self, stocked: Catalog) -> None:
        ingested = newest(stocked)
        wiped = stocked.wipe_collection("Shows")

        reason = refused(stocked, ingested)

        assert "is gone" in reason
        assert wiped.unit_id in reason  # type: ignore[operator]  # it was no dry run
        assert "collection_wipe" in reason

    def test_what_has_taken_the_place_of_a_row_is_named(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        again = stocked.ingest_collection("Shows")

        reason = refused(stocked, wiped.unit_id or "")

        assert "has taken the place of" in reason
        assert again.unit_id in reason  # type: ignore[operator]  # it was no dry run

    def test_children_added_since_are_named(self, stocked: Catalog, importer: FakeImporter, media: Path) -> None:
        ingested = newest(stocked)
        stocked.add_collection("station", "More", path_mappings={"/media": str(media)})
        importer.drafts = [episode("Space: 1999", 1, 9)]
        later = stocked.ingest_collection("More")

        reason = refused(stocked, ingested)

        assert "below what it added there is more now" in reason
        assert later.unit_id in reason  # type: ignore[operator]  # it was no dry run
        assert "episode 9" in reason

    def test_a_parent_that_is_gone_is_named(self, stocked: Catalog, importer: FakeImporter, media: Path) -> None:
        stocked.add_collection("station", "More", path_mappings={"/media": str(media)})
        importer.drafts = [episode("Space: 1999", 1, 1), episode("Space 1999", 1, 1)]
        stocked.ingest_collection("More")
        wiped = stocked.wipe_collection("Shows")
        merged = stocked.merge_titles("Space: 1999", into="Space 1999")

        reason = refused(stocked, wiped.unit_id or "")

        assert "would come back below" in reason
        assert str(merged.unit_id) in reason

    def test_a_row_changed_behind_the_library_s_back_is_named_too(self, stocked: Catalog) -> None:
        other = apsw.Connection(stocked.database.path)
        other.execute("UPDATE asset SET width = 640 WHERE kind = 'movie'").fetchall()
        other.close()

        assert "by somebody whom the journal does not know" in refused(stocked, newest(stocked))

    def test_a_unit_is_undone_once(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        undone = stocked.undo(wiped.unit_id or "")

        assert f"undone already, by unit {undone.unit_id!r}" in refused(stocked, wiped.unit_id or "")

    def test_a_unit_whose_undo_was_undone_can_be_undone_again(self, stocked: Catalog) -> None:
        before = snapshot(stocked, journal=False)
        wiped = stocked.wipe_collection("Shows")
        undone = stocked.undo(wiped.unit_id or "")
        stocked.undo(undone.unit_id or "")

        stocked.undo(wiped.unit_id or "")

        assert snapshot(stocked, journal=False) == before

    @pytest.mark.parametrize("unit_id", ["", "nothing", "0" * 36, 7, None, "\udc80"])
    def test_an_unknown_unit_is_refused(self, stocked: Catalog, unit_id: Any) -> None:
        assert "there is no unit" in refused(stocked, unit_id) or unit_id == "\udc80"

    def test_a_unit_that_changed_nothing_has_nothing_to_undo(self, stocked: Catalog) -> None:
        stocked.ingest_collection("Shows")

        assert "changed nothing" in refused(stocked, newest(stocked))

    def test_an_expired_unit_is_refused(self, stocked: Catalog) -> None:
        ingested = newest(stocked)
        with Catalog(stocked.database.path, undo_units=1) as forgetful:
            forgetful.add_source("another")

        assert "no longer recorded" in refused(stocked, ingested)
        assert not stocked.unit(ingested).is_recorded
        assert stocked.unit(ingested).counts

    def test_an_undo_of_an_undo_of_an_expired_unit_is_no_riddle(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        after = snapshot(stocked, journal=False)
        with Catalog(stocked.database.path, undo_units=1) as forgetful:
            undone = forgetful.undo(wiped.unit_id or "")

        assert "undone already" in refused(stocked, wiped.unit_id or "")
        stocked.undo(undone.unit_id or "")
        assert snapshot(stocked, journal=False) == after
        assert "no longer recorded" in refused(stocked, wiped.unit_id or "")

    def test_a_collection_that_somebody_works_on_is_left_alone(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        other = Catalog(stocked.database.path, importers=stocked.importers, enrichers=stocked.enrichers)
        with other, other.prepare_ingest("Shows"), pytest.raises(UndoError) as caught:
            stocked.undo(wiped.unit_id or "")

        assert isinstance(caught.value.cause, ConflictError)

    def test_without_the_session_extension_it_refuses_politely(self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (recorder, journal):
            monkeypatch.setattr(module, "HAS_SESSIONS", False)
        before = snapshot(stocked)

        with pytest.raises(UndoError) as caught:
            stocked.undo(newest(stocked))

        assert isinstance(caught.value.cause, ResourceError)
        assert "session extension" in str(caught.value)
        assert snapshot(stocked) == before

    def test_a_unit_committed_without_the_session_extension_is_judged_in_full_and_never_undone(
        self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recorder, "HAS_SESSIONS", False)
        with pytest.raises(ValidationError), stocked.session() as db:
            db.execute("DELETE FROM movie_asset")
        stocked.wipe_collection("Shows")
        monkeypatch.undo()

        assert "no longer recorded" in refused(stocked, newest(stocked))
        assert stocked.history(1)[0].counts is None


class TestTampering:
    def tamper(self, catalog: Catalog, sql: str, *values: Value) -> None:
        other = apsw.Connection(catalog.database.path)
        other.execute(sql, values).fetchall()
        other.close()

    def test_a_record_that_is_not_what_was_written_is_refused_and_reported(self, stocked: Catalog) -> None:
        stocked.wipe_collection("Shows")
        self.tamper(stocked, "UPDATE unit_of_work SET changeset = ? WHERE id = ?", zlib.compress(b"T\x01"), newest(stocked))

        assert "not what was written" in refused(stocked, newest(stocked))
        assert [each.rule for each in stocked.check().violations] == ["journal"]

    @pytest.mark.parametrize(
        "content",
        [b"", b"garbage", b"T\x02\x01\x00nowhere\x00\x12\x00\x01\x01", b"T\x63\x01", b"T\x01\x01\xff\xfe\x00\x12\x00\x00"],
    )
    def test_a_record_forged_with_its_digest_is_refused(self, stocked: Catalog, content: bytes) -> None:
        stocked.wipe_collection("Shows")
        forged = changes.Changeset(content, stocked.database.shape)
        self.tamper(
            stocked,
            "UPDATE unit_of_work SET changeset = ?, digest = ?, unpacked_bytes = ? WHERE id = ?",
            forged.compressed(),
            forged.digest(newest(stocked)),
            len(content),
            newest(stocked),
        )

        refused(stocked, newest(stocked))
        assert "journal" in {each.rule for each in stocked.check().violations}

    def test_tables_of_another_shape_are_refused(self, stocked: Catalog) -> None:
        wiped = stocked.wipe_collection("Shows")
        self.tamper(stocked, "ALTER TABLE asset ADD COLUMN colour TEXT")

        with pytest.raises(UndoError, match=r"has changed the schema .*table 'asset'"):
            stocked.undo(str(wiped.unit_id))

    def test_a_unit_of_an_older_schema_is_undone_where_its_tables_are_as_they_were(self, stocked: Catalog) -> None:
        before = snapshot(stocked, journal=False)
        wiped = stocked.wipe_collection("Shows")
        self.tamper(stocked, "UPDATE unit_of_work SET schema_version = 1 WHERE id = ?", wiped.unit_id)

        stocked.undo(str(wiped.unit_id))

        assert snapshot(stocked, journal=False) == before

    def test_a_unit_whose_tables_a_migration_has_changed_since_is_refused_by_the_table(
        self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        renamed = stocked.rename_title("Tron", name="Tron 1")
        wiped = stocked.wipe_collection("Shows")
        then = {**extensions.columns_at(1), "asset": ["id", "path"]}  # as a version to come would find them
        monkeypatch.setattr(extensions, "columns_at", lambda version: then)
        for unit_id in (renamed.unit_id, wiped.unit_id):
            self.tamper(stocked, "UPDATE unit_of_work SET schema_version = 1 WHERE id = ?", unit_id)

        assert "table 'asset' has another shape now" in refused(stocked, wiped.unit_id or "")
        assert stocked.check().violations == ()
        assert "another shape" not in refused(stocked, renamed.unit_id or "")

    def test_units_of_the_version_before_are_undone(self, tmp_path: Path) -> None:
        path = tmp_path / "older.db"
        path.write_bytes(gzip.decompress(OLDER.read_bytes()))
        with Catalog(path) as older:
            units = [unit for unit in older.history() if unit.schema_version == 3]
            for unit in units[:3]:
                older.undo(unit.id)

            names = [(title.name, title.year) for title in older.titles("show")]
            missing = [asset.canonical_key for asset in older.assets() if asset.missing_since is not None]
            assert older.check().violations == ()

        assert [unit.operations[0].name for unit in units[:3]] == ["title_rename", "collection_ingest", "collection_ingest"]
        assert ("Cheers", None) in names
        assert "Twin Peaks" not in dict(names)
        assert missing == []

    def test_a_rule_that_was_tampered_with_lets_nothing_pass(self, stocked: Catalog) -> None:
        self.tamper(stocked, "DROP VIEW violation")
        self.tamper(stocked, "CREATE VIEW violation AS SELECT '' AS rule, '' AS subject, '' AS id, '' AS detail WHERE false")
        before = snapshot(stocked)

        with pytest.raises(ResourceError, match="open it again"), stocked.session() as db:
            db.execute("DELETE FROM movie_asset")

        assert snapshot(stocked) == before
        with Catalog(stocked.database.path) as again:
            assert again.check().is_sound
        stocked.disable_collection("Shows")

    def test_a_catalogue_that_a_newer_version_has_migrated_meanwhile_is_left_alone(self, stocked: Catalog) -> None:
        self.tamper(stocked, "CREATE TABLE novelty (id INTEGER PRIMARY KEY) STRICT")
        self.tamper(stocked, "PRAGMA user_version = 99")
        before = snapshot(stocked)

        with pytest.raises(ResourceError, match="schema version 99"), stocked.session() as db:
            db.execute("UPDATE asset SET width = 640")

        assert snapshot(stocked) == before

    def test_a_table_without_a_key_is_not_written(self, stocked: Catalog) -> None:
        self.tamper(stocked, "CREATE TABLE note (text TEXT)")

        with pytest.raises(ContractError, match="'note'"), stocked.session() as db:
            db.execute("INSERT INTO note (text) VALUES ('unrecorded')")

        assert {each.id for each in stocked.check().violations} == {"note"}


class TestTraps:
    """What SQLite documents of changesets, shown without the remedy."""

    def test_with_triggers_tables_attached_parents_first_cannot_be_undone_past_a_guarding_one(
        self, stocked: Catalog, media: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Database, "without_triggers", lambda _: nullcontext())
        right = stocked.database.shape
        wrong = Shape(right.columns, dict(reversed(list(right.keys.items()))), right.references)
        kinds = {}
        for name, shape in (("children first", right), ("parents first", wrong)):
            with stocked.session() as db:
                db.set_rollback_only("a test looks at what would be")
                recording = Recording(db, shape)
                stocked.add_collection("station", "More", path_mappings={"/more": str(media)})
                move_a_movie_to_more(db)
                conflict = attrs.evolve(recording.changeset(), shape=right).inverted().apply(db)
                kinds[name] = None if conflict is None else conflict.kind
                recording.close()

        assert kinds == {"children first": None, "parents first": "refused"}

    def test_with_foreign_key_actions_an_undo_would_delete_what_was_added_later(
        self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = []
        for flags in (apsw.SQLITE_CHANGESETAPPLY_FKNOACTION, 0):
            monkeypatch.setattr(apsw, "SQLITE_CHANGESETAPPLY_FKNOACTION", flags)
            with stocked.session() as db:
                db.set_rollback_only("a test looks at what would be")
                changeset = changed(
                    db, "INSERT INTO season (id, title_id, number) SELECT 99, id, 7 FROM title WHERE kind = 'show'"
                )
                db.execute("INSERT INTO episode (id, season_id, number) VALUES (99, 99, 1)")
                changeset.inverted().apply(db)
                kept += db.execute("SELECT count(*) FROM episode WHERE id = 99")

        assert kept == [(1,), (0,)]

    def test_sqlite_passes_over_a_table_that_does_not_fit_and_reports_success(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            changeset = changed(db, "UPDATE source SET name = 'renamed'")
        other = apsw.Connection(stocked.database.path)
        other.execute("ALTER TABLE source RENAME TO origin").fetchall()
        try:
            apsw.Changeset.apply(changeset.inverted().content, other)
            assert other.execute("SELECT name FROM origin").fetchall() == [("renamed",)]
        finally:
            other.close()

        with pytest.raises(ValidationError, match="another shape"):
            attrs.evolve(changeset, shape=stocked.database.shape).require_fitting()

    def test_sqlite_records_nothing_of_a_table_without_a_key(self) -> None:
        connection = apsw.Connection(":memory:")
        connection.execute("CREATE TABLE note (text TEXT)").fetchall()
        session = apsw.Session(connection, "main")
        session.attach("note")
        connection.execute("INSERT INTO note VALUES ('unrecorded')").fetchall()

        assert session.changeset() == b""
        session.close()
        connection.close()

    def test_sqlite_forgets_what_references_a_changeset_has_broken(self, stocked: Catalog) -> None:
        """Its counter is reset, and a COMMIT would pass: so references are always searched."""
        ingested = journal.recorded(stocked.database, stocked.unit(newest(stocked)))
        with stocked.session() as db:
            db.set_rollback_only("a test looks at what would be")
            db.execute("INSERT INTO season (id, title_id, number) SELECT 99, id, 7 FROM title WHERE kind = 'show'")
            assert ingested.inverted().apply(db) is None

            assert db.connection.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0] == 0
            assert [each.id for each in checks.all_broken_references(db)] == ["99"]

    def test_the_first_statement_of_a_unit_is_recorded(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")

        assert dict(stocked.changes(newest(stocked)).counts) == {"source": {"update": 1}}


def test_a_catalogue_copied_to_another_machine_simply_works(stocked: Catalog, tmp_path: Path) -> None:
    before = snapshot(stocked, journal=False)
    wiped = stocked.wipe_collection("Shows")
    stocked.close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tmp_path / "catalog.db", elsewhere / "station.db")

    with Catalog(elsewhere / "station.db") as copied:
        copied.undo(wiped.unit_id or "")
        assert snapshot(copied, journal=False) == before


Step = Callable[[Catalog], object]
SHOWS = ("Space: 1999", "Both")


def ingest(drafts: list[AssetDraft], *, refresh: Any) -> Step:
    def step(catalog: Catalog) -> object:
        importer = catalog.importers["fake"]
        assert isinstance(importer, FakeImporter)
        importer.drafts = drafts
        return catalog.ingest_collection("Shows", refresh=refresh, allow_empty=True)

    return step


def statement(sql: str) -> Step:
    def step(catalog: Catalog) -> object:
        with catalog.session() as db:
            return db.execute(sql)

    return step


def attempted(step: Step) -> Step:
    """The step, where it can be done at all."""

    def attempt(catalog: Catalog) -> object:
        try:
            return step(catalog)
        except (CurationError, ValidationError) as error:
            return error

    return attempt


def relocated(catalog: Catalog) -> object:
    """To the folder beside the mapped one, or back."""
    (mapping,) = catalog.collection("Shows").path_mappings
    old = mapping.local_path
    new = old.removesuffix(".moved") if old.endswith(".moved") else f"{old}.moved"
    return catalog.relocate_collection("Shows", old, new, min_found=0)


SLOTS = "INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT id, 10 * rowid, 10 * rowid + 9 FROM asset"
DRAFTS = st.one_of(
    st.builds(
        lambda show, season, number, **facts: episode(show, season, number, **facts),
        st.sampled_from(SHOWS),
        st.integers(1, 2),
        st.integers(1, 3),
        size=st.sampled_from([1, 2]),
        duration_ms=st.sampled_from([None, 60_000]),
        markers=st.sampled_from([(), (Marker("avail", 5),)]),
        metadata=st.sampled_from([{}, {"editorial": {"plot": "…"}}]),
    ),
    st.builds(lambda name, size: movie(name, 1982, size=size), st.sampled_from(["Tron", "Alien"]), st.sampled_from([1, 2])),
    st.just(draft("bumper.mkv", kind="bumper")),
)
STEPS = st.one_of(
    st.builds(
        ingest,
        st.lists(DRAFTS, max_size=6, unique_by=lambda each: each.source_path),
        refresh=st.sampled_from([None, "changed", "all"]),
    ),
    st.sampled_from(
        [
            lambda catalog: catalog.wipe_collection("Shows"),
            relocated,
            lambda catalog: catalog.forget_missing("Shows", max_fraction=1),
            lambda catalog: catalog.disable_collection("Shows") and catalog.enable_collection("Shows"),
            lambda catalog: catalog.add_source(f"source {len(catalog.history())}"),
            attempted(lambda catalog: catalog.approve(AssetSelector(state="ready"))),
            attempted(lambda catalog: catalog.retire(AssetSelector(kind="movie"))),
            attempted(lambda catalog: catalog.reinstate(AssetSelector(state="retired"))),
            attempted(lambda catalog: catalog.assign(AssetSelector(kind="bumper"), kind="movie", title="Tron")),
            attempted(lambda catalog: catalog.assign(AssetSelector(title="Both"), season_number=7)),
            attempted(lambda catalog: catalog.unassign(AssetSelector())),
            attempted(lambda catalog: catalog.rename_title("Both", name="Either")),
            attempted(lambda catalog: catalog.merge_titles("Both", into="Space: 1999")),
            attempted(lambda catalog: catalog.merge_titles("Space: 1999", into="Either")),
            statement("DELETE FROM marker"),
            attempted(statement(SLOTS)),
            statement("UPDATE playlog_slot SET end_ms = end_ms - 1"),
            statement("DELETE FROM playlog_slot WHERE id % 2"),
        ]
    ),
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Catalog]]:
    """Makes new catalogues in memory, each with an empty collection."""
    media = tmp_path_factory.mktemp("media")
    for folder in (media, Path(f"{media}.moved")):
        folder.mkdir(exist_ok=True)
        (folder / "mounted.txt").touch()
    opened: list[Catalog] = []

    def make() -> Catalog:
        while opened:
            opened.pop().close()
        catalog = Catalog(":memory:", importers={"fake": FakeImporter()}, extensions=[PLAYLOG])
        opened.append(catalog)
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
        return catalog

    yield make
    while opened:
        opened.pop().close()


def everything(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    db = catalog.database
    return {table: db.execute(f"SELECT * FROM {table} ORDER BY {key}") for table, key in db.shape.keys.items()}  # noqa: S608


@pytest.mark.proof(
    "What is undone in reverse order comes back bit for bit",
    how="Hypothesis chooses operations and their arguments; then each unit is undone, and each state is held against the first",
)
@settings(settings.get_profile("few"))
@given(steps=st.lists(STEPS, min_size=1, max_size=7))
def test_undone_in_reverse_order_every_state_comes_back_bit_for_bit(
    fresh: Callable[[], Catalog], figures: Proof, steps: list[Step]
) -> None:
    catalog = fresh()
    states = [(everything(catalog), len(catalog.history(10_000)))]
    for step in steps:
        step(catalog)
        states.append((everything(catalog), len(catalog.history(10_000))))

    units = catalog.history(10_000)[::-1]
    for (before, first), (_, last) in zip(reversed(states[:-1]), reversed(states[1:]), strict=True):
        for unit in reversed(units[first:last]):
            if unit.counts:
                catalog.undo(unit.id)
        assert everything(catalog) == before
    assert catalog.check().is_sound
    figures.add({"runs": 1, "units": len(units)})


def test_what_was_undone_is_no_change_since_though_an_extension_s_rows_were_changed_in_between(
    fresh: Callable[[], Catalog],
) -> None:
    catalog = fresh()
    ingest([draft("bumper.mkv", kind="bumper")], refresh=None)(catalog)
    first = everything(catalog)
    assigned = catalog.assign(AssetSelector(kind="bumper"), kind="movie", title="Tron")
    ingest([], refresh=None)(catalog)  # the asset is missing
    statement(SLOTS)(catalog)
    for newer in catalog.history(2):
        catalog.undo(newer.id)

    catalog.undo(assigned.unit_id or "")

    assert everything(catalog) == first


def test_which_units_are_undone_is_told_by_the_undos_that_stand() -> None:
    undoing = [("b", "a"), ("c", "b"), ("d", "a"), ("f", "e")]

    assert journal._undone(undoing) == {"b": "c", "a": "d", "e": "f"}
