"""NFO files beside the media: which ones count, and what a draft takes from them (https://kodi.wiki/view/NFO_files)."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import attrs

from retrovue_uow.errors import BrokenFileError, ResourceError
from retrovue_uow.log import logger
from retrovue_uow.media.filenames import has_episode_marker, parse
from retrovue_uow.media.folders import place_below
from retrovue_uow.media.nfo_text import MAX_NAME, Nfo, NfoFacts, parse_nfo
from retrovue_uow.media.plugins import refuse_unknown_keys
from retrovue_uow.media.titles import same_name
from retrovue_uow.model import INTERSTITIAL_KINDS, AssetDraft, Json, Sidecar

SHOW_SIDECAR = "tvshow.nfo"
"""Looked for in a file's own folder and those above it, up to the mapped root; the nearest one counts."""
SEASON_SIDECAR = "season.nfo"
"""Looked for in a file's own folder, as Jellyfin writes it."""
MOVIE_SIDECAR = "movie.nfo"
MAX_BYTES = 2**20

_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_SINGLE_BYTE_OR_ASIAN = re.compile(
    r"iso8859-[0-9]+|cp(?:125[0-8]|437|850|932|949|950)|koi8-[ru]|mac-roman|shift_jis|euc_jp|euc_kr|gb2312|gbk|gb18030|big5"
)
"""A declaration is believed only if it names one of these: where it can be read byte by byte, UTF-16 is a slip."""


def own_sidecar(file_name: str) -> str:
    """Name, casefolded, of the NFO file that is called like this one file."""
    return f"{os.path.splitext(file_name)[0]}.nfo".casefold()


def own_sidecars(file_name: str) -> tuple[str, ...]:
    """Names, casefolded, of the NFO files that may stand for this one file in its own folder, the best first.

    `movie.nfo` is none for a numbered episode or a trailer; whether it speaks for another file, `NfoEnricher` judges.
    """
    own = own_sidecar(file_name)
    parsed = parse(file_name)
    if has_episode_marker(file_name) or (parsed is not None and parsed.kind == "trailer"):
        return (own,)
    return tuple(dict.fromkeys((own, MOVIE_SIDECAR)))


class NfoEnricher:
    """Takes from the draft's NFO sidecars what they state; that outranks the file name. No settings.

    What counts: the nearest `tvshow.nfo`, `season.nfo`, and of the file's own the one named like it before `movie.nfo`,
    which speaks only for a file in a folder that matches the movie's title (as Kodi asks), unless the file name says
    something else.

    An interstitial stays one, whatever root its NFO has: Kodi knows no root for it. A draft becomes an episode only
    when show title, season and number are all known. Running times are not taken over: only probing measures.

    What is wrong with an NFO file, and where it contradicts the file name, becomes a warning of the draft. The file name's
    season and episodes stay where the NFO breaks off, has no such numbers, or names only some of the episodes; `season.nfo`
    only tells a season that is not known.
    """

    version = "2"
    identifies = True

    def __init__(self, config: Json) -> None:
        refuse_unknown_keys(config, (), "the NFO enricher")
        self._read_of_folder = lru_cache(maxsize=256)(_read)  # all episodes of a show have the same

    def check(self) -> None:
        """Nothing is needed."""

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        """The draft with identity, warnings and metadata domain `sidecar` (`show`, `season`, `movie`, `episodes`, `file`).

        Raises:
            ResourceError: an NFO file cannot be read.
        """
        nfos = [sidecar for sidecar in draft.sidecars or () if sidecar.path.casefold().endswith(".nfo")]
        warnings: list[str] = []
        show = self._of_folder(nfos, SHOW_SIDECAR, "tvshow", warnings)
        season = self._of_folder(nfos, SEASON_SIDECAR, "season", warnings)
        own = _own(nfos, draft, warnings)
        identified = draft if draft.kind in INTERSTITIAL_KINDS else _identified(draft, show, season, own, warnings)
        if identified.kind == "episode" and season.season_number not in (None, identified.season_number):
            folder = os.path.dirname(draft.file_path)
            warnings.append(f"season.nfo in {folder!r} says season {season.season_number}, but files there are of another one")
            season = NfoFacts("season")
        known = {
            "show": show.facts,
            "season": season.facts if identified.kind == "episode" else {},
            "movie": next((each.facts for each in own.roots if each.kind == "movie"), {}),
            "episodes": [each.facts for each in own.roots if each.kind == "episodedetails"],
            "file": next((each.facts for each in own.roots if each.kind == "link"), {}),
        }
        kept = {name: facts for name, facts in known.items() if facts}
        metadata = {**draft.metadata, "sidecar": kept} if kept else draft.metadata
        return attrs.evolve(identified, metadata=metadata, warnings=(*draft.warnings, *warnings))

    def _of_folder(self, nfos: Iterable[Sidecar], name: str, kind: str, warnings: list[str]) -> NfoFacts:
        """What the nearest NFO of that name says of the show or season, or its links; nothing where there is none."""
        found = [sidecar for sidecar in nfos if _name(sidecar) == name]
        if not found:
            return NfoFacts("link")
        nfo = self._read_of_folder(max(found, key=lambda sidecar: sidecar.path.count("/")))
        warnings += nfo.problems
        return next((each for each in nfo.roots if each.kind in (kind, "link")), NfoFacts("link"))


@attrs.frozen
class _Own(Nfo):
    """What the file's own NFO says, of its `path`; nothing where it has none."""

    path: str = ""


def _name(sidecar: Sidecar) -> str:
    return os.path.basename(sidecar.path).casefold()


def _own(nfos: Sequence[Sidecar], draft: AssetDraft, warnings: list[str]) -> _Own:
    for sidecar in sorted(nfos, key=lambda sidecar: _name(sidecar) == MOVIE_SIDECAR):
        if _name(sidecar) in (SHOW_SIDECAR, SEASON_SIDECAR):
            continue
        nfo = _read(sidecar)
        warnings += nfo.problems
        facts = tuple(each for each in nfo.roots if each.kind in ("movie", "episodedetails", "link"))
        if facts and _is_one_story(facts, sidecar.path, warnings) and _speaks_for(sidecar, facts, draft):
            return _Own(facts, nfo.problems, nfo.is_whole, sidecar.path)
    return _Own()


def _is_one_story(facts: Sequence[NfoFacts], path: str, warnings: list[str]) -> bool:
    seasons = {each.season_number for each in facts if each.season_number is not None}
    if len({each.kind for each in facts}) > 1:
        warnings.append(f"NFO file {path!r} describes both a movie and an episode, so it does not count: leave one of them")
    elif len(seasons) > 1:
        told = " and ".join(map(str, sorted(seasons)[:3]))
        warnings.append(f"NFO file {path!r} has episodes of seasons {told}, so it does not count: a file belongs to one season")
    else:
        return True
    return False


def _speaks_for(sidecar: Sidecar, facts: Sequence[NfoFacts], draft: AssetDraft) -> bool:
    stem = os.path.splitext(os.path.basename(draft.file_path))[0].casefold()
    if _name(sidecar) != MOVIE_SIDECAR or stem == "movie":
        return True
    folder = place_below(os.path.dirname(draft.file_path)).name
    names = [name for each in facts for name in (each.title, each.facts.get("originaltitle")) if isinstance(name, str)]
    fits_folder = any(same_name(name, folder) for name in names)
    fits_draft = draft.title is None or any(same_name(name, draft.title) for name in (folder, *names))
    if fits_folder and fits_draft and draft.kind in (None, "other", "movie"):
        return True
    logger.debug("movie_nfo_ignored", path=sidecar.path, file=draft.file_path)
    return False


def _identified(draft: AssetDraft, show: NfoFacts, season: NfoFacts, own: _Own, warnings: list[str]) -> AssetDraft:
    kind = own.roots[0].kind if own.roots else "link"
    if kind == "movie":
        found = _as_movie(draft, own.roots[0])
    elif kind == "episodedetails" or draft.kind == "episode":
        found = _as_episode(draft, show, season, own)
    else:
        return draft
    before, after = _in_words(draft), _in_words(found)
    if own.path and before and before != after:
        warnings.append(
            f"NFO file {own.path!r} says {after}, the file name {before}: the NFO counts, mend the one that is wrong"
        )
    return found


def _in_words(draft: AssetDraft) -> str:
    if draft.kind == "movie":
        return "a movie"
    if draft.kind != "episode" and not draft.episode_numbers:
        return ""
    season = "" if draft.season_number is None else f"S{draft.season_number:02}"
    return f"episode {season}" + "".join(f"E{number:02}" for number in draft.episode_numbers)


def _as_movie(draft: AssetDraft, movie: NfoFacts) -> AssetDraft:
    known = draft if draft.kind in (None, "other", "movie") else attrs.evolve(draft, title=None, year=None)
    title = movie.title or known.title
    if title is None:
        return draft
    return attrs.evolve(
        draft,
        kind="movie",
        title=title,
        year=known.year if movie.year is None else movie.year,
        season_number=None,
        episode_numbers=(),
        episode_title=None,
    )


def _as_episode(draft: AssetDraft, show: NfoFacts, season: NfoFacts, own: _Own) -> AssetDraft:
    known = draft if draft.kind in (None, "other", "episode") else attrs.evolve(draft, title=None, year=None)
    episodes = [each for each in own.roots if each.kind == "episodedetails"]
    title = next(filter(None, (show.title, *(each.show_title for each in episodes), known.title)), None)
    seasons = (*(each.season_number for each in episodes), known.season_number, season.season_number)
    season_number = next((number for number in seasons if number is not None), None)
    numbers = {number for each in episodes for number in each.episode_numbers}
    episode_numbers = tuple(sorted(numbers)) or known.episode_numbers
    is_part = season_number == known.season_number and numbers <= set(known.episode_numbers)
    if known.episode_numbers and known.season_number is not None and (is_part or not own.is_whole):
        season_number, episode_numbers = known.season_number, known.episode_numbers
    in_order = sorted(episodes, key=lambda each: each.episode_numbers)
    names = tuple(dict.fromkeys(each.title for each in in_order if each.title))
    if title is None or season_number is None or not episode_numbers:
        return draft
    return attrs.evolve(
        draft,
        kind="episode",
        title=title,
        year=known.year if show.year is None else show.year,
        season_number=season_number,
        episode_numbers=episode_numbers,
        episode_title=" / ".join(names)[:MAX_NAME].strip() or known.episode_title,
    )


def _read(sidecar: Sidecar) -> Nfo:
    """What the file says, its problems as sentences."""
    problems: list[str] = []
    try:
        with open(sidecar.path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise BrokenFileError(
            f"NFO file {sidecar.path!r} is gone since it was found: ingest again", path=sidecar.path
        ) from error
    except PermissionError as error:
        content = b""
        problems.append(f"cannot be read ({error.strerror}): allow it, and touch the file")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ResourceError(f"NFO file {sidecar.path!r} exists but cannot be read ({error}): check it") from error
    if len(content) > MAX_BYTES:
        problems.append("is larger than 1 MiB, so it is none: rename or remove it")
        content = b""
    nfo = parse_nfo(_decoded(content, problems))
    return attrs.evolve(nfo, problems=tuple(f"NFO file {sidecar.path!r} {problem}" for problem in (*problems, *nfo.problems)))


def _decoded(content: bytes, problems: list[str]) -> str:
    for start, encoding in _BOMS:
        if not content.startswith(start):
            continue
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            problems.append(f"begins as {encoding} but is not: save it as UTF-8")
        if encoding != "utf-8-sig":
            return content.decode(encoding, errors="ignore")
        content = content.removeprefix(start)
    begins_as_utf8 = False
    for encoding in ("utf-8", *_believable(_DECLARED_ENCODING.search(content[:200]))):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            begins_as_utf8 |= encoding == "utf-8" and not content[: error.start].isascii()
    if not begins_as_utf8:
        return content.decode("cp1252", errors="replace")
    problems.append("is not UTF-8 to its end, and what is not is left out: save it as UTF-8")
    return content.decode("utf-8", errors="ignore")


def _believable(declared: re.Match[bytes] | None) -> tuple[str, ...]:
    if declared is None:
        return ()
    try:
        encoding = codecs.lookup(declared[1].decode("ascii")).name
    except LookupError:
        return ()
    return (encoding,) if _SINGLE_BYTE_OR_ASIAN.fullmatch(encoding) else ()
