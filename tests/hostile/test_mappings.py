"""Mappings that overlap, and links that lead out of them, into one another, or round in circles."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrovue_uow import Catalog, CheckReport, IngestError, RetroVueError, ValidationError
from retrovue_uow.testing import snapshot


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"media")
    return path


def station(catalog: Catalog, mappings: dict[str, str]) -> Catalog:
    catalog.add_source("disk")
    catalog.add_collection("disk", "C", path_mappings=mappings)
    return catalog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mapped folder with one file, `a.mkv`, and a folder `outside` beside it, with one of its own."""
    file(tmp_path / "outside" / "secret.mkv")
    return file(tmp_path / "media" / "a.mkv").parent


OUT: dict[str, dict[str, str]] = {
    "file": {"x.mkv": "{}/outside/secret.mkv"},
    "folder": {"x": "{}/outside"},
    "relative": {"x.mkv": "../outside/secret.mkv"},
    "in_two_steps": {"x.mkv": "y", "y": "{}/outside/secret.mkv"},
    "to_above": {"x": "{}"},
    "to_the_root": {"x": "/"},
}


def link(folder: Path, links: dict[str, str]) -> None:
    """Links in a folder, by what they lead to; `{}` is the folder above."""
    for name, target in links.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(target.format(folder.parent))


@pytest.mark.parametrize("links", OUT.values(), ids=OUT)
def test_a_link_that_leads_out_is_named_and_nothing_is_ingested(folder: Path, links: dict[str, str]) -> None:
    link(folder, links)
    with station(Catalog(":memory:"), {"/m": str(folder)}) as catalog:
        with pytest.raises(IngestError, match=str(folder / "x")) as caught:
            catalog.ingest_collection("C")

        assert isinstance(caught.value.cause, ValidationError)
        assert catalog.assets() == []


CIRCLES: dict[str, dict[str, str]] = {
    "to_itself": {"x": "x"},
    "to_its_folder": {"x": "."},
    "to_the_mapped_folder": {"x": "{}/media"},
    "to_each_other": {"x": "y", "y": "x"},
    "crossed": {"p/x": "../q", "q/x": "../p"},
    "file_to_itself": {"x.mkv": "x.mkv"},
}


@pytest.mark.parametrize("links", CIRCLES.values(), ids=CIRCLES)
def test_links_in_a_circle_end(folder: Path, links: dict[str, str]) -> None:
    link(folder, links)
    with station(Catalog(":memory:"), {"/m": str(folder)}) as catalog:
        try:
            catalog.ingest_collection("C")
        except IngestError as error:
            assert "x" in str(error)  # noqa: PT017  either will do, but it ends
            assert catalog.assets() == []
        else:
            assert [asset.canonical_key for asset in catalog.assets()] == ["/m/a.mkv"]


def test_a_link_into_another_mapped_folder_is_one_file_or_refused(folder: Path) -> None:
    other = file(folder.parent / "other" / "b.mkv").parent
    (folder / "x").symlink_to(other)
    with station(Catalog(":memory:"), {"/m": str(folder), "/o": str(other)}) as catalog:
        try:
            catalog.ingest_collection("C")
        except IngestError as error:
            assert "x" in str(error)  # noqa: PT017  either will do
            assert catalog.assets() == []
        else:
            assert [asset.canonical_key for asset in catalog.assets()] == ["/m/a.mkv", "/o/b.mkv"]


@pytest.mark.parametrize("both_ways", [True, False])
def test_a_mapping_within_another_takes_what_lies_below_it(folder: Path, *, both_ways: bool) -> None:
    file(folder / "deep" / "b.mkv")
    inner = {"/m/deep": str(folder / "deep")}
    outer = {"/m": str(folder)}
    with station(Catalog(":memory:"), {**outer, **inner} if both_ways else {**inner, **outer}) as catalog:
        catalog.ingest_collection("C")
        assert catalog.ingest_collection("C").unchanged == 2
        files = {asset.canonical_key: asset.file_path for asset in catalog.assets()}
        assert files == {"/m/a.mkv": f"{folder}/a.mkv", "/m/deep/b.mkv": f"{folder}/deep/b.mkv"}
        assert catalog.check().is_sound


OVERLAPS: dict[str, Callable[[Path], dict[str, str]]] = {
    "one_folder_twice": lambda folder: {"/m": str(folder), "/n": str(folder)},
    "within_under_another_name": lambda folder: {"/m": str(folder), "/n": str(folder / "deep")},
    "inside_out": lambda folder: {"/m": str(folder / "deep"), "/m/deep": str(folder)},
    "to_elsewhere": lambda folder: {"/m": str(folder), "/m/deep": str(folder.parent / "outside")},
    "through_a_link": lambda folder: {"/m": str(folder), "/n": str(folder.parent / "link")},
    "with_a_dot": lambda folder: {"/m": str(folder), "/n": f"{folder}/./deep/"},
}


@pytest.mark.parametrize("make", OVERLAPS.values(), ids=OVERLAPS)
def test_whatever_overlaps_no_file_is_there_twice_and_all_of_it_is_sound(
    folder: Path, tmp_path: Path, make: Callable[[Path], dict[str, str]]
) -> None:
    file(folder / "deep" / "b.mkv")
    (tmp_path / "link").symlink_to(folder)
    with Catalog(tmp_path / "catalog.db") as catalog:
        try:
            station(catalog, make(folder))
            catalog.ingest_collection("C")
            before = snapshot(catalog, journal=False)
            again = catalog.ingest_collection("C")
        except RetroVueError:
            assert catalog.assets() == []
            return

        found = [os.path.realpath(asset.file_path) for asset in catalog.assets()]
        assert len(set(found)) == len(found)
        assert again.created == again.missing == again.moved == 0
        assert snapshot(catalog, journal=False) == before
        assert catalog.check() == CheckReport()


RULE = Path(__file__).parents[2] / "schema" / "rules" / "collection_mapping_overlap.sql"
BY_PAIRS = """
SELECT DISTINCT inner_one.collection_id
  FROM path_mapping AS outer_one
  JOIN path_mapping AS inner_one ON inner_one.collection_id = outer_one.collection_id
                                AND inner_one.id <> outer_one.id
 WHERE substr(rtrim(inner_one.local_path, '/') || '/', 1, length(rtrim(outer_one.local_path, '/')) + 1)
       = rtrim(outer_one.local_path, '/') || '/'
   AND inner_one.source_path
       <> rtrim(outer_one.source_path, '/') || substr(inner_one.local_path, length(rtrim(outer_one.local_path, '/')) + 1)
"""
folders = st.lists(st.sampled_from(["/", "a", "b", "\u00e9", "/a"]), max_size=6).map(lambda pieces: "/" + "".join(pieces))
mapped = st.tuples(st.sampled_from(["A", "B"]), folders, folders | st.just("")).map(
    lambda found: (found[0], found[1], found[2] or found[1])
)


@given(st.lists(mapped, max_size=6, unique_by=lambda found: found[:2]))
def test_overlaps_are_those_that_a_look_at_every_pair_finds(mappings: list[tuple[str, str, str]]) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        """
        CREATE TABLE collection (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
        CREATE TABLE path_mapping (id INTEGER PRIMARY KEY, collection_id TEXT, source_path TEXT, local_path TEXT) STRICT;
        INSERT INTO collection VALUES ('A', 'A'), ('B', 'B');
        """
    )
    connection.executemany("INSERT INTO path_mapping (collection_id, source_path, local_path) VALUES (?, ?, ?)", mappings)

    found = connection.execute(f"SELECT id FROM ({RULE.read_text()})").fetchall()  # noqa: S608  a file of ours

    assert sorted(found) == sorted(connection.execute(BY_PAIRS).fetchall())
    connection.close()


def test_many_mappings_are_judged_without_a_look_at_every_pair() -> None:
    steps: list[int] = []

    def step() -> bool:
        steps[-1] += 1
        return False

    for count in (400, 800):
        with Catalog(":memory:") as catalog:
            catalog.add_source("disk")
            catalog.database.connection.set_progress_handler(step, 100)
            steps.append(0)
            catalog.add_collection("disk", "C", path_mappings={f"/media/{number}": f"/{number}" for number in range(count)})

    assert steps[1] <= 2.5 * steps[0]
