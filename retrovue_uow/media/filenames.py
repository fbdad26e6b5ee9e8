"""Facts read from a file's path, by the conventions of Plex, Kodi, Jellyfin and Sonarr."""

from __future__ import annotations

import importlib
import os
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial

import attrs

from retrovue_uow.errors import ResourceError, ValidationError, loading
from retrovue_uow.media.folders import Place, is_library_folder, place_below
from retrovue_uow.media.movies import PartsBeside, movie_in, part_of, parts_by_name
from retrovue_uow.media.numbering import (
    DATE,
    SEASON_WORD,
    Marker,
    Numbering,
    common_numbering,
    leading_episodes,
    marker_in,
)
from retrovue_uow.media.paths import canonical_key, mapping_for
from retrovue_uow.media.plugins import refuse_unknown_keys
from retrovue_uow.media.titles import (
    LAST_BARE_YEAR,
    NameAndYear,
    before_tags,
    cleaned,
    dotted_year_titled,
    is_plausible_year,
    leads_to_tag,
    only_year,
    same_name,
    titled,
    without_asides,
)
from retrovue_uow.model import INTERSTITIAL_KINDS, AssetDraft, AssetKind, Json, PathMapping

_I = re.IGNORECASE | re.DOTALL
_EXTENSION = re.compile(r"\.(?=[0-9]*[a-z])[a-z0-9]{2,4}$", re.IGNORECASE)
_CLOSING_MARKUP = re.compile(r"\[/[a-z]+\]", re.IGNORECASE)
"""`[/b]`: no folder ends in a bracket that its file closes."""
_BREAK = re.compile(r"[ ._]*[-–][ ._]+|[ ._]+(?=(?:episode|ep|e|folge|special|sp)[ ._#-]*[0-9])", _I)  # noqa: RUF001
_GUESSIT_OPTIONS: Json = {"episode_prefer_number": True}
"""Without it *The 4400* is season 44."""
_RELEASE_FACTS = frozenset(
    ["audio_codec", "edition", "language", "release_group", "screen_size", "source", "streaming_service", "video_codec"]
)
_PREFIX = re.compile(
    r"\[?[ .]*www\.[^\s/\]]+\.[a-z]{2,12}[ .]*\]?[ ._-]+"
    r"|[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]) +(?=[^\W_])"
    r"|[\u3040-\u30ff\u3400-\u9fff]+\.(?=[a-z])",
    _I,
)
"""What stands before the name: a site, the six digits of a day, the Chinese or Japanese title before the English one."""
_SPACED = r"(?:.*[-_.]|.*[ ._][-–][ ._]|.*\)[ ._]?)"  # noqa: RUF001  people type the en dash
_DISC_FOLDER = re.compile(r"/(?:cd|dis[ck]|dvd)[ ._-]?0?([1-9])$", re.IGNORECASE)
_NO_SHOW_FOLDER = re.compile(
    rf"(?:/(?:{SEASON_WORD}[ ._-]?[0-9]{{1,4}}[ ._-][^/]*|(?:s[0-9]{{1,2}}[ ._-]?)?(?:cd|d|dis[ck]|dvd)[ ._-]?[0-9]{{1,2}}))+$",
    _I,
)
"""`Disc 2`, `S03D1`, `Season 3 - The Dark Years`: folders within a show's own, whose names are none of a show."""
_TRAILER = re.compile(r"(?:.*[^\s-]-)?trailer[0-9]*", _I)
_SPACED_TRAILER = re.compile(rf"{_SPACED}(?:(?:official|teaser)[ ._-])?trailer[ ._-]?[0-9]*", _I)
_EXTRA = re.compile(
    r".*-(?:behindthescenes|clip|deleted(?:scene)?|featurette|interview|scene|short|other)[0-9]*|(?:.*[-_.])?sample", _I
)
_SPACED_EXTRA = re.compile(
    rf"{_SPACED}(?:behind[ ._]?the[ ._]?scenes|clip|deleted[ ._]?scene|featurette|interview|sample)s?[ ._-]?[0-9]*", _I
)
"""Behind an episode's number, words so spaced are its title (`S01E02 - Trailer`)."""
_BRACKETED_NUMBER = re.compile(r"\[[0-9]{1,4}\]")
_SEASON = re.compile(rf"(?<![^\W_])(?:S|{SEASON_WORD} )[0-9]{{1,2}}(?![^\W_])", _I)
_TAIL_OF_SHOW = re.compile(rf"(?<=[^\W_])[ ._-]+(?:{DATE.pattern}|-[ ._]*[0-9]+(?:-[0-9]+)?|[0-9]{{2,4}}-[0-9]{{2,4}})[ ._-]*$")
"""Between show and marker: the day of the broadcast, absolute numbers (`Show - 31 - S02E03`)."""


@attrs.frozen
class ParsedName:
    """The facts that a path states.

    Attributes:
        title: Of the show or movie; None for an interstitial.
        year: Of the show or movie; for an interstitial the one year that its file name names.
        season_number: From 0; season 0 holds the specials.
        episode_numbers: Ascending.
        rule: The convention that matched: `SxxExx`, `NxNN`, `season_episode` (in words), `season_folder`, `special`,
            `movie_year`, `movie_bare_year`, `movie_late_year`, `movie_folder`, `interstitial_folder` or `trailer_suffix`; by
            the enricher also `siblings` (the numbers of the whole folder) or `guessit`.
        part: Of the movie or episode, from 1, where the file holds no more of it.
    """

    kind: AssetKind
    rule: str
    title: str | None = None
    year: int | None = None
    season_number: int | None = None
    episode_numbers: tuple[int, ...] = ()
    episode_title: str | None = None
    part: int | None = None


def parse(path: str, depth: int | None = None, beside: PartsBeside = dict) -> ParsedName | None:
    """The facts that the path states by itself; None where it follows no convention. Nothing is guessed, no file is touched.

    The show's name is the one before the marker, else the show folder's. The show folder (the one above the season
    folder) gives the year, and where both spell the same name, its spelling. A year without brackets is the show's where
    dots stand for spaces (`Batman.1966.S01E01`), but for a folder whose whole name it belongs to; else it stays part of the
    name (`Space 1999 S01E01`) unless the folder says that it is the year.

    Below a folder of interstitials a file is one, whatever its own name says: an operator sorts by folder, and
    `Commercials/Toys S01E02 1985.mkv` advertises toys. It is an episode only if it reads as one and a season folder, or
    a show folder with its year, stands below the folder of interstitials. `…-trailer` is a trailer anywhere.

    `CD1` and the like are no part of a title, and as a folder within a movie's own say which part is in it. `Part 1` may be one
    (of a story told in two movies): it counts a file's parts behind the movie's year or the release tags, and where the
    folder has the same movie with another number.

    Args:
        depth: How many of the folders lie below the mapped root; those above it may be called `Trailers`. None: all.
        beside: Gives what `parts_by_name` finds in the folder; it is asked only where a part may belong to a title.
    """
    folder, stem = _split(path)
    place = place_below(folder, depth)
    part = part_of(stem, place, beside)
    name = stem if part is None else part.name or folder.rpartition("/")[2]
    parsed = _parsed(name, place)
    if (disc := _DISC_FOLDER.search(folder)) and part is None and (parsed is None or parsed.kind == "movie"):
        above = place_below(folder[: disc.start()], depth and depth - 1)
        movie = _parsed(stem, above)
        is_its = movie is not None and movie.kind == "movie" and same_name(movie.title or "", above.name)
        return attrs.evolve(movie, part=int(disc[1])) if movie and is_its else parsed
    if parsed and parsed.kind == "episode" and place.season_number is None and (inner := _NO_SHOW_FOLDER.search(folder)):
        parsed = _parsed(name, place_below(folder[: inner.start()], depth and max(depth - inner[0].count("/"), 0)))
    if part is None or parsed is None or parsed.kind in INTERSTITIAL_KINDS:
        return parsed
    return attrs.evolve(parsed, part=part.number)


def stated_part(path: str, depth: int | None = None, beside: PartsBeside = dict) -> int | None:
    """The part of what the file holds, whatever that is."""
    folder, stem = _split(path)
    part = part_of(stem, place_below(folder, depth), beside)
    return None if part is None else part.number


def _parsed(stem: str, place: Place) -> ParsedName | None:
    marker = marker_in(stem)
    if _TRAILER.fullmatch(stem) or (marker is None and _SPACED_TRAILER.fullmatch(stem)):
        return ParsedName("trailer", "trailer_suffix", year=only_year(stem))
    if _is_extra(stem, marker):
        return None
    if place.interstitial is None:
        if marker or place.in_season:
            return _episode(stem, marker, place)
        movie = movie_in(stem, place)
        return movie and ParsedName("movie", movie[0], movie[1].name, movie[1].year)
    episode = _episode(stem, marker, place) if place.holds_episodes else None
    return episode or ParsedName(place.interstitial, "interstitial_folder", year=only_year(stem))


def _is_extra(stem: str, marker: Marker | None) -> bool:
    return bool(_EXTRA.fullmatch(stem) or (marker is None and _SPACED_EXTRA.fullmatch(stem)))


def has_episode_marker(file_name: str) -> bool:
    """Whether the name itself, without its folders, numbers an episode."""
    return marker_in(_split(file_name)[1]) is not None


def _split(path: str) -> tuple[str, str]:
    if path.startswith("file:"):
        path = urllib.parse.unquote(path)
    path = path.replace("\\", "/")
    folder, _, name = (_CLOSING_MARKUP.sub("", path) if "[/" in path else path).rpartition("/")
    prefix = _PREFIX.match(name)
    return folder, _EXTENSION.sub("", name[prefix.end() :] if prefix else name)


def _episode(stem: str, marker: Marker | None, place: Place) -> ParsedName | None:
    if marker is None:
        return _in_season_folder(stem, place) if place.in_season else None
    show = _show(stem[: marker.start], place)
    if not show.name or not marker.episode_numbers or (show.name != place.name and _SEASON.search(show.name)):
        return None
    return ParsedName(
        "episode",
        marker.rule,
        show.name,
        show.year,
        marker.season_number,
        marker.episode_numbers,
        _episode_title(stem[marker.end :]),
        marker.part,
    )


def _show(before: str, place: Place) -> NameAndYear:
    text = before_tags(before)
    if text is not before and (tag_end := leads_to_tag(before)):
        text = before[tag_end:].lstrip(" .:_-") or before
    text = _TAIL_OF_SHOW.sub("", text or before)
    own = titled(text)
    if not own.name or (place.season_number is not None and own.name.isdigit() and place.name):
        return NameAndYear(place.name, place.year or own.year)
    if same_name(own.name, place.name) or (place.year and same_name(own.name, f"{place.name} {place.year}")):
        return NameAndYear(place.name, place.year or own.year)
    own = dotted_year_titled(text) or own
    if same_name(own.name, place.name):
        return NameAndYear(place.name, place.year or own.year)
    return NameAndYear(own.name, (place.year or own.year) if place.season_number is not None else own.year)


def _episode_title(after: str) -> str | None:
    if not after:
        return None
    title = cleaned(before_tags(after).lstrip(" ._-–:)]"))  # noqa: RUF001  people type the en dash
    return None if not title or DATE.fullmatch(title) else title


def _in_season_folder(stem: str, place: Place) -> ParsedName | None:
    """`02 - Name`, `Episode 2`, `E02`, each also behind the show's own name."""
    if not place.name or place.season_number is None:
        return None
    text = _after_show_name(before_tags(without_asides(stem)).strip(" ._-"), place.name)
    found = leading_episodes(text, place.season_number)
    if found is None:
        return None
    episode_numbers, after = found
    rule = "season_folder" if place.season_number else "special"
    title = _episode_title(after)
    return ParsedName("episode", rule, place.name, place.year, place.season_number, episode_numbers, title)


def _after_show_name(text: str, show: str) -> str:
    if same_name(text, show):
        return ""
    for pause in _BREAK.finditer(text):
        if same_name(titled(text[: pause.start()]).name, show):
            return text[pause.end() :]
    return text


def _refuses(stem: str, place: Place) -> bool:
    """Whether the conventions know that a name which they do not read is no episode or movie, or contradicts itself."""
    repeats_season = place.season_number and re.search(rf"(?<![0-9]){place.season_number}[0-9]{{2}}(?![0-9])", stem)
    doubtful = marker_in(stem) or DATE.search(stem) or _BRACKETED_NUMBER.search(stem) or repeats_season
    return bool(doubtful or place.in_extras or _is_extra(stem, None))


def _confirmed(guess: ParsedName | None, place: Place) -> ParsedName | None:
    """The guess if the folder has the same title, or, where its name is no title, the same season."""
    if guess is None or guess.title is None or (None not in (guess.year, place.year) and guess.year != place.year):
        return None
    if place.name:
        begins = place.name.casefold().startswith(f"{guess.title} {guess.year}".casefold())
        return guess if begins or same_name(place.name, guess.title) else None
    return guess if place.season_number is not None and place.season_number == guess.season_number else None


class FilenameEnricher:
    """Classifies and names a draft by its source path; what the importer already knows stays.

    Where the path alone says nothing, the files beside it may: a folder whose files are numbered in one row is believed as a
    whole. What is read that way, or guessed, carries a warning.

    Configuration: `guessit` (default true): where guessit is installed it is asked for what the conventions do not read,
    and believed where it finds a complete episode or movie whose title or season the folder confirms.

    The year in an interstitial's name goes to the metadata (domain `filename`), as a draft's year is that of a title.
    """

    version = "4"
    identifies = True

    def __init__(self, config: Json) -> None:
        refuse_unknown_keys(config, ("guessit",), "the file-name enricher")
        wanted = config.get("guessit", True)
        if not isinstance(wanted, bool):
            raise ValidationError(f"the file-name enricher's 'guessit' is {wanted!r}, it must be true or false")
        self._guess = _Guess.installed() if wanted else None
        if self._guess is not None:
            self.version = f"{type(self).version}+guessit-{self._guess.version}"
        self._mappings: Mapping[str, PathMapping] = {}
        self._numberings: dict[tuple[str, str], Numbering | None] = {}
        self._parts_beside: dict[tuple[str, str], Mapping[str, Set[int]]] = {}

    def begin(self, mappings: Sequence[PathMapping]) -> None:
        """Below which roots the folders count."""
        self._mappings = {mapping.source_path: mapping for mapping in mappings}

    def check(self) -> None:
        """Nothing is needed."""

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        """Raises `ResourceError` where guessit breaks down on the path."""
        depth, beside = self._depth(draft.source_path), partial(self._parts, draft.file_path)
        stated = parse(draft.source_path, depth, beside)
        if draft.part is None and draft.kind not in INTERSTITIAL_KINDS:
            part = stated_part(draft.source_path, depth, beside) if stated is None else stated.part
            draft = attrs.evolve(draft, part=part) if part else draft
        parsed = stated or self._deduced(draft)
        if parsed is None or draft.kind not in (None, "other", parsed.kind):
            return draft
        if stated is None:
            teller = "guessit makes of its name" if parsed.rule == "guessit" else "the numbers of its whole folder say"
            warning = f"file {draft.file_path!r} is taken for what {teller}: see that it is right, or assign it"
            draft = attrs.evolve(draft, warnings=(*draft.warnings, warning))
        facts: dict[str, object] = {"rule": parsed.rule}
        if parsed.kind in INTERSTITIAL_KINDS and parsed.year is not None:
            facts["year"] = parsed.year
        filled = attrs.evolve(draft, kind=parsed.kind, metadata={**draft.metadata, "filename": facts})
        return filled if parsed.title is None else _identified(filled, parsed, parsed.title)

    def _depth(self, source_path: str) -> int | None:
        if not self._mappings:
            return None
        key = canonical_key(source_path)
        mapping = mapping_for(key, self._mappings)
        return None if mapping is None else key[len(mapping.source_path) :].strip("/").count("/")

    def _deduced(self, draft: AssetDraft) -> ParsedName | None:
        folder, stem = _split(draft.source_path)
        place = place_below(folder)
        # The row of a disc begins anew on each of them.
        is_aside = (
            place.in_extras or (place.season_number is not None and not place.in_season) or _NO_SHOW_FOLDER.search(folder)
        )
        numbering = None if is_aside else self._numbering(draft.file_path, place)
        if numbering is not None and stem in numbering.episodes:
            show = _show(numbering.show, place) if numbering.show else NameAndYear(place.name, place.year)
            number, after = numbering.episodes[stem]
            season = 1 if place.season_number is None else place.season_number
            return ParsedName("episode", "siblings", show.name, show.year, season, (number,), _episode_title(after))
        if self._guess is None or _refuses(stem, place):
            return None
        return _confirmed(self._guess.parse(draft.source_path), place)

    def _numbering(self, file_path: str, place: Place) -> Numbering | None:
        """That of the files beside it; they are listed once."""
        of = _folder_and_ending(file_path)
        if of not in self._numberings:
            self._numberings[of] = common_numbering(_names_of(*of), place.season_number, place.name)
        return self._numberings[of]

    def _parts(self, file_path: str) -> Mapping[str, Set[int]]:
        of = _folder_and_ending(file_path)
        if of not in self._parts_beside:
            self._parts_beside[of] = parts_by_name(_names_of(*of))
        return self._parts_beside[of]


def _folder_and_ending(file_path: str) -> tuple[str, str]:
    folder, name = os.path.split(file_path)
    return folder, os.path.splitext(name)[1].casefold()


def _names_of(folder: str, ending: str) -> list[str]:
    """The files with that ending, without it and without extras; none where the folder is not on this machine."""
    try:
        names = [each for each in os.listdir(folder) if each.casefold().endswith(ending)]
    except OSError:
        return []
    return [stem for stem in (_split(each)[1] for each in names) if not _is_extra(stem, None)]


def _identified(draft: AssetDraft, parsed: ParsedName, title: str) -> AssetDraft:
    """Fills what is unknown, where what it depends on agrees: a year needs its title, an episode its season."""
    if draft.title is None or same_name(draft.title, title):
        year = draft.year if draft.year is not None else parsed.year
        draft = attrs.evolve(draft, title=draft.title or title, year=year)
    if draft.season_number not in (None, parsed.season_number):
        return draft
    draft = attrs.evolve(
        draft,
        season_number=parsed.season_number,
        episode_numbers=draft.episode_numbers or parsed.episode_numbers,
    )
    if draft.episode_numbers != parsed.episode_numbers:
        return draft
    return attrs.evolve(draft, episode_title=draft.episode_title or parsed.episode_title)


class _Guess:
    """guessit, one call at a time: it configures itself anew in each."""

    def __init__(self, guess: Callable[[str, Json], Json], error: type[Exception], version: str) -> None:
        self.version = version
        self._guess = guess
        self._error = error
        self._lock = threading.Lock()

    @classmethod
    def installed(cls) -> _Guess | None:
        """None where guessit is not installed."""
        try:
            with loading("guessit"):
                module = importlib.import_module("guessit")
                api = importlib.import_module("guessit.api")
        except ModuleNotFoundError as error:
            if error.name != "guessit":
                raise ResourceError(
                    f"guessit is installed but lacks {error.name!r}: install it again, or configure guessit=false"
                ) from error
            return None
        return cls(module.guessit, api.GuessitException, str(module.__version__))

    def parse(self, path: str) -> ParsedName | None:
        """guessit is not shown the folders above that of a show or movie: they name a disk or a collection."""
        found = self._read(path, folders=2)
        return self._read(path, folders=1) if found is not None and found.kind == "movie" else found

    def _read(self, path: str, *, folders: int) -> ParsedName | None:
        shown = "/".join(path.replace("\\", "/").split("/")[-1 - folders :])
        try:
            with self._lock:
                guess = self._guess(shown, _GUESSIT_OPTIONS)
        except self._error as error:
            raise ResourceError(f"guessit broke down on {path!r}: exclude the file, or configure guessit=false") from error
        return _complete(guess)


def _complete(guess: Json) -> ParsedName | None:
    """The guess if it identifies an episode or movie in full."""
    title, year, other = guess.get("title"), guess.get("year"), guess.get("other")
    if not isinstance(title, str) or not title.strip() or is_library_folder(title):
        return None
    if not {"Extras", "Sample", "Trailer"}.isdisjoint(other if isinstance(other, list) else [other]):
        return None
    if not isinstance(year, int) or not is_plausible_year(year) or year > LAST_BARE_YEAR:
        year = None
    if guess.get("type") != "movie":
        return _guessed_episode(guess, title.strip(), year)
    # A year counts only beside release tags: *Space 1999* is not a movie of 1999.
    return ParsedName("movie", "guessit", title.strip(), year) if year and not _RELEASE_FACTS.isdisjoint(guess) else None


def _guessed_episode(guess: Json, title: str, year: int | None) -> ParsedName | None:
    season, stated, name = guess.get("season"), guess.get("episode"), guess.get("episode_title")
    numbers = stated if isinstance(stated, list) else [stated]
    episodes = tuple(sorted({number for number in numbers if isinstance(number, int) and number >= 0}))
    if not isinstance(season, int) or season == year or not episodes or "date" in guess:
        return None
    episode_title = name.strip() or None if isinstance(name, str) else None
    return ParsedName("episode", "guessit", title, year, season, episodes, episode_title)
