"""How SQLite finds the rows that the library asks for: what grows with the station is read from end to end by name only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
from cases import CASES, stock
from harness import episode

from retrovue_uow import AssetSelector, Catalog, IngestFilters, Marker
from retrovue_uow.store import assets
from retrovue_uow.testing import FakeEnricher, FakeImporter

FEW, MANY = 100, 400
"""Decisions and units; assets and titles: all of which the tour has nothing to do with."""
FOLDING = "SQLite folds ASCII only: a name in other letters or another Unicode form is looked for among all of them"
DECISIONS = "decisions are fewer than assets, and each is held against what comes in or has come back"
UNDOABLE = "there are no more than can be undone, and an index of those"
ALL = "it is asked for everything"
SCANS = {
    "SELECT asset.id, asset.collection_id,": "a selector that names neither title nor whole path looks at all assets",
    "SELECT id FROM asset WHERE file_path IN": "the last resort, for a file that lies elsewhere than its mapping says",
    "SELECT title.id, title.kind, title.name, title.year, (SELECT count(*)": "the list of titles",
    "SELECT id, kind, name, year FROM title WHERE id IN": FOLDING,
    "SELECT kind, name, year, id FROM title ORDER BY created_at": FOLDING,
    "SELECT kind, spelled, spelled_year, name, year FROM title_spelling": DECISIONS,
    "SELECT DISTINCT iif(kind = 'episode', 'show', kind), title, year FROM assignment": DECISIONS,
    "SELECT title.kind, title.id, title.name, title.year, title_spelling.name": DECISIONS,
    "SELECT asset.id FROM retirement_contradicted": DECISIONS,
    "SELECT asset.id FROM assignment_contradicted": DECISIONS,
    "UPDATE assignment SET title": DECISIONS,
    "UPDATE unit_of_work SET changeset = NULL": UNDOABLE,
    "SELECT id, started_at, committed_at,": UNDOABLE,
    "SELECT subject, count(*) FROM temp.touched": "what a unit has touched; here, all assets",
    'SELECT count(*) FROM (SELECT 1 FROM main."asset" LIMIT': "twice as many rows as a unit has touched at most; here, all",
    "SELECT rule, subject, id, detail FROM (SELECT * FROM main.violation": "asked where half of the rows were touched",
    "SELECT rule, subject, id, detail FROM main.violation": ALL,
    'SELECT child."id" FROM main.': ALL,
    "SELECT subject, source_id, id, name FROM (SELECT 'source'": ALL,
    "SELECT id, (SELECT count(*) FROM operation": ALL,
    "UPDATE asset SET state = 'retired'": "the tour's own SQL",
}
"""The beginning of each statement that steps through a whole table which grows with the station, and why it may."""


def selecting(**asked: Any) -> Callable[[Catalog], object]:
    return lambda catalog: catalog.select(AssetSelector(**asked))


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
    "schedulable": lambda catalog: catalog.schedulable_assets(),
    "one asset": lambda catalog: [
        ask(catalog.assets("Shows")[0].id) for ask in (catalog.asset, catalog.markers, catalog.metadata, catalog.explain)
    ],
    "titles": lambda catalog: (catalog.titles(), catalog.titles("show")),
    "history": lambda catalog: [
        catalog.last_ingest("Shows"),
        *(list(catalog.changes(each.id).rows) for each in catalog.history(1)),
    ],
    "check": lambda catalog: catalog.check(),
    "filtered ingest": lambda catalog: catalog.ingest_collection("Shows", IngestFilters(title="Tron")),
}


QUICK = (
    "collections",
    "select by title",
    "select by title and year",
    "select by season",
    "select by path",
    "select a page",
    "assets of a name",
)
"""Those that read nothing from end to end."""


def stocked(path: Path, importer: FakeImporter, media: Path) -> None:
    """A catalogue that gives every operation something to do, and has many of everything else."""
    with Catalog(path, importers={"fake": importer}, enrichers={"fake": FakeEnricher()}) as catalog:
        catalog.add_source("bulk", "fake")
        catalog.add_collection("bulk", "Bulk", path_mappings={"/media": str(media)})
        facts = {"duration_ms": 60_000, "markers": (Marker("intro", 0, 1),), "metadata": {"editorial": {}}}
        importer.drafts = [episode(f"Show {number}", 1, 1, **facts) for number in range(MANY)]
        catalog.ingest_collection("Bulk")
        catalog.assign([asset.id for asset in catalog.assets(limit=FEW)], season_number=1)
        with catalog.session() as db:
            for number in range(FEW):
                said = (catalog.collections()[0].id, f"/media/gone {number}")
                db.execute("INSERT INTO retirement (collection_id, canonical_key, retired_at) VALUES (?, ?, '')", said)
                alias = (f"Old {number}", f"Show {number}")
                db.execute("INSERT INTO title_spelling (kind, spelled, name) VALUES ('show', ?, ?)", alias)
        for _ in range(FEW):
            catalog.enable_collection("Bulk")
        stock(catalog, importer, media)


def read_from_end_to_end(path: Path, importer: FakeImporter, visit: Callable[[Catalog], object]) -> dict[str, int]:
    """The statements that step through as many rows as there are of anything that grows, as SQLite itself counts the steps."""
    found: dict[str, int] = {}

    def note(event: dict[str, Any]) -> None:
        counts = event["stmt_status"]
        steps = counts["SQLITE_STMTSTATUS_FULLSCAN_STEP"] + counts["SQLITE_STMTSTATUS_AUTOINDEX"]
        if steps >= FEW - 1:
            found[" ".join(event["sql"].split())] = steps

    with Catalog(path, importers={"fake": importer}, enrichers={"fake": FakeEnricher()}) as catalog:
        catalog.database.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note, id="steps")
        visit(catalog)
    return found


def test_what_grows_with_the_station_is_read_from_end_to_end_by_name_only(tmp_path: Path, media: Path) -> None:
    importer, path = FakeImporter(), tmp_path / "catalog.db"
    stocked(tmp_path / "template.db", importer, media)
    read: dict[str, int] = {}
    for name, visit in {**{name: case.run for name, case in CASES.items()}, **READINGS}.items():
        shutil.copyfile(tmp_path / "template.db", path)
        found = read_from_end_to_end(path, importer, visit)
        assert not found or name not in QUICK, found
        read |= found

    unnamed = {sql: f"steps through {steps} rows" for sql, steps in read.items() if not sql.startswith(tuple(SCANS))}
    assert unnamed == {}, "find the rows by an index, or say in SCANS why all are read"
    assert [start for start in SCANS if not any(sql.startswith(start) for sql in read)] == [], "no longer so: take it out"
    for start in (start for start, reason in SCANS.items() if reason is DECISIONS):
        assert max(steps for sql, steps in read.items() if sql.startswith(start)) < MANY, f"{start} reads more than decisions"
