"""Facts about a file, read from the folders above it."""

from __future__ import annotations

import re
from functools import lru_cache

import attrs

from retrovue_uow.media.numbering import SEASON_WORD
from retrovue_uow.media.titles import NameAndYear, bare_year_titled, before_tags, cleaned, starts_with_tag, titled
from retrovue_uow.model import AssetKind

_SPELLINGS: dict[AssetKind, str] = {
    "commercial": "commercial, ad, advert, advertisement, tv commercial, tv ad, tv advert",
    "bumper": "bumper, bump",
    "promo": "promo",
    "psa": "psa, public service announcement",
    "station_id": "station id, stationid, station ident, ident, station identification",
    "trailer": "trailer, preview",
    "filler": "filler, interlude",
}
_INTERSTITIAL_FOLDERS: dict[str, AssetKind] = {
    spelling + plural: kind
    for kind, spellings in _SPELLINGS.items()
    for spelling in spellings.split(", ")
    for plural in ("", "s")
}
_EXTRAS_FOLDERS = frozenset(
    ["behind the scenes", "deleted scenes", "extras", "featurettes", "interviews", "sample", "samples", "scenes"]
)
_EXTRAS_OF_A_MOVIE = frozenset(["bonus", "clips", "extra", "other", "shorts"])
"""These may as well be a shelf of a library: they hold extras in a folder with its year."""
_LIBRARY_FOLDERS = frozenset(
    [
        *("data", "downloads", "films", "library", "media", "mnt", "movies", "series", "shows", "srv", "television"),
        *("tv", "tv series", "tv shows", "tvshows", "video", "videos", "volumes"),
    ]
)
_SEASON_FOLDER = re.compile(rf"(?:{SEASON_WORD} ?|s)([0-9]{{1,4}})(?: \([0-9]{{4}}\))?")
_SEASON_PACK = re.compile(r"[ ._-]+S[0-9]{1,2}(?:E[0-9]{1,3})*(?![^\W_]).*$", re.IGNORECASE | re.DOTALL)
_SEPARATORS = str.maketrans("_-.", "   ")


@attrs.frozen
class Place:
    """The facts that the folders above a file state.

    Attributes:
        interstitial: Kind that the deepest folder of interstitials names.
        holds_episodes: Whether a season folder, or a show folder with its year, stands below the interstitial one.
        season_number: Of the season folder, which is the file's own folder or the one above.
        in_season: Whether the season folder is the file's own.
        name: Of the folder above the season folder, else of the file's own; "" if that can be no title.
        year: Of the same folder.
        in_extras: Whether the file's own folder holds out-takes, interviews and the like.
    """

    interstitial: AssetKind | None = None
    holds_episodes: bool = False
    season_number: int | None = None
    in_season: bool = False
    name: str = ""
    year: int | None = None
    in_extras: bool = False


@lru_cache(maxsize=1024)
def place_below(folder_path: str, depth: int | None = None) -> Place:
    """The facts about the files in a folder; `/` separates.

    Args:
        depth: Of so many folders, the deepest, a name counts as one of interstitials; None: of all.
    """
    folders = folder_path.split("/")
    words = [_words(folder) for folder in folders]
    outside = 0 if depth is None else len(folders) - depth
    in_extras = words[-1] in _EXTRAS_FOLDERS or (
        words[-1] in _EXTRAS_OF_A_MOVIE and len(folders) > 1 and _show_folder(folders[-2]).year is not None
    )
    if in_extras:
        del folders[-1], words[-1]
    interstitial_at = max((at for at, word in enumerate(words) if at >= outside and word in _INTERSTITIAL_FOLDERS), default=-1)
    season_at = max((at for at, word in list(enumerate(words))[-2:] if season_of(word) is not None), default=-1)
    show_at = (len(folders) if season_at < 0 else season_at) - 1
    show = _show_folder(folders[show_at]) if show_at > interstitial_at else NameAndYear("")
    return Place(
        interstitial=_INTERSTITIAL_FOLDERS[words[interstitial_at]] if interstitial_at >= 0 else None,
        holds_episodes=season_at > interstitial_at or show.year is not None,
        season_number=season_of(words[season_at]) if season_at >= 0 else None,
        in_season=season_at == len(folders) - 1 and not in_extras,
        name=show.name,
        year=show.year,
        in_extras=in_extras,
    )


def season_of(words: str) -> int | None:
    """The number of a season folder, given as lower-case words; specials are season 0."""
    if words in ("special", "specials"):
        return 0
    found = _SEASON_FOLDER.fullmatch(words)
    return int(found[1]) if found else None


def is_library_folder(folder: str) -> bool:
    """Whether the name says what a whole library holds, and so names no show."""
    return _words(folder) in _LIBRARY_FOLDERS


def _words(folder: str) -> str:
    return " ".join(folder.translate(_SEPARATORS).casefold().split())


def _show_folder(folder: str) -> NameAndYear:
    if is_library_folder(folder) or folder.endswith(":"):
        return NameAndYear("")
    found = titled(_SEASON_PACK.sub("", folder))
    if found.year is not None and found.rest and not starts_with_tag(found.rest):
        return NameAndYear(cleaned(folder))
    if found.year is None and " " not in folder:
        found = bare_year_titled(folder) or found
    return found if found.year is not None else NameAndYear(cleaned(before_tags(found.name)))
