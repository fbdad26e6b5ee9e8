"""Files that others replace, and shows that were renamed: what is told of them, and that the commands told settle it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import attrs
import pytest
from commandline import Run
from harness import episode

from retrovue_uow import AssetDraft, AssetSelector, Catalog, Collection
from retrovue_uow.cli.command import Page
from retrovue_uow.cli.reports import ingest_page, source_page
from retrovue_uow.testing import FakeImporter

DARK = [episode("Dark Hollow", 1, number, duration_ms=1000 + number) for number in (1, 2, 3)]


def at(path: str, found: AssetDraft, **facts: object) -> AssetDraft:
    return attrs.evolve(found, file_path=f"/media/{path}", source_path=f"/media/{path}", **facts)  # type: ignore[arg-type]


RENAMED = [at(f"Dark Hollow (1969)/{number}.mkv", each, year=1969) for number, each in enumerate(DARK)]


@pytest.fixture
def dark(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with an approved show."""
    importer.drafts = list(DARK)
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector(kind="episode"))
    return catalog


def printed(page: Page) -> str:
    return "\n".join(line.strip() for line in page.lines(False))


def follow(run: Run, report: str, catalog: Catalog) -> None:
    """Type the first command that a report names."""
    command = re.findall("`([^`]+)`", report)[0]
    result = run(*shlex.split(command), "--verbose" if " rename " in command else "--force", "--catalog", catalog.database.path)
    assert result.exit_code == 0, result.output


def test_the_command_that_is_told_approves_what_replaces_others(run: Run, dark: Catalog, importer: FakeImporter) -> None:
    better = at("it's better.mkv", DARK[0], size=2000)
    importer.drafts = [better, *DARK[1:]]

    report = printed(ingest_page(dark.ingest_collection("Shows"), ()))

    assert "new, and shows exactly what a missing one showed:" in report
    assert f"{better.source_path}, in place of {DARK[0].source_path}, which was approved" in report
    follow(run, report, dark)
    assert {each.canonical_key for each in dark.schedulable_assets()} == {each.source_path for each in importer.drafts}


def test_the_commands_that_are_told_prefer_it_too(run: Run, dark: Catalog, importer: FakeImporter) -> None:
    better = at("better.mkv", DARK[0], size=2000)
    dark.prefer(AssetSelector(path=DARK[0].source_path))
    importer.drafts = [better, *DARK[1:]]

    report = printed(ingest_page(dark.ingest_collection("Shows"), ()))

    follow(run, report, dark)
    follow(run, report[report.index("is preferred") :], dark)
    assert dark.database.execute("SELECT canonical_key FROM preference") == [(better.source_path,)]


@pytest.mark.parametrize(
    ("facts", "ending"), [({}, ", approved as that was"), ({"duration_ms": None}, ", which was approved; not ready yet")]
)
def test_what_became_of_the_approval_is_told(
    run: Run, dark: Catalog, importer: FakeImporter, facts: dict[str, object], ending: str
) -> None:
    dark.detach_enricher("Shows", "fake")
    shown = run("collection", "set", "Shows", "--upgrades", "keep-approval", "--catalog", dark.database.path).stdout
    assert re.search("^upgrades +keep-approval$", shown, re.MULTILINE)
    importer.drafts = [at("better.mkv", DARK[0], size=2000, **facts), *DARK[1:]]

    report = printed(source_page(dark.ingest_source("station"), {}))

    assert f"/media/better.mkv, in place of {DARK[0].source_path}{ending}" in report.splitlines()
    assert "asset approve" not in report


def test_a_show_that_was_renamed_is_one_line_and_the_command_settles_it(
    run: Run, dark: Catalog, importer: FakeImporter
) -> None:
    importer.drafts = list(RENAMED)

    report = printed(ingest_page(dark.ingest_collection("Shows"), ()))

    (line,) = [each for each in report.splitlines() if each.startswith("retitled:")]
    assert "3 moved files left under 'Dark Hollow', where the name now says 'Dark Hollow (1969)': `" in line
    assert "`collection ingest --refresh all Shows` takes the new one and withdraws their approvals" in line
    follow(run, line, dark)
    assert {(each.year, each.approved) for each in dark.assets()} == {(1969, True)}


def test_where_the_new_title_is_there_the_command_merges(run: Run, dark: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [*RENAMED, at("Dark Hollow (1969)/4.mkv", episode("Dark Hollow", 1, 4), year=1969)]

    report = printed(ingest_page(dark.ingest_collection("Shows"), ()))

    follow(run, report, dark)
    assert [(each.name, each.year, each.episodes) for each in dark.titles()] == [("Dark Hollow", 1969, 4)]


def test_a_name_that_is_another_one_is_given_by_the_command(run: Run, dark: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [attrs.evolve(each, title="It's Dark", year=None) for each in RENAMED]

    follow(run, printed(ingest_page(dark.ingest_collection("Shows"), ())), dark)

    assert [(each.name, each.year) for each in dark.titles()] == [("It's Dark", None)]


def test_of_very_many_the_command_names_the_first(dark: Catalog, importer: FakeImporter, tmp_path: Path) -> None:
    importer.drafts = [episode("Lost", 1, number) for number in range(1, 61)]
    dark.ingest_collection("Shows")
    dark.approve(AssetSelector(title="Lost"))
    importer.drafts = [at(f"{number:02}.mkv", each, size=7) for number, each in enumerate(importer.drafts)]

    report = printed(ingest_page(dark.ingest_collection("Shows"), ()))

    assert "/media/49.mkv`, and 10 more" in report
