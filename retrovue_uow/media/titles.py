"""Names and years out of the text that people and release groups write in file and folder names."""

from __future__ import annotations

import re
import unicodedata

import attrs

FIRST_YEAR = 1888
LAST_YEAR = 2100
LAST_BARE_YEAR = 2039
"""A later year without brackets belongs to the name: nobody has filmed in 2049, but there is *Blade Runner 2049*."""

_BRACKETED_YEAR = re.compile(r"[(\[]([0-9]{4})(?:[-–](?:[0-9]{4})?)?[)\]]")  # noqa: RUF001  people type the en dash
_LONE_YEAR = re.compile(r"(?<![^\W_])(?:18|19|20)[0-9]{2}(?![^\W_])")
_BARE_YEAR = re.compile(r"(?<=[^ ._-])[ ._-]+((?:18|19|20)[0-9]{2})(?![^\W_])")
_BARE_YEAR_AT_END = re.compile(r"(?<=[^ ._-])[ ._-]+((?:18|19|20)[0-9]{2})[ ._-]*$")
_ASIDE = re.compile(r"\{[^{}]*\}|\[(?![0-9]{4}\])[^\[\]]*\]")
_ACRONYM = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.)+[^\W\d_](?![^\W_])\.?")
_ENDS_IN_ACRONYM = re.compile(r"(?<![^\W_])[^\W\d_]\.[^\W\d_]\.$")
_READABLE = re.compile(r"[^\W_]")
_NOT_READABLE = re.compile(r"[\W_]+")
_TAG_TEXT = r"""(?<![^\W_])(?:
        (?=[0-9]) (?: [0-9]{3,4}[pi] | [0-9]{3,4}x[0-9]{3,4} | [48]k | (?:8|10)bit )
      | a (?: v1 | ac(?:[ .]?[0-9][ .][0-9])? | c-?3 )
      | b (?: lu-?ray | [dr]-?rip | dremux | d(?:25|50) )
      | d (?: ivx | vd-?rip | vd-?scr | vd[59r] | sr | ts(?:-?hd)? | dp?[ .]?[257][ .][01] )
      | e-?ac-?3 | flac
      | h (?: [ .]?26[45] | evc | dr(?:10)? | dtv | ddvd | d-?cam | d-?ts | d-?rip )
      | ld-?rip | pdtv | remux
      | s (?: dtv | at-?rip )
      | t (?: elesync | ruehd | v-?rip )
      | uhd
      | v (?: p9 | hs-?rip )
      | web (?: [ .-]?(?:dl(?:rip)?|rip) | (?=[ ._-]+(?:[xh][ .]?26|[0-9]{3,4}p)) )
      | x (?: [ .]?26[45] | vid )
    )(?![^\W_])"""
"""Resolutions, codecs, sources and sounds, by their first letters."""
_TAG = re.compile(_TAG_TEXT, re.IGNORECASE | re.VERBOSE)
_TAG_NEXT = re.compile(rf"[ ._()\[\]-]*{_TAG_TEXT}", re.IGNORECASE | re.VERBOSE)
_CUT = r"[ ._](?:cut|edition|version)"
_LOOSE_TAG = (
    r"(?:proper|repack|rerip|internal|remastered|restored|extended|unrated|uncut|uncensored|theatrical|limited|dvd|vhs|laserdisc|3d"
    r"|colou?ri[sz]ed|criterion|multi|dubbed|subbed|amzn|nf|dsnp|hulu|imax|open[ ._]matte"
    rf"|(?:director'?s|final|special|criterion){_CUT})"
)
_PART = r"(?:part|pt|cd|disc|disk)[ ._]?[0-9a-d]"
"""Between year and tags, or behind the year, it belongs to no title; elsewhere it may (*The Long Night Part 2*)."""
_EDITION_AT_END = re.compile(
    rf"(?<=[^\W_])[ ._([-]+(?:(?:extended|unrated|uncensored|remastered)(?:{_CUT})?"
    rf"|(?<=[a-z][ ._])(?-i:OM)"
    rf"|(?:uncut|theatrical|director'?s|special|criterion|collector'?s|ultimate|anniversary|limited){_CUT})[ ._)\]-]*$",
    re.IGNORECASE,
)
"""An edition before the year: only words that end no title, as *The Darjeeling Limited* and *The Final Cut* do."""
_LANGUAGE = (
    r"(?:(?:true|sub)?french|german|english|italian|ita|spanish|castellano|latino|portuguese|dutch|flemish|nordic|swedish"
    r"|norwegian|danish|finnish|polish|russian|czech|hungarian|turkish|greek|hindi|telugu|tamil|japanese|korean|chinese"
    r"|mandarin|cantonese|vf|vff|vo|vost(?:fr)?)"
)
_LANGUAGE_AT_END = re.compile(rf"(?<=[^\W_])[ ._-]+{_LANGUAGE}[ ._-]*$", re.IGNORECASE)
_RELEASE_WORD = re.compile(
    rf"""[ ._()\[\]-]*(?:(?:[^\W_]+(?:'[^\W_]+)?[ ._]){{1,3}}(?:cut|edition|version) | {_LOOSE_TAG} | {_PART} | {_LANGUAGE}
      | dl | dual | ac3d | (?:fast|hard|soft)?subs? | sub-?forced | us | uk | movie | docu | dc | stv | festival
      | complete | full | pal | ntsc | ws | fs | [hs]d | h?-?sbs | d[0-9] | read[ .]?nfo | \([^()]*\)
    )(?![^\W_])""",
    re.IGNORECASE | re.VERBOSE,
)
"""A language, an edition, a country: what stands between the year and the first release tag, and says nothing by itself."""
_OTHER_NAME = re.compile(r"[ ._]\((?![^\W\d_]{2,3}\))[^()]*\)[ ._]*$")
"""`Name (Other Name)`, but for a country: `Name (US)`."""
_LOOSE_TAG_AT_END = re.compile(rf"(?:^|[ ._([-]){_LOOSE_TAG}[ ._([)\]-]*$", re.IGNORECASE)
_LOOSE_TAG_AT_START = re.compile(rf"(?:{_LOOSE_TAG}|{_PART})(?![^\W_])", re.IGNORECASE)


@attrs.frozen
class NameAndYear:
    """Text read as `Name (Year) rest`; without a year in brackets it is all name."""

    name: str
    year: int | None = None
    rest: str = ""


def titled(text: str) -> NameAndYear:
    """The last plausible year in brackets that has a name before it splits the text."""
    for found in reversed(list(_BRACKETED_YEAR.finditer(text))):
        year = int(found[1])
        name = cleaned(text[: found.start()])
        if name and is_plausible_year(year):
            return NameAndYear(name, year, _ASIDE.sub(" ", text[found.end() :]).strip(" ._-"))
    return NameAndYear(cleaned(text))


def bare_year_titled(text: str) -> NameAndYear | None:
    """`Name.1984.German.1080p`; None where words that belong to no release part the year from the first tag, or there is
    none, as the number may then as well belong to the name.
    """
    if not has_tag(text):
        return None
    for found in _BARE_YEAR.finditer(text):
        if int(found[1]) <= LAST_BARE_YEAR and leads_to_tag(text[found.end() :]):
            name = cleaned(_OTHER_NAME.sub("", without_release(without_asides(text[: found.start()]))))
            return NameAndYear(name, int(found[1])) if name and is_plausible_year(int(found[1])) else None
    return None


def dotted_year_titled(text: str) -> NameAndYear | None:
    """`Name.1984` as release groups write it, without a space; None where there is one, or no year at the end."""
    return None if " " in text.strip() else _ending_in_year(text)


def _ending_in_year(text: str) -> NameAndYear | None:
    found = _BARE_YEAR_AT_END.search(text)
    if found is None or int(found[1]) > LAST_BARE_YEAR:
        return None
    name = cleaned(text[: found.start()])
    return NameAndYear(name, int(found[1])) if name and is_plausible_year(int(found[1])) else None


def only_year(text: str) -> int | None:
    """The year that the text names, bracketed or not, if it names one and no more."""
    years = {int(year) for year in _LONE_YEAR.findall(text)}
    year = years.pop() if len(years) == 1 else None
    return year if year is not None and is_plausible_year(year) and year <= LAST_BARE_YEAR else None


def is_plausible_year(year: int) -> bool:
    return FIRST_YEAR <= year <= LAST_YEAR


def cleaned(text: str) -> str:
    """The text as a name, blank if nothing readable stays.

    Dots and underscores in place of spaces become spaces, ids and tags in brackets are dropped.
    """
    name = without_asides(text).strip()
    if " " not in name:
        name = _ACRONYM.sub(_guarded, name.replace("_", " ")).replace(".", " ").replace("\0", ".")
    elif name.endswith(".") and text.endswith(".") and not _ENDS_IN_ACRONYM.search(name):
        name = name[:-1]  # the separator before what was cut off, not a full stop
    name = " ".join(name.split()).strip(" -–_").rstrip(" ([")  # noqa: RUF001  people type the en dash
    if "[" not in name:
        name = name.replace("]", "").strip()  # the end of an aside that begins nowhere
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    return name if _READABLE.search(name) else ""


def without_asides(text: str) -> str:
    """The text without `{tvdb-1}`, `[imdbid-tt1]`, `[1080p]`; unless that is all there is, as in *[REC]*."""
    if "{" not in text and "[" not in text:
        return text
    kept = _ASIDE.sub(" ", text)
    return kept if _READABLE.search(kept) else text


def before_tags(text: str) -> str:
    """The text before the first release tag; the very same text if it has none."""
    found = _TAG.search(text)
    if found is None:
        return text
    kept = text[: found.start()]
    while loose := _LOOSE_TAG_AT_END.search(kept):
        kept = kept[: loose.start()]
    return kept


def starts_with_tag(text: str) -> bool:
    """Whether a resolution, source, codec, edition or part comes first; a language only if one of the others follows."""
    return bool(leads_to_tag(text) or _LOOSE_TAG_AT_START.match(text.lstrip(" ._-([")))


def has_tag(text: str) -> bool:
    return _TAG.search(text) is not None


def leads_to_tag(text: str) -> int:
    """Where the first release tag ends if nothing but languages, editions and the like stands before it; else 0."""
    at = 0
    while True:
        if tag := _TAG_NEXT.match(text, at):
            return tag.end()
        word = _RELEASE_WORD.match(text, at)
        if word is None:
            return 0
        at = word.end()


def late_year_titled(text: str) -> NameAndYear | None:
    """`Name.German.1080p.1984`: the one year of the text, if it stands behind a release tag."""
    name = before_tags(text)
    year = only_year(text)
    if year is None or only_year(name):
        return None
    while language := _LANGUAGE_AT_END.search(name):
        name = name[: language.start()]
    name = cleaned(name)
    return NameAndYear(name, year) if name else None


def without_release(title: str) -> str:
    """The title without release tags and editions behind it."""
    named = before_tags(title)
    title = title if named is title else named.rstrip(" ._-([")
    while found := _EDITION_AT_END.search(title):
        title = title[: found.start()]
    return title


def same_name(one: str, other: str) -> bool:
    """Whether both spell one name: case, punctuation and spacing aside."""
    return one == other or _letters(one) == _letters(other) != ""


def _letters(name: str) -> str:
    return _NOT_READABLE.sub("", name).casefold()


def _guarded(acronym: re.Match[str]) -> str:
    """The acronym with NULs in place of its own dots, which stand for no spaces."""
    return acronym[0].rstrip(".").replace(".", "\0") + "\0 "
