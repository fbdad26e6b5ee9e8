"""Movies in file names: what says that a name is a movie's, and of which year."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from retrovue_uow.media.folders import Place
from retrovue_uow.media.numbering import DATE, is_like_an_episode, starts_with_number
from retrovue_uow.media.titles import (
    NameAndYear,
    bare_year_titled,
    before_tags,
    cleaned,
    late_year_titled,
    same_name,
    starts_with_tag,
    titled,
    without_release,
)

_WORDS = re.compile(r"[^\W_]+")
_SCENE_FILE = re.compile(r"[a-z0-9]{2,8}-[a-z0-9.]+")
"""`grp-the.name.1984.720p`, all in small letters and with no group behind: it may begin with the group, or be *spider-man*."""


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
