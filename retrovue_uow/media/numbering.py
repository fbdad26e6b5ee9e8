"""Where a file's name numbers its episodes."""

from __future__ import annotations

import re

import attrs

LONGEST_SPAN = 20
"""Episodes that `E01-E21` may reach beyond its first; what looks longer is more likely something else."""

_I = re.IGNORECASE | re.DOTALL
_SXXEXX = re.compile(
    r"(?<![^\W_])(S[0-9]{1,4}[ ._-]{0,3}E[0-9]{1,4}"
    r"(?:[ ._]?[-&+]?[ ._]?(?:S[0-9]{1,4}[ ._-]{0,3})?E[0-9]{1,4}|-[0-9]{1,3}(?![^\W_]))*)(?:[a-d]|v[0-9])?(?![^\W_])",
    _I,
)
_SXXEXX_NUMBER = re.compile(r"([-&+ ._]*)(?:S([0-9]+)[ ._-]{0,3}E([0-9]+)|E?([0-9]+))", _I)
_NXNN = re.compile(
    r"(?<![^\W_])([0-9]{1,2}x[0-9]{2,3}"
    r"(?:[ ._]?[-&+]?[ ._]?[0-9]{1,2}x[0-9]{2,3}|[-.]?x[0-9]{2,3}|-[0-9]{2,3}(?![^\W_]))*)(?![^\W_])",
    _I,
)
_NXNN_NUMBER = re.compile(r"([-&+ ._]*)(?:([0-9]+)x([0-9]+)|x?([0-9]+))", _I)
_IN_WORDS = re.compile(
    r"(?<![^\W_])((?:season|series|staffel|saison|temporada)[ ._-]*[0-9]{1,4}[ ._,-]*"
    r"(?:episode|ep|folge|e)[ ._-]*[0-9]{1,4})(?![^\W_])",
    _I,
)
_IN_WORDS_NUMBER = re.compile(r"()[a-z]+[ ._-]*([0-9]+)[ ._,-]*[a-z]+[ ._-]*([0-9]+)()", _I)
_MARKERS = (
    ("SxxExx", _SXXEXX, _SXXEXX_NUMBER),
    ("NxNN", _NXNN, _NXNN_NUMBER),
    ("season_episode", _IN_WORDS, _IN_WORDS_NUMBER),
)
_BARE = re.compile(
    r"([0-9]{1,3})(?:-([0-9]{1,3}))?"
    r"(?:$|[ ._]+[-–][ ._]+(?![0-9]{1,3}[ ._]*[-–])|[-–](?![0-9])|\. +)(.*)",  # noqa: RUF001  people type the en dash
    _I,
)
_WORD = re.compile(r"(?:episode|ep|e|folge)[ ._#-]*([0-9]{1,4})(?:-(?:ep|e)?([0-9]{1,4}))?(?![^\W_])(.*)", _I)
_SPECIAL = re.compile(r"(?:special|sp)[ ._#-]*([0-9]{1,4})(?:-(?:sp)?([0-9]{1,4}))?(?![^\W_])(.*)", _I)
_LIKE_AN_EPISODE = re.compile(r"(?<![^\W_])(?:(?:episode|ep|e|folge)[ ._#-]*[0-9]+|S[0-9]{1,2})(?![^\W_])", _I)
_STARTS_WITH_NUMBER = re.compile(r"[0-9]{1,3}(?![^\W_])|(?:episode|ep|e|folge)[ ._#-]*[0-9]", _I)


@attrs.frozen
class Marker:
    """`S01E02` and the like in a name.

    Attributes:
        rule: `SxxExx`, `NxNN` or `season_episode`.
        start: Where it begins in the name.
        end: Where what follows it begins.
        episode_numbers: Ascending; empty where the name contradicts itself.
    """

    rule: str
    start: int
    end: int
    season_number: int
    episode_numbers: tuple[int, ...]


def marker_in(name: str) -> Marker | None:
    """The first marker; markers further on must say the same."""
    for rule, pattern, number in _MARKERS:
        found = pattern.search(name)
        if found:
            season_number, episode_numbers = _numbers(found[1], number)
            again = pattern.search(name, found.end())
            if again and _numbers(again[1], number) != (season_number, episode_numbers):
                episode_numbers = ()
            return Marker(rule, found.start(), found.end(), season_number, episode_numbers)
    return None


def leading_episodes(name: str, season_number: int) -> tuple[tuple[int, ...], str] | None:
    """The numbers that a name in a season folder begins with (`02 - Name`, `Episode 2`, `E02`), and what follows them.

    None also where the number may mean something else: a span that runs backwards, `102` in season 1.
    """
    found = _WORD.fullmatch(name) or _BARE.fullmatch(name) or (_SPECIAL.fullmatch(name) if season_number == 0 else None)
    if found is None:
        return None
    first = int(found[1])
    episodes = _span(first, int(found[2])) if found[2] else (first,)
    repeats_season = season_number > 0 and first >= 100 and first // 100 == season_number
    return (episodes, found[3]) if episodes and not repeats_season else None


def is_like_an_episode(name: str) -> bool:
    """Whether a word of it numbers an episode or a season, though not both."""
    return _LIKE_AN_EPISODE.search(name) is not None


def starts_with_number(name: str) -> bool:
    """Whether it begins as the name of an episode may."""
    return _STARTS_WITH_NUMBER.match(name) is not None


def _numbers(text: str, number: re.Pattern[str]) -> tuple[int, tuple[int, ...]]:
    """Season and episodes; no episodes where two seasons or a span that runs backwards contradict."""
    seasons: set[int] = set()
    episodes: set[int] = set()
    last = 0
    for separator, season, first, further in number.findall(text):
        seasons.update([int(season)] if season else [])
        episode = int(first or further)
        reached = _span(last, episode) if "-" in separator and episodes else (episode,)
        if not reached:
            return min(seasons), ()
        episodes.update(reached)
        last = episode
    return min(seasons), tuple(sorted(episodes)) if len(seasons) == 1 else ()


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1)) if 0 < last - first <= LONGEST_SPAN else ()
