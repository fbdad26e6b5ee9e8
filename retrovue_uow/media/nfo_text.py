"""The text of NFO files: the facts in it, and what is wrong with it (https://kodi.wiki/view/NFO_files)."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html.entities import html5
from itertools import pairwise
from typing import Literal, cast
from xml.etree import ElementTree

import attrs

from retrovue_uow.media.titles import is_plausible_year
from retrovue_uow.model import Json

NfoKind = Literal["tvshow", "season", "episodedetails", "movie", "link"]

MAX_DEPTH = 50
MAX_NAME = 1000
"""Characters of a title, as in the schema."""
MAX_EPISODES = 100
"""Episodes that one file may hold: more are a slip in `episodenumberend`."""

_MULTI_EPISODE = "xbmcmultiepisode"
_KINDS: Mapping[str, NfoKind] = {
    "tvshow": "tvshow",
    "season": "season",
    "episodedetails": "episodedetails",
    "movie": "movie",
}
_KNOWN_ROOT = re.compile(rf"<(?:{'|'.join(_KINDS)}|{_MULTI_EPISODE})[\s/>]", re.IGNORECASE)
_DOCUMENT_TYPE = re.compile(r"<!\s*DOCTYPE[^\[\]<>]*(?:\[[^\[\]]*\]\s*)?>?", re.IGNORECASE)
_ENTITY = re.compile(r"<!\s*ENTITY", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"<\?xml\s[^<>]*>", re.IGNORECASE)
_NO_CHARACTER = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML forbids (https://www.w3.org/TR/xml/#charsets)."""
_FORBIDDEN_CHARACTER = "holds NULs or other characters that XML forbids, which are left out: write it anew"
_TO_MEND = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z))|<(?![^\W\d]|[:/!?])|&(?:(#?\w{1,32});)?", re.DOTALL)
_XML_ENTITIES = ("amp", "lt", "gt", "quot", "apos")
_NUMBER = re.compile(r"[0-9]{1,6}")
_DECIMAL = re.compile(r"[0-9]{1,4}(?:[.,][0-9]{1,6})?")
_YEAR = re.compile(r"([0-9]{4})(?![0-9])")
_QUOTED = 40
"""Characters of a wrong value that a warning quotes."""

_TEXTS = (
    *("title", "originaltitle", "sorttitle", "showtitle", "plot", "outline", "tagline", "mpaa", "certification"),
    *("customrating", "premiered", "aired", "releasedate", "status", "year", "season", "episode"),
)
_NUMBERS = (
    *("episodenumberend", "displayseason", "displayepisode", "displayafterseason"),
    *("airsbefore_season", "airsbefore_episode", "airsafter_season"),
)
_LISTS = {
    "genre": "genres",
    "studio": "studios",
    "country": "countries",
    "director": "directors",
    "credits": "credits",
    "tag": "tags",
}
_IMDB_ID = re.compile(r"tt[0-9]{7,9}")
_LINKS = {
    "imdb": re.compile(r"imdb\.com/title/(tt[0-9]{7,9})"),
    "tmdb": re.compile(r"themoviedb\.org/(?:movie|tv)/([0-9]{1,9})"),
    "tvdb": re.compile(r"thetvdb\.com/(?:dereferrer/\w{1,9}/|\S{0,99}?[?&](?:series)?id=)([0-9]{1,9})"),
}


@attrs.frozen
class NfoFacts:
    """The facts that one root element of an NFO file states, or its links.

    Attributes:
        title: Of the show, season, movie or episode that it describes.
        year: First year of the show or movie; None for an episode, whose year is not its show's.
        episode_numbers: Ascending; several where `episodenumberend` follows `episode`.
        facts: JSON values, all that is worth keeping beside the identity. `runtime` is what the file claims, in minutes
            where it is a number; `ratings` are out of ten.
    """

    kind: NfoKind
    title: str | None = None
    year: int | None = None
    show_title: str | None = None
    season_number: int | None = None
    episode_numbers: tuple[int, ...] = ()
    facts: Json = attrs.field(factory=dict)


@attrs.frozen
class Nfo:
    """What an NFO file says.

    Attributes:
        roots: A value per root element of a known kind. Where there is none, and links name ids, one of kind `link`.
        problems: What is wrong with it, in words that follow its name.
        is_whole: Whether it could be read to its end.
    """

    roots: tuple[NfoFacts, ...] = ()
    problems: tuple[str, ...] = ()
    is_whole: bool = True


def parse_nfo(text: str) -> Nfo:
    """What the text says; nothing where it is no XML and has no known link.

    Read without a word: several roots, bare `&`, entities of HTML, text and links around the roots. Read, and named as a
    problem: what XML forbids. Where it breaks off, or is nested deeper than 50, what is complete until there is read.
    """
    if not text.lstrip("\0 \t\r\n").startswith("<") and not _KNOWN_ROOT.search(text):
        return Nfo(_linked((), text), (_FORBIDDEN_CHARACTER,) if "\0" in text else ())
    body, problems = _mended(text)
    wrapper, error = _wrapped(body)
    if error:
        problems.append(f"is not well-formed XML ({error}), and what follows is not read: mend it or remove it")
    roots = tuple(_facts(element, kind, problems) for element, kind in _known_roots(wrapper))
    around = " ".join(filter(None, (wrapper.text, *(root.tail for root in wrapper))))
    return Nfo(_linked(roots, around), tuple(dict.fromkeys(problems)), is_whole=error is None)


def _mended(text: str) -> tuple[str, list[str]]:
    """The text without what XML forbids, and what that was."""
    if _ENTITY.search(text):
        return "", ["declares entities, so nothing of it is read: remove the declarations"]
    problems: list[str] = []
    body, count = _DOCUMENT_TYPE.subn(" ", text)
    if count:
        problems.append("declares a document type, which is left out: remove the declaration")
    body, count = _NO_CHARACTER.subn("", body)
    if count:
        problems.append(_FORBIDDEN_CHARACTER)
    return _TO_MEND.sub(partial(_piece, problems), _XML_DECLARATION.sub("", body)), problems


def _piece(problems: list[str], found: re.Match[str]) -> str:
    """A piece of the text as XML allows it: the match of `_TO_MEND`, a `<`, or a `&` and perhaps a name."""
    cdata, name = found.groups()
    if cdata or name in _XML_ENTITIES:
        return found[0]
    if found[0] == "<":
        problems.append("holds a '<' that begins no element: write &lt; there")
    if not name or not name.startswith("#"):
        return html.escape(html5.get(f"{name};", found[0]), quote=False)
    character = html.unescape(found[0])
    kept = _NO_CHARACTER.sub("", character).replace("\ufffd", "")
    if kept != character or not kept:
        problems.append(_FORBIDDEN_CHARACTER)
    return html.escape(kept, quote=False)


def _wrapped(body: str) -> tuple[ElementTree.Element, ElementTree.ParseError | None]:
    """An element around the roots, and where they break off: then without elements that have no end, but for the roots."""
    parser: ElementTree.XMLPullParser[ElementTree.Element] = ElementTree.XMLPullParser(("start", "end"))
    # Other events than these two would have no element.
    events = cast("Iterator[tuple[str, ElementTree.Element]]", parser.read_events())
    wrapper, unfinished, broken = ElementTree.Element("nfo"), list[ElementTree.Element](), None
    try:
        parser.feed(f"<nfo>{body}</nfo>")
        for event, element in events:
            if event == "end":
                unfinished.pop()
                continue
            if len(unfinished) > MAX_DEPTH:
                unfinished[-1].clear()  # the parser has read on by itself
                raise ElementTree.ParseError(f"elements nested deeper than {MAX_DEPTH}")
            wrapper = unfinished[0] if unfinished else element
            unfinished.append(element)
        parser.close()
    except ElementTree.ParseError as error:
        broken = error
    for parent, child in pairwise(unfinished):
        if child.tag.casefold() not in (*_KINDS, _MULTI_EPISODE):
            parent.remove(child)
            break
    return wrapper, broken


def _known_roots(wrapper: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, NfoKind]]:
    for root in wrapper:
        tag = root.tag.casefold()
        if tag == _MULTI_EPISODE:
            yield from _known_roots(root)
        elif tag in _KINDS:
            yield root, _KINDS[tag]


def _linked(roots: tuple[NfoFacts, ...], text: str) -> tuple[NfoFacts, ...]:
    """The roots, where the first one has the ids that links in the text name, too; links alone are facts of their own."""
    ids = {site: found[1] for site, link in _LINKS.items() if (found := link.search(text))}
    if not ids:
        return roots
    first, *others = roots or (NfoFacts("link"),)
    known = first.facts.get("uniqueids")
    merged = {**ids, **(known if isinstance(known, dict) else {})}
    return (attrs.evolve(first, facts={**first.facts, "uniqueids": merged}), *others)


def _facts(root: ElementTree.Element, kind: NfoKind, problems: list[str]) -> NfoFacts:
    children: dict[str, list[ElementTree.Element]] = {}
    for child in root:
        children.setdefault(child.tag.casefold(), []).append(child)
    is_episode = kind == "episodedetails"
    stated = [_YEAR.match(text) for tag in ("year", "premiered", "aired", "releasedate") for text in _texts(children, tag)]
    years = filter(is_plausible_year, [int(found[1]) for found in stated if found])
    season_tag = {"episodedetails": "season", "season": "seasonnumber"}.get(kind)
    return NfoFacts(
        kind=kind,
        title=_name(children, "title", problems),
        year=None if is_episode else next(years, None),
        show_title=_name(children, "showtitle", problems),
        season_number=_number(children, season_tag, problems) if season_tag else None,
        episode_numbers=_episode_numbers(children, problems) if is_episode else (),
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


def _name(children: _Children, tag: str, problems: list[str]) -> str | None:
    name = _first(children, tag)
    if name is not None and len(name) > MAX_NAME:
        problems.append(f"has a {tag} of {len(name)} characters, more than {MAX_NAME}, which is left out: shorten it")
        return None
    return name


def _number(children: _Children, tag: str, problems: list[str]) -> int | None:
    text = _first(children, tag)
    if text is None or _NUMBER.fullmatch(text):
        return None if text is None else int(text)
    problems.append(f"says {tag} {text[:_QUOTED]!r}, which is left out: write a whole number from 0")
    return None


def _episode_numbers(children: _Children, problems: list[str]) -> tuple[int, ...]:
    first = _number(children, "episode", problems)
    last = _number(children, "episodenumberend", problems)
    if first is None:
        return ()
    if last is not None and not first <= last < first + MAX_EPISODES:
        problems.append(f"says episodenumberend {last} to episode {first}, which is left out: write the last one in the file")
        last = None
    return tuple(range(first, (first if last is None else last) + 1))


def _kept(children: _Children) -> dict[str, object]:
    facts: dict[str, object] = {tag: _first(children, tag) for tag in _TEXTS if tag in children}
    numbers = {tag: _first(children, tag) or "" for tag in _NUMBERS if tag in children}
    # Kodi writes -1 where there is no such number.
    facts.update({tag: int(text) for tag, text in numbers.items() if _NUMBER.fullmatch(text)})
    runtime = _first(children, "runtime")
    facts["runtime"] = int(runtime) if runtime and _NUMBER.fullmatch(runtime) else runtime
    for element in children.get("set", ())[:1]:  # `<set>Name</set>`, or since Kodi 16 `<set><name>Name</name>…</set>`
        name = element.find("name")
        facts["set"] = _text(element if name is None else name)
    facts.update({name: _texts(children, tag) for tag, name in _LISTS.items() if tag in children})
    facts["uniqueids"] = _ids(children)
    defaults = (each for each in children.get("uniqueid", ()) if each.get("default", "").casefold() == "true")
    facts["default_uniqueid"] = next((each.get("type") for each in defaults), None)
    facts["ratings"] = _ratings(children)
    facts["named_seasons"] = {each.get("number", ""): _text(each) for each in children.get("namedseason", ()) if _text(each)}
    actors = [{tag: _text(each.find(tag)) for tag in ("name", "role")} for each in children.get("actor", ())]
    facts["actors"] = [{tag: text for tag, text in actor.items() if text} for actor in actors if actor["name"]]
    return {name: fact for name, fact in facts.items() if fact not in (None, "", [], {})}


def _ids(children: _Children) -> dict[str, str]:
    """Ids by their sites: `uniqueid`, then `imdbid` and its kin, then `id`, whose site shows where it is IMDb's."""
    ids = {each.get("type") or "unknown": _text(each) for each in children.get("uniqueid", ()) if _text(each)}
    for site in _LINKS:
        for stated in (*_texts(children, f"{site}id"), *_texts(children, f"{site}_id")):
            ids.setdefault(site, stated)
    for stated in _texts(children, "id"):
        if _IMDB_ID.fullmatch(stated):
            ids.setdefault("imdb", stated)
        elif not ids and stated not in ("0", "-1"):
            ids["unknown"] = stated
    return ids


def _ratings(children: _Children) -> dict[str, object]:
    """Ratings by their sites, out of ten; `<rating>` and `<votes>` alone, as before Kodi 17, are the site `default`."""
    stated = [
        (rating.get("name", "default"), rating, _text(rating.find("value")), _text(rating.find("votes")))
        for ratings in children.get("ratings", ())
        for rating in ratings
    ] or [("default", rating, _text(rating), _first(children, "votes") or "") for rating in children.get("rating", ())]
    found: dict[str, object] = {}
    for site, rating, value, votes in stated:
        most = rating.get("max", "10")
        if not _DECIMAL.fullmatch(value) or not _NUMBER.fullmatch(most) or int(most) < 1:
            continue
        out_of_ten = round(float(value.replace(",", ".")) / int(most) * 10, 3)
        count = "".join(re.findall("[0-9]", votes))[:9]
        if 0 < out_of_ten <= 10:
            found[site] = {"value": out_of_ten, **({"votes": int(count)} if count else {})}
    return found
