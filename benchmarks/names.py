"""Reading file names, beside guessit: how fast, and how many right."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import Comparison, Goal, Sizes, Taken, by_turns, compared, timed
from retrovue_uow.media.filenames import parse

Answer = tuple[object, ...]
_LISTS = Path(__file__).parent.parent / "tests" / "names.py"
_PATTERNS = (
    "/tv/Show {0}/Season 01/Show {0} - S01E02 - Part 2.mkv",
    "/tv/show.{0}.s01e02.the.name.1080p.web.h264-group.mkv",
    "/tv/Show {0} 1x02 Name.avi",
    "/movies/Movie {0} (1984)/Movie {0} (1984).mkv",
    "/commercials/Toys {0} 1985.mkv",
)


def file_names(count: int) -> list[str]:
    """So many different ones, of every usual sort."""
    return [_PATTERNS[number % len(_PATTERNS)].format(number) for number in range(count)]


def names(sizes: Sizes) -> list[Comparison]:
    """Reading file names, and how many of those in the tests are read right."""
    if importlib.util.find_spec("guessit") is None:
        return []
    guess = importlib.import_module("guessit").guessit
    options = {"episode_prefer_number": True}
    guesses = min(sizes.guesses, sizes.names)
    sample, all_names = file_names(guesses), file_names(sizes.names)
    ours, other = by_turns(
        lambda: Taken(*(each * sizes.names / guesses for each in timed(lambda: [guess(name, options) for name in sample]))),
        lambda: timed(lambda: [parse(name) for name in all_names]),
        rounds=min(sizes.rounds, 3),
    )
    expected = _expected()
    right = _count_right(expected, _parsed)
    guessed = _count_right(expected, lambda name: _guessed(guess(name, options)))
    return [
        compared(
            f"parsing {sizes.names:,} file names",
            "guessit",
            Goal("faster", 300),
            ours,
            other,
            note=f"guessit reads {guesses:,} of them, scaled; of {len(expected)} episodes and movies on the list in the tests "
            f"{right} are read right, by guessit {guessed}",
            broken="guessit has more right" if guessed > right else "",
        )
    ]


def _expected() -> Mapping[str, Answer]:
    """Kind, title, year, season and episodes by name."""
    lists = runpy.run_path(str(_LISTS))
    episodes = {name: ("episode", *facts[:4]) for name, facts in lists["EPISODES"].items()}
    movies = {name: ("movie", *facts, None, ()) for name, facts in lists["MOVIES"].items()}
    return episodes | movies


def _count_right(expected: Mapping[str, Answer], read: Callable[[str], Answer]) -> int:
    return sum(read(name) == answer for name, answer in expected.items())


def _parsed(name: str) -> Answer:
    found = parse(name)
    return () if found is None else (found.kind, found.title, found.year, found.season_number, found.episode_numbers)


def _guessed(guess: Mapping[str, Any]) -> Answer:
    episodes: Sequence[int] | int = guess.get("episode", ())
    numbers = (episodes,) if isinstance(episodes, int) else tuple(episodes)
    return guess.get("type"), guess.get("title"), guess.get("year"), guess.get("season"), numbers
