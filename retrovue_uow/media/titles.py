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
_BARE_YEAR_AT_END = re.compile(r"(?<=[^ ._-])[ ._-]+((?:18|19|20)[0-9]{2})[ ._-]*$")
_ASIDE = re.compile(r"\{[^{}]*\}|\[(?![0-9]{4}\])[^\[\]]*\]")
_ACRONYM = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.)+[^\W\d_](?![^\W_])\.?")
_ENDS_IN_ACRONYM = re.compile(r"(?<![^\W_])[^\W\d_]\.[^\W\d_]\.$")
_READABLE = re.compile(r"[^\W_]")
_NOT_READABLE = re.compile(r"[\W_]+")
_TAG = re.compile(
    r"""(?<![^\W_])(?:
        [0-9]{3,4}[pi] | [0-9]{3,4}x[0-9]{3,4} | [48]k | uhd | (?:8|10)bit | hdr(?:10)?
      | [xh][ .]?26[45] | hevc | xvid | divx | av1 | vp9
      | web[ .-]?(?:dl|rip) | web(?=[ ._-]+(?:[xh][ .]?26|[0-9]{3,4}p))
      | blu-?ray | bd-?rip | br-?rip | bdremux | remux | dvd-?rip | dvdscr | dvd[59]
      | hdtv | pdtv | sdtv | dsr | tv-?rip | sat-?rip | vhs-?rip | ld-?rip | hd-?rip | hddvd
      | aac(?:[ .]?[0-9][ .][0-9])? | e?-?ac-?3 | dts(?:-?hd)? | ddp?[ .]?[257][ .][01] | flac | truehd
    )(?![^\W_])""",
    re.IGNORECASE | re.VERBOSE,
)
_LOOSE_TAG = (
    r"(?:proper|repack|rerip|internal|remastered|restored|extended|unrated|uncut|uncensored|theatrical|limited|dvd|vhs|laserdisc"
    r"|colou?ri[sz]ed|criterion|multi|dubbed|subbed|amzn|nf|dsnp|hulu|imax|open[ ._]matte"
    r"|director'?s[ ._](?:cut|edition)|final[ ._]cut|special[ ._]edition|(?:part|pt|cd|disc|disk)[ ._]?[0-9a-d])"
)
_LOOSE_TAG_AT_END = re.compile(rf"(?:^|[ ._([-]){_LOOSE_TAG}[ ._([)\]-]*$", re.IGNORECASE)
_LOOSE_TAG_AT_START = re.compile(rf"{_LOOSE_TAG}(?![^\W_])", re.IGNORECASE)


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
    """`Name.1984` before a release tag; None without such a tag, as the number may then as well belong to the name."""
    named = before_tags(text)
    return None if named is text else _ending_in_year(named)


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
    """Whether a resolution, source, codec, edition or part comes first."""
    text = text.lstrip(" ._-([")
    return bool(_TAG.match(text) or _LOOSE_TAG_AT_START.match(text))


def same_name(one: str, other: str) -> bool:
    """Whether both spell one name: case, punctuation and spacing aside."""
    return one == other or _letters(one) == _letters(other) != ""


def _letters(name: str) -> str:
    return _NOT_READABLE.sub("", name).casefold()


def _guarded(acronym: re.Match[str]) -> str:
    """The acronym with NULs in place of its own dots, which stand for no spaces."""
    return acronym[0].rstrip(".").replace(".", "\0") + "\0 "
