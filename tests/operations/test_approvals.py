"""An approval is kept like the other decisions: it holds again when the same file is back, and for no other file."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from harness import draft, episode, mounted, movie

from retrovue_uow import Asset, AssetSelector, Catalog, Collection, IngestResult
from retrovue_uow.store import decisions
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

FILES = [
    episode("Space: 1999", 1, 1),
    episode("Space: 1999", 1, 2),
    movie("Tron", 1982),
    draft("bump.mkv", kind="bumper"),
    draft("tape 7.mkv"),
]
OLDER = Path(__file__).parents[1] / "data" / "catalogue_of_schema_3.db.gz"
TRON = AssetSelector(kind="movie")


@pytest.fixture
def approved(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue whose every asset is approved."""
    importer.drafts = list(FILES)
    catalog.ingest_collection(collection.name)
    catalog.approve(AssetSelector())
    return catalog


def schedulable(catalog: Catalog) -> list[str]:
    """What may be scheduled, by path."""
    return [asset.canonical_key for asset in catalog.schedulable_assets(versions="all")]


def rebuilt(catalog: Catalog) -> IngestResult:
    """The collection is wiped, and ingested anew."""
    catalog.wipe_collection("Shows")
    return catalog.ingest_collection("Shows")


def tron(catalog: Catalog) -> Asset:
    """The movie."""
    (found,) = catalog.select(TRON)
    return found


def replace_tron(importer: FakeImporter, **values: object) -> None:
    """Let the file of the movie be another one."""
    importer.drafts = [attrs.evolve(each, **values) if each.kind == "movie" else each for each in importer.drafts]


def test_a_rebuild_of_untouched_files_keeps_every_approval(approved: Catalog) -> None:
    before = schedulable(approved)

    result = rebuilt(approved)

    assert schedulable(approved) == before
    assert len(before) == result.approved == len(FILES)
    assert result.withdrawals == ()
    assert approved.check().is_sound


def test_what_was_withdrawn_is_not_approved_again(approved: Catalog) -> None:
    approved.withdraw_approval(TRON)

    result = rebuilt(approved)

    assert not tron(approved).approved
    assert tron(approved).canonical_key not in result.paths["approved"]
    assert result.withdrawals == ()  # it had been withdrawn before


def test_what_was_retired_is_to_be_approved_anew(approved: Catalog) -> None:
    approved.retire(TRON)
    rebuilt(approved)

    approved.reinstate(TRON)

    assert not tron(approved).approved
    rebuilt(approved)
    assert not tron(approved).approved


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"size": 77}, "its file is another one: 1000 bytes before, 77 now"),
        ({"mtime_ns": 77}, "its file was written since"),
        ({"title": "Tron: Legacy"}, "it shows something else"),
    ],
)
def test_another_file_under_the_same_path_is_not_approved(
    approved: Catalog, importer: FakeImporter, values: dict[str, object], reason: str
) -> None:
    approved.wipe_collection("Shows")
    replace_tron(importer, **values)

    result = approved.ingest_collection("Shows")

    assert not tron(approved).approved
    ((withdrawn, said),) = [(each.path, each.reason) for each in result.withdrawals]
    assert withdrawn == tron(approved).canonical_key
    assert reason in said
    assert approved.ingest_collection("Shows").withdrawals == ()  # said once


def test_another_length_is_not_approved(approved: Catalog, enricher: FakeEnricher) -> None:
    approved.wipe_collection("Shows")
    enricher.returns = lambda found: attrs.evolve(found, duration_ms=77 if found.kind == "movie" else 60_000)

    approved.ingest_collection("Shows")

    assert not tron(approved).approved


def test_mtime_alone_withdraws_nothing_and_counts_after_a_wipe(approved: Catalog, importer: FakeImporter) -> None:
    replace_tron(importer, mtime_ns=77)
    assert approved.ingest_collection("Shows", refresh="all").withdrawals == ()

    rebuilt(approved)

    assert tron(approved).approved


def test_a_fact_that_becomes_known_withdraws_nothing_and_one_that_changes_does(
    approved: Catalog, enricher: FakeEnricher
) -> None:
    enricher.returns = lambda found: attrs.evolve(found, duration_ms=60_000, height=480)
    assert approved.ingest_collection("Shows", refresh="all").withdrawals == ()
    assert tron(approved).height == 480

    enricher.returns = lambda found: attrs.evolve(found, duration_ms=60_000, height=576)

    assert approved.ingest_collection("Shows", refresh="all").approvals_withdrawn == len(FILES)


@pytest.mark.parametrize("change", ["assign", "rename", "merge"])
def test_what_the_operator_says_of_it_later_leaves_it_approved(approved: Catalog, change: str) -> None:
    if change == "assign":
        approved.assign(TRON, kind="episode", title="Space: 1999", season_number=2, episode_numbers=[1])
    elif change == "rename":
        approved.rename_title("Tron", name="Tron One", year=0)
        approved.rename_title("Space: 1999", year=1975)
    else:
        approved.assign(AssetSelector(path="tape 7.mkv"), kind="movie", title="Tron", year=0)
        approved.merge_titles("Tron (1982)", into="Tron")
    before = schedulable(approved)

    rebuilt(approved)

    assert schedulable(approved) == before
    assert len(before) == len(FILES)


def test_what_its_kind_does_not_show_is_nothing_that_was_approved(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    said: dict[str, object] = {"title": "Tron", "year": 1982, "season_number": 1, "episode_numbers": (2,)}
    files = [draft(f"{kind}.mkv", kind=kind, **said) for kind in ("movie", "bumper", None)]
    importer.drafts = files
    catalog.ingest_collection(collection.name)
    catalog.approve(AssetSelector())

    assert rebuilt(catalog).withdrawals == ()
    assert len(schedulable(catalog)) == len(files)


def test_titles_that_took_each_others_names_stay_approved(approved: Catalog) -> None:
    approved.assign(AssetSelector(path="tape 7.mkv"), kind="movie", title="Alien", year=1982)
    for before, now in (("Tron", "Old"), ("Alien", "Tron"), ("Old", "Alien")):
        approved.rename_title(before, name=now)
    approved.withdraw_approval(AssetSelector())
    approved.approve(AssetSelector())

    assert rebuilt(approved).withdrawals == ()
    assert len(schedulable(approved)) == len(FILES)


@pytest.mark.parametrize("change", ["rename", "merge"])
def test_an_undo_that_names_a_title_leaves_it_approved(approved: Catalog, change: str) -> None:
    approved.withdraw_approval(TRON)
    if change == "rename":
        done = approved.rename_title("Tron", name="Tron One")
    else:
        approved.assign(AssetSelector(path="tape 7.mkv"), kind="movie", title="Tron", year=0)
        done = approved.merge_titles("Tron (1982)", into="Tron")
    approved.approve(AssetSelector())

    approved.undo(done.unit_id or "")

    assert rebuilt(approved).withdrawals == ()
    assert len(schedulable(approved)) == len(FILES)


def test_it_follows_a_file_that_moved(approved: Catalog, importer: FakeImporter) -> None:
    replace_tron(importer, file_path="/media/new/Tron (1982).mkv", source_path="/media/new/Tron (1982).mkv")
    assert approved.ingest_collection("Shows").moved == 1

    rebuilt(approved)

    assert tron(approved).approved


def test_it_goes_with_what_is_forgotten(approved: Catalog, importer: FakeImporter) -> None:
    importer.drafts = FILES[:2]
    approved.ingest_collection("Shows", allow_empty=True)
    approved.forget_missing("Shows", max_fraction=1)
    importer.drafts = list(FILES)

    approved.ingest_collection("Shows")

    assert schedulable(approved) == [each.source_path for each in FILES[:2]]


def test_it_goes_with_its_collection(approved: Catalog) -> None:
    approved.wipe_collection("Shows")
    approved.remove_collection("Shows")

    assert approved.database.execute("SELECT count(*) FROM approval") == [(0,)]


def test_one_processed_by_itself_comes_back_approved(approved: Catalog, collection: Collection) -> None:
    approved.wipe_collection("Shows")

    found = mounted(FILES[2], collection.path_mappings[0].local_path)
    Path(found.file_path).write_bytes(bytes(found.size or 0))
    os.utime(found.file_path, ns=(0, found.mtime_ns or 0))

    result = approved.process_asset(found, "Shows")

    assert result.asset.approved


@pytest.mark.parametrize("later", ["withdraw_approval", "retire"])
def test_what_an_undo_brings_back_is_as_was_said_since(approved: Catalog, later: str) -> None:
    wiped = approved.wipe_collection("Shows")
    approved.ingest_collection("Shows")
    getattr(approved, later)(TRON)
    approved.wipe_collection("Shows")

    result = approved.undo(wiped.unit_id or "")

    assert not tron(approved).approved
    assert len(schedulable(approved)) == len(FILES) - 1
    assert any("Tron" in sentence for sentence in result.settled)
    assert approved.check().is_sound


def test_what_was_approved_since_is_so_when_an_undo_brings_it_back(approved: Catalog) -> None:
    approved.withdraw_approval(TRON)
    wiped = approved.wipe_collection("Shows")
    approved.ingest_collection("Shows")
    approved.approve(TRON)
    approved.wipe_collection("Shows")

    result = approved.undo(wiped.unit_id or "")

    assert tron(approved).approved
    assert result.settled == (f"{tron(approved).canonical_key!r} is approved, as was said since",)


def test_what_an_undo_brings_back_is_approved_in_a_rebuild_though_another_file_had_voided_it(
    approved: Catalog, importer: FakeImporter
) -> None:
    wiped = approved.wipe_collection("Shows")
    replace_tron(importer, mtime_ns=77)
    approved.ingest_collection("Shows")
    approved.wipe_collection("Shows")

    approved.undo(wiped.unit_id or "")
    approved.ingest_collection("Shows")
    assert tron(approved).approved

    assert rebuilt(approved).withdrawals == ()
    assert tron(approved).approved


@pytest.mark.parametrize("values", [{"size": 77}, {"mtime_ns": 77}])
def test_a_file_that_was_approved_since_is_so_as_soon_as_it_is_read_in_place_of_what_an_undo_brought_back(
    approved: Catalog, importer: FakeImporter, values: dict[str, object]
) -> None:
    approved.withdraw_approval(TRON)
    wiped = approved.wipe_collection("Shows")
    replace_tron(importer, **values)
    approved.ingest_collection("Shows")
    approved.approve(TRON)
    approved.wipe_collection("Shows")
    approved.undo(wiped.unit_id or "")
    assert not tron(approved).approved

    result = approved.ingest_collection("Shows")

    assert tron(approved).approved
    assert result.paths["approved"] == (tron(approved).canonical_key,)


def test_an_undo_says_why_what_it_brings_back_is_not_approved(approved: Catalog, importer: FakeImporter) -> None:
    wiped = approved.wipe_collection("Shows")
    replace_tron(importer, size=77)
    approved.ingest_collection("Shows")
    approved.approve(TRON)
    approved.wipe_collection("Shows")

    result = approved.undo(wiped.unit_id or "")

    assert [each.reason for each in result.withdrawals] == ["its file is another one: 77 bytes before, 1000 now"]


@pytest.mark.parametrize("is_approved", [0, 1])
def test_what_somebody_else_wrote_into_an_asset_holds_in_a_rebuild(approved: Catalog, is_approved: int) -> None:
    with approved.session() as db:
        db.execute("DELETE FROM approval WHERE ?", (is_approved,))
        db.execute("UPDATE asset SET approved = ?", (is_approved,))

    assert rebuilt(approved).withdrawals == ()

    assert len(schedulable(approved)) == len(FILES) * is_approved


@pytest.mark.parametrize(
    "act",
    [
        lambda catalog: catalog.withdraw_approval(TRON),
        lambda catalog: catalog.wipe_collection("Shows"),
        lambda catalog: catalog.assign(TRON, kind="bumper"),
        lambda catalog: catalog.rename_title("Tron", name="Tron One"),
    ],
)
def test_an_undo_restores_it_bit_for_bit(approved: Catalog, act: Callable[[Catalog], IngestResult]) -> None:
    before = snapshot(approved, journal=False)
    done = act(approved)

    approved.undo(done.unit_id or "")

    assert snapshot(approved, journal=False) == before


def test_a_rule_sees_what_is_approved_against_the_operators_word(approved: Catalog) -> None:
    approved.withdraw_approval(TRON)

    with pytest.raises(Exception, match="is approved, and the operator has not approved this file"), approved.session() as db:
        db.execute("UPDATE asset SET approved = 1")


def test_a_migration_keeps_what_an_older_version_approved(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(gzip.decompress(OLDER.read_bytes()))

    with Catalog(path) as catalog:
        found = catalog.select(AssetSelector(approved=True))
        assert len(found) == 13  # of 14: one was retired, and had come back
        assert {each.kind for each in found} >= {"episode", "movie"}
        for each in found:
            said = decisions.approvals(catalog.database, each.collection_id, [each.canonical_key])[each.canonical_key]
            assert said.approved
            assert said.why_void(each, decisions.decisions(catalog.database, each.collection_id)) is None
        assert catalog.database.execute("SELECT count(*) FROM approval WHERE approved = 0") == [(1,)]
