"""A file may hold one part of a movie or episode; a part of its title is something else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest

from retrovue_uow import AssetDraft
from retrovue_uow.media.filenames import FilenameEnricher, parse

BOAT = "/m/Slow Boat (1971)"
INN = "/m/Moor Inn/Season 1"

PARTS = {
    f"{BOAT} CD1.avi": ("Slow Boat", 1971, 1),
    f"{BOAT} - disc 2.avi": ("Slow Boat", 1971, 2),
    f"{BOAT} [DVD 3].avi": ("Slow Boat", 1971, 3),
    f"{BOAT} disk 1 of 2.avi": ("Slow Boat", 1971, 1),
    f"{BOAT} cd b.avi": ("Slow Boat", 1971, 2),
    f"{BOAT} part-d.avi": ("Slow Boat", 1971, 4),
    f"{BOAT} - pt.2.avi": ("Slow Boat", 1971, 2),
    f"{BOAT}/CD02.avi": ("Slow Boat", 1971, 2),
    f"{BOAT}/CD1/Slow Boat.avi": ("Slow Boat", 1971, 1),
    f"{BOAT}/Disc 2/Slow Boat (1971) 480p.avi": ("Slow Boat", 1971, 2),
    f"{BOAT}/Slow Boat part 1 (1971).avi": ("Slow Boat", 1971, 1),
    f"{BOAT}/Slow Boat (1971) (2 of 2).avi": ("Slow Boat", 1971, 2),
    "/m/Slow Boat CD1 (1971).avi": ("Slow Boat", 1971, 1),
    "/m/Slow.Boat.1971.CD1.German.DVDRip.avi": ("Slow Boat", 1971, 1),
    "/m/Slow.Boat.1971.Part2.German.DVDRip.avi": ("Slow Boat", 1971, 2),
    "/m/Slow.Boat.1971.DVDRip.XviD-FOO.CD2.avi": ("Slow Boat", 1971, 2),
}
"""Title, year and part of the movie that a file holds."""

WHOLE = {
    "/m/Slow Boat Part 1 (1971).mkv": "Slow Boat Part 1",
    "/m/Slow.Boat.Part.2.1973.1080p.mkv": "Slow Boat Part 2",
    "/m/Slow Boat Part 1 (1971)/Slow Boat Part 1.mkv": "Slow Boat Part 1",
    f"{BOAT} DVD5.mkv": "Slow Boat",
    f"{BOAT} - Part 2 of a Journey.mkv": None,
    f"{BOAT}/Slow Boat part 1.mkv": None,
    f"{BOAT}/Part 3.mkv": None,
    "/m/The Disc 2049.mkv": None,
    "/m/Short Films/Disc 1/Slow Boat (1971).mkv": "Slow Boat",
    f"{BOAT}/CD1/track.avi": None,
}
"""Titles of movies in which a number counts no part of the file; None: it is no movie at all."""

EPISODES = {
    f"{INN}/Disc 1/Moor Inn S01E02.mkv": (None, None),
    f"{INN}/Moor Inn S01E02 cd2.mkv": (None, 2),
    f"{INN}/Moor Inn - S01E02 - The Fog CD1.mkv": ("The Fog", 1),
    f"{INN}/Moor Inn - S01E02 - The Fog - 1080p - part2.mkv": ("The Fog", 2),
    f"{INN}/Moor.Inn.S01E02.The.Fog.720p.pt1.mkv": ("The Fog", 1),
    f"{INN}/02 - The Fog cd2.mkv": ("The Fog", 2),
    f"{INN}/Moor Inn S01E02a.mkv": (None, 1),
    f"{INN}/Moor Inn 1x02d The Fog.mkv": ("The Fog", 4),
    f"{INN}/Moor Inn S01E02 Part 2.mkv": ("Part 2", None),
    f"{INN}/Moor Inn - S01E02 - The Fog, Part 2.mkv": ("The Fog, Part 2", None),
    f"{INN}/Moor.Inn.S01E02.The.Fog.Part.2.1080p.mkv": ("The Fog Part 2", None),
    f"{INN}/02 - The Fog Part 1.mkv": ("The Fog Part 1", None),
    "/m/Disc 1/Moor Inn Disc 1 S01E02.mkv": (None, None),
}
"""Episode title and part of a file of the second episode."""


@pytest.mark.parametrize("path", PARTS)
def test_a_part_of_a_movie_is_read(path: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert (parsed.kind, (parsed.title, parsed.year, parsed.part)) == ("movie", PARTS[path])


@pytest.mark.parametrize("path", WHOLE)
def test_a_title_keeps_its_part(path: str) -> None:
    parsed = parse(path)

    assert (parsed and parsed.part) is None
    assert WHOLE[path] in (None, parsed and parsed.title)


@pytest.mark.parametrize("path", EPISODES)
def test_a_part_of_an_episode_is_told_from_its_title(path: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert (parsed.season_number, parsed.episode_numbers) == (1, (2,))
    assert (parsed.episode_title, parsed.part) == EPISODES[path]


def test_an_interstitial_has_no_parts() -> None:
    parsed = parse("/m/Commercials/Soap CD1.mpg")

    assert parsed is not None
    assert (parsed.kind, parsed.part) == ("commercial", None)


def enriched(folder: Path, names: Iterable[str], **facts: Any) -> dict[str, AssetDraft]:
    """The files of a folder, after the enricher."""
    folder.mkdir(parents=True, exist_ok=True)
    enricher = FilenameEnricher({"guessit": False})
    for name in names:
        (folder / name).touch()
    drafts = {name: AssetDraft(file_path=str(folder / name), source_path=str(folder / name)) for name in names}
    return {name: enricher.enrich(attrs.evolve(each, **facts)) for name, each in drafts.items()}


def parts(drafts: dict[str, AssetDraft]) -> list[int | None]:
    return [each.part for each in drafts.values()]


def test_files_of_one_name_with_other_numbers_are_the_parts_of_one_movie(tmp_path: Path) -> None:
    found = enriched(tmp_path / "Slow Boat (1971)", ["Slow Boat part1.mkv", "slow boat Part2.mkv"])

    assert parts(found) == [1, 2]
    assert {(each.kind, each.title, each.year) for each in found.values()} == {("movie", "Slow Boat", 1971)}


def test_files_of_one_episode_with_other_numbers_are_its_parts(tmp_path: Path) -> None:
    found = enriched(
        tmp_path / "Moor Inn", ["Moor Inn S01E02 pt 1.mkv", "Moor Inn S01E02 pt 2.mkv", "Moor Inn S01E03 pt 2.mkv"]
    )

    assert parts(found) == [1, 2, None]
    assert [each.episode_title for each in found.values()] == [None, None, "pt 2"]


def test_two_movies_of_one_year_keep_their_titles(tmp_path: Path) -> None:
    found = enriched(tmp_path, ["Slow Boat Part 1 (1971).mkv", "Slow Boat Part 2 (1971).mkv"])

    assert parts(found) == [None, None]
    assert [each.title for each in found.values()] == ["Slow Boat Part 1", "Slow Boat Part 2"]


def test_more_files_than_a_movie_has_parts_are_something_else(tmp_path: Path) -> None:
    found = enriched(tmp_path / "Slow Boat (1971)", [f"Slow Boat part {number}.mkv" for number in range(1, 6)])

    assert parts(found) == [None] * 5
    assert {each.kind for each in found.values()} == {None}


def test_another_ending_or_an_extra_counts_no_parts(tmp_path: Path) -> None:
    found = enriched(
        tmp_path / "Slow Boat (1971)", ["Slow Boat part1.mkv", "Slow Boat part2.nfo", "Slow Boat part2-sample.mkv"]
    )

    assert found["Slow Boat part1.mkv"].part is None


def test_a_file_that_nothing_classifies_is_a_part_all_the_same(tmp_path: Path) -> None:
    found = enriched(tmp_path, ["Slow Boat CD1.mkv", "Slow Boat CD2.mkv", "Heath part 1.mkv", "Heath part 2.mkv"])

    assert parts(found) == [1, 2, 1, 2]
    assert {each.kind for each in found.values()} == {None}


@pytest.mark.parametrize(("facts", "expected"), [({"part": 7}, 7), ({"kind": "commercial"}, None), ({"kind": "movie"}, 1)])
def test_what_the_importer_knows_stays(tmp_path: Path, facts: dict[str, Any], expected: int | None) -> None:
    assert parts(enriched(tmp_path, ["Slow Boat CD1.mkv"], **facts)) == [expected]
