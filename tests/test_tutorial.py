"""What the tutorial says happens, word for word, and leaves the catalogue as it promises."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from tutorial import PAGE, Walk, scratch_folder, walk

from retrovue_uow import Asset, AssetSelector, Catalog
from retrovue_uow.cli.output import shown_title
from retrovue_uow.model import printed_title
from retrovue_uow.testing import snapshot

INGESTED = "Ingest"
DECIDED = "What may be scheduled"
REFRESHED = "A refresh keeps every decision"
REBUILT = "A rebuild keeps what the files are"
UNDONE = "An undo brings back every row"
SAID = {"Capt. Comet": "Captain Comet (1958)", "Space Patrol 2000": "Space Patrol (1962)", "other": "filler"}
"""What the operator makes of a title, and of what is no kind of its own."""
TITLE = re.compile(r"(.+?)(?: S\d\d[E\d-]+|(?<=\(\d{4}\)))(?: part \d)?$")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """The whole tutorial, done once."""
    with scratch_folder() as folder:
        return walk(folder, tmp_path_factory.mktemp("states"))


def assets_in(state: Path) -> list[Asset]:
    with Catalog(state, read_only=True) as catalog:
        return list(catalog.assets())


def path_below(asset: Asset) -> str:
    return asset.file_path.partition("/Videos/")[2]


def as_decided(said: str) -> str:
    """What is in a file, as the operator calls it."""
    return next((said.replace(old, new) for old, new in SAID.items() if said.startswith(old)), said)


def approved(state: Path) -> set[str]:
    return {asset.file_path for asset in assets_in(state) if asset.approved}


def test_the_page_shows_what_happens(walked: Walk) -> None:
    assert walked.page == PAGE.read_text(encoding="utf-8"), "write the page anew with `python tests/tutorial.py`"


def test_a_command_fails_only_where_the_page_shows_the_error(walked: Walk) -> None:
    ran = [each for block in walked.blocks for each in block]

    assert [each.command for each in ran if bool(each.exit_code) != each.output.startswith("error: ")] == []
    assert len([each for each in ran if each.exit_code]) == 3


@pytest.fixture
def messy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example that makes the folder, and knows what is in it."""
    monkeypatch.syspath_prepend(str(PAGE.parent.parent / "examples"))
    return importlib.import_module("make_messy_folder")


def test_few_names_of_episodes_and_movies_say_nothing_and_only_two_say_what_is_wrong(walked: Walk, messy: ModuleType) -> None:
    truth = messy.truth()
    read = {path_below(asset): shown_title(asset) or asset.kind for asset in assets_in(walked.states[INGESTED])}
    of_titles = [name for name, said in truth.items() if TITLE.fullmatch(said)]

    unclassified = [name for name in of_titles if read.get(name) == "other"]

    assert set(truth) - set(read) == {messy.YOUNG}
    assert len(unclassified) < 0.08 * len(of_titles)
    wrong = {name for name in read if read[name] not in ("other", truth[name])}
    assert wrong == set(messy.named(messy.READ_WRONGLY))


def test_what_is_wrong_with_files_is_recorded(walked: Walk, messy: ModuleType) -> None:
    with Catalog(walked.states[INGESTED], read_only=True) as catalog:
        broken = {path_below(asset) for asset in catalog.select(AssetSelector(broken=True))}
        ingest = catalog.last_ingest("Videos")
    assert ingest is not None
    told = ingest.operations[-1].result
    assert isinstance(told, dict)

    assert broken == set(messy.named(messy.BROKEN))
    assert {reason: {path.partition("/Videos/")[2] for path in paths} for reason, paths in told["skipped"].items()} == {
        "link": set(messy.LINKS) - {"Movies/loop"},
        "not_utf8": {messy.NOT_UTF8[0], "Tapes/b\udcfcndel"},
        "too_young": {messy.YOUNG},
        "twin": {messy.TWIN},
    }


@pytest.mark.parametrize("heading", [DECIDED, REFRESHED, REBUILT, UNDONE])
def test_every_file_is_what_the_operator_said(walked: Walk, messy: ModuleType, heading: str) -> None:
    assets, before = assets_in(walked.states[heading]), assets_in(walked.states[DECIDED])
    files = {path_below(asset): shown_title(asset) or asset.kind for asset in assets}

    assert [(each.file_path, each.episode_title) for each in assets] == [
        (each.file_path, each.episode_title) for each in before
    ]
    assert files == {name: as_decided(said) for name, said in messy.truth().items()}


@pytest.mark.parametrize("heading", [DECIDED, REFRESHED, REBUILT, UNDONE])
def test_titles_stay_merged_and_renamed(walked: Walk, messy: ModuleType, heading: str) -> None:
    told = Counter(found[1] for found in map(TITLE.fullmatch, map(as_decided, messy.truth().values())) if found)

    with Catalog(walked.states[heading], read_only=True) as catalog:
        assert {printed_title(title.name, title.year): title.assets for title in catalog.titles()} == told
        assert catalog.check().is_sound


def test_approvals_and_retirements_survive_a_refresh(walked: Walk) -> None:
    before, after = assets_in(walked.states[DECIDED]), assets_in(walked.states[REFRESHED])

    assert len(approved(walked.states[DECIDED])) == 97
    assert [(each.id, each.state, each.approved) for each in after] == [(each.id, each.state, each.approved) for each in before]
    assert [each.canonical_key.rpartition("/")[2] for each in after if each.state == "retired"] == ["recording_2019-03-11.ts"]
    assert [each.kind for each in after if each.state == "ready" and not each.approved].count("trailer") == 4


def test_a_rebuild_leaves_the_approved_approved_and_the_retired_retired(walked: Walk) -> None:
    assets = assets_in(walked.states[REBUILT])

    before = {asset.canonical_key for asset in assets_in(walked.states[REFRESHED]) if asset.approved}
    assert {asset.canonical_key for asset in assets if asset.approved} == before
    assert len(before) == 97
    assert [each.canonical_key.rpartition("/")[2] for each in assets if each.state == "retired"] == ["recording_2019-03-11.ts"]
    assert {asset.id for asset in assets}.isdisjoint(asset.id for asset in assets_in(walked.states[REFRESHED]))


def test_an_undo_of_the_rebuild_brings_everything_back_bit_for_bit(walked: Walk) -> None:
    refreshed, undone = walked.states[REFRESHED], walked.states[UNDONE]

    assert snapshot(undone, journal=False) == snapshot(refreshed, journal=False)
    assert snapshot(walked.states[REBUILT], journal=False) != snapshot(refreshed, journal=False)
    assert approved(undone) == approved(walked.states[DECIDED])
