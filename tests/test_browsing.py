"""The catalogue as people see it: the views made for them, and how Datasette is told to show them."""

# ruff: noqa: S608  the statements are put together from our own names

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
import yaml
from harness import draft, entry, episode, movie

from retrovue_uow import AssetDraft, Catalog, WipeOptions
from retrovue_uow.store import journal, recorder
from retrovue_uow.testing import FakeEnricher, FakeImporter

ROOT = Path(__file__).parent.parent
VIEWS = sorted(entry.name.removesuffix(".sql") for entry in (files("retrovue_uow.schema") / "views").iterdir())
RULES = sorted(entry.name.removesuffix(".sql") for entry in (files("retrovue_uow.schema") / "rules").iterdir())
METADATA = yaml.safe_load((ROOT / "examples" / "datasette" / "metadata.yaml").read_text(encoding="utf-8"))
SHOWN = METADATA["databases"]["catalog"]

Rows = list[tuple[Any, ...]]
Select = Callable[[str], Rows]

PILOT = episode(
    "Space: 1999",
    1,
    1,
    year=1975,
    episode_title="Breakaway",
    duration_ms=3_723_999,
    video_codec="h264",
    audio_codec="aac",
    width=1440,
    height=1080,
)
DOUBLE = draft(
    "Space: 1999/S01E02-E03.mkv",
    kind="episode",
    title="Space: 1999",
    year=1975,
    season_number=1,
    episode_numbers=(2, 3),
    episode_title="Black Sun",
    duration_ms=7_200_000,
)
SPECIAL = episode("Space: 1999", 0, 1, year=1975, duration_ms=1_000)
TRON = movie("Tron", 1982, duration_ms=5_760_000)
BUMPER = draft("bumpers/moon.mkv", kind="bumper", duration_ms=10_000)
CAPTURE = draft("capture.mkv")


def without_capture(found: AssetDraft) -> AssetDraft:
    """An enricher that measures everything but the file that nothing can classify."""
    return found if found.source_path == CAPTURE.source_path else attrs.evolve(found, duration_ms=found.duration_ms or 60_000)


@pytest.fixture
def shows() -> FakeImporter:
    return FakeImporter([PILOT, DOUBLE, TRON, BUMPER, CAPTURE])


@pytest.fixture
def archive() -> FakeImporter:
    return FakeImporter([PILOT, SPECIAL])


@pytest.fixture
def catalog(tmp_path: Path, shows: FakeImporter, archive: FakeImporter) -> Iterator[Catalog]:
    importers = {"shows": shows, "archive": archive}
    with Catalog(
        tmp_path / "catalog.db", importers=importers, enrichers={"fake": FakeEnricher(returns=without_capture)}
    ) as opened:
        yield opened


@pytest.fixture
def station(catalog: Catalog, media: Path) -> Catalog:
    """Two collections that share a show, and one that is empty and disabled. All that is ready is approved."""
    for name in ("shows", "archive"):
        catalog.add_source(name, name)
        catalog.add_collection(name, name.title(), path_mappings={"/media": str(media)})
        catalog.attach_enricher(name, "fake")
        catalog.ingest_collection(name)
    catalog.add_collection("shows", "Empty", enabled=False)
    change(catalog, "UPDATE asset SET approved = 1 WHERE state = 'ready'")
    return catalog


@pytest.fixture
def select(catalog: Catalog) -> Iterator[Select]:
    """Asks through a connection of its own, which knows nothing of this library."""
    connection = apsw.Connection(catalog.database.path, flags=apsw.SQLITE_OPEN_READONLY)
    yield lambda sql: connection.execute(sql).fetchall()
    connection.close()


def change(catalog: Catalog, sql: str) -> None:
    with catalog.session() as db:
        db.execute(sql)


def columns(select: Select, name: str) -> list[str]:
    return [column for (column,) in select(f"SELECT name FROM pragma_table_info('{name}')")]


def row(select: Select, view: str, where: str) -> dict[str, Any]:
    (found,) = select(f"SELECT * FROM {view} WHERE {where}")
    return dict(zip(columns(select, view), found, strict=True))


def test_an_asset_is_listed_in_one_readable_row(station: Catalog, select: Select, media: Path) -> None:
    file = f"{media}/Space: 1999/S01E01.mkv"

    assert row(select, "asset_listing", f"collection = 'Shows' AND file = '{file}'") == {
        "collection": "Shows",
        "kind": "episode",
        "title": "Space: 1999",
        "year": 1975,
        "season": 1,
        "episodes": "1",
        "first_episode": 1,
        "episode_title": "Breakaway",
        "part": None,
        "state": "ready",
        "approved": "yes",
        "missing_since": None,
        "length": "1:02:03",
        "duration_ms": 3_723_999,
        "video": "h264",
        "audio": "aac",
        "picture": "1440x1080",
        "size": 1000,
        "broken": "no",
        "file": file,
        "id": station.assets("Shows", title="Space: 1999")[0].id,
    }


def test_every_asset_is_listed_once_with_a_title(station: Catalog, select: Select) -> None:
    assert select("SELECT collection, kind, title, year, season, episodes FROM asset_listing ORDER BY file, collection") == [
        ("Archive", "episode", "Space: 1999", 1975, 0, "1"),
        ("Archive", "episode", "Space: 1999", 1975, 1, "1"),
        ("Shows", "episode", "Space: 1999", 1975, 1, "1"),
        ("Shows", "episode", "Space: 1999", 1975, 1, "2-3"),
        ("Shows", "movie", "Tron", 1982, None, None),
        ("Shows", "bumper", "moon.mkv", None, None, None),
        ("Shows", "other", "capture.mkv", None, None, None),
    ]


@pytest.mark.parametrize("view", ["asset_listing", "schedulable_asset"])
def test_whoever_asks_for_no_order_has_them_by_title_season_and_episode(
    station: Catalog, select: Select, shows: FakeImporter, view: str
) -> None:
    drafts = [episode("ä la carte", season, number) for season, number in ((10, 1), (2, 10), (2, 9))]
    shows.drafts = [*drafts, episode("Zorro", 1, 1), movie("alien", 1979), movie("Blob", 1988), movie("Blob", 1958)]
    station.ingest_collection("Shows")
    change(station, "UPDATE asset SET approved = 1 WHERE state = 'ready' AND missing_since IS NULL")

    rows = select(f"SELECT title, year, season, first_episode FROM {view} WHERE collection = 'Shows' AND season IS NOT 0")

    titles = [("alien", 1979, None, None), ("Blob", 1958, None, None), ("Blob", 1988, None, None), ("Zorro", None, 1, 1)]
    dish = [("ä la carte", None, season, number) for season, number in ((2, 9), (2, 10), (10, 1))]
    assert [row for row in rows if row in titles + dish] == [*titles, *dish]


def test_what_is_not_known_of_an_asset_is_left_empty(station: Catalog, select: Select) -> None:
    listed = row(select, "asset_listing", "kind = 'other'")

    unknown = {name for name, value in listed.items() if value is None}
    described = {"year", "season", "episodes", "first_episode", "episode_title", "part", "missing_since"}
    assert unknown == described | {"length", "duration_ms", "video", "audio", "picture"}
    assert (listed["state"], listed["approved"]) == ("new", "no")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((4,), "4"), ((0,), "0"), ((2, 3), "2-3"), ((9, 10, 11), "9-11"), ((2, 4), "2, 4"), ((1, 2, 10), "1, 2, 10")],
)
def test_several_episodes_are_told_as_a_span_or_one_by_one(
    station: Catalog, select: Select, shows: FakeImporter, numbers: tuple[int, ...], text: str
) -> None:
    shows.drafts = [attrs.evolve(DOUBLE, source_path="/media/more.mkv", mtime_ns=5, episode_numbers=numbers, title="More")]

    station.ingest_collection("Shows")

    assert select("SELECT episodes, first_episode FROM asset_listing WHERE title = 'More'") == [(text, numbers[0])]


def test_an_asset_of_several_episodes_has_the_title_of_the_lowest(station: Catalog, select: Select) -> None:
    change(station, "UPDATE episode SET name = 'Ring Around the Moon' WHERE number = 3")

    assert row(select, "asset_listing", "episodes = '2-3'")["episode_title"] == "Black Sun"


def test_what_is_ready_approved_and_there_may_be_scheduled(station: Catalog, select: Select, media: Path) -> None:
    assert row(select, "schedulable_asset", "episodes = '2-3'") == {
        "id": row(select, "asset_listing", "episodes = '2-3'")["id"],
        "kind": "episode",
        "title": "Space: 1999",
        "year": 1975,
        "season": 1,
        "episodes": "2-3",
        "first_episode": 2,
        "episode_title": "Black Sun",
        "part": None,
        "duration_ms": 7_200_000,
        "file_path": f"{media}/Space: 1999/S01E02-E03.mkv",
        "collection": "Shows",
        "version_rank": 1,
    }
    assert select("SELECT kind, count(*) FROM schedulable_asset GROUP BY kind") == [("bumper", 1), ("episode", 4), ("movie", 1)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE asset SET approved = 0 WHERE kind = 'movie'",
        "UPDATE asset SET state = 'retired', approved = 0 WHERE kind = 'movie'",
        "UPDATE asset SET missing_since = '2026-01-31T09:05:07.123456Z' WHERE kind = 'movie'",
    ],
)
def test_what_is_not_approved_retired_or_missing_may_not_be_scheduled(station: Catalog, select: Select, sql: str) -> None:
    change(station, sql)

    assert select("SELECT title FROM schedulable_asset WHERE kind = 'movie'") == []
    assert select("SELECT title FROM asset_listing WHERE kind = 'movie'") == [("Tron",)]


def test_a_file_that_an_ingest_no_longer_sees_is_listed_as_missing(
    station: Catalog, select: Select, shows: FakeImporter
) -> None:
    shows.drafts = [PILOT, TRON]

    station.ingest_collection("Shows")

    missing = select("SELECT title FROM asset_listing WHERE missing_since LIKE '____-__-__T%Z' ORDER BY file")
    assert missing == [("Space: 1999",), ("moon.mkv",), ("capture.mkv",)]
    assert select("SELECT title FROM schedulable_asset WHERE collection = 'Shows' ORDER BY title") == [
        ("Space: 1999",),
        ("Tron",),
    ]


def test_a_title_is_listed_with_what_all_collections_have_of_it(station: Catalog, select: Select) -> None:
    ids = {title.name: title.id for title in station.titles()}

    assert select("SELECT * FROM title_listing ORDER BY title") == [
        ("show", "Space: 1999", 1975, 2, 4, 4, "4:04:08", 14_648_998, ids["Space: 1999"]),
        ("movie", "Tron", 1982, 0, 0, 1, "1:36:00", 5_760_000, ids["Tron"]),
    ]


def test_titles_are_counted_as_the_library_counts_them(station: Catalog, select: Select) -> None:
    counted = select("SELECT title, seasons, episodes, files FROM title_listing ORDER BY title")

    assert counted == [(title.name, title.seasons, title.episodes, title.assets) for title in station.titles()]


def test_collections_are_listed_with_how_their_assets_stand(station: Catalog, select: Select, shows: FakeImporter) -> None:
    change(station, "UPDATE asset SET approved = 0, state = 'retired' WHERE kind = 'bumper'")
    shows.drafts = [PILOT, DOUBLE, BUMPER, CAPTURE]
    station.ingest_collection("Shows")
    ids = {collection.name: collection.id for collection in station.collections()}

    assert select("SELECT * FROM collection_status ORDER BY collection") == [
        ("Archive", "archive", "yes", 2, 2, 2, 0, 0, 0, "1:02:04", 3_724_999, ids["Archive"]),
        ("Empty", "shows", "no", 0, 0, 0, 0, 0, 0, "0:00:00", 0, ids["Empty"]),
        ("Shows", "shows", "yes", 5, 3, 3, 1, 1, 0, "4:38:13", 16_693_999, ids["Shows"]),
    ]


def test_units_of_work_are_listed_the_newest_first(catalog: Catalog, select: Select, media: Path) -> None:
    with catalog.session():
        catalog.add_source("shows", "shows")
        catalog.add_collection("shows", "Shows", path_mappings={"/media": str(media)})
    catalog.ingest_collection("Shows")
    catalog.ingest_collection("Shows")
    catalog.wipe_collection("Shows", WipeOptions(dry_run=True))

    listed = select("SELECT operations, rows_changed, undoable, library_version FROM unit_listing")

    version = journal.library_version()
    assert [each[0] for each in listed] == ["collection_ingest", "collection_ingest", "source_add, collection_add"]
    assert listed[0][1:] == (0, "no", version)
    assert listed[2][1:] == (3, "yes", version)


def test_the_newest_unit_is_first_though_the_clock_was_set_back(
    catalog: Catalog, select: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, now in (("first", "2026-06-30T12:00:00.000000Z"), ("second", "2001-01-01T00:00:00.000000Z")):
        monkeypatch.setattr(recorder, "utc_now", lambda now=now: now)
        catalog.add_source(name, "shows")

    assert select("SELECT committed_at FROM unit_listing LIMIT 1") == [("2001-01-01T00:00:00.000000Z",)]


def test_a_unit_is_undoable_while_its_changes_are_kept(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.db", undo_units=1) as catalog:
        catalog.add_source("first")
        catalog.add_source("second")

        assert catalog.database.execute("SELECT rows_changed, undoable FROM unit_listing") == [(1, "yes"), (1, "no")]


def test_what_was_not_recorded_of_a_unit_is_left_empty(catalog: Catalog, select: Select) -> None:
    catalog.add_source("first")
    other = apsw.Connection(catalog.database.path)
    other.execute("UPDATE unit_of_work SET counts = NULL, digest = NULL, changeset = NULL").fetchall()
    other.close()

    assert select("SELECT rows_changed, undoable FROM unit_listing") == [(None, "no")]


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_catalogue_shows_nothing(catalog: Catalog, select: Select, view: str) -> None:
    assert select(f"SELECT * FROM {view}") == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_runs_in_a_plain_sqlite(station: Catalog, select: Select, view: str) -> None:
    ask = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
    sql = f"SELECT * FROM {view}"

    asked = subprocess.run([sys.executable, "-c", ask, station.database.path, sql], capture_output=True, text=True, check=True)

    assert asked.stdout.strip() == repr(select(sql))


def table_scans(select: Select, sql: str) -> list[str]:
    """The tables that a statement reads from end to end, each as often as it does; no index is made for the occasion."""
    plan = [str(detail) for *_, detail in select(f"EXPLAIN QUERY PLAN {sql}")]
    assert not [detail for detail in plan if "AUTOMATIC" in detail]
    subqueries = [detail.replace("CO-ROUTINE", "SCAN") for detail in plan if detail.startswith("CO-ROUTINE")]
    return [detail for detail in plan if detail.startswith("SCAN") and "VIRTUAL" not in detail and detail not in subqueries]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_reads_one_table_and_finds_the_rest_by_key(station: Catalog, select: Select, view: str) -> None:
    assert len(table_scans(select, f"SELECT * FROM {view}")) == 1


@pytest.mark.parametrize("view", VIEWS)
def test_one_row_of_a_view_is_found_by_its_key(station: Catalog, select: Select, view: str) -> None:
    assert table_scans(select, f"SELECT * FROM {view} WHERE id = '1'") == []


@pytest.mark.parametrize("view", VIEWS)
def test_the_columns_of_a_view_are_those_that_the_documentation_names(catalog: Catalog, select: Select, view: str) -> None:
    page = (ROOT / "docs" / "datasette.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", page, re.MULTILINE | re.DOTALL))
    section = entry(sections, view, "add a section on the view, with a table of its columns, to docs/datasette.md")

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == columns(select, view)


def test_words_are_found_by_the_table_that_the_page_makes_and_an_undo_leaves_it(
    station: Catalog, select: Select, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "datasette.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n([^`]*USING fts5[^`]*)^```", page, re.MULTILINE)
    found = "SELECT title FROM search WHERE search MATCH 'space' ORDER BY rowid"
    monkeypatch.chdir(tmp_path)

    for _ in range(2):  # as after two ingests
        exec(block, {})  # noqa: S102  the page is ours
    with pytest.raises(KeyError), station.session() as db:
        db.execute("DELETE FROM search")
        raise KeyError
    with station.session() as db:
        station.add_source("another", "shows")
        db.execute("INSERT INTO search (title) SELECT 'Space'")
    unit = station.history(1)[0]
    station.undo(unit.id)

    assert select(found) == [("Space: 1999",)] * 4 + [("Space",)]
    assert unit.counts == {"source": {"insert": 1}}
    assert select("PRAGMA integrity_check") == [("ok",)]
    assert station.check().violations == ()


@pytest.mark.parametrize("view", VIEWS)
def test_the_readme_names_the_view(view: str) -> None:
    assert f"`{view}`" in (ROOT / "README.md").read_text(encoding="utf-8"), f"name the view {view!r} in README.md"


@pytest.mark.parametrize("view", [*VIEWS, "violation"])
def test_datasette_describes_the_view_and_links_to_it(view: str) -> None:
    told = entry(SHOWN["tables"], view, "describe the view in examples/datasette/metadata.yaml")

    assert told["description"]
    assert f'href="catalog/{view}"' in SHOWN["description_html"]


@pytest.mark.parametrize("name", SHOWN["tables"])
def test_what_datasette_is_told_of_a_table_is_true(catalog: Catalog, select: Select, name: str) -> None:
    told = SHOWN["tables"][name]
    named = [*told.get("columns", ()), *told.get("facets", ())]
    named += [told[key] for key in ("sort", "sort_desc", "label_column") if key in told]

    assert set(told) <= {"description", "columns", "facets", "sort", "sort_desc", "label_column", "hidden", "allow"}
    assert set(named) <= set(columns(select, name)), f"metadata.yaml names columns that {name!r} does not have"
    assert columns(select, name) != []


def test_datasette_hides_the_blobs_and_the_single_rules(catalog: Catalog, select: Select) -> None:
    tables = SHOWN["tables"]
    blobs = select(
        """
        SELECT DISTINCT tables.name
          FROM pragma_table_list AS tables
          JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table'
           AND columns.type = 'BLOB'
        """
    )

    assert [
        name for (name,) in blobs if not entry(tables, name, "hide the table in metadata.yaml: it has blobs").get("hidden")
    ] == []
    withheld = sorted(name for name, told in tables.items() if told.get("allow") is False)
    assert withheld == RULES, "each single rule has `allow: false` in examples/datasette/metadata.yaml: `violation` unites them"


def test_every_query_for_datasette_answers(station: Catalog, select: Select, archive: FakeImporter, media: Path) -> None:
    change(station, "UPDATE asset SET approved = 0 WHERE kind = 'movie'")
    archive.drafts = [SPECIAL, episode("Lost", 1, 5)]
    station.ingest_collection("Archive")

    answers = {name: select(query["sql"]) for name, query in SHOWN["queries"].items()}

    assert [each[1:] for each in answers.pop("missing")] == [
        ("Archive", "episode", "Space: 1999", 1, "1", f"{media}/Space: 1999/S01E01.mkv")
    ]
    assert [each[:4] for each in answers.pop("needs_approval")] == [
        ("Archive", "episode", "Lost", 1),
        ("Shows", "movie", "Tron", None),
    ]
    assert answers.pop("unclassified") == [("Shows", f"{media}/capture.mkv", None, None, 1000)]
    assert answers.pop("gaps") == [("Lost", None, 1, 5, 1)]
    assert [each[1] for each in answers.pop("last_changes")][:2] == ["collection_ingest", "session"]
    assert answers == {}


@pytest.mark.parametrize("name", SHOWN["queries"])
def test_every_query_for_datasette_is_titled_and_described(name: str) -> None:
    assert set(SHOWN["queries"][name]) == {"title", "description", "hide_sql", "sql"}
