"""A library that lies elsewhere now keeps its assets, and all that the operator has said of them."""

from __future__ import annotations

import math
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from loguru import logger

from retrovue_uow import (
    Asset,
    AssetDraft,
    AssetSelector,
    Catalog,
    ConflictError,
    ContractError,
    RelocateError,
    RelocateResult,
    ResourceError,
    ValidationError,
    as_json,
)
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

FIRST, SECOND = "Dark/Dark - S01E01.mkv", "Dark/Dark - S01E02.mkv"
FILES = (FIRST, SECOND, "Lost/Season 1/Lost - S01E01.mkv", "Tron (1982).mkv", "Café.mkv")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return tmp_path / "old"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


def put(root: Path, *names: str) -> Path:
    """Files of different sizes and mtimes."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        os.utime(path, ns=(0, len(name)))
    return root


@pytest.fixture
def station(tmp_path: Path, empty: bytes, old: Path) -> Iterator[Catalog]:
    """A curated library on a disk: assigned, renamed, approved, retired."""
    (tmp_path / "catalog.db").write_bytes(empty)
    put(old, *FILES)
    with opened(tmp_path) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={str(old): str(old)})
        catalog.attach_enricher("Shows", "filename", priority=1)
        catalog.attach_enricher("Shows", "fake")
        catalog.ingest_collection("Shows")
        catalog.assign(AssetSelector(path="Café.mkv"), kind="bumper")
        catalog.rename_title("Tron", name="TRON")
        catalog.approve(AssetSelector(state="ready"))
        catalog.retire(AssetSelector(path="*S01E02.mkv"))
        yield catalog


def opened(folder: Path) -> Catalog:
    return Catalog(folder / "catalog.db", importers={"fake": FakeImporter()}, enrichers={"fake": FakeEnricher()})


def relocate(catalog: Catalog, old: Path | str, new: Path | str, **options: Any) -> RelocateResult:
    return catalog.relocate_collection("Shows", str(old), str(new), **options)


def moved(assets: list[Asset], old: Path, new: Path) -> list[Asset]:
    """The assets as they are once their files lie elsewhere, and nothing else has changed."""
    return [
        attrs.evolve(
            each, **{name: str(new) + getattr(each, name).removeprefix(str(old)) for name in ("canonical_key", "file_path")}
        )
        for each in assets
    ]


def keys(catalog: Catalog, table: str) -> set[str]:
    """Of which files something was decided."""
    return {row[2] for row in snapshot(catalog)[table]}


def mappings(catalog: Catalog) -> dict[str, str]:
    return {each.source_path: each.local_path for each in catalog.collection("Shows").path_mappings}


def refusal(catalog: Catalog, old: Path | str, new: Path | str, **options: Any) -> str:
    """How a relocation is refused, which changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(RelocateError) as caught:
        relocate(catalog, old, new, **options)
    assert isinstance(caught.value.cause, ValidationError | ResourceError)
    assert snapshot(catalog) == before
    return str(caught.value.cause)


def once_looked(act: Callable[[], object]) -> None:
    """Do something as soon as the log says that the files were looked for."""

    def note(message: Any) -> None:
        if message.record["extra"].get("phase") == "preparation":
            logger.disable("retrovue_uow")  # a sink must not log
            act()

    logger.enable("retrovue_uow")
    logger.add(note, level="DEBUG", catch=False)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    logger.remove()
    logger.disable("retrovue_uow")


def test_assets_follow_their_files_with_all_that_was_said_of_them(station: Catalog, old: Path, new: Path) -> None:
    before, on_air = station.assets(), station.schedulable_assets()
    shutil.copytree(old, new)
    shutil.rmtree(old)

    result = relocate(station, old, new)

    assert (result.found, result.missing, result.mtime_differs) == (5, 0, 0)
    assert (result.old_root, result.new_root) == (str(old), str(new))
    assert result.collection == station.collection("Shows")
    assert mappings(station) == {str(new): str(new)}
    assert station.assets() == moved(before, old, new)
    assert station.schedulable_assets() == moved(on_air, old, new) != []
    assert keys(station, "assignment") == {f"{new}/Café.mkv"}
    assert keys(station, "retirement") == {f"{new}/{SECOND}"}
    assert station.check().is_sound


def test_the_next_ingest_finds_everything_unchanged(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    relocate(station, old, new)

    again = station.ingest_collection("Shows")

    assert (again.unchanged, again.discovered) == (5, 5)


def test_what_is_excluded_stays_so(station: Catalog, old: Path, new: Path) -> None:
    station.exclude("Shows", "Dark/*02.mkv")
    shutil.copytree(old, new)
    relocate(station, old, new)
    os.remove(new / SECOND)

    again = station.ingest_collection("Shows")

    assert (again.missing, again.unchanged) == (0, 4)
    assert station.collection("Shows").excludes == ("Dark/*02.mkv",)


def test_what_was_decided_follows_without_assets_and_holds_again(station: Catalog, old: Path, new: Path) -> None:
    before = station.assets()
    station.wipe_collection("Shows")
    os.rename(old, new)

    assert relocate(station, old, new).found == 0
    station.ingest_collection("Shows")

    facts = [(each.canonical_key, each.kind, each.state, each.title) for each in moved(before, old, new)]
    assert [(each.canonical_key, each.kind, each.state, each.title) for each in station.assets()] == facts


def test_a_decision_about_another_file_that_once_lay_there_gives_way(station: Catalog, old: Path, new: Path) -> None:
    station.map_path("Shows", str(new), str(new))
    put(new, SECOND, "Café.mkv", "Lost.mkv")
    station.ingest_collection("Shows")
    station.retire(AssetSelector(path=f"{new}/*"))
    station.assign(AssetSelector(path=f"{new}/Café.mkv"), kind="promo")
    wiped = station.wipe_collection("Shows")
    assert wiped.deleted["asset"] == 8
    station.unmap_path("Shows", str(new))
    put(new, *FILES)

    relocate(station, old, new)

    assert keys(station, "retirement") == {f"{new}/{SECOND}", f"{new}/Lost.mkv", f"{new}/Café.mkv"}
    station.ingest_collection("Shows")
    assert {each.kind for each in station.select(AssetSelector(path="Café.mkv"))} == {"bumper"}


def test_a_server_goes_on_to_name_its_files_as_before(catalog: Catalog, media: Path, new: Path, collection: Any) -> None:
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector())
    before = catalog.assets()
    put(new, *(each.canonical_key.removeprefix("/media/") for each in before))
    for each in before:
        os.truncate(str(new) + each.canonical_key.removeprefix("/media"), 1000)

    result = relocate(catalog, media, new)

    assert (result.found, result.mtime_differs) == (4, 4)
    assert mappings(catalog) == {"/media": str(new)}
    local = {each.id: str(new) + each.canonical_key.removeprefix("/media") for each in before}
    assert catalog.assets() == [attrs.evolve(each, file_path=local[each.id]) for each in before]
    assert catalog.check().is_sound
    catalog.wipe_collection("Shows")
    assert catalog.ingest_collection("Shows").withdrawals == ()


def test_a_folder_of_the_file_system_that_the_source_calls_otherwise_keeps_its_name(
    station: Catalog, old: Path, new: Path
) -> None:
    station.add_collection("disk", "Other", path_mappings={"/name": str(old)})
    station.ingest_collection("Other")
    shutil.copytree(old, new)

    station.relocate_collection("Other", str(old), str(new))

    assert {each.canonical_key for each in station.assets("Other")} == {f"/name/{name}" for name in FILES}
    assert station.ingest_collection("Other").unchanged == 5


def test_it_is_undone(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    os.remove(new / FIRST)
    before = snapshot(station, journal=False)

    result = relocate(station, old, new, min_found=0.5)
    assert snapshot(station, journal=False) != before
    station.undo(str(result.unit_id))

    assert snapshot(station, journal=False) == before
    assert station.check().is_sound


def test_a_dry_run_tells_the_changes_of_the_real_one(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    before = snapshot(station)

    preview = relocate(station, old, new, dry_run=True)

    assert snapshot(station) == before
    real = relocate(station, old, new)
    assert preview.changes is not None
    assert real.changes is not None
    assert (
        preview.changes.counts
        == real.changes.counts
        == {
            "asset": {"update": 5},
            "approval": {"update": 5},
            "assignment": {"update": 1},
            "path_mapping": {"update": 1},
            "retirement": {"update": 1},
        }
    )


def test_what_is_not_found_follows_too_and_is_missing_until_it_comes(station: Catalog, old: Path, new: Path) -> None:
    before = station.assets()
    shutil.copytree(old, new)
    os.remove(new / FIRST)

    result = relocate(station, old, new, min_found=0.8)

    assert (result.found, result.missing, result.paths["missing"]) == (4, 1, (f"{new}/{FIRST}",))
    assert [each.canonical_key for each in station.assets(missing=True)] == [f"{new}/{FIRST}"]
    shutil.copy2(old / FIRST, new / FIRST)
    assert station.ingest_collection("Shows").returned == 1
    assert station.assets() == moved(before, old, new)


def test_fewer_files_than_must_be_found_are_refused_with_figures(station: Catalog, old: Path, new: Path) -> None:
    put(new, *FILES[:2])

    told = refusal(station, old, new)

    assert f"2 of 5 files are in {str(new)!r}, less than the part of 0.9" in told
    assert repr(str(new / FILES[2])) in told
    assert relocate(station, old, new, min_found=0.4).missing == 3


def test_a_file_of_another_size_is_another_file(station: Catalog, old: Path, new: Path) -> None:
    for name in FILES:
        put(new, name)
        (new / name).write_bytes(b"half")

    assert "0 of 5 files" in (told := refusal(station, old, new))
    assert "5 are there with another size" in told
    result = relocate(station, old, new, min_found=0)
    assert result.paths["other_size"] == result.paths["missing"] == tuple(sorted(f"{new}/{name}" for name in FILES))


def test_a_copy_with_another_mtime_is_found_and_listed(station: Catalog, old: Path, new: Path) -> None:
    approved = station.schedulable_assets()
    shutil.copytree(old, new)
    os.utime(new / FIRST)

    result = relocate(station, old, new)

    assert (result.found, result.paths["mtime_differs"]) == (5, (f"{new}/{FIRST}",))
    assert station.schedulable_assets() == moved(approved, old, new)
    assert station.ingest_collection("Shows").paths["refreshed"] == (f"{new}/{FIRST}",)


def test_a_copy_with_another_mtime_is_approved_in_a_rebuild(station: Catalog, old: Path, new: Path) -> None:
    approved = station.schedulable_assets()
    shutil.copytree(old, new, copy_function=shutil.copyfile)
    assert relocate(station, old, new).mtime_differs == 5

    station.wipe_collection("Shows")

    assert station.ingest_collection("Shows").withdrawals == ()
    assert [each.canonical_key for each in station.schedulable_assets()] == [
        each.canonical_key for each in moved(approved, old, new)
    ]


def test_what_was_missing_is_not_counted_and_returns_as_it_was_only(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    for name in (FIRST, SECOND, "Tron (1982).mkv"):
        os.remove(old / name)
    station.ingest_collection("Shows")
    os.utime(new / SECOND)
    os.remove(new / "Tron (1982).mkv")

    result = relocate(station, old, new, min_found=1)

    assert (result.found, result.missing) == (3, 0)
    assert result.paths["returned"] == (f"{new}/{FIRST}",)
    assert result.paths["mtime_differs"] == (f"{new}/{SECOND}",)
    assert [each.canonical_key for each in station.assets(missing=True)] == [f"{new}/{SECOND}", f"{new}/Tron (1982).mkv"]


ACCENTED = unicodedata.normalize("NFD", "Café.mkv")


def test_names_of_other_case_or_unicode_form_are_named_and_not_guessed(station: Catalog, old: Path, new: Path) -> None:
    put(new, *(name.upper() for name in FILES[:4]), ACCENTED)

    told = refusal(station, old, new)
    result = relocate(station, old, new, min_found=0)

    assert "5 may be there under a name of other case or Unicode form, which is not guessed" in told
    assert (result.found, result.missing, result.other_name) == (0, 5, 5)
    assert f"{str(new / ACCENTED)!r} (NFD) in place of {str(new / 'Café.mkv')!r} (NFC)" in result.paths["other_name"]
    assert f"{str(new / FIRST.upper())!r} (NFC) in place of {str(new / FIRST)!r} (NFC)" in result.paths["other_name"]


def test_a_root_may_be_named_in_another_unicode_form_and_with_a_slash_at_its_end(tmp_path: Path, empty: bytes) -> None:
    (tmp_path / "catalog.db").write_bytes(empty)
    old, new = put(tmp_path / "Ärger", FIRST), put(tmp_path / "Ömmel", FIRST)
    with opened(tmp_path) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={str(old): str(old)})
        catalog.ingest_collection("Shows")

        relocate(catalog, unicodedata.normalize("NFD", str(old)) + "/", f"{new}//")

        assert mappings(catalog) == {str(new): str(new)}


def test_a_link_counts_as_what_it_leads_to_unless_that_lies_outside(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    (new / "stored").mkdir()
    for name in ("Tron (1982).mkv", "Dark"):
        os.rename(new / name, new / "stored" / name)
        (new / name).symlink_to(new / "stored" / name)
    shutil.rmtree(new / "Lost")
    (new / "Lost").symlink_to(old / "Lost")
    os.remove(new / "Café.mkv")
    (new / "Café.mkv").symlink_to(new / "Café.mkv")

    result = relocate(station, old, new, min_found=0)

    assert result.paths["missing"] == (f"{new}/Café.mkv", f"{new}/Lost/Season 1/Lost - S01E01.mkv")


def test_a_folder_in_place_of_a_file_is_not_the_file(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    os.remove(new / "Café.mkv")
    (new / "Café.mkv").mkdir()

    assert relocate(station, old, new, min_found=0).paths["missing"] == (f"{new}/Café.mkv",)


NOWHERE: dict[str, tuple[Callable[[Path], str], str]] = {
    "itself": (lambda top: f"{top}/old", "is that folder already"),
    "itself with a slash": (lambda top: f"{top}/old/", "is that folder already"),
    "its own subfolder": (lambda top: f"{top}/old/Dark", "files that moved within a mapped folder are followed"),
    "relative": (lambda top: "new", "must be absolute"),
    "parent segments": (lambda top: f"{top}/old/../new", "without '..'"),
    "NUL": (lambda top: f"{top}/new\0", "not readable text"),
    "not UTF-8": (lambda top: f"{top}/\udcff", "not readable text"),
    "away": (lambda top: f"{top}/away", "is missing: is its disk mounted"),
    "a file": (lambda top: f"{top}/file", "is not a folder"),
    "empty": (lambda top: f"{top}/empty", "is empty: is its disk mounted"),
    "a bare disk": (lambda top: f"{top}/bare", "is empty: is its disk mounted"),
    "unreadable": (lambda top: f"{top}/loop", "cannot be read"),
}


@pytest.mark.parametrize(("new", "told"), NOWHERE.values(), ids=NOWHERE)
def test_where_nothing_can_lie_is_refused(station: Catalog, tmp_path: Path, new: Callable[[Path], str], told: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare" / "lost+found").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert told in refusal(station, tmp_path / "old", new(tmp_path), min_found=0)


@pytest.mark.parametrize("root", ["old/Dark", "", "elsewhere"])
def test_only_a_whole_mapping_is_relocated(station: Catalog, tmp_path: Path, root: str) -> None:
    put(tmp_path / "new", *FILES)

    told = refusal(station, tmp_path / root, tmp_path / "new")

    assert (
        f"is no mapped folder of collection 'Shows': name one of its folders, whole. It has {str(tmp_path / 'old')!r}" in told
    )


@pytest.mark.parametrize("min_found", [math.nan, -0.1, 1.1, math.inf, True, "0.9", None])
def test_the_part_to_be_found_is_one_of_a_whole(station: Catalog, old: Path, new: Path, min_found: Any) -> None:
    shutil.copytree(old, new)

    assert "min_found must be a number from 0 to 1" in refusal(station, old, new, min_found=min_found)


def test_a_root_that_another_mapping_covers_is_refused(station: Catalog, old: Path, new: Path) -> None:
    put(new / "more", "b.mkv")
    shutil.copytree(old, new / "shows")
    station.map_path("Shows", str(new), str(new))

    for root in (new, new / "shows"):
        assert f"lies in {str(new)!r}, which is mapped for collection 'Shows' already" in refusal(station, old, root)


def test_files_that_another_mapping_would_reach_under_another_path_are_refused(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    station.map_path("Shows", "/other", str(new / "Dark"))

    assert "under another path of its source" in refusal(station, old, new)


def test_files_that_another_mapping_reaches_already_are_refused(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    station.map_path("Shows", str(new / "Dark"), str(new / "Dark"))

    assert f"would come to lie in {str(new / 'Dark')!r}" in refusal(station, old, new)


def test_two_collections_that_share_a_folder_follow_one_after_the_other(station: Catalog, old: Path, new: Path) -> None:
    station.add_collection("disk", "Also", path_mappings={str(old): str(old)})
    station.ingest_collection("Also")
    shutil.copytree(old, new)

    for name in ("Shows", "Also"):
        assert station.relocate_collection(name, str(old), str(new)).found == 5

    assert station.check().is_sound


def test_a_mapping_below_another_keeps_its_own_files(catalog: Catalog, importer: FakeImporter, tmp_path: Path) -> None:
    roots = {name: put(tmp_path / name, FIRST) for name in ("outer", "inner", "new")}
    catalog.add_source("station", "fake")
    catalog.add_collection("station", "Shows", path_mappings={"/srv": str(roots["outer"]), "/srv/tv": str(roots["inner"])})
    sources = {f"/srv/{FIRST}": roots["outer"] / FIRST, f"/srv/tv/{FIRST}": roots["inner"] / FIRST}
    importer.drafts = [AssetDraft(str(path), key, kind="bumper") for key, path in sources.items()]
    catalog.ingest_collection("Shows")

    assert relocate(catalog, roots["outer"], roots["new"], min_found=1).found == 1

    assert {each.canonical_key: each.file_path for each in catalog.assets()} == {
        f"/srv/{FIRST}": str(roots["new"] / FIRST),
        f"/srv/tv/{FIRST}": str(roots["inner"] / FIRST),
    }


def test_a_folder_and_one_mapped_below_it_follow_the_inner_one_first(station: Catalog, old: Path, new: Path) -> None:
    station.map_path("Shows", str(old / "Dark"), str(old / "Dark"))
    put(old / "Dark", "new.mkv")
    station.ingest_collection("Shows")
    before = station.assets()
    shutil.copytree(old, new)

    relocate(station, old / "Dark", new / "Dark", min_found=1)
    relocate(station, old, new, min_found=1)

    assert station.assets() == moved(before, old, new)
    assert station.check().is_sound


def test_assets_older_than_a_mapping_below_theirs_stay_with_their_files(station: Catalog, old: Path, new: Path) -> None:
    station.map_path("Shows", str(old / "Dark"), str(old / "Dark"))
    shutil.copytree(old, new)

    result = relocate(station, old, new)

    assert (result.found, len(station.assets())) == (3, 5)
    assert {each.file_path for each in station.assets()} >= {str(old / FIRST), str(new / "Tron (1982).mkv")}
    assert station.check().is_sound


def test_files_that_moved_up_may_take_each_other_s_old_paths(tmp_path: Path, empty: bytes) -> None:
    (tmp_path / "catalog.db").write_bytes(empty)
    new, names = tmp_path / "tv", ("a.mkv", "tv/a.mkv", "tv/tv/a.mkv")
    old = put(new / "tv", *names)
    with opened(tmp_path) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={str(old): str(old)})
        catalog.ingest_collection("Shows")
        catalog.retire(AssetSelector(path="tv/a.mkv"))
        before, whole = catalog.assets(), snapshot(catalog, journal=False)
        os.rename(old, tmp_path / "away")
        os.rename(tmp_path / "away", new / "moved")
        shutil.copytree(new / "moved", new, dirs_exist_ok=True)

        result = relocate(catalog, old, new, min_found=1)

        assert catalog.assets() == moved(before, old, new)
        assert keys(catalog, "retirement") == {row.canonical_key for row in catalog.assets(state="retired")}
        catalog.undo(str(result.unit_id))
        assert snapshot(catalog, journal=False) == whole


def test_a_collection_in_use_is_not_relocated(station: Catalog, old: Path, new: Path, tmp_path: Path) -> None:
    shutil.copytree(old, new)
    with opened(tmp_path) as other, other.prepare_ingest("Shows"), pytest.raises(RelocateError) as caught:
        relocate(station, old, new)

    assert isinstance(caught.value.cause, ConflictError)


def test_it_asks_the_disk_and_is_refused_inside_a_unit(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)

    with pytest.raises(ContractError, match="outside world"), station.session():
        relocate(station, old, new)


def test_others_write_while_files_are_looked_for_and_no_claim_is_had(
    station: Catalog, old: Path, new: Path, tmp_path: Path
) -> None:
    shutil.copytree(old, new)

    with opened(tmp_path) as other:

        def meanwhile() -> None:
            other.add_source("meanwhile")
            with pytest.raises(Exception, match="is in use"):
                other.disable_collection("Shows")

        once_looked(meanwhile)
        relocate(station, old, new)

    assert "meanwhile" in {source.name for source in station.sources()}
    assert mappings(station) == {str(new): str(new)}


def test_assets_that_changed_while_files_were_looked_for_are_refused(
    station: Catalog, old: Path, new: Path, tmp_path: Path
) -> None:
    shutil.copytree(old, new)
    put(old, "late.mkv")

    with opened(tmp_path) as other:
        draft = AssetDraft(str(old / "late.mkv"), str(old / "late.mkv"), kind="bumper")
        once_looked(lambda: other.process_asset(draft, "Shows"))
        with pytest.raises(RelocateError, match="were changed while files were looked for: run it again"):
            relocate(station, old, new)

    assert mappings(station) == {str(old): str(old)}


def test_a_mapping_that_moves_away_from_its_assets_is_not_committed(station: Catalog, old: Path) -> None:
    before = snapshot(station)

    with pytest.raises(ValidationError, match="does not lie below the path mapping"), station.session() as db:
        db.execute("UPDATE path_mapping SET source_path = '/elsewhere'")

    assert snapshot(station) == before


def test_an_undone_wipe_does_not_bring_assets_back_to_where_no_mapping_leads(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    wiped = station.wipe_collection("Shows")
    relocated = relocate(station, old, new)
    before = snapshot(station)

    with pytest.raises(Exception, match="does not lie below the path mapping"):
        station.undo(str(wiped.unit_id))

    assert snapshot(station) == before
    station.undo(str(relocated.unit_id))
    station.undo(str(wiped.unit_id))
    assert len(station.assets()) == 5


def test_the_result_is_json_and_the_journal_keeps_its_counts(station: Catalog, old: Path, new: Path) -> None:
    shutil.copytree(old, new)

    document = as_json(relocate(station, old, new))

    assert isinstance(document, dict)
    assert document["paths"] == {name: [] for name in ("missing", "returned", "mtime_differs", "other_size", "other_name")}
    (operation,) = station.history(1)[0].operations
    assert operation.name == "collection_relocate"
    assert operation.arguments["new_root"] == str(new)
    assert isinstance(operation.result, dict)
    assert (operation.result["found"], "paths" in operation.result) == (5, False)
