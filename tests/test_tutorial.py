"""What the tutorial says happens, word for word, and leaves the catalogue as it promises."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tutorial import PAGE, Walk, scratch_folder, walk

from retrovue_uow import Asset, Catalog
from retrovue_uow.testing import snapshot

DECIDED = "What may be scheduled"
REFRESHED = "A refresh keeps every decision"
REBUILT = "A rebuild keeps what the files are"
UNDONE = "An undo brings back the rest"
KINDS = {
    "episode": 27,
    "movie": 9,
    "commercial": 8,
    "bumper": 5,
    "promo": 4,
    "psa": 2,
    "station_id": 2,
    "trailer": 2,
    "filler": 1,
}
TITLES = [
    ("10 Ways to Leave Earth", 1961, 0, 1),
    ("2010 Odyssey", 1984, 0, 1),
    ("Captain Comet", 1958, 16, 15),
    ("Fog Signal", 1949, 0, 1),
    ("Harbour Lights", 1964, 7, 6),
    ("Lost Valley", 1939, 0, 1),
    ("Night of the Robots", 1955, 0, 1),
    ("Space Patrol", 1962, 5, 6),
    ("Station 1999", 1958, 0, 1),
    ("The Glass Tower", 1948, 0, 1),
    ("The Paper Comet", 1962, 0, 1),
    ("Track 4x12", 1971, 0, 1),
]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """The whole tutorial, done once."""
    with scratch_folder() as folder:
        return walk(folder, tmp_path_factory.mktemp("states"))


def assets_in(state: Path) -> list[Asset]:
    with Catalog(state, read_only=True) as catalog:
        return list(catalog.assets())


def identities(state: Path) -> dict[str, tuple[object, ...]]:
    """What each file is, by its path."""
    return {
        asset.file_path: (asset.kind, asset.title, asset.year, asset.season_number, asset.episode_numbers, asset.episode_title)
        for asset in assets_in(state)
    }


def approved(state: Path) -> set[str]:
    return {asset.file_path for asset in assets_in(state) if asset.approved}


def test_the_page_shows_what_happens(walked: Walk) -> None:
    assert walked.page == PAGE.read_text(encoding="utf-8"), "write the page anew with `python tests/tutorial.py`"


def test_a_command_fails_only_where_the_page_shows_the_error(walked: Walk) -> None:
    ran = [each for block in walked.blocks for each in block]

    assert [each.command for each in ran if bool(each.exit_code) != each.output.startswith("error: ")] == []
    assert len([each for each in ran if each.exit_code]) == 2


@pytest.mark.parametrize("heading", [DECIDED, REFRESHED, REBUILT, UNDONE])
def test_every_file_is_what_the_operator_said(walked: Walk, heading: str) -> None:
    state = walked.states[heading]

    assert Counter(asset.kind for asset in assets_in(state)) == KINDS
    assert sum(KINDS.values()) == 60
    assert identities(state) == identities(walked.states[DECIDED])


@pytest.mark.parametrize("heading", [DECIDED, REFRESHED, REBUILT, UNDONE])
def test_titles_stay_merged_and_renamed(walked: Walk, heading: str) -> None:
    with Catalog(walked.states[heading], read_only=True) as catalog:
        assert [(title.name, title.year, title.episodes, title.assets) for title in catalog.titles()] == TITLES
        assert catalog.check().is_sound


def test_approvals_and_retirements_survive_a_refresh(walked: Walk) -> None:
    before, after = assets_in(walked.states[DECIDED]), assets_in(walked.states[REFRESHED])

    assert len(approved(walked.states[DECIDED])) == 54
    assert [(each.id, each.state, each.approved) for each in after] == [(each.id, each.state, each.approved) for each in before]
    assert [each.canonical_key.rpartition("/")[2] for each in after if each.state == "retired"] == ["recording_2019-03-11.ts"]
    assert [each.kind for each in after if each.state == "ready" and not each.approved].count("trailer") == 2


def test_a_rebuild_withdraws_every_approval_and_leaves_the_retired_retired(walked: Walk) -> None:
    assets = assets_in(walked.states[REBUILT])

    assert not approved(walked.states[REBUILT])
    assert [each.canonical_key.rpartition("/")[2] for each in assets if each.state == "retired"] == ["recording_2019-03-11.ts"]
    assert {asset.id for asset in assets}.isdisjoint(asset.id for asset in assets_in(walked.states[REFRESHED]))


def test_an_undo_of_the_rebuild_brings_everything_back_bit_for_bit(walked: Walk) -> None:
    refreshed, undone = walked.states[REFRESHED], walked.states[UNDONE]

    assert snapshot(undone, journal=False) == snapshot(refreshed, journal=False)
    assert snapshot(walked.states[REBUILT], journal=False) != snapshot(refreshed, journal=False)
    assert approved(undone) == approved(walked.states[DECIDED])
