"""An ingest of one folder: it is to that folder what a full ingest is to all of the collection, and touches nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import draft

from retrovue_uow import (
    Asset,
    AssetSelector,
    Catalog,
    Collection,
    IngestError,
    IngestFilters,
    IngestResult,
    ResourceError,
    ValidationError,
    as_json,
)
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

SEASON = "TV/Dark (2017)/Season 01"
FILES = (
    f"{SEASON}/Dark S01E01.mkv",
    f"{SEASON}/Dark S01E02.mkv",
    "TV/Astro/Season 02/Astro 2x05.mkv",
    "TV2/Comet S01E01.mkv",
    "Movies/Tron (1982).mkv",
    "Trailers/Tron.mkv",
)
SHOW = "<tvshow><title>Dunkel</title><uniqueid type='tvdb'>334824</uniqueid></tvshow>"
COUNTS = ("created", "unchanged", "changed", "refreshed", "missing", "returned", "moved", "ambiguous")


def make(disk: Path, *names: str) -> None:
    for name in names:
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_bytes(name.encode())


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    make(folder, *FILES)
    (folder / "TV/Dark (2017)/tvshow.nfo").write_text(SHOW)
    return folder


@pytest.fixture
def station(tmp_path: Path, disk: Path) -> Iterator[Catalog]:
    """A catalogue of a collection that nobody ingested yet."""
    with Catalog(tmp_path / "station.db", enrichers={"fake": FakeEnricher()}) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={"/nas": str(disk)})
        for priority, name in enumerate(("filename", "nfo", "fake")):
            catalog.attach_enricher("Shows", name, priority=priority)
        yield catalog


@pytest.fixture
def stocked(station: Catalog) -> Catalog:
    """The catalogue after a full ingest, with everything approved."""
    station.ingest_collection("Shows")
    station.approve(station.assets())
    return station


def under(catalog: Catalog, folder: Path | str, *, allow_empty: bool = False, **filters: Any) -> IngestResult:
    return catalog.ingest_collection("Shows", IngestFilters(under=folder, **filters), allow_empty=allow_empty)


def counts(result: IngestResult) -> dict[str, int]:
    return {name: n for name in COUNTS if (n := getattr(result, name))}


def keys(catalog: Catalog, selector: AssetSelector = AssetSelector()) -> set[str]:  # noqa: B008  frozen
    return {asset.canonical_key.removeprefix("/nas/") for asset in catalog.select(selector)}


def the(catalog: Catalog, path: str) -> Asset:
    (asset,) = catalog.select(AssetSelector(path=f"/nas/{path}"))
    return asset


def refused(catalog: Catalog, folder: Path | str, **filters: Any) -> IngestError:
    """The error of an ingest of that folder, which changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(IngestError) as caught:
        under(catalog, folder, **filters)
    assert snapshot(catalog) == before
    return caught.value


def test_only_what_lies_below_the_folder_comes_goes_and_returns(stocked: Catalog, disk: Path) -> None:
    for lost in (FILES[0], FILES[3]):
        (disk / lost).rename(disk.parent / Path(lost).name)
    make(disk, f"{SEASON}/Dark S01E03.mkv", "TV2/Comet S01E02.mkv", "TV.mkv", "TV!/Movie (1999).mkv", "TV0/Movie (2000).mkv")

    result = under(stocked, disk / "TV")

    assert counts(result) == {"created": 1, "unchanged": 2, "missing": 1}
    assert result.under == str(disk / "TV")
    assert keys(stocked) == {*FILES, f"{SEASON}/Dark S01E03.mkv"}
    assert keys(stocked, AssetSelector(missing=True)) == {FILES[0]}

    for lost in (FILES[0], FILES[3]):
        (disk.parent / Path(lost).name).rename(disk / lost)
    assert counts(under(stocked, disk / "TV2")) == {"created": 1, "unchanged": 1}
    assert keys(stocked, AssetSelector(missing=True)) == {FILES[0]}
    assert counts(under(stocked, disk / SEASON)) == {"unchanged": 3, "returned": 1}
    assert keys(stocked, AssetSelector(missing=True)) == set()
    assert stocked.check().is_sound


@pytest.mark.parametrize("folder", ["", "TV", "TV/Dark (2017)", SEASON, "TV/Astro", "Movies", "Trailers", "TV/linked"])
def test_a_file_becomes_what_a_full_ingest_makes_of_it(
    tmp_path: Path, disk: Path, station: Catalog, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """With the sidecars and the names of the folders above, and by its own path where a link leads to it, too."""
    (disk / "TV/linked").symlink_to(disk / "TV/Astro")
    (disk / "TV/Dark (2017)/more").symlink_to(disk / "Movies")
    make(disk, "TV/Dark (2017)/.hidden/Dark S01E09.mkv")
    (disk / f"{SEASON}/seen").symlink_to(disk / "TV/Dark (2017)/.hidden")
    monkeypatch.setattr("retrovue_uow.store.ids.utc_now", lambda: "2026-01-01T00:00:00Z")
    own = "TV/Astro" if folder == "TV/linked" else folder

    under(station, disk / folder)

    part = {attrs.evolve(asset, id="") for asset in station.assets()}
    told = {asset.canonical_key: station.metadata(asset.id) for asset in station.assets()}
    assert part
    result = station.ingest_collection("Shows")
    assert result.changed == result.missing == result.moved == 0
    full = [asset for asset in station.assets() if f"{asset.canonical_key}/".startswith(f"/nas/{own}".rstrip("/") + "/")]
    assert {attrs.evolve(asset, id="") for asset in full} == part
    station.ingest_collection("Shows", refresh="all")
    assert {attrs.evolve(station.asset(asset.id), id="") for asset in full} == part
    assert {asset.canonical_key: station.metadata(asset.id) for asset in full} == told


@pytest.mark.parametrize(
    ("folder", "cause", "message"),
    [
        ("TV/Nothing", ResourceError, "is missing: is its disk mounted"),
        (FILES[0], ResourceError, "is not a folder"),
        ("TV/nowhere", ResourceError, "is missing"),
        ("..", ValidationError, "without '..'"),
        ("TV/../TV", ValidationError, "without '..'"),
        ("../outside", ValidationError, "without '..'"),
        ("TV/out", ValidationError, r"which leads to '.*/outside', is below no mapped folder of collection 'Shows'; mapped: '"),
        ("TV/.hidden", ValidationError, "leaves out '.*/TV/.hidden': it is hidden, excluded"),
        ("TV/.hidden/inner", ValidationError, "leaves out"),
        ("TV/kept", ValidationError, "leaves out '.*/TV/.hidden/inner'"),
        ("TV/\udcff", ValidationError, "is not UTF-8"),
        ("TV/\0", ValidationError, "holds a NUL"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_refused(
    stocked: Catalog, disk: Path, folder: str, cause: type[Exception], message: str
) -> None:
    (disk / "TV/.hidden/inner").mkdir(parents=True)
    (disk.parent / "outside").mkdir()
    os.mkdir(os.fsencode(f"{disk}/TV/") + b"\xff")
    for name, target in {"nowhere": "nothing", "out": disk.parent / "outside", "kept": ".hidden/inner"}.items():
        (disk / "TV" / name).symlink_to(str(target))
    make(disk / "TV/.hidden/inner", "Show S01E01.mkv")
    make(disk.parent / "outside", "Show S01E01.mkv")

    error = refused(stocked, f"{disk}/{folder}")

    assert isinstance(error.cause, cause)
    with pytest.raises(IngestError, match=message):
        under(stocked, f"{disk}/{folder}")


@pytest.mark.parametrize("folder", ["", " ", "TV", "./TV", 7])
def test_a_folder_is_named_from_the_root_on(stocked: Catalog, disk: Path, folder: str) -> None:
    assert "under must be an absolute path" in str(refused(stocked, folder))
    with pytest.raises(IngestError, match="under must be an absolute path"):
        stocked.ingest_source("disk", IngestFilters(under=folder))


def test_a_folder_outside_every_mapping_is_refused(stocked: Catalog, disk: Path) -> None:
    for folder in (disk.parent, Path("/")):
        assert "is below no mapped folder" in str(refused(stocked, folder))


def test_a_folder_may_be_named_through_links(tmp_path: Path, disk: Path, station: Catalog) -> None:
    """It is looked at under the path that the mapping gives it."""
    (tmp_path / "media").symlink_to(disk)
    station.add_collection("disk", "Linked", path_mappings={"/linked": str(tmp_path / "media")})
    (disk / "TV/again").symlink_to(disk / "TV/Astro")

    for named in (disk / "TV/Astro", tmp_path / "media/TV/Astro", disk / "TV/again", Path(f"{disk}//TV/./Astro/")):
        result = station.ingest_collection("Linked", IngestFilters(under=named))
        assert result.under == str(tmp_path / "media/TV/Astro")
        assert station.assets("Linked")[0].file_path == str(tmp_path / "media" / FILES[2])
    assert counts(result) == {"unchanged": 1}


def test_an_empty_folder_that_had_files_is_refused_unless_it_was_meant(stocked: Catalog, disk: Path) -> None:
    shutil.rmtree(disk / SEASON)
    (disk / SEASON).mkdir()

    assert f"folder '{disk / SEASON}' is empty" in str(refused(stocked, disk / SEASON))
    (disk / SEASON / "readme.txt").touch()
    assert f"nothing was found below '{disk / SEASON}'" in str(refused(stocked, disk / SEASON))

    assert counts(under(stocked, disk / SEASON, allow_empty=True)) == {"missing": 2}


def test_an_empty_folder_that_never_had_files_is_no_trouble(stocked: Catalog, disk: Path) -> None:
    (disk / "TV/New").mkdir()

    assert under(stocked, disk / "TV/New").discovered == 0


def test_a_file_that_moved_into_the_folder_keeps_its_asset(stocked: Catalog, disk: Path) -> None:
    before = the(stocked, FILES[4])
    stocked.assign([before.id], title="Tron", year=1999)
    stocked.approve([before.id])
    (disk / "Classics").mkdir()
    (disk / FILES[4]).rename(disk / "Classics/Tron (1982).mkv")

    result = under(stocked, disk / "Classics")

    assert counts(result) == {"moved": 1}
    after = the(stocked, "Classics/Tron (1982).mkv")
    assert (after.id, after.year, after.approved) == (before.id, 1999, True)
    assert keys(stocked) == {*FILES, "Classics/Tron (1982).mkv"} - {FILES[4]}
    assert counts(stocked.ingest_collection("Shows")) == {"unchanged": 6}


def test_an_asset_that_was_missing_elsewhere_is_found_again_in_the_folder(stocked: Catalog, disk: Path) -> None:
    before = the(stocked, FILES[0])
    make(disk, "New/readme.txt")
    (disk / FILES[0]).rename(disk / "New/Dark S01E01.mkv")
    assert counts(under(stocked, disk / "TV")) == {"unchanged": 2, "missing": 1}

    assert counts(under(stocked, disk / "New")) == {"moved": 1}
    assert the(stocked, "New/Dark S01E01.mkv").id == before.id


def copied(disk: Path) -> None:
    (disk / "Classics").mkdir()
    shutil.copy2(disk / FILES[4], disk / "Classics/Tron (1982).mkv")


def test_a_copy_is_an_asset_of_its_own(stocked: Catalog, disk: Path) -> None:
    copied(disk)

    assert counts(under(stocked, disk / "Classics")) == {"created": 1}


def test_a_file_that_became_a_folder_is_not_taken_for_one_that_moved(stocked: Catalog, disk: Path) -> None:
    copied(disk)
    (disk / FILES[4]).unlink()
    (disk / FILES[4]).mkdir()

    assert counts(under(stocked, disk / "Classics")) == {"created": 1}


def test_of_several_that_may_have_moved_into_the_folder_none_did(stocked: Catalog, disk: Path) -> None:
    shutil.copy2(disk / FILES[4], disk / "TV2/Tron (1983).mkv")
    stocked.ingest_collection("Shows")
    copied(disk)
    (disk / FILES[4]).unlink()

    assert counts(under(stocked, disk / "Classics")) == {"created": 1, "ambiguous": 3}
    assert keys(stocked, AssetSelector(missing=True)) == set()


def test_where_the_disk_elsewhere_is_away_nothing_moved(tmp_path: Path, stocked: Catalog, disk: Path) -> None:
    """Nor is it missed: nothing outside the folder is looked at."""
    other = tmp_path / "other"
    make(other, "Films/Brazil (1985).mkv")
    stocked.map_path("Shows", "/more", str(other))
    stocked.ingest_collection("Shows")
    shutil.copy2(other / "Films/Brazil (1985).mkv", disk / "Movies")
    shutil.rmtree(other)

    assert counts(under(stocked, disk / "Movies")) == {"created": 1, "unchanged": 1}
    assert keys(stocked, AssetSelector(missing=True)) == set()
    with pytest.raises(IngestError, match="is missing"):
        under(stocked, other / "Films")


def test_what_changed_elsewhere_before_it_was_written_has_not_moved(stocked: Catalog, disk: Path) -> None:
    copied(disk)
    (disk / FILES[4]).unlink()
    with stocked.prepare_ingest("Shows", IngestFilters(under=disk / "Classics")) as prepared:
        with stocked.session() as db:
            for table in ("asset", "approval"):
                db.execute(f"UPDATE {table} SET size = size + 1 WHERE canonical_key = ?", (f"/nas/{FILES[4]}",))  # noqa: S608  these

        result = stocked.ingest_collection(prepared)

    assert counts(result) == {"created": 1}
    assert result.under == str(disk / "Classics")


def test_what_changed_in_the_folder_before_it_was_written_is_noticed(stocked: Catalog, disk: Path) -> None:
    with stocked.prepare_ingest("Shows", IngestFilters(under=disk / "TV")) as prepared:
        with stocked.session() as db:
            db.execute(
                "UPDATE asset SET enrichers = '' WHERE canonical_key IN (?, ?)", (f"/nas/{FILES[0]}", f"/nas/{FILES[4]}")
            )

        assert counts(stocked.ingest_collection(prepared)) == {"unchanged": 2, "changed": 1}


def test_title_and_patterns_narrow_the_folder_further(stocked: Catalog, disk: Path) -> None:
    make(disk, f"{SEASON}/Dark S01E03.mkv", f"{SEASON}/Dark S01E04.mkv", "TV2/Dark S01E05.mkv", "TV/Astro/Astro 2x06.mkv")
    (disk / FILES[0]).unlink()

    result = under(stocked, disk / "TV", title="Dunkel", exclude=("*E04*",))

    assert counts(result) == {"created": 1, "unchanged": 1}
    assert "under" in str(refused(stocked, disk / "TV", title="Tron"))
    assert counts(under(stocked, disk / "TV", exclude=("Dark*",))) == {"created": 1, "unchanged": 1}
    assert "excluded" in str(refused(stocked, disk / SEASON, exclude=("TV/Dark*",)))
    assert counts(under(stocked, disk / "TV")) == {"created": 1, "unchanged": 4, "missing": 1}


def test_what_lies_outside_the_folder_is_neither_refused_nor_told_of(stocked: Catalog, disk: Path) -> None:
    make(disk, "scan.exe", ".hidden.mkv", "TV/half.part", "TV/Astro/half.part")
    for parent in ("", "TV/", "TV2/"):
        (disk / os.fsdecode(os.fsencode(parent) + b"\xff.mkv")).touch()
        (disk / parent / "nowhere.mkv").symlink_to("nothing")

    result = under(stocked, disk / "TV/Astro")

    assert (counts(result), result.left_out, result.skipped) == ({"unchanged": 1}, {"partial": 1}, {})
    assert "not UTF-8" in str(refused(stocked, disk / "TV2", exclude=("nowhere.mkv",)))


def test_nested_mappings_below_the_folder_are_part_of_it(stocked: Catalog, disk: Path) -> None:
    stocked.map_path("Shows", "/nas/TV/Astro", str(disk / "TV/Astro"))
    make(disk, "TV/Astro/Season 02/Astro 2x06.mkv")

    assert counts(under(stocked, disk / "TV")) == {"created": 1, "unchanged": 3}
    (disk / "TV/Astro/Season 02/Astro 2x06.mkv").unlink()
    assert counts(under(stocked, disk / "TV/Astro/Season 02")) == {"unchanged": 1, "missing": 1}


def test_a_source_without_folders_is_held_against_the_mapping(
    catalog: Catalog, collection: Collection, importer: FakeImporter, media: Path
) -> None:
    """Whatever it reports, and however the disk spells the folder."""
    names = ("Cafe\u0301/A.mkv", "Caf\u00e9 2/B.mkv", "C.mkv")
    importer.drafts = [draft(name, size=None) for name in names]
    make(media, *names)
    catalog.ingest_collection("Shows")
    importer.drafts = [draft("Cafe\u0301/D.mkv")]
    (media / "Cafe\u0301/D.mkv").touch()

    result = under(catalog, media / "Cafe\u0301")

    assert counts(result) == {"created": 1, "missing": 1}
    assert [asset.canonical_key for asset in catalog.assets(missing=True)] == ["/media/Caf\u00e9/A.mkv"]


def test_a_source_ingests_the_collections_that_have_the_folder(tmp_path: Path, stocked: Catalog, disk: Path) -> None:
    make(tmp_path / "other", "Film (1999).mkv")
    stocked.add_collection("disk", "Other", path_mappings={"/other": str(tmp_path / "other")})
    make(disk, "TV2/Comet S01E02.mkv")

    outcome = stocked.ingest_source("disk", IngestFilters(under=disk / "TV2"))

    assert [(each.collection.name, each.created) for each in outcome.results] == [("Shows", 1)]
    assert outcome.failures == ()
    with pytest.raises(IngestError, match="is below no mapped folder of an enabled collection of source 'disk'"):
        stocked.ingest_source("disk", IngestFilters(under=tmp_path))


def test_a_dry_run_and_an_undo_are_of_the_folder_alone(stocked: Catalog, disk: Path) -> None:
    before = snapshot(stocked, journal=False)
    make(disk, "TV2/Comet S01E02.mkv")
    (disk / FILES[3]).unlink()
    filters = IngestFilters(under=disk / "TV2")

    assert counts(stocked.ingest_collection("Shows", filters, dry_run=True)) == {"created": 1, "missing": 1}
    assert snapshot(stocked, journal=False) == before
    done = stocked.ingest_collection("Shows", filters)
    assert done.unit_id is not None
    stocked.undo(done.unit_id)
    assert snapshot(stocked, journal=False) == before


def test_the_journal_has_the_folder_as_text(stocked: Catalog, disk: Path) -> None:
    under(stocked, disk / "TV")

    (unit,) = stocked.history(1)
    assert unit.operations[0].arguments["filters"] == as_json(IngestFilters(under=str(disk / "TV")))
