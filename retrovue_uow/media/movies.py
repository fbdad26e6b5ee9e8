"""Movies in file names: what says that a name is a movie's, of which year, and which part of it a file holds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set

import attrs

from retrovue_uow.media.folders import Place
from retrovue_uow.media.numbering import DATE, is_like_an_episode, letter_number, marker_in, starts_with_number
from retrovue_uow.media.titles import (
    NameAndYear,
    bare_year_titled,
    before_tags,
    cleaned,
    has_tag,
    late_year_titled,
    only_year,
    same_name,
    starts_with_tag,
    titled,
    without_asides,
    without_release,
)

_WORDS = re.compile(r"[^\W_]+")
_SCENE_FILE = re.compile(r"[a-z0-9]{2,8}-[a-z0-9.]+")
"""`grp-the.name.1984.720p`, all in small letters and with no group behind: it may begin with the group, or be *spider-man*."""
_PART = re.compile(
    # DVD5 and DVD9 are kinds of discs.
    r"(?<![^\W_])[(\[]?(?:(?:(?P<disc>cd|dis[ck]|dvd(?![ ._-]?[59](?![^\W_])))|part|pt)[ ._-]?0?(?P<number>[1-9][0-9]?)"
    r"|(?:(?P<lettered>cd)|part)[ ._-](?P<letter>[a-d]))(?:[ ._]?of[ ._]?[0-9]{1,2})?[)\]]?(?![^\W_])"
    r"|\((?P<of>[1-4])[ ._]?of[ ._]?[2-4]\)",
    re.IGNORECASE,
)
_YEAR_NEXT = re.compile(r"[(\[]?(?:18|19|20)[0-9]{2}(?![^\W_])")
_MOST_PARTS = 4
"""A movie comes in no more; five files of one name are rather the episodes of a series."""
PartsBeside = Callable[[], Mapping[str, Set[int]]]


@attrs.frozen
class Part:
    """`CD1`, `part 2` and the like in the name of a file that holds a part of a movie or episode.

    Attributes:
        name: The file's name without it.
        start: Where it begins in the name.
        is_disc: Whether it counts discs, as no title does.
        precedes_year: Whether the year of a movie comes after it, so that it rather belongs to the title.
        is_of: Whether it says of how many alone (`(1 of 2)`).
    """

    number: int
    name: str
    start: int
    is_disc: bool
    precedes_year: bool
    is_of: bool


def movie_in(stem: str, place: Place) -> tuple[str, NameAndYear] | None:
    """The movie that a name without a marker states, and the convention that says so."""
    if place.season_number is not None or place.in_extras or DATE.search(stem):
        return None
    for rule, read in _MOVIE_RULES:
        movie = read(stem, place)
        if movie is not None:
            return rule, movie
    return None


def _with_bracketed_year(stem: str, place: Place) -> NameAndYear | None:
    movie = titled(stem)
    if movie.year is None:
        return None
    movie = NameAndYear(_as_folder(movie, place) or without_release(movie.name) or movie.name, movie.year, movie.rest)
    in_own_folder = same_name(movie.name, place.name) and movie.year == place.year
    if is_like_an_episode(movie.name) and not in_own_folder:
        return None
    if not movie.rest or starts_with_tag(movie.rest):
        return movie
    return movie if in_own_folder and not starts_with_number(movie.rest) else None


def _as_folder(movie: NameAndYear, place: Place) -> str:
    """The name of a folder of the same year if all its words are in the file's; else blank."""
    is_shorter = movie.year == place.year and {*_WORDS.findall(place.name.casefold())} <= {
        *_WORDS.findall(movie.name.casefold())
    }
    return place.name if is_shorter else ""


def _with_bare_year(stem: str, place: Place) -> NameAndYear | None:
    movie = bare_year_titled(stem)
    if movie is None:
        return None
    if name := _as_folder(movie, place):
        return attrs.evolve(movie, name=name)
    return None if is_like_an_episode(movie.name) or _SCENE_FILE.fullmatch(stem) else movie


def _with_late_year(stem: str, place: Place) -> NameAndYear | None:
    movie = late_year_titled(stem)
    return None if movie is None or is_like_an_episode(movie.name) else movie


def _named_like_folder(stem: str, place: Place) -> NameAndYear | None:
    if place.year is None:
        return None
    name = cleaned(before_tags(stem))
    same = same_name(name, place.name) or same_name(name, f"{place.name} {place.year}")
    return NameAndYear(place.name, place.year) if same else None


_MOVIE_RULES: tuple[tuple[str, Callable[[str, Place], NameAndYear | None]], ...] = (
    ("movie_year", _with_bracketed_year),
    ("movie_folder", _named_like_folder),
    ("movie_bare_year", _with_bare_year),
    ("movie_late_year", _with_late_year),
)


def part_of(stem: str, place: Place, beside: PartsBeside) -> Part | None:
    """The part of a movie or episode that the file holds, where the number says so and belongs to no title.

    Args:
        beside: Gives what `parts_by_name` finds in the folder; it is asked only where a part may belong to a title.
    """
    part = _part_in(stem)
    if part is None:
        return None
    marker = marker_in(stem)
    if marker and part.start < marker.end:
        return None
    if part.is_disc:
        return part
    own = titled(part.name)
    if own.year is not None and own.year == place.year and same_name(own.name, place.name):
        return part  # the folder says where the title ends
    if part.is_of or part.precedes_year:
        return None
    before = stem[marker.end if marker else 0 : part.start]
    is_behind_title = has_tag(before) or (not marker and place.season_number is None and only_year(before))
    return part if is_behind_title or 1 < len(beside().get(part.name.casefold(), ())) <= _MOST_PARTS else None


def parts_by_name(stems: Iterable[str]) -> Mapping[str, Set[int]]:
    """The parts that file names count, by what remains of the names without them."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for part in filter(None, map(_part_in, stems)):
        numbers[part.name.casefold()].add(part.number)
    return numbers


def _part_in(name: str) -> Part | None:
    """The part of a movie or episode, at the end of the name or followed by release tags alone, or by the year."""
    for found in _PART.finditer(name):
        after = without_asides(name[found.end() :]).strip(" ._-")
        precedes_year = _YEAR_NEXT.match(after) is not None
        before, is_disc = name[: found.start()].rstrip(" ._-"), bool(found["disc"] or found["lettered"])
        if (before or is_disc) and (not after or precedes_year or starts_with_tag(after)):
            number = letter_number(found["letter"]) if found["letter"] else int(found["number"] or found["of"])
            rest = before + name[found.end() :]
            return Part(number, rest, found.start(), is_disc, precedes_year, found["of"] is not None)
    return None
