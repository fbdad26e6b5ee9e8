"""Every public operation at work on a catalogue that has something for each of them to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from harness import draft, episode, mounted, movie

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    AssetSelector,
    Catalog,
    ConfigurationError,
    CurationError,
    ForgetError,
    FoundCollection,
    IngestError,
    IngestFilters,
    Marker,
    OperationError,
    RelocateError,
    UndoError,
    WipeError,
    WipeOptions,
)
from retrovue_uow.testing import FakeImporter, snapshot


@attrs.frozen
class Case:
    """An operation at work on the scene; `outside`: some of its statements belong to none, so their errors come as they are."""

    run: Callable[[Catalog], object]
    error: type[OperationError] = ConfigurationError
    outside: bool = False


def prepared_ingest(catalog: Catalog) -> object:
    with catalog.prepare_ingest("Shows", refresh="all") as prepared:
        return catalog.ingest_collection(prepared)


def served(catalog: Catalog) -> Any:
    """The importer whose drafts a case may change, also where a faulty one stands before it."""
    importer = catalog.importers["fake"]
    return importer.args[-1] if isinstance(importer, partial) else importer


def ingested_with_a_broken_file(catalog: Catalog) -> object:
    broken = draft("torn.mkv", kind="movie", title="x" * 1001, warnings=("its end is torn off",))
    importer = served(catalog)
    importer.drafts.append(broken)
    try:
        return catalog.ingest_collection("Shows", broken="record")
    finally:
        importer.drafts.remove(broken)


def moved_into_one_folder(catalog: Catalog) -> object:
    folder = on_disk(catalog, draft("Dark/S01E01.mkv")).file_path.removesuffix("/S01E01.mkv")
    importer = served(catalog)
    met, path = importer.drafts, "/media/Dark/S01E01.mkv"
    importer.drafts = [attrs.evolve(episode("Space: 1999", 1, 1), file_path=path, source_path=path)]
    try:
        return catalog.ingest_collection("Shows", IngestFilters(under=folder))
    finally:
        importer.drafts = met


def upgraded_and_retitled(catalog: Catalog) -> object:
    """An episode that is approved and preferred has a better file, and the movie another name."""
    importer = served(catalog)
    met, path = importer.drafts, "/media/Tron 2 (2010).mkv"
    better = attrs.evolve(episode("Space: 1999", 1, 2), file_path="/media/2.mkv", source_path="/media/2.mkv", size=2000)
    renamed = attrs.evolve(met[1], file_path=path, source_path=path, title="Tron 2", year=2010)
    importer.drafts = [met[0], better, renamed]
    try:
        with catalog.prepare_ingest("Shows") as prepared, catalog.session():
            going = AssetSelector(path="*S01E02.mkv")
            return [catalog.approve(going), catalog.prefer(going), catalog.ingest_collection(prepared)]
    finally:
        importer.drafts = met


def wiped_and_ingested_anew(catalog: Catalog) -> object:
    with catalog.prepare_ingest("Shows", as_if_empty=True) as prepared, catalog.session():
        return [catalog.wipe_collection("Shows"), catalog.ingest_collection(prepared)]


def session_of_operations_and_sql(catalog: Catalog) -> object:
    with catalog.session() as db:
        db.execute("UPDATE asset SET state = 'retired'")
        with catalog.session(contain=True):
            return [catalog.disable_collection("Shows"), catalog.wipe_collection("Empty")]


def last_unit(catalog: Catalog) -> str:
    """Read through another connection, whose statements are not counted."""
    return str(snapshot(catalog)["unit_of_work"][-1][0])


def undone_in_a_session(catalog: Catalog) -> object:
    unit_id = last_unit(catalog)
    with catalog.session():
        return [catalog.undo(unit_id), catalog.disable_collection("Shows")]


def retired_and_reinstated(catalog: Catalog) -> object:
    with catalog.session():
        return [catalog.retire(AssetSelector(kind="movie")), catalog.reinstate(AssetSelector(kind="movie"))]


def assigned_and_unassigned(catalog: Catalog) -> object:
    with catalog.session():
        return [catalog.assign(AssetSelector(kind="movie"), title="TRON"), catalog.unassign(AssetSelector(kind="movie"))]


def approved_and_preferred(catalog: Catalog) -> object:
    with catalog.session():
        return [catalog.approve(AssetSelector(kind="movie")), catalog.prefer(AssetSelector(kind="movie"))]


def preferred_no_longer(catalog: Catalog) -> object:
    with catalog.session():
        return [approved_and_preferred(catalog), catalog.unprefer(AssetSelector(kind="movie"))]


def assigned_and_merged(catalog: Catalog) -> object:
    with catalog.session():
        return [
            catalog.assign(AssetSelector(path="*S01E02.mkv"), title="Space 1999"),
            catalog.merge_titles("Space 1999", into="Space: 1999"),
        ]


def relocated(catalog: Catalog, *, dry_run: bool = False) -> object:
    """To where one file of two is, and one that was missing; likewise."""
    old = next(local for _, _, source, local in snapshot(catalog)["path_mapping"] if source == "/media")
    return catalog.relocate_collection("Shows", old, f"{old}.new", min_found=0.5, dry_run=dry_run)


def relocated_by_another_path(catalog: Catalog) -> object:
    """By a source that names its files otherwise from then on."""
    old = next(local for _, _, source, local in snapshot(catalog)["path_mapping"] if source == local)
    return catalog.relocate_collection("Disk", old, f"{old}.new")


def on_disk(catalog: Catalog, found: AssetDraft) -> AssetDraft:
    """The draft below the mapped folder; read through another connection, likewise."""
    return mounted(found, next(local for _, _, source, local in snapshot(catalog)["path_mapping"] if source == "/media"))


CASES = {
    "add_source": Case(lambda catalog: catalog.add_source("another", "fake")),
    "discover_collections": Case(lambda catalog: catalog.discover_collections("station")),
    "add_collection": Case(lambda catalog: catalog.add_collection("station", "More", path_mappings={"/a": "/b", "/c": "/d"})),
    "map_path": Case(lambda catalog: catalog.map_path("Empty", "/more", "/srv/more")),
    "unmap_path": Case(lambda catalog: catalog.unmap_path("Empty", "/empty")),
    "exclude": Case(lambda catalog: catalog.exclude("Shows", "*.iso")),
    "unexclude": Case(lambda catalog: catalog.unexclude("Shows", "Samples")),
    "enable_collection": Case(lambda catalog: catalog.enable_collection("Empty")),
    "disable_collection": Case(lambda catalog: catalog.disable_collection("Shows")),
    "set_upgrades": Case(lambda catalog: catalog.set_upgrades("Empty", "keep-approval")),
    "attach_enricher": Case(lambda catalog: catalog.attach_enricher("Empty", "fake")),
    "detach_enricher": Case(lambda catalog: catalog.detach_enricher("Shows", "fake")),
    "remove_collection": Case(lambda catalog: catalog.remove_collection("Empty")),
    "remove_source": Case(lambda catalog: catalog.remove_source("bare")),
    "prepare_ingest": Case(prepared_ingest, IngestError),
    "ingest_collection": Case(lambda catalog: catalog.ingest_collection("Shows"), IngestError),
    "ingest_collection, refreshing": Case(lambda catalog: catalog.ingest_collection("Shows", refresh="all"), IngestError),
    "ingest_collection, recording": Case(ingested_with_a_broken_file, IngestError),
    "ingest_collection, one folder": Case(moved_into_one_folder, IngestError),
    "ingest_collection, upgrading": Case(upgraded_and_retitled, OperationError, outside=True),
    "ingest_collection, dry": Case(lambda catalog: catalog.ingest_collection("Shows", dry_run=True), IngestError),
    "process_asset": Case(
        lambda catalog: catalog.process_asset(on_disk(catalog, episode("Dark", 1, 1)), "Shows"), AssetProcessingError
    ),
    "process_asset, refreshing": Case(
        lambda catalog: catalog.process_asset(on_disk(catalog, movie("Tron", 1982, size=7)), "Shows", refresh="changed"),
        AssetProcessingError,
    ),
    "wipe_collection": Case(lambda catalog: catalog.wipe_collection("Shows"), WipeError),
    "wipe_collection, dry": Case(lambda catalog: catalog.wipe_collection("Shows", WipeOptions(dry_run=True)), WipeError),
    "forget_missing": Case(lambda catalog: catalog.forget_missing("Shows", max_fraction=1), ForgetError),
    "forget_missing, dry": Case(lambda catalog: catalog.forget_missing("Shows", max_fraction=1, dry_run=True), ForgetError),
    "relocate_collection": Case(relocated, RelocateError),
    "relocate_collection, by another path": Case(relocated_by_another_path, RelocateError),
    "relocate_collection, dry": Case(lambda catalog: relocated(catalog, dry_run=True), RelocateError),
    "undo": Case(lambda catalog: catalog.undo(last_unit(catalog)), UndoError),
    "undo, dry": Case(lambda catalog: catalog.undo(last_unit(catalog), dry_run=True), UndoError),
    "undo in a session": Case(undone_in_a_session, OperationError, outside=True),
    "approve": Case(lambda catalog: catalog.approve(AssetSelector(state="ready")), CurationError),
    "approve, dry": Case(lambda catalog: catalog.approve(AssetSelector(), dry_run=True), CurationError),
    "withdraw_approval": Case(lambda catalog: catalog.withdraw_approval(AssetSelector()), CurationError),
    "retire": Case(lambda catalog: catalog.retire(AssetSelector(kind="movie")), CurationError),
    "reinstate": Case(retired_and_reinstated, CurationError, outside=True),
    "assign": Case(
        lambda catalog: catalog.assign(
            AssetSelector(kind="movie"), kind="episode", title="Dark", season_number=1, episode_numbers=(1, 2)
        ),
        CurationError,
    ),
    "assign_by_name": Case(
        lambda catalog: catalog.assign_by_name(AssetSelector(kind="movie"), "{title} (198{episode})", kind="episode", season=1),
        CurationError,
    ),
    "assign_by_name, dry": Case(
        lambda catalog: catalog.assign_by_name(AssetSelector(kind="movie"), "{title} ({year})", kind="movie", dry_run=True),
        CurationError,
    ),
    "unassign": Case(assigned_and_unassigned, CurationError, outside=True),
    "prefer": Case(approved_and_preferred, CurationError, outside=True),
    "unprefer": Case(preferred_no_longer, CurationError, outside=True),
    "rename_title": Case(lambda catalog: catalog.rename_title("Tron", name="TRON"), CurationError),
    "merge_titles": Case(assigned_and_merged, CurationError, outside=True),
    "wipe and ingest in one session": Case(wiped_and_ingested_anew, OperationError, outside=True),
    "session of operations and SQL": Case(session_of_operations_and_sql, OperationError, outside=True),
}


def stock(catalog: Catalog, importer: FakeImporter, media: Path) -> None:
    """Give every operation something to do. `importer` and an enricher are of type `fake`."""
    for name in ("station", "bare"):
        catalog.add_source(name, "fake")
    catalog.add_collection("station", "Empty", path_mappings={"/empty": str(media.parent)}, enabled=False)
    catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
    catalog.attach_enricher("Shows", "fake")
    catalog.exclude("Shows", "Samples")
    catalog.set_upgrades("Shows", "keep-approval")
    (media / "Dark").mkdir()
    (media / "Dark" / "S01E01.mkv").touch()
    (media / "Tron (1982).mkv").touch()
    returning, leaving, staying, new = (
        episode("Space: 1999", 1, 1),
        episode("Space: 1999", 1, 2),
        movie("Tron", 1982, markers=(Marker("intro", 0, 500),), metadata={"editorial": {"studio": "Disney"}}),
        movie("Alien", 1979),
    )
    stock_disk(catalog, Path(f"{media}.disk"))
    for found in (returning, staying):
        path = Path(mounted(found, f"{media}.new").file_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(found.size or 0))
        os.utime(path, ns=(0, found.mtime_ns or 0))
    importer.drafts = [returning, leaving, staying]
    catalog.ingest_collection("Shows")
    importer.drafts = [leaving, staying]
    catalog.ingest_collection("Shows")
    importer.drafts = [returning, staying, new]
    importer.found = [FoundCollection("Found", "42", {"/found": "/srv/found"})]


def stock_disk(catalog: Catalog, folder: Path) -> None:
    """A collection of the file system's, with a copy of its folder, and decisions about two files and one that is gone."""
    folder.mkdir()
    for name in ("a.mkv", "b.mkv", "c.mkv"):
        (folder / name).write_bytes(name.encode())
    catalog.add_source("disk")
    catalog.add_collection("disk", "Disk", path_mappings={str(folder): str(folder)})
    catalog.attach_enricher("Disk", "fake")
    catalog.ingest_collection("Disk")
    catalog.retire(AssetSelector(path=str(folder / "a.mkv")))
    catalog.assign(AssetSelector(path=str(folder / "[bc].mkv")), kind="bumper")
    catalog.wipe_collection("Disk")
    (folder / "a.mkv").unlink()
    catalog.ingest_collection("Disk")
    shutil.copytree(folder, f"{folder}.new")
