"""Drafts that look like a station's, and an importer and an enricher that do what a test says."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs

from retrovue_uow import AssetDraft, Collection, FoundCollection, IngestFilters, PathMapping
from retrovue_uow.model import Json

ROOT = "/media"
"""Where the source paths of `drafts` begin; map it to a folder that has something in it."""
_SHOWS = ("Captain Comet", "Space Patrol 2000", "The Moon Men", "Dr. Static & Friends", "Ärger im Äther", "Late Night: Live!")
_MOVIES = ("Night of the Robots", "10 Ways to Leave Earth", "2010 Odyssey", "The Long Way Home", "Christmas on Mars")
_INTERSTITIALS = ("commercial", "bumper", "promo", "psa", "station_id", "trailer", "filler")
_EPISODES_PER_SEASON = 13


def drafts(n: int, *, seed: int = 0) -> list[AssetDraft]:
    """`n` drafts of a station's files, already identified: episodes of several shows, movies, interstitials.

    Each has a path of its own below `/media`; equal arguments give equal drafts. None has a duration: that is an enricher's.
    """
    chance = random.Random(seed)  # noqa: S311  it draws titles
    numbers: Counter[str] = Counter()
    return [_draft(chance, numbers) for _ in range(n)]


def _draft(chance: random.Random, numbers: Counter[str]) -> AssetDraft:
    facts: dict[str, Any]
    match chance.choices(("episode", "movie", "interstitial"), (6, 2, 3))[0]:
        case "episode":
            show = chance.choice(_SHOWS)
            season, number = (each + 1 for each in divmod(numbers[show], _EPISODES_PER_SEASON))
            numbers[show] += 1
            path = f"{show}/Season {season:02}/{show} - S{season:02}E{number:02}.mkv"
            facts = {"kind": "episode", "title": show, "season_number": season, "episode_numbers": (number,)}
        case "movie":
            name, year = chance.choice(_MOVIES), chance.randrange(1950, 1990)
            numbers[name] += 1
            path = f"Movies/{name} ({year}) - copy {numbers[name]}.mkv"
            facts = {"kind": "movie", "title": name, "year": year}
        case _:
            kind = chance.choice(_INTERSTITIALS)
            numbers[kind] += 1
            path, facts = f"Interstitials/{kind} {numbers[kind]}.mp4", {"kind": kind}
    size, mtime_ns = chance.randrange(10**6, 10**9), chance.randrange(10**18, 2 * 10**18)
    return AssetDraft(f"{ROOT}/{path}", f"{ROOT}/{path}", size=size, mtime_ns=mtime_ns, sidecars=(), **facts)


@attrs.define
class FakeImporter:
    """An importer of given drafts, whose files lie below its collection's first mapping. Serves as its own factory.

    Attributes:
        drafts: What it finds. A path below `/media` stands for one below the mapping; any other thing is yielded as it is.
        found: The collections that it says its source has.
        fail_at: The draft, counted from 1 in each discovery, at which it raises.
        unreachable: What `check` raises, if anything.
    """

    drafts: Iterable[Any] = ()
    found: Sequence[FoundCollection] = ()
    fail_at: int | None = None
    unreachable: Exception | None = None

    def __call__(self, config: Json) -> FakeImporter:
        return self

    def check(self) -> None:
        """Raise `unreachable`."""
        if self.unreachable is not None:
            raise self.unreachable

    def collections(self) -> Sequence[FoundCollection]:
        """`found`."""
        return self.found

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[Any]:
        """The drafts, each below the first mapping."""
        for number, found in enumerate(self.drafts, 1):
            if number == self.fail_at:
                raise RuntimeError(f"the fake importer fails at draft {number}")
            yield _below(mappings[0], found) if isinstance(found, AssetDraft) else found


def _below(mapping: PathMapping, draft: AssetDraft) -> AssetDraft:
    if not str(draft.source_path).startswith(f"{ROOT}/"):
        return draft
    file_path, source_path = draft.file_path, mapping.source_path + draft.source_path.removeprefix(ROOT)
    if file_path.startswith(f"{ROOT}/"):
        file_path = mapping.local_path + file_path.removeprefix(ROOT)
    return attrs.evolve(draft, file_path=file_path, source_path=source_path)


def _measured(draft: AssetDraft) -> AssetDraft:
    return attrs.evolve(draft, duration_ms=60_000)


@attrs.define(eq=False)
class FakeEnricher:
    """An enricher that counts its calls and, but for what it is told, measures a minute. Serves as its own factory.

    Attributes:
        fail_at: The call, counted from 1, that raises.
        hang_at: The call that does not return before `release`.
        returns: Makes what `enrich` returns out of the draft.
        timeout_s: Seconds that a call may take: 60, or half a second where one hangs.
        unavailable: What `check` raises, if anything.
        version: As an enricher states it; so is `cached_by`.
        seen: The source paths that it was shown, in the order of the calls.
    """

    fail_at: int | None = None
    hang_at: int | None = None
    returns: Callable[[AssetDraft], Any] = _measured
    timeout_s: float = attrs.field()
    unavailable: Exception | None = None
    version: str = "1"
    cached_by: str | None = None
    seen: list[str] = attrs.field(factory=list, init=False)
    _released: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _counting: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    @timeout_s.default
    def _patience(self) -> float:
        return 60 if self.hang_at is None else 0.5

    def __call__(self, config: Json) -> FakeEnricher:
        return self

    def check(self) -> None:
        """Raise `unavailable`."""
        if self.unavailable is not None:
            raise self.unavailable

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        """The draft with a duration, or what the test wants."""
        with self._counting:
            self.seen.append(draft.source_path)
            number = len(self.seen)
        if number == self.fail_at:
            raise RuntimeError(f"the fake enricher fails at call {number}")
        if number == self.hang_at:
            self._released.wait()
        told: AssetDraft = self.returns(draft)
        return told

    def release(self) -> None:
        """Let the call that hangs, and any later one, return."""
        self._released.set()


fake_importer = FakeImporter
"""An importer to be given to `Catalog(importers=…)`."""
fake_enricher = FakeEnricher
"""An enricher to be given to `Catalog(enrichers=…)`."""
