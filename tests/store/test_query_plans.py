"""How SQLite finds the rows that the library asks for: what grows with the station is read from end to end by name only."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import attrs
from cases import CASES, stock
from harness import episode

from retrovue_uow import AssetDraft, AssetSelector, Catalog, IngestFilters, IngestResult, Marker
from retrovue_uow.store import assets
from retrovue_uow.testing import FakeEnricher, FakeImporter

DECISIONS = "decisions are fewer than assets, and each is held against what comes in or has come back"
UNDOABLE = "there are no more than can be undone, and an index of those"
SCANS = {
    "SELECT asset.id, asset.collection_id,": "a selector that names neither title nor whole path looks at all assets",
    "SELECT id FROM asset WHERE file_path IN": "the last resort, for a file that lies elsewhere than its mapping says",
    "SELECT title.id, title.kind, title.name, title.year, (SELECT count(*)": "the list of titles",
    "SELECT kind, spelled, spelled_year, name, year FROM title_spelling": DECISIONS,
    "SELECT id, kind, name, year FROM title WHERE id IN": DECISIONS,
    "SELECT DISTINCT iif(kind = 'episode', 'show', kind), title, year FROM assignment": DECISIONS,
    "SELECT title.kind, title.id, title.name, title.year, title_spelling.name": DECISIONS,
    "SELECT asset.id FROM retirement_contradicted": DECISIONS,
    "SELECT asset.id FROM assignment_contradicted": DECISIONS,
    "UPDATE assignment SET title": DECISIONS,
    "UPDATE title_spelling SET name": DECISIONS,
    "DELETE FROM title_spelling": DECISIONS,
    "SELECT rule, subject, id, detail FROM main.": DECISIONS,
    "SELECT rule, subject, id, detail FROM (SELECT rule,": DECISIONS,
    "UPDATE unit_of_work SET changeset = NULL": UNDOABLE,
    "SELECT id, started_at, committed_at,": UNDOABLE,
}
"""The beginning of each statement that reads all of a table which grows with the station, and why it may."""


def selecting(**asked: Any) -> Callable[[Catalog], object]:
    return lambda catalog: catalog.select(AssetSelector(**asked))


def ingested_folder(catalog: Catalog) -> IngestResult:
    """One file is new, one was elsewhere, one is another one than before, and one is gone."""
    importer: Any = catalog.importers["fake"]
    met, folder = importer.drafts, Path(catalog.collections()[0].path_mappings[0].local_path, "Show 1")
    folder.mkdir(exist_ok=True)
    (folder / "S01E01.mkv").touch()
    moved = attrs.evolve(sized(10), file_path="/media/Show 1/S01E03.mkv", source_path="/media/Show 1/S01E03.mkv")
    importer.drafts = [attrs.evolve(sized(1), size=7), episode("Show 1", 1, 2, size=1), moved]
    try:
        result = catalog.ingest_collection("Bulk", IngestFilters(under=folder), refresh="changed")
    finally:
        importer.drafts = met
    assert (result.created, result.refreshed, result.moved, result.unchanged) == (1, 1, 1, 0)
    return result


def sized(number: int) -> AssetDraft:
    """An episode of a show, and of a size, of its own."""
    facts: dict[str, Any] = {"duration_ms": 60_000, "markers": (Marker("intro", 0, 1),), "metadata": {"editorial": {}}}
    return episode(f"Show {number}", 1, 1, size=1000 + number, **facts)


READINGS: dict[str, Callable[[Catalog], object]] = {
    "collections": lambda catalog: (catalog.sources(), catalog.collections("station")),
    "select by title": selecting(title="Tron"),
    "select by title and year": selecting(title="Tron (1982)"),
    "select by title in other letters": selecting(title="tron"),
    "select by season": selecting(title="Space: 1999", season=1, episode=1),
    "select by path": selecting(path="/media/Tron (1982).mkv"),
    "select by glob": selecting(path="*.mkv"),
    "select a page": lambda catalog: catalog.assets(limit=1, after=catalog.assets(limit=1)[0]),
    "select by collection": lambda catalog: catalog.assets("Shows", kind="movie", state="ready", missing=False),
    "assets of a name": lambda catalog: assets.assets_named(catalog.database, ["/media/Tron (1982).mkv"]),
    "assets of no name": lambda catalog: assets.assets_named(catalog.database, ["nothing"]),
    "schedulable": lambda catalog: (catalog.schedulable_assets(), catalog.schedulable_assets(versions="all")),
    "versions": lambda catalog: [
        ask(catalog.select(AssetSelector(title="Tron"))[0].id) for ask in (catalog.approve, catalog.prefer, catalog.explain)
    ],
    "one asset": lambda catalog: [
        ask(catalog.assets("Shows")[0].id) for ask in (catalog.asset, catalog.markers, catalog.metadata, catalog.explain)
    ],
    "titles": lambda catalog: (catalog.titles(), catalog.titles("show")),
    "history": lambda catalog: [
        catalog.last_ingest("Shows"),
        catalog.history(since=catalog.history(2)[-1].id),
        *(list(catalog.changes(each.id).rows) for each in catalog.history(1)),
    ],
    "ingest of one folder": ingested_folder,
    "filtered ingest": lambda catalog: catalog.ingest_collection("Shows", IngestFilters(title="Tron")),
}


OF_ALL = {"approve", "approve, dry", "withdraw_approval", "unassign", "session of operations and SQL"}
"""Operations that are asked for all assets; and so is `check`, of which that is the point."""
QUICK = {
    "select by title",
    "select by title and year",
    "select by title in other letters",
    "select by season",
    "select by path",
    "select a page",
    "assets of a name",
}
"""Those of which no statement takes longer in a larger station."""


def stocked(path: Path, importer: FakeImporter, media: Path, *, assets: int, decisions: int) -> None:
    """A catalogue that gives every operation something to do; so many of everything else, with as many units as decisions."""
    with Catalog(path, importers={"fake": importer}, enrichers={"fake": FakeEnricher()}) as catalog:
        catalog.add_source("bulk", "fake")
        catalog.add_collection("bulk", "Bulk", path_mappings={"/media": str(media)})
        importer.drafts = [sized(number) for number in range(assets)]
        catalog.ingest_collection("Bulk")
        catalog.assign([asset.id for asset in catalog.assets(limit=decisions)], season_number=1)
        with catalog.session() as db:
            for number in range(decisions):
                said = (catalog.collections()[0].id, f"/media/gone {number}")
                db.execute("INSERT INTO retirement (collection_id, canonical_key, retired_at) VALUES (?, ?, '')", said)
                db.execute("INSERT INTO preference (collection_id, canonical_key, preferred_at) VALUES (?, ?, '')", said)
                facts = "collection_id, canonical_key, approved, shown, decided_at"
                db.execute(f"INSERT INTO approval ({facts}) VALUES (?, ?, 1, '[]', '')", said)  # noqa: S608  our own
                alias = (f"Old {number}", f"Show {number}")
                db.execute("INSERT INTO title_spelling (kind, spelled, name) VALUES ('show', ?, ?)", alias)
        for _ in range(decisions):
            catalog.enable_collection("Bulk")
        stock(catalog, importer, media)


def tour(folder: Path, media: Path, **size: int) -> Counter[tuple[str, str]]:
    """The steps that SQLite's machine takes in a station of that size, by operation or reading and statement."""
    steps: Counter[tuple[str, str]] = Counter()
    importer, path = FakeImporter(), folder / "catalog.db"
    stocked(folder / "template.db", importer, media, **size)
    operations = {name: case.run for name, case in CASES.items() if name not in OF_ALL}
    for name, visit in (operations | READINGS).items():

        def note(event: dict[str, Any], name: str = name) -> None:
            steps[name, " ".join(event["sql"].split())] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

        shutil.copyfile(folder / "template.db", path)
        with Catalog(path, importers={"fake": importer}, enrichers={"fake": FakeEnricher()}) as catalog:
            catalog.database.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note, id="steps")
            visit(catalog)
    return steps


def test_what_takes_longer_in_a_larger_station_is_known_by_name(tmp_path: Path) -> None:
    """More steps than rows were added: all of them are read, by a scan, or by an index of which they share the key."""
    folders = {name: tmp_path / name for name in ("small", "of more assets", "of more decisions")}
    for folder in folders.values():
        (folder / "media").mkdir(parents=True)
    small, of_assets, of_decisions = (
        tour(folder, folder / "media", assets=assets, decisions=decisions)
        for folder, assets, decisions in zip(folders.values(), (200, 400, 200), (100, 100, 200), strict=True)
    )

    by_assets = {key for key in of_assets if of_assets[key] - small[key] >= 200}
    grown = by_assets | {key for key in of_decisions if of_decisions[key] - small[key] >= 100}

    assert {(name, sql) for name, sql in grown if not sql.startswith(tuple(SCANS)) or name in QUICK} == set()
    assert {start for start in SCANS if not any(sql.startswith(start) for _, sql in grown)} == set(), (
        "no longer so: take it out"
    )
    of_few = tuple(start for start, reason in SCANS.items() if reason is DECISIONS)
    assert {sql for _, sql in by_assets if sql.startswith(of_few)} == set(), "all are read for the sake of a few decisions"
