"""The story that docs/how-to.md tells by commands: years of curation, and then a new disk, better files and a renamed show."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from retrovue_uow import Asset, Catalog
from retrovue_uow.cli.output import shown_title

ROOT = Path(__file__).parent.parent
TAPES = "From tape/Doctor Static (1961) - S{:02}E{:02}.mkv"
BETTER = "The Lighthouse Six/The.Lighthouse.Six.S01E{:02}.{}.mkv"
UPGRADED = {
    **{BETTER.format(number, "480p.DVDRip.x264-OLDTV"): BETTER.format(number, "1080p.WEB.x265") for number in range(1, 7)},
    **{TAPES.format(2, number): TAPES.format(2, number).replace(".mkv", " 1080p.mkv") for number in range(1, 5)},
}
"""The files that others take the place of: four of them are preferred."""


@attrs.frozen
class Step:
    """A command of the page, what it printed, and the assets once it is done: all, and those that may be scheduled."""

    command: str
    output: str
    assets: tuple[Asset, ...]
    schedulable: tuple[Asset, ...]

    def shown(self) -> dict[str, str]:
        """What may be scheduled: by path below the collection's folder, what that shows."""
        return {path_below(asset): shown_title(asset) or asset.kind for asset in self.schedulable}

    def ids(self) -> dict[str, str]:
        """The same, with identifiers."""
        return {path_below(asset): asset.id for asset in self.schedulable}

    def retired(self) -> set[str]:
        return {path_below(asset) for asset in self.assets if asset.state == "retired"}


@attrs.frozen
class Story:
    """All that the page's commands did."""

    steps: tuple[Step, ...]
    catalog: Path

    def after(self, command: str) -> Step:
        """The one command that has this in it."""
        (step,) = [step for step in self.steps if command in step.command]
        return step


def path_below(asset: Asset) -> str:
    return asset.file_path.partition("/Videos/")[2]


def renamed(path: str) -> str:
    """Where a file lies once the show's folder has its year."""
    return path.replace("Pilot Fish/", "Pilot Fish (1981)/")


def blocks() -> list[list[str]]:
    """The commands of the page's section, by blocks."""
    page = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    section = page.partition("### Years of curation, and a new disk\n")[2].partition("\n### ")[0]
    return [block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)]


def make_300(folder: Path, better: Path) -> None:
    """A folder as it is after years, of 300 files that become assets; and in another one the better files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        messy = importlib.import_module("make_messy_folder")
    messy.make(folder)
    clip = messy.clip(folder.parent, 1, ".mkv", rate=24)
    names = [*(TAPES.format(season, number) for season in (1, 2) for number in range(1, 14))]
    names += [f"Bumpers/ident {number}.mkv" for number in range(16)]
    for age, file in enumerate([*(folder / name for name in names), *(better / name for name in UPGRADED.values())]):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, file)
        os.utime(file, (1_500_000_000 + age,) * 2)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The page's commands, done one after another; before those of the last block ten files come, and ten go."""
    here = tmp_path_factory.mktemp("here")
    catalog, videos = here / "catalog.db", here / "mnt" / "new" / "Videos"
    videos.parent.mkdir(parents=True)
    make_300(here / "mnt" / "old" / "Videos", here / "better")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "RETROVUE_CATALOG": str(catalog), "COLUMNS": "1000"}

    def done(command: str) -> Step:
        typed = ["sh", "-c", command.replace("/mnt/", f"{here}/mnt/")]
        ran = subprocess.run(typed, env=environment, cwd=here, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
        with Catalog(catalog, read_only=True) as opened:
            return Step(command, ran.stdout, tuple(opened.assets()), tuple(opened.schedulable_assets()))

    *years, last = blocks()
    steps = [done(command) for block in years for command in block]
    for name in UPGRADED:
        (videos / name).unlink()
    shutil.copytree(here / "better", videos, dirs_exist_ok=True)
    return Story((*steps, *map(done, last)), catalog)


def test_the_catalogue_has_300_assets_on_which_every_decision_was_taken(story: Story) -> None:
    curated = story.after("asset prefer")
    shown = curated.shown()

    assert len(curated.assets) == 300
    assert [path for path, title in shown.items() if title.startswith("Doctor Static (1961)")] == [
        TAPES.format(season, number) for season in (1, 2) for number in range(1, 14)
    ], "of 52 versions"
    assert shown["Capt. Comet/Season 3/Capt. Comet S03E01.avi"] == "Captain Comet (1958) S03E01"
    assert shown["Space Patrol 2000/Space Patrol 2000 1x01.mp4"] == "Space Patrol (1962) S01E01"
    assert shown["Adverts, reel 2/clip0001.mp4"] == "commercial"
    assert len(curated.retired()) == 6


def test_on_the_new_disk_the_list_has_the_same_assets_below_the_other_folder(story: Story) -> None:
    curated, relocated = story.after("asset prefer"), story.after("relocate")

    assert relocated.shown() == curated.shown()
    assert relocated.ids() == curated.ids()
    assert all("/mnt/new/Videos/" in asset.file_path for asset in relocated.assets)


def test_rebuilt_it_has_the_same_files(story: Story) -> None:
    relocated, rebuilt = story.after("relocate"), story.after("rebuild")

    assert rebuilt.shown() == relocated.shown()
    assert rebuilt.retired() == relocated.retired()
    assert set(rebuilt.ids().values()).isdisjoint(relocated.ids().values())


def test_the_ingest_afterwards_names_all_that_changes_in_the_list(story: Story) -> None:
    rebuilt, ingested = story.after("rebuild"), story.after("collection ingest")
    replaced = re.findall(r"^.+/Videos/(.+\.mkv), in place of .+/Videos/(.+\.mkv)", ingested.output, re.MULTILINE)
    stayed = {renamed(path): id_ for path, id_ in rebuilt.ids().items() if path not in UPGRADED}

    assert {old: new for new, old in replaced} == UPGRADED
    assert "10 moved files left under 'Pilot Fish', where the name now says 'Pilot Fish (1981)'" in ingested.output
    assert ingested.shown() == {UPGRADED.get(path, renamed(path)): shown for path, shown in rebuilt.shown().items()}
    assert {path: id_ for path, id_ in ingested.ids().items() if path not in UPGRADED.values()} == stayed


def test_the_story_ends_with_what_may_be_scheduled_as_it_was(story: Story) -> None:
    first, last = story.after("asset prefer"), story.after("--year 1981")

    assert last.command.partition("#")[0].strip().removeprefix("retrovue-uow ") in story.after("collection ingest").output
    assert last.shown() == {
        UPGRADED.get(path, renamed(path)): shown.replace("Pilot Fish", "Pilot Fish (1981)")
        for path, shown in first.shown().items()
    }
    with Catalog(story.catalog, read_only=True) as catalog:
        assert catalog.check().is_sound
