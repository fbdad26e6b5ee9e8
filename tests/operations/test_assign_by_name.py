"""Many files are assigned in one go, by what a pattern reads in their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import draft, movie

from retrovue_uow import AssetSelector, Catalog, Collection, CurationError, ValidationError
from retrovue_uow.rules.name_patterns import validate_name_pattern
from retrovue_uow.testing import FakeImporter, snapshot

TAPES = AssetSelector(path="Tapes/*")
PATTERN = "Astro Boy - {episode} - {episode_title}"
NAMES = ("Astro Boy - 101 - The Birth", "ASTRO BOY - 102-103 - The Two Robots", "astro boy - 104 - S.O.S [480p]")


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with three tapes that nothing could classify, and two movies."""
    importer.drafts = [*(draft(f"Tapes/{name}.mkv") for name in NAMES), movie("Tron", 1982), movie("Alien", 1979)]
    catalog.ingest_collection(collection.name)
    return catalog


def shown(catalog: Catalog) -> list[tuple[object, ...]]:
    """What the tapes are and show."""
    return [
        (each.kind, each.title, each.year, each.season_number, each.episode_numbers, each.episode_title)
        for each in sorted(catalog.select(TAPES), key=lambda each: each.canonical_key.casefold())
    ]


def refused(catalog: Catalog, act: Callable[[], object]) -> str:
    """Why it is refused; it changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(CurationError) as caught:
        act()
    assert snapshot(catalog) == before
    assert isinstance(caught.value.cause, ValidationError)
    return str(caught.value.cause)


READ: list[tuple[str, str, dict[str, object]]] = [
    (PATTERN, NAMES[0], {"episode_numbers": (101,), "episode_title": "The Birth"}),
    (PATTERN, NAMES[1], {"episode_numbers": (102, 103), "episode_title": "The Two Robots"}),
    (PATTERN, "Astro Boy - 1 - A - B", {"episode_numbers": (1,), "episode_title": "A - B"}),
    ("S{season}E{episode}", "s01e02", {"season_number": 1, "episode_numbers": (2,)}),
    ("{season}-{episode}", "0-02", {"season_number": 0, "episode_numbers": (2,)}),
    ("Show 1{episode}", "Show 101", {"episode_numbers": (1,)}),
    ("{episode}", "3+1+2", {"episode_numbers": (1, 2, 3)}),
    ("{episode}-{*}", "01-02-x", {"episode_numbers": (1, 2)}),
    ("{episode}-{title}", "01-x", {"episode_numbers": (1,), "title": "x"}),
    ("{title} ({year})", "Tron (1982)", {"title": "Tron", "year": 1982}),
    ("{title} - {episode_title}", "A - B - C", {"title": "A", "episode_title": "B - C"}),
    ("{title}.{episode}", "Captain.Comet.07", {"title": "Captain Comet", "episode_numbers": (7,)}),
    ("{*}{{{episode}}}{*}", "[x] Show {12} y", {"episode_numbers": (12,)}),
    ("{*} - {episode} {*}", "Show 2 - 12 [ABCD] 3", {"episode_numbers": (12,)}),
    ("{*}bump", "station bump", {}),
    ("STRASSE {episode}", "Straße 3", {"episode_numbers": (3,)}),
    ("caf\u00e9 {title}", "CAFE\u0301 e\u0301te\u0301", {"title": "\u00e9t\u00e9"}),
    ("\u0390 {episode}", "\u1fd3 1", {"episode_numbers": (1,)}),
]


@pytest.mark.parametrize(("pattern", "name", "said"), READ)
def test_a_pattern_reads_the_whole_name(pattern: str, name: str, said: dict[str, object]) -> None:
    assert validate_name_pattern(pattern, ()).read(name) == said


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Show {episode}", "Show 1 x"),
        ("Show {episode}", "A Show 1"),
        ("Show {episode}", "Show one"),
        ("Show {episode}", "Show \u0661"),  # a digit, but not one of ours
        ("Show {episode}", "Show 1000000000000000000"),
        ("Show {episode}", "Show 03-02"),
        ("Show {episode}", "Show 01-22"),
        ("Show {year}", "Show 0000"),
        ("Show {year}", "Show 19845"),
        ("Show {title}", "Show ..."),
        ("Show {title}", "Show "),
        ("cafe {episode}", "caf\u00e9 1"),
        ("caf{title}", "cafe\u0301"[:3]),
        ("{*}a" * 60 + "{episode}", "a" * 250),
    ],
)
def test_what_does_not_fit_is_not_read(pattern: str, name: str) -> None:
    assert validate_name_pattern(pattern, ()).read(name) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{season}{episode}", "{season} and {episode} side by side"),
        ("{*}{episode}", "{*} and {episode} side by side"),
        ("{episode}{*}", "{episode} and {*} side by side"),
        ("{number}", "a field {number}, which is none of {title}, {year}, {season}, {episode}, {episode_title}, {*}"),
        ("{}", "a field {}"),
        ("{Episode}", "a field {Episode}"),
        ("{episode:02}", "a field {episode:02}"),
        ("{episode!r}", "a field {episode!r}"),
        ("{episode.real}", "a field {episode.real}"),
        ("{episode} of {episode}", "{episode} twice"),
        ("{episode", "expected '}'"),
        ("{{episode}", "Single '}'"),
        ("episode}", "Single '}'"),
        ("{a{b}}", "cannot be read"),
        ("", "a pattern is text"),
        (" ", "a pattern is text"),
        ("a\0b", "a pattern is text"),
        (None, "a pattern is text"),
        (7, "a pattern is text"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(stocked: Catalog, pattern: Any, reason: str) -> None:
    assert reason in refused(stocked, lambda: stocked.assign_by_name(TAPES, pattern, kind="episode"))


@pytest.mark.parametrize("given", [{"title": "Astro Boy"}, {"year": 0}, {"season": 0}], ids=str)
def test_what_the_pattern_reads_is_not_to_be_given_too(stocked: Catalog, given: Any) -> None:
    pattern = "{title} ({year}) - {season}x{episode}"

    reason = refused(stocked, lambda: stocked.assign_by_name(TAPES, pattern, kind="episode", **given))

    assert f"reads {{{next(iter(given))}}}, which is given, too" in reason


def test_all_are_assigned_by_their_names_in_one_unit(stocked: Catalog) -> None:
    stocked.approve(TAPES)

    result = stocked.assign_by_name(TAPES, PATTERN, kind="episode", title="Astro Boy (1963)", season=1)

    assert shown(stocked) == [
        ("episode", "Astro Boy", 1963, 1, (101,), "The Birth"),
        ("episode", "Astro Boy", 1963, 1, (102, 103), "The Two Robots"),
        ("episode", "Astro Boy", 1963, 1, (104,), "S.O.S."),
    ]
    assert (result.selected, result.changed, result.unchanged) == (3, 3, 0)
    assert list(result.assets) == stocked.select(TAPES)
    assert {asset.canonical_key for asset in stocked.schedulable_assets()} == set(result.paths)
    (unit,) = stocked.history(1)
    (operation,) = unit.operations
    assert (unit.id, operation.name) == (result.unit_id, "asset_assign_by_name")
    assert operation.arguments["pattern"] == PATTERN
    assert isinstance(operation.result, dict)
    assert "assets" not in operation.result


def test_it_holds_in_a_refresh_and_after_a_wipe_and_one_undo_takes_it_back(stocked: Catalog) -> None:
    before = snapshot(stocked, journal=False)
    result = stocked.assign_by_name(TAPES, PATTERN, kind="episode", title="Astro Boy", season=1)
    assigned = shown(stocked)

    stocked.ingest_collection("Shows", refresh="all")
    assert shown(stocked) == assigned
    stocked.undo(stocked.history(1)[0].id)
    stocked.undo(result.unit_id or "")
    assert snapshot(stocked, journal=False) == before

    stocked.assign_by_name(TAPES, PATTERN, kind="episode", title="Astro Boy", season=1)
    stocked.wipe_collection("Shows")
    stocked.ingest_collection("Shows")
    assert shown(stocked) == assigned


def test_names_that_do_not_fit_are_named_and_nothing_is_assigned(stocked: Catalog) -> None:
    reason = refused(
        stocked, lambda: stocked.assign_by_name(AssetSelector(), PATTERN, kind="episode", title="Astro Boy", season=1)
    )

    assert "2 of 5 names, without folder and ending, do not fit the pattern 'Astro Boy - {episode} - " in reason
    assert reason.splitlines()[1:] == ["  'Alien (1979)'", "  'Tron (1982)'"]


def test_of_many_names_that_do_not_fit_the_first_are_named(stocked: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [*importer.drafts, *(draft(f"Tapes/tape {number:02}.mkv") for number in range(20))]
    stocked.ingest_collection("Shows")

    reason = refused(stocked, lambda: stocked.assign_by_name(TAPES, "Nothing {episode}", kind="episode"))

    assert "23 of 23 names" in reason
    assert reason.splitlines()[-1] == "  and 13 more"


def test_what_the_pattern_does_not_read_stays_as_it_was(stocked: Catalog) -> None:
    stocked.assign(TAPES, kind="episode", title="Astro Boy", season_number=3, episode_numbers=[1])

    stocked.assign_by_name(TAPES, "Astro Boy - {episode} - {*}")

    assert [each[:5] for each in shown(stocked)] == [
        ("episode", "Astro Boy", None, 3, (101,)),
        ("episode", "Astro Boy", None, 3, (102, 103)),
        ("episode", "Astro Boy", None, 3, (104,)),
    ]


def test_a_title_is_the_one_that_is_there_and_a_new_one_is_one_in_whatever_case(stocked: Catalog) -> None:
    stocked.assign_by_name(TAPES, "{title} - {episode} - {*}", kind="episode", season=1)
    assert [(title.name, title.episodes) for title in stocked.titles("show")] == [("ASTRO BOY", 4)]

    stocked.rename_title("astro boy", name="Astro Boy", year=1963)
    stocked.assign_by_name(TAPES, "{title} - {episode} - {*}", kind="episode", season=2)

    assert {each[1:4] for each in shown(stocked)} == {("Astro Boy", 1963, 2)}


def test_a_title_that_fits_two_is_refused_with_both(stocked: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [*importer.drafts, movie("Alien", 1995), draft("Alien.mkv")]
    stocked.ingest_collection("Shows")
    choice = AssetSelector(path="Alien.mkv")

    reason = refused(stocked, lambda: stocked.assign_by_name(choice, "{title}", kind="movie"))

    assert "ambiguous: name one of 'Alien (1979)', 'Alien (1995)'" in reason
    stocked.assign_by_name(choice, "{title}", kind="movie", year=1995)
    assert [(title.name, title.year, title.assets) for title in stocked.titles("movie")] == [
        ("Alien", 1979, 1),
        ("Alien", 1995, 2),
        ("Tron", 1982, 1),
    ]


def test_movies_are_read_with_their_years_and_what_is_so_already_is_counted(stocked: Catalog) -> None:
    result = stocked.assign_by_name(AssetSelector(kind="movie"), "{title} ({year})")

    assert (result.selected, result.changed, result.paths) == (2, 0, ())
    assert [(asset.title, asset.year) for asset in result.assets] == [("Alien", 1979), ("Tron", 1982)]


@pytest.mark.parametrize(
    ("pattern", "arguments", "reason"),
    [
        (PATTERN, {"kind": "episode", "title": "Astro Boy"}, "an episode needs a season_number"),
        (PATTERN, {"kind": "episode", "season": 1}, "needs a title"),
        (PATTERN, {"kind": "movie", "title": "Astro Boy"}, "has no episode_numbers, episode_title"),
        ("{*}", {"kind": "episode", "title": "Astro Boy", "season": 1}, "episode_numbers"),
        (PATTERN, {"kind": "episode", "title": "Astro Boy", "season": -1}, "season_number must be an integer from 0"),
        (PATTERN, {"kind": "episode", "title": ["Astro Boy"], "season": 1}, "not a readable text"),
        (PATTERN, {"kind": "series", "title": "Astro Boy", "season": 1}, "kind 'series' is not one of"),
        (PATTERN, {"kind": ["episode"], "title": "Astro Boy", "season": 1}, "kind ['episode'] is not one of"),
        (PATTERN, {"kind": "episode", "title": "Astro Boy", "season": 1, "expect_assets": 20}, "not the expected 20"),
    ],
)
def test_what_does_not_fit_together_is_refused(stocked: Catalog, pattern: str, arguments: dict[str, Any], reason: str) -> None:
    assert reason in refused(stocked, lambda: stocked.assign_by_name(TAPES, pattern, **arguments))


def test_a_dry_run_tells_what_each_would_be_and_keeps_nothing(stocked: Catalog) -> None:
    before = snapshot(stocked)

    result = stocked.assign_by_name(TAPES, PATTERN, kind="episode", title="Astro Boy", season=1, dry_run=True)

    assert snapshot(stocked) == before
    assert [(each.title, each.episode_numbers) for each in result.assets] == [
        ("Astro Boy", (102, 103)),
        ("Astro Boy", (101,)),
        ("Astro Boy", (104,)),
    ]
