"""A folder that was renamed says another title: its assets are left under their own, and the operator settles it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import episode, movie

from retrovue_uow import AssetDraft, AssetSelector, Catalog, Collection, IngestFilters, Retitling
from retrovue_uow.testing import FakeImporter, snapshot

DARK = [episode("Dark Hollow", 1, number, duration_ms=1000 + number) for number in (1, 2, 3)]
OTHER = movie("Tron", 1982, duration_ms=7)


def renamed(found: AssetDraft, **facts: Any) -> AssetDraft:
    """The draft as it is found in the renamed folder."""
    path = found.source_path.replace("Dark Hollow", "Dark Hollow (1969)")
    return attrs.evolve(found, file_path=path, source_path=path, **{"year": 1969, **facts})


@pytest.fixture
def dark(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with a movie, and a show that is approved and whose folder was renamed since."""
    importer.drafts = [OTHER, *DARK]
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector(kind="episode"))
    importer.drafts = [OTHER, *map(renamed, DARK)]
    return catalog


def shown(catalog: Catalog) -> set[tuple[str | None, int | None, bool]]:
    return {(each.title, each.year, each.approved) for each in catalog.assets(kind="episode")}


@pytest.mark.parametrize("refresh", [None, "files", "changed"])
def test_an_unattended_ingest_leaves_them_under_their_title_and_lists_them(dark: Catalog, refresh: Any) -> None:
    ids = {each.canonical_key: each.id for each in dark.assets()}

    result = dark.ingest_collection("Shows", refresh=refresh)

    assert shown(dark) == {("Dark Hollow", None, True)}
    assert (result.moved, result.retitled, result.created, result.withdrawals) == (3, 3, 0, ())
    assert result.paths["retitled"] == tuple(renamed(each).source_path for each in DARK)
    assert result.retitlings == tuple(
        Retitling(ids[each.source_path], renamed(each).source_path, "show", "Dark Hollow", None, "Dark Hollow", 1969)
        for each in DARK
    )
    assert dark.check().is_sound


def test_later_ingests_find_nothing_to_do(dark: Catalog) -> None:
    dark.ingest_collection("Shows")

    again = dark.ingest_collection("Shows")

    assert (again.unchanged, again.retitled, again.changed) == (4, 0, 0)
    assert shown(dark) == {("Dark Hollow", None, True)}


def test_renaming_the_title_settles_it_even_where_all_is_read_anew(dark: Catalog) -> None:
    dark.ingest_collection("Shows")

    dark.rename_title("Dark Hollow", year=1969)

    result = dark.ingest_collection("Shows", refresh="all")
    assert (result.refreshed, result.retitled, result.withdrawals, dict(result.created_entities)) == (4, 0, (), {})
    assert shown(dark) == {("Dark Hollow", 1969, True)}


def test_a_refresh_of_all_settles_it_too_and_lists_the_approvals_that_it_withdraws(dark: Catalog) -> None:
    dark.ingest_collection("Shows")

    result = dark.ingest_collection("Shows", refresh="all")

    assert shown(dark) == {("Dark Hollow", 1969, False)}
    assert [each.path for each in result.withdrawals] == [renamed(each).source_path for each in DARK]
    assert [each.name for each in dark.titles("show")] == ["Dark Hollow"]


def test_a_refresh_of_all_takes_the_new_title_at_once(dark: Catalog) -> None:
    result = dark.ingest_collection("Shows", refresh="all")

    assert (result.moved, result.retitled, result.approvals_withdrawn) == (3, 0, 3)
    assert shown(dark) == {("Dark Hollow", 1969, False)}


def test_where_the_new_title_is_there_the_two_are_to_be_merged(dark: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [*importer.drafts, renamed(episode("Dark Hollow", 1, 4))]

    result = dark.ingest_collection("Shows")

    assert [each.is_taken for each in result.retitlings] == [True] * 3
    dark.merge_titles("Dark Hollow", into="Dark Hollow (1969)")
    assert dark.ingest_collection("Shows", refresh="all").withdrawals == ()
    assert shown(dark) == {("Dark Hollow", 1969, True), ("Dark Hollow", 1969, False)}


def test_a_movie_may_be_retitled_too(dark: Catalog, importer: FakeImporter) -> None:
    path = "/media/Tron 2 (2010).mkv"
    tron_2 = attrs.evolve(OTHER, file_path=path, source_path=path, title="Tron 2", year=2010)
    importer.drafts = [tron_2, *DARK]

    result = dark.ingest_collection("Shows", refresh="files")

    assert [each.title for each in dark.assets(kind="movie")] == ["Tron"]
    assert [(each.kind, each.new_title, each.new_year) for each in result.retitlings] == [("movie", "Tron 2", 2010)]


@pytest.mark.parametrize(
    "facts", [{"episode_numbers": (9,)}, {"season_number": 2}, {"part": 1}, {"kind": "bumper", "title": None, "year": None}]
)
def test_what_says_more_than_another_title_is_read_anew(dark: Catalog, importer: FakeImporter, facts: dict[str, Any]) -> None:
    importer.drafts = [OTHER, renamed(DARK[0], **facts), *DARK[1:]]

    result = dark.ingest_collection("Shows")

    assert (result.moved, result.retitled) == (1, 0)
    (moved,) = dark.select(AssetSelector(path=renamed(DARK[0]).source_path))
    assert {name: getattr(moved, name) for name in facts} == facts
    assert dark.check().is_sound


def test_another_case_is_no_other_title(dark: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [OTHER, *(renamed(each, title="DARK HOLLOW", year=None) for each in DARK)]

    result = dark.ingest_collection("Shows")

    assert (result.moved, result.retitled, result.withdrawals) == (3, 0, ())
    assert shown(dark) == {("Dark Hollow", None, True)}


def test_the_operator_s_word_is_no_other_title(dark: Catalog) -> None:
    dark.rename_title("Dark Hollow", year=1969)

    result = dark.ingest_collection("Shows")

    assert (result.moved, result.retitled, result.withdrawals) == (3, 0, ())
    assert shown(dark) == {("Dark Hollow", 1969, True)}


def test_it_is_previewed_and_undone(dark: Catalog) -> None:
    before = snapshot(dark, journal=False)

    preview = dark.ingest_collection("Shows", dry_run=True)
    real = dark.ingest_collection("Shows")

    assert preview.retitlings == real.retitlings
    dark.undo(real.unit_id or "")
    assert snapshot(dark, journal=False) == before


def test_a_folder_that_is_ingested_by_itself_retitles_too(
    dark: Catalog, importer: FakeImporter, collection: Collection
) -> None:
    folder = f"{collection.path_mappings[0].local_path}/Dark Hollow (1969)"
    Path(folder).mkdir()

    result = dark.ingest_collection("Shows", IngestFilters(under=folder))

    assert (result.moved, result.retitled) == (3, 3)
