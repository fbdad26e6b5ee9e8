"""NFO files beside the media: which ones count, and the facts in them (https://kodi.wiki/view/NFO_files)."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal
from xml.etree import ElementTree

import attrs

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.log import logger
from retrovue_uow.media.filenames import has_episode_marker, parse
from retrovue_uow.media.folders import place_below
from retrovue_uow.media.plugins import refuse_unknown_keys
from retrovue_uow.media.titles import is_plausible_year, same_name
from retrovue_uow.model import INTERSTITIAL_KINDS, AssetDraft, Json, Sidecar

NfoKind = Literal["tvshow", "episodedetails", "movie"]

SHOW_SIDECAR = "tvshow.nfo"
"""Looked for in a file's own folder and those above it, up to the mapped root; the nearest one counts."""
MOVIE_SIDECAR = "movie.nfo"
MAX_BYTES = 2**20
MAX_DEPTH = 50

_MULTI_EPISODE = "xbmcmultiepisode"
_KINDS: Mapping[str, NfoKind] = {"tvshow": "tvshow", "episodedetails": "episodedetails", "movie": "movie"}
_KNOWN_ROOT = re.compile(rf"<(?:{'|'.join(_KINDS)}|{_MULTI_EPISODE})[\s/>]", re.IGNORECASE)
_FORBIDDEN = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"<\?xml\s[^<>]*>", re.IGNORECASE)
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BARE_AMPERSAND = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z))|&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-fA-F]+);)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,6}")
_QUOTED = 40
"""Characters of a wrong value that an error quotes."""
_YEAR = re.compile(r"([0-9]{4})(?![0-9])")
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

_TEXTS = (
    *("title", "originaltitle", "sorttitle", "showtitle", "plot", "outline", "tagline", "mpaa", "premiered", "aired"),
    *("status", "year", "season", "episode"),
)
_LISTS = {
    "genre": "genres",
    "studio": "studios",
    "country": "countries",
    "director": "directors",
    "credits": "credits",
    "tag": "tags",
}


@attrs.frozen
class NfoFacts:
    """The facts that one root element of an NFO file states.

    Attributes:
        title: Of the show, movie or episode that it describes.
        year: First year of the show or movie; None for an episode, whose year is not its show's.
        facts: JSON values, all that is worth keeping beside the identity. `runtime` is what the file claims, in minutes
            where it is a number.
    """

    kind: NfoKind
    title: str | None = None
    year: int | None = None
    show_title: str | None = None
    season_number: int | None = None
    episode_number: int | None = None
    facts: Json = attrs.field(factory=dict)


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


def parse_nfo(text: str, path: str = "NFO text") -> tuple[NfoFacts, ...]:
    """The facts in the text, a value per root element of a known kind; empty where it is no XML, such as a mere URL.

    Tolerated: several roots, a bare `&`, text and URLs around the roots.

    Raises:
        ValidationError: a DTD or entity declaration, XML that is malformed beyond that or nested deeper than 50, or a
            season or episode that is no number from 0. `path` is what the message names.
    """
    if _FORBIDDEN.search(text):
        raise ValidationError(f"NFO file {path!r} declares a document type or entities: remove the declaration")
    if not text.lstrip().startswith("<") and not _KNOWN_ROOT.search(text):
        return ()
    return tuple(_facts(element, kind, path) for element, kind in _known_roots(_tree(text, path)))


def _tree(text: str, path: str) -> ElementTree.Element:
    body = _BARE_AMPERSAND.sub(lambda found: found[1] or "&amp;", _XML_DECLARATION.sub("", text))
    parser = ElementTree.XMLParser(target=_ShallowBuilder(path))  # noqa: S314  entities are refused before
    try:
        parser.feed(f"<nfo>{body}</nfo>")
        root = parser.close()
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: lone surrogates
        raise ValidationError(f"NFO file {path!r} is not well-formed XML ({error}): mend it or remove it") from error
    if not isinstance(root, ElementTree.Element):
        raise ValidationError(f"NFO file {path!r} is not well-formed XML: mend it or remove it")
    return root


class _ShallowBuilder(ElementTree.TreeBuilder):
    """Builds a tree no deeper than MAX_DEPTH below the wrapper around the roots."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._depth = -1

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValidationError(f"NFO file {self._path!r} is nested deeper than {MAX_DEPTH}: mend it or remove it")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def _known_roots(wrapper: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, NfoKind]]:
    for root in wrapper:
        tag = root.tag.casefold()
        if tag == _MULTI_EPISODE:
            yield from _known_roots(root)
        elif tag in _KINDS:
            yield root, _KINDS[tag]


def _facts(root: ElementTree.Element, kind: NfoKind, path: str) -> NfoFacts:
    children: dict[str, list[ElementTree.Element]] = {}
    for child in root:
        children.setdefault(child.tag.casefold(), []).append(child)
    is_episode = kind == "episodedetails"
    stated = [_YEAR.match(text) for tag in ("year", "premiered", "aired") for text in _texts(children, tag)]
    years = filter(is_plausible_year, [int(found[1]) for found in stated if found])
    return NfoFacts(
        kind=kind,
        title=_first(children, "title"),
        year=None if is_episode else next(years, None),
        show_title=_first(children, "showtitle"),
        season_number=_number(children, "season", path) if is_episode else None,
        episode_number=_number(children, "episode", path) if is_episode else None,
        facts=_kept(children),
    )


_Children = Mapping[str, Sequence[ElementTree.Element]]


def _text(element: ElementTree.Element | None) -> str:
    """The element's text on one line, composed as file names are."""
    if element is None:
        return ""
    return unicodedata.normalize("NFC", " ".join("".join(element.itertext()).split()))


def _texts(children: _Children, tag: str) -> list[str]:
    return [text for text in map(_text, children.get(tag, ())) if text]


def _first(children: _Children, tag: str) -> str | None:
    return next(iter(_texts(children, tag)), None)


def _number(children: _Children, tag: str, path: str) -> int | None:
    text = _first(children, tag)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise ValidationError(f"NFO file {path!r} says {tag} {text[:_QUOTED]!r}: write a whole number from 0, or leave it out")
    return int(text)


def _kept(children: _Children) -> dict[str, object]:
    facts: dict[str, object] = {tag: _first(children, tag) for tag in _TEXTS}
    runtime = _first(children, "runtime")
    facts["runtime"] = int(runtime) if runtime and _NUMBER.fullmatch(runtime) else runtime
    for element in children.get("set", ())[:1]:  # `<set>Name</set>`, or since Kodi 16 `<set><name>Name</name>…</set>`
        name = element.find("name")
        facts["set"] = _text(element if name is None else name)
    facts.update({name: _texts(children, tag) for tag, name in _LISTS.items()})
    facts["uniqueids"] = {each.get("type", "unknown"): _text(each) for each in children.get("uniqueid", ()) if _text(each)}
    actors = [{tag: _text(each.find(tag)) for tag in ("name", "role")} for each in children.get("actor", ())]
    facts["actors"] = [{tag: text for tag, text in actor.items() if text} for actor in actors if actor["name"]]
    return {name: fact for name, fact in facts.items() if fact not in (None, "", [], {})}


class NfoEnricher:
    """Takes from the draft's NFO sidecars what they state; that outranks the file name. No settings.

    What counts: the nearest `tvshow.nfo`, and of the file's own the one named like it before `movie.nfo`, which speaks
    only for a file in a folder that matches the movie's title (as Kodi asks), unless the file name says something else.

    An interstitial stays one, whatever root its NFO has: Kodi knows no root for it. A draft becomes an episode only
    when show title, season and number are all known. Running times are not taken over: only probing measures.
    """

    version = "1"
    identifies = True

    def __init__(self, config: Json) -> None:
        refuse_unknown_keys(config, (), "the NFO enricher")

    def check(self) -> None:
        """Nothing is needed."""

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        """The draft with identity and metadata domain `sidecar` (`show`, `movie`, `episodes`) from its NFO files.

        Raises:
            ValidationError: an NFO file is refused (see `parse_nfo`), is larger than 1 MiB, is not in the encoding of
                its byte-order mark, describes both a movie and an episode, or episodes of several seasons.
            ResourceError: an NFO file cannot be read.
        """
        nfos = [sidecar for sidecar in draft.sidecars or () if sidecar.path.casefold().endswith(".nfo")]
        show = _nearest_show(nfos)
        own = _own(nfos, draft)
        known = {
            "show": show.facts if show else {},
            "movie": next((each.facts for each in own if each.kind == "movie"), {}),
            "episodes": [each.facts for each in own if each.kind == "episodedetails"],
        }
        kept = {name: facts for name, facts in known.items() if facts}
        if not kept:
            return draft
        draft = attrs.evolve(draft, metadata={**draft.metadata, "sidecar": kept})
        return draft if draft.kind in INTERSTITIAL_KINDS else _identified(draft, show, own)


def _name(sidecar: Sidecar) -> str:
    return os.path.basename(sidecar.path).casefold()


def _nearest_show(nfos: Iterable[Sidecar]) -> NfoFacts | None:
    shows = [sidecar for sidecar in nfos if _name(sidecar) == SHOW_SIDECAR]
    if not shows:
        return None
    nearest = max(shows, key=lambda sidecar: sidecar.path.count("/"))
    return next((each for each in _read(nearest) if each.kind == "tvshow"), None)


def _own(nfos: Sequence[Sidecar], draft: AssetDraft) -> tuple[NfoFacts, ...]:
    for sidecar in sorted(nfos, key=lambda sidecar: _name(sidecar) == MOVIE_SIDECAR):
        if _name(sidecar) == SHOW_SIDECAR:
            continue
        facts = tuple(each for each in _read(sidecar) if each.kind != "tvshow")
        _validate_one_story(facts, sidecar.path)
        if facts and _speaks_for(sidecar, facts, draft):
            return facts
    return ()


def _validate_one_story(facts: Sequence[NfoFacts], path: str) -> None:
    if len({each.kind for each in facts}) > 1:
        raise ValidationError(f"NFO file {path!r} describes both a movie and an episode: leave one of them")
    seasons = {each.season_number for each in facts if each.season_number is not None}
    if len(seasons) > 1:
        raise ValidationError(f"NFO file {path!r} has episodes of seasons {sorted(seasons)}: a file belongs to one season")


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


def _identified(draft: AssetDraft, show: NfoFacts | None, own: Sequence[NfoFacts]) -> AssetDraft:
    if own and own[0].kind == "movie":
        return _as_movie(draft, own[0])
    if own or draft.kind == "episode":
        return _as_episode(draft, show, own)
    return draft


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


def _as_episode(draft: AssetDraft, show: NfoFacts | None, episodes: Sequence[NfoFacts]) -> AssetDraft:
    known = draft if draft.kind in (None, "other", "episode") else attrs.evolve(draft, title=None, year=None)
    stated_titles = (show.title if show else None, *(each.show_title for each in episodes), known.title)
    title = next(filter(None, stated_titles), None)
    season_number = next((each.season_number for each in episodes if each.season_number is not None), known.season_number)
    numbers = sorted({each.episode_number for each in episodes if each.episode_number is not None})
    episode_numbers = tuple(numbers) or known.episode_numbers
    in_order = sorted(episodes, key=lambda each: each.episode_number or 0)
    episode_title = " / ".join(dict.fromkeys(each.title for each in in_order if each.title))
    if title is None or season_number is None or not episode_numbers:
        return draft
    return attrs.evolve(
        draft,
        kind="episode",
        title=title,
        year=show.year if show and show.year is not None else known.year,
        season_number=season_number,
        episode_numbers=episode_numbers,
        episode_title=episode_title or known.episode_title,
    )


def _read(sidecar: Sidecar) -> tuple[NfoFacts, ...]:
    try:
        with open(sidecar.path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ResourceError(f"NFO file {sidecar.path!r} is gone since it was found: ingest again") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ResourceError(f"NFO file {sidecar.path!r} exists but cannot be read ({error}): check it") from error
    if len(content) > MAX_BYTES:
        raise ValidationError(f"NFO file {sidecar.path!r} is larger than 1 MiB, so it is none: rename or remove it")
    return parse_nfo(_decoded(content, sidecar.path), sidecar.path)


def _decoded(content: bytes, path: str) -> str:
    for start, encoding in _BOMS:
        if not content.startswith(start):
            continue
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            raise ValidationError(f"NFO file {path!r} begins as {encoding} but is not: save it as UTF-8") from error
    for encoding in ("utf-8", *_believable(_DECLARED_ENCODING.search(content[:200]))):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("cp1252", errors="replace")


def _believable(declared: re.Match[bytes] | None) -> tuple[str, ...]:
    if declared is None:
        return ()
    try:
        encoding = codecs.lookup(declared[1].decode("ascii")).name
    except LookupError:
        return ()
    return (encoding,) if _SINGLE_BYTE_OR_ASIAN.fullmatch(encoding) else ()
