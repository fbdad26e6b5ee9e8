"""A better file takes the place of an old one: both are listed, and the approval is taken over or asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import (
    AssetDraft,
    AssetSelector,
    Catalog,
    Collection,
    ConfigurationError,
    IngestFilters,
    Replacement,
    ValidationError,
)
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

OLD = episode("Dark Hollow", 1, 1, duration_ms=1000)
OTHER = movie("Tron", 1982, duration_ms=7)


def at(path: str, found: AssetDraft = OLD, **facts: Any) -> AssetDraft:
    """Another file that shows the same."""
    return attrs.evolve(found, file_path=f"/media/{path}", source_path=f"/media/{path}", **{"size": 5000, **facts})


NEW = at("Dark Hollow/S01E01 1080p.mkv")


@pytest.fixture
def dark(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with an approved episode and a movie; the episode's file went since, and a better one came."""
    importer.drafts = [OLD, OTHER]
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector(kind="episode"))
    importer.drafts = [NEW, OTHER]
    return catalog


def approved(catalog: Catalog) -> dict[str, bool]:
    """Of each episode whether it is approved."""
    return {each.canonical_key: each.approved for each in catalog.assets(kind="episode")}


def test_the_operator_is_asked(dark: Catalog) -> None:
    result = dark.ingest_collection("Shows")

    old, new = dark.select(AssetSelector(kind="episode", missing=True)) + dark.select(
        AssetSelector(kind="episode", missing=False)
    )
    assert (result.created, result.missing, result.replaced, result.ambiguous) == (1, 1, 1, 0)
    assert result.paths["replaced"] == (NEW.source_path,)
    assert result.replacements == (Replacement(new.id, NEW.source_path, old.id, OLD.source_path, "ask", None),)
    assert approved(dark) == {OLD.source_path: True, NEW.source_path: False}


def test_the_approval_is_taken_over_where_the_collection_is_set_so(dark: Catalog) -> None:
    assert dark.set_upgrades("Shows", "keep-approval").upgrades == "keep-approval"

    result = dark.ingest_collection("Shows")

    assert [each.approval for each in result.replacements] == ["kept"]
    assert approved(dark) == {OLD.source_path: True, NEW.source_path: True}
    assert [each.canonical_key for each in dark.schedulable_assets()] == [NEW.source_path]
    assert result.withdrawals == ()
    assert dark.check().is_sound


def test_what_was_taken_over_is_a_decision_like_any_other(dark: Catalog, importer: FakeImporter) -> None:
    dark.set_upgrades("Shows", "keep-approval")
    before = snapshot(dark, journal=False)
    real = dark.ingest_collection("Shows")
    dark.wipe_collection("Shows")

    dark.ingest_collection("Shows")
    assert approved(dark) == {NEW.source_path: True}

    importer.drafts = [OLD, OTHER]
    dark.ingest_collection("Shows")
    assert approved(dark) == {OLD.source_path: True, NEW.source_path: True}, "the old one's approval is still its own"
    for unit in dark.history(3):
        dark.undo(unit.id)
    dark.undo(real.unit_id or "")
    assert snapshot(dark, journal=False) == before


@pytest.mark.parametrize("upgrades", ["ask", "keep-approval"])
def test_it_is_previewed(dark: Catalog, upgrades: Any) -> None:
    dark.set_upgrades("Shows", upgrades)
    before = snapshot(dark)

    preview = dark.ingest_collection("Shows", dry_run=True)

    assert snapshot(dark) == before
    real = dark.ingest_collection("Shows")
    assert [each.approval for each in preview.replacements] == [each.approval for each in real.replacements]


def test_one_that_has_been_missing_for_long_is_replaced_too(dark: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [OTHER]
    assert dark.ingest_collection("Shows").missing == 1
    importer.drafts = [NEW, OTHER]

    result = dark.ingest_collection("Shows")

    assert (result.replaced, result.missing) == (1, 0)


def test_what_went_last_is_what_is_replaced(dark: Catalog, importer: FakeImporter) -> None:
    """Upgraded twice: what the second one replaced is missing, too, and is not meant."""
    dark.set_upgrades("Shows", "keep-approval")
    dark.ingest_collection("Shows")
    newest = at("Dark Hollow/S01E01 2160p.mkv", size=9000)
    importer.drafts = [newest, OTHER]

    result = dark.ingest_collection("Shows")

    assert [(each.old_path, each.path, each.approval) for each in result.replacements] == [
        (NEW.source_path, newest.source_path, "kept")
    ]


SECOND = at("Dark Hollow/S01E01 720p.mkv", size=3000)


@pytest.mark.parametrize(
    ("before", "after"), [([OLD], [NEW, SECOND]), ([OLD, SECOND], [NEW])], ids=["two for one", "one for two"]
)
def test_of_several_that_show_the_same_none_is_taken_for_the_other(
    catalog: Catalog, collection: Collection, importer: FakeImporter, before: list[AssetDraft], after: list[AssetDraft]
) -> None:
    importer.drafts = [*before, OTHER]
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector(kind="episode"))
    catalog.set_upgrades("Shows", "keep-approval")
    importer.drafts = [*after, OTHER]

    result = catalog.ingest_collection("Shows")

    assert (result.replaced, result.replacements) == (0, ())
    assert result.paths["ambiguous"] == tuple(sorted(each.source_path for each in (*before, *after)))
    assert not any(approved(catalog)[each.source_path] for each in after)


@pytest.mark.parametrize(
    "facts",
    [
        {"title": "Dark"},
        {"year": 1969},
        {"season_number": 2},
        {"episode_numbers": (1, 2)},
        {"part": 1},
        {"kind": "movie", "season_number": None, "episode_numbers": ()},
    ],
)
def test_what_shows_something_else_replaces_nothing(dark: Catalog, importer: FakeImporter, facts: dict[str, Any]) -> None:
    importer.drafts = [attrs.evolve(NEW, **facts), OTHER]

    result = dark.ingest_collection("Shows")

    assert (result.created, result.missing, result.replaced, result.ambiguous) == (1, 1, 0, 0)


def test_what_shows_nothing_is_replaced_by_nothing(catalog: Catalog, collection: Collection, importer: FakeImporter) -> None:
    importer.drafts = [draft("a.mkv", kind="bumper"), OTHER]
    catalog.ingest_collection("Shows")
    importer.drafts = [draft("b.mkv", kind="bumper", size=5), OTHER]

    assert catalog.ingest_collection("Shows").replaced == 0


def test_it_is_called_as_the_station_calls_it(dark: Catalog, importer: FakeImporter) -> None:
    dark.rename_title("Dark Hollow", name="The Dark", year=1969)

    assert dark.ingest_collection("Shows").replaced == 1


def test_what_is_not_ready_waits(dark: Catalog, importer: FakeImporter, enricher: FakeEnricher) -> None:
    enricher.returns = lambda found: found
    importer.drafts = [attrs.evolve(NEW, duration_ms=None), OTHER]
    dark.set_upgrades("Shows", "keep-approval")

    result = dark.ingest_collection("Shows")

    assert [each.approval for each in result.replacements] == ["not_ready"]
    assert approved(dark)[NEW.source_path] is False


@pytest.mark.parametrize(("upgrades", "preference"), [("ask", "ask"), ("keep-approval", "kept")])
def test_that_the_old_one_is_preferred_is_taken_over_too(
    dark: Catalog, importer: FakeImporter, upgrades: Any, preference: str
) -> None:
    large = at("Dark Hollow/large.mkv", height=1080, size=9000)
    importer.drafts = [OLD, large, OTHER]
    dark.ingest_collection("Shows")
    dark.approve(AssetSelector(kind="episode"))
    dark.prefer(AssetSelector(path=OLD.source_path))
    dark.set_upgrades("Shows", upgrades)
    before = snapshot(dark, journal=False)
    importer.drafts = [NEW, large, OTHER]

    result = dark.ingest_collection("Shows")

    assert [each.preference for each in result.replacements] == [preference]
    airs = {each.canonical_key for each in dark.schedulable_assets(versions="best")}
    assert airs == ({NEW.source_path} if preference == "kept" else {large.source_path})
    assert dark.check().is_sound
    dark.undo(result.unit_id or "")
    assert snapshot(dark, journal=False) == before


def test_the_later_word_is_no_preference_to_take_over(dark: Catalog, importer: FakeImporter) -> None:
    """While the old one was away, the operator preferred another one, which is still there."""
    large = at("Dark Hollow/large.mkv", height=1080, size=9000)
    dark.set_upgrades("Shows", "keep-approval")
    dark.prefer(AssetSelector(kind="episode"))
    importer.drafts = [OLD, large, OTHER]
    dark.ingest_collection("Shows")
    dark.approve(AssetSelector(kind="episode"))
    dark.prefer(AssetSelector(path=large.source_path))
    importer.drafts = [NEW, large, OTHER]

    result = dark.ingest_collection("Shows")

    assert [(each.approval, each.preference) for each in result.replacements] == [("kept", None)]
    assert [each.canonical_key for each in dark.schedulable_assets()] == [large.source_path]


def test_there_is_nothing_to_take_over_from_what_was_not_approved(dark: Catalog) -> None:
    dark.set_upgrades("Shows", "keep-approval")
    dark.withdraw_approval(AssetSelector(kind="episode"))

    result = dark.ingest_collection("Shows")

    assert [each.approval for each in result.replacements] == [None]
    assert not any(approved(dark).values())


def test_what_the_operator_took_off_the_air_stays_off(dark: Catalog, importer: FakeImporter) -> None:
    dark.set_upgrades("Shows", "keep-approval")
    importer.drafts = [OLD, NEW, OTHER]
    dark.ingest_collection("Shows")
    dark.approve(AssetSelector(path=NEW.source_path))
    dark.withdraw_approval(AssetSelector(path=NEW.source_path))
    dark.wipe_collection("Shows")
    importer.drafts = [OLD, OTHER]
    dark.ingest_collection("Shows")
    importer.drafts = [NEW, OTHER]

    result = dark.ingest_collection("Shows")

    assert [each.approval for each in result.replacements] == ["ask"]
    assert approved(dark) == {OLD.source_path: True, NEW.source_path: False}


def test_filters_replace_nothing(dark: Catalog) -> None:
    result = dark.ingest_collection("Shows", IngestFilters("Dark Hollow"))

    assert (result.created, result.replaced, result.replacements) == (1, 0, ())


@pytest.mark.parametrize(("folder", "replaced"), [("Dark Hollow", 1), ("New", 0)])
def test_a_folder_that_is_ingested_by_itself_has_both_or_replaces_nothing(
    dark: Catalog, importer: FakeImporter, media: Path, folder: str, replaced: int
) -> None:
    (media / folder).mkdir()
    (media / folder / "S01E01 1080p.mkv").touch()
    importer.drafts = [at(f"{folder}/S01E01 1080p.mkv"), OTHER]

    result = dark.ingest_collection("Shows", IngestFilters(under=str(media / folder)))

    assert (result.created, result.replaced) == (1, replaced)


def test_other_collections_have_no_part_in_it(dark: Catalog, importer: FakeImporter, media: Path) -> None:
    importer.drafts = [OTHER]
    dark.ingest_collection("Shows")
    dark.add_collection("station", "More", path_mappings={"/media": str(media)})
    importer.drafts = [NEW]

    assert dark.ingest_collection("More").replaced == 0


@pytest.mark.parametrize("upgrades", ["keep_approval", "", None, 1])
def test_it_is_one_of_two_things(dark: Catalog, upgrades: Any) -> None:
    with pytest.raises(ConfigurationError, match="'ask' or 'keep-approval'") as refused:
        dark.set_upgrades("Shows", upgrades)

    assert isinstance(refused.value.cause, ValidationError)


def test_setting_it_is_a_unit_that_can_be_undone(dark: Catalog) -> None:
    before = snapshot(dark, journal=False)

    dark.set_upgrades("Shows", "keep-approval")

    (unit,) = dark.history(1)
    assert [each.name for each in unit.operations] == ["collection_set_upgrades"]
    dark.undo(unit.id)
    assert snapshot(dark, journal=False) == before
    assert dark.collection("Shows").upgrades == "ask"
