"""Where a file's name numbers its episodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from retrovue_uow.media.titles import before_tags, same_name, titled, without_asides

DATE = re.compile(
    r"(?<![0-9])(?:(?:18|19|20)[0-9]{2}([-._ ])[0-9]{1,2}\1[0-9]{1,2}"
    r"|[0-9]{1,2}([-._ ])[0-9]{1,2}\2(?:18|19|20)[0-9]{2})(?![0-9])"
)
LONGEST_SPAN = 20
"""Episodes that `E01-E21` may reach beyond its first; what looks longer is more likely something else."""

SEASON_WORD = "(?:season|series|staffel|saison|temporada|stagione|seizoen|säsong|sæson|sezon)"

_I = re.IGNORECASE | re.DOTALL
_FIRST = {
    "SxxExx": re.compile(r"(?<![^\W_])S([0-9]{1,4})(?:x|[ ._-]{0,3}x?EP?[ ._]?)([0-9]{1,5})(?![0-9])", _I),
    # Four digits are a season where they are a year, else pixels; one digit beside one may be an aspect ratio.
    "NxNN": re.compile(
        r"(?<![^\W_])(?:([0-9]{1,2})x([0-9]{2,3})|((?:19|20)[0-9]{2})x([0-9]{2})|(?!4x[34])([1-9])x([1-9]))(?![0-9])", _I
    ),
    "season_episode": re.compile(
        rf"(?<![^\W_]){SEASON_WORD}[ ._-]*([0-9]{{1,4}})[ ._,-]*"
        r"(?:episode|ep|folge|e)[ ._-]*([0-9]{1,4})(?![0-9])",
        _I,
    ),
}
"""How each convention writes a season and its first episode."""
_JOIN = r"[ ._]?(?:[-&+]|and(?![^\W_]))?[ ._]?"
_BARE_FURTHER = r"|[-+_](?P<bare>[0-9]{2,3}|(?<=-)[0-9])(?![^\W_])"
_E_FURTHER = re.compile(
    _JOIN + r"(?:S(?P<season>[0-9]{1,4})[ ._-]{0,3})?x?EP?(?P<marked>[0-9]{1,5})(?![0-9])" + _BARE_FURTHER, _I
)
_X_FURTHER = re.compile(
    # Three digits behind an x without a season are rather a codec (`x264`).
    _JOIN + r"(?:(?P<season>[0-9]{1,4})x|[xE](?=[0-9]{2}(?![0-9])))(?P<marked>[0-9]{2,3})(?![0-9])" + _BARE_FURTHER,
    _I,
)
_FURTHER = {"SxxExx": _E_FURTHER, "NxNN": _X_FURTHER, "season_episode": _E_FURTHER}
"""How each goes on: with a letter, behind the season if it is repeated, or with a bare number that touches."""
_END = re.compile(r"(?:([a-d])|v[0-9])?(?![^\W_])", _I)
_BARE = re.compile(
    r"([0-9]{1,3})(?:-([0-9]{1,3}))?"
    r"(?:$|(?<=^0[0-9])[ ._]+(?=[^\W0-9])|[ ._]+[-–][ ._]+(?![0-9]{1,3}[ ._]*[-–])|[-–](?![0-9])|\. +)(.*)",  # noqa: RUF001  people type the en dash
    _I,
)
_WORD = re.compile(r"(?:episode|ep|e|folge)[ ._#-]*([0-9]{1,4})(?:-(?:ep|e)?([0-9]{1,4}))?(?![^\W_])(.*)", _I)
_SPECIAL = re.compile(r"(?:special|sp)[ ._#-]*([0-9]{1,4})(?:-(?:sp)?([0-9]{1,4}))?(?![^\W_])(.*)", _I)
_NUMBER_FIRST = re.compile(r"(?P<show>)(?P<number>[0-9]{1,3})(?:[ ._-]+(?P<after>.*))?", _I)
_NUMBER_LAST = re.compile(
    r"(?P<show>[\W_]*[^\W_](?:.*?[^ ._-])?)"
    r"(?:(?P<plain>[ ._]+)(?=[0-9]{2})|[ ._]*-[ ._-]*(?=[0-9]{2})|[ ._-]+(?:#|(?:episode|ep|e|folge)[ ._]?))"
    r"(?P<number>[0-9]{1,3})(?:[ ._]+-[ ._]+(?P<after>.*))?",
    _I,
)
_LIKE_AN_EPISODE = re.compile(
    r"(?<![^\W_])(?:(?:episode|ep|e|folge)[ ._#-]*[0-9]+|S[0-9]{1,2}|[0-9]{1,3}[ ._]?of[ ._]?[0-9]{1,3})(?![^\W_])"
    rf"|[ ._]-[ ._](?:[0-9]{{2,4}}(?:-[0-9]{{2,4}})?|{SEASON_WORD}[ ._-]*[0-9]{{1,4}})[ ._-]*$",
    _I,
)
"""`Show E02`, `Show S01`, `Show 5of9`, `Show - 10`, `Show - Series 1`."""
_STARTS_WITH_NUMBER = re.compile(r"[0-9]{1,3}(?![^\W_])|(?:episode|ep|e|folge)[ ._#-]*[0-9]", _I)


@attrs.frozen
class Numbering:
    """The row of numbers in which all files of a folder stand.

    Attributes:
        show: What stands before the number in most; blank where the numbers come first.
        episodes: By name, the number and what follows it.
    """

    show: str
    episodes: Mapping[str, tuple[int, str]]


@attrs.frozen
class Marker:
    """`S01E02` and the like in a name.

    Attributes:
        rule: `SxxExx`, `NxNN` or `season_episode`.
        start: Where it begins in the name.
        end: Where what follows it begins.
        episode_numbers: Ascending; empty where the name contradicts itself.
        part: Of the episode, by the letter behind its number (`S01E02b`).
    """

    rule: str
    start: int
    end: int
    season_number: int
    episode_numbers: tuple[int, ...]
    part: int | None = attrs.field(default=None, eq=False)


def marker_in(name: str) -> Marker | None:
    """The first marker. One further on must say the same, or go on where the first ends (`S01E02 Name S01E03 Name`)."""
    for rule in _FIRST:
        marker = _next_marker(rule, name, 0)
        if marker is None:
            continue
        again = _next_marker(rule, name, marker.end)
        if again is None or attrs.evolve(again, start=marker.start, end=marker.end) == marker:
            return marker
        episodes = marker.episode_numbers + again.episode_numbers
        is_sound = marker.episode_numbers and again.episode_numbers and marker.season_number == again.season_number
        goes_on = is_sound and episodes == tuple(range(episodes[0], episodes[-1] + 1))
        return attrs.evolve(marker, end=again.end, episode_numbers=episodes if goes_on else ())
    return None


def letter_number(letter: str) -> int:
    """1 for `a`, 2 for `b`, as far as parts have letters."""
    return "abcd".index(letter.lower()) + 1


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


def common_numbering(names: Sequence[str], season_number: int | None, folder: str) -> Numbering | None:
    """The one row of numbers in which the files of a folder stand; None if they do not.

    In a season folder the numbers may come first (`16 Name`). Anywhere they may come last, behind a name that is that of most:
    `Show - 03`, `Show Episode 3`, and `Show 03` where `folder`, the show's, has that name, as *Tape 03* and *Rocky 2* are none.
    """
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST) if folder and season_number is not None else (_NUMBER_LAST,):
        read = {name: pattern.fullmatch(before_tags(without_asides(name)).strip(" ._-")) for name in names}
        found = {name: match for name, match in read.items() if match and not DATE.search(name) and not marker_in(name)}
        numbers = [int(match["number"]) for match in found.values()]
        hundreds = 100 * (season_number or 0)
        if hundreds and {number // 100 for number in numbers} == {season_number}:
            numbers = [number - hundreds for number in numbers]  # in season 3 the numbers 301, 302, … are 1, 2, …
        if 10 * len(found) < 9 * len(names) or not _is_row(numbers, from_first=season_number is None):
            continue
        show, _ = Counter(match["show"] for match in found.values()).most_common(1)[0]
        if pattern is _NUMBER_FIRST or same_name(titled(show).name, folder) or not any(m["plain"] for m in found.values()):
            after = [match["after"] or "" for match in found.values()]
            return Numbering(show, dict(zip(found, zip(numbers, after, strict=True), strict=True)))
    return None


def _is_row(numbers: Sequence[int], *, from_first: bool) -> bool:
    """Whether three or more, none twice, stand so close that no more are missing than there are."""
    if len(numbers) < 3 or len(numbers) != len({*numbers}):
        return False
    first, last = min(numbers), max(numbers)
    return last - first < 2 * len(numbers) and (first <= 1 or (not from_first and last < 100))


def is_like_an_episode(name: str) -> bool:
    """Whether a word of it numbers an episode or a season, though not both."""
    return _LIKE_AN_EPISODE.search(name) is not None


def starts_with_number(name: str) -> bool:
    """Whether it begins as the name of an episode may."""
    return _STARTS_WITH_NUMBER.match(name) is not None


def _next_marker(rule: str, name: str, start: int) -> Marker | None:
    while found := _FIRST[rule].search(name, start):
        season, last = (number for number in found.groups() if number)
        seasons, steps, end = {int(season)}, [(int(last), False)], found.end()
        while further := _further(rule, name, end, last):
            last, end = further["marked"] or further["bare"], further.end()
            steps.append((int(last), "-" in further[0]))
            seasons.add(int(further["season"] or season))
        ended = _END.match(name, end)
        if ended:
            episodes, part = _episodes(steps) if len(seasons) == 1 else (), ended[1] and letter_number(ended[1])
            return Marker(rule, found.start(), ended.end(), int(season), episodes, part or None)
        start = found.end()
    return None


def _further(rule: str, name: str, end: int, last: str) -> re.Match[str] | None:
    """The next number of the chain; None where it is the beginning of a title (`S01E13-3 Wishes`, `1x02_10 Wishes`)."""
    found = _FURTHER[rule].match(name, end)
    if found is None or found["marked"]:
        return found
    bare = found["bare"]
    falls_short = len(bare) < len(last) and int(bare) < int(last)
    return None if falls_short or (found[0][0] == "_" and int(bare) != int(last) + 1) else found


def _episodes(steps: Sequence[tuple[int, bool]]) -> tuple[int, ...]:
    """One dash spans (`E01-E04`), more of them list (`E01-E03-E05`); none of it may run backwards."""
    if len(steps) == 1:
        return (steps[0][0],)
    is_span = sum(is_dashed for _, is_dashed in steps) == 1
    episodes: list[int] = []
    for number, is_dashed in steps:
        reached = _span(episodes[-1], number) if is_dashed else (number,)
        if not reached:
            return ()
        episodes.extend(reached if is_span else (number,))
    return tuple(sorted(set(episodes)))


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1)) if 0 < last - first <= LONGEST_SPAN else ()
