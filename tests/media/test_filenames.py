"""What the file-name conventions read, and what they leave alone."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media.filenames import FilenameEnricher, ParsedName, has_episode_marker, parse
from retrovue_uow.model import INTERSTITIAL_KINDS, AssetDraft, AssetKind

Episode = tuple[str, int | None, int, tuple[int, ...], str | None]

EPISODES: dict[str, Episode] = {
    # SxxExx, one episode
    "Show S01E02.mkv": ("Show", None, 1, (2,), None),
    "show.s01e02.avi": ("show", None, 1, (2,), None),
    "Show.S01.E02.mkv": ("Show", None, 1, (2,), None),
    "Show S01 E02.mkv": ("Show", None, 1, (2,), None),
    "Show - S01 - E02.mkv": ("Show", None, 1, (2,), None),
    "Show_S01E02_Name.mkv": ("Show", None, 1, (2,), "Name"),
    "Show s1e2.mp4": ("Show", None, 1, (2,), None),
    "Show S1984E03.mkv": ("Show", None, 1984, (3,), None),
    "Show S01E100.mkv": ("Show", None, 1, (100,), None),
    "Show S00E05 - Christmas Special.mkv": ("Show", None, 0, (5,), "Christmas Special"),
    "Show S01E00 - Unaired Pilot.mkv": ("Show", None, 1, (0,), "Unaired Pilot"),
    "Show - S01E02 - The Name.mkv": ("Show", None, 1, (2,), "The Name"),
    "Show [S01E02] Name.mkv": ("Show", None, 1, (2,), "Name"),
    "Show (S01E02).mkv": ("Show", None, 1, (2,), None),
    "Show S01E02a - First Half.mkv": ("Show", None, 1, (2,), "First Half"),
    "Show.S01E02v2.mkv": ("Show", None, 1, (2,), None),
    "[Group] Show - S01E02 [1080p].mkv": ("Show", None, 1, (2,), None),
    # several episodes
    "Show S01E01E02.mkv": ("Show", None, 1, (1, 2), None),
    "Show S01E01-E02 - Double.mkv": ("Show", None, 1, (1, 2), "Double"),
    "Show S01E01-02.mkv": ("Show", None, 1, (1, 2), None),
    "Show S01E01-02 - Double.mkv": ("Show", None, 1, (1, 2), "Double"),
    "Show S01E01-E04.mkv": ("Show", None, 1, (1, 2, 3, 4), None),
    "Show S01E01E03.mkv": ("Show", None, 1, (1, 3), None),
    "Show S01E01-S01E02.mkv": ("Show", None, 1, (1, 2), None),
    "Show.S01E01.S01E02.mkv": ("Show", None, 1, (1, 2), None),
    "Show S01E01 & E02.mkv": ("Show", None, 1, (1, 2), None),
    "Show S01E02E01.mkv": ("Show", None, 1, (1, 2), None),
    "Show.S01E01.E02.Double.mkv": ("Show", None, 1, (1, 2), "Double"),
    "Show.S01E01E02E03.720p.mkv": ("Show", None, 1, (1, 2, 3), None),
    "Show 1x01-1x02.mkv": ("Show", None, 1, (1, 2), None),
    "Show 1x01x02.mkv": ("Show", None, 1, (1, 2), None),
    "Show 1x01-02.mkv": ("Show", None, 1, (1, 2), None),
    "Show 1x01-x02.mkv": ("Show", None, 1, (1, 2), None),
    # NxNN
    "Show 1x02.mkv": ("Show", None, 1, (2,), None),
    "Show - 1x02 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "Show.1x02.Name.avi": ("Show", None, 1, (2,), "Name"),
    "Show 01x02.mkv": ("Show", None, 1, (2,), None),
    "Show 10X11.mkv": ("Show", None, 10, (11,), None),
    "Show [1x02] Name.mkv": ("Show", None, 1, (2,), "Name"),
    "Show 0x03 - Behind it all.mkv": ("Show", None, 0, (3,), "Behind it all"),
    "Show 640x480 1x02 Name.mkv": ("Show", None, 1, (2,), "Name"),
    "Show 1x02 Name 640x480.mkv": ("Show", None, 1, (2,), "Name"),
    # in words
    "Show - Season 1 Episode 2.mkv": ("Show", None, 1, (2,), None),
    "Show Season 01, Episode 02 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "Show.Series.1.Episode.2.mkv": ("Show", None, 1, (2,), None),
    "Die Show Staffel 2 Folge 3.mkv": ("Die Show", None, 2, (3,), None),
    # season folders
    "/tv/Show/Season 01/02 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/Season 1/02.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/Season 1/02-Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/Season 1/02. Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/Season_01/02 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/S01/Episode 2.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/S01/Episode 2 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/S01/E02.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/S01/E02-E03.mkv": ("Show", None, 1, (2, 3), None),
    "/tv/Show/S01/ep02.name.mkv": ("Show", None, 1, (2,), "name"),
    "/tv/Show/Series 1/E02 Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/Staffel 1/Folge 2.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/Season 1/Show - 02 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "/tv/Show/Season 1/Show Episode 2.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/Season 1/01-02 - Double.mkv": ("Show", None, 1, (1, 2), "Double"),
    "/tv/Show (1984)/Season 1 (1985)/02 - Name.mkv": ("Show", 1984, 1, (2,), "Name"),
    "/tv/24/Season 1/24 - 01 - Midnight.mkv": ("24", None, 1, (1,), "Midnight"),
    "/tv/He-Man (1983)/Season 1/He-Man - 05 - She-Demon.mkv": ("He-Man", 1983, 1, (5,), "She-Demon"),
    "/tv/Show/Season 1/02 - 1080p.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/Season 1/Episode 2 - 1987-03-04.mkv": ("Show", None, 1, (2,), None),
    "/tv/Show/Season 1/02 - Part 1.mkv": ("Show", None, 1, (2,), "Part 1"),
    "/tv/Show/Specials/02 - Name.mkv": ("Show", None, 0, (2,), "Name"),
    "/tv/Show/Specials/E02.mkv": ("Show", None, 0, (2,), None),
    "/tv/Show/Specials/Special 2 - Name.mkv": ("Show", None, 0, (2,), "Name"),
    "/tv/Show/Season 00/SP03.mkv": ("Show", None, 0, (3,), None),
    "/tv/Show/Specials/Show S00E01.mkv": ("Show", None, 0, (1,), None),
    # where the show's name and year come from
    "/tv/Show (1984)/Season 01/Show S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984)/Season 01/S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984)/Season 01/S01E02 - Name.mkv": ("Show", 1984, 1, (2,), "Name"),
    "/tv/Show (1984)/S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984)/Show S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show [1984]/Show S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984-1990)/Season 1/S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984) {tvdb-1234}/Season 01/Show S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984) [tvdbid-1234]/Season 01/Show S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (1984) [imdbid-tt123]/Season 01/Show (1984) - S01E02 - Name.mkv": ("Show", 1984, 1, (2,), "Name"),
    "Show (1984) - S01E02 - Name.mkv": ("Show", 1984, 1, (2,), "Name"),
    "Show.(1984).S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "/tv/Show (US) (2005)/Show (US) S01E02.mkv": ("Show (US)", 2005, 1, (2,), None),
    "/tv/Other (1984)/Show S01E02.mkv": ("Show", None, 1, (2,), None),
    "/tv/Doctor Who (2005)/Season 1/Doctor.Who.2005.S01E01.Rose.mkv": ("Doctor Who", 2005, 1, (1,), "Rose"),
    "/tv/Show/Season 01/Show S01E02/Show S01E02.mkv": ("Show", None, 1, (2,), None),
    "/dl/Show.S01.1080p.BluRay.x264-GRP/S01E02.mkv": ("Show", None, 1, (2,), None),
    "/dl/Show.S01.1080p.BluRay.x264-GRP/Show.S01E02.1080p.BluRay.x264-GRP.mkv": ("Show", None, 1, (2,), None),
    "C:\\TV\\Show (1984)\\Season 01\\S01E02.mkv": ("Show", 1984, 1, (2,), None),
    "\\\\nas\\tv\\Show\\Season 1\\02 - Name.mkv": ("Show", None, 1, (2,), "Name"),
    "file:///tv/The%20Show/Season%201/The%20Show%20S01E02.mkv": ("The Show", None, 1, (2,), None),
    "/tv/Show/Extras/Show S00E01.mkv": ("Show", None, 0, (1,), None),
    # names as they are on the disk
    "/tv/Space 1999 (1975)/Season 1/Space.1999.S01E01.Breakaway.1080p.WEB-DL-X.mkv": (
        *("Space 1999", 1975, 1, (1,), "Breakaway"),
    ),
    "/tv/Space: 1999/Season 01/Space: 1999 - S01E01 - Breakaway.mkv": ("Space: 1999", None, 1, (1,), "Breakaway"),
    "Space 1999 S01E01.mkv": ("Space 1999", None, 1, (1,), None),
    "Space 1999 (1975) S01E01.mkv": ("Space 1999", 1975, 1, (1,), None),
    "/tv/M*A*S*H (1972)/Season 3/M.A.S.H.S03E01-E02.mkv": ("M*A*S*H", 1972, 3, (1, 2), None),
    "M*A*S*H - S01E01 - Pilot.mkv": ("M*A*S*H", None, 1, (1,), "Pilot"),
    "Magnum.P.I.S01E01.mkv": ("Magnum P.I.", None, 1, (1,), None),
    "Magnum, P.I. S01E01.mkv": ("Magnum, P.I.", None, 1, (1,), None),
    "S.W.A.T. S02E03.mkv": ("S.W.A.T.", None, 2, (3,), None),
    "T.J. Hooker S01E02.mkv": ("T.J. Hooker", None, 1, (2,), None),
    "The 4400 S01E01.mkv": ("The 4400", None, 1, (1,), None),
    "24 S01E01.mkv": ("24", None, 1, (1,), None),
    "24/Season 01/24 - S01E01 - Midnight to 1am.mkv": ("24", None, 1, (1,), "Midnight to 1am"),
    "9-1-1 S01E02.mkv": ("9-1-1", None, 1, (2,), None),
    "UFO 1x01 Identified.mkv": ("UFO", None, 1, (1,), "Identified"),
    "V (1983)/V (1983) - S01E01.mkv": ("V", 1983, 1, (1,), None),
    "The.A-Team.S02E05.When.You.Comin.Back.Range.Rider.Part.1.mkv": (
        *("The A-Team", None, 2, (5,), "When You Comin Back Range Rider Part 1"),
    ),
    "Area 51 S01E02.mkv": ("Area 51", None, 1, (2,), None),
    "The Six Million Dollar Man S03E12.mkv": ("The Six Million Dollar Man", None, 3, (12,), None),
    "He-Man.and.the.Masters.of.the.Universe.S01E05.mkv": (*("He-Man and the Masters of the Universe", None, 1, (5,), None),),
    "Knight_Rider_S01E02_Deadly_Maneuvers.avi": ("Knight Rider", None, 1, (2,), "Deadly Maneuvers"),
    "Quantum Leap - S01E01-E02 - Genesis - Part 1 & 2.mkv": ("Quantum Leap", None, 1, (1, 2), "Genesis - Part 1 & 2"),
    "21 Jump Street - 1x01 - Pilot.mkv": ("21 Jump Street", None, 1, (1,), "Pilot"),
    "Buck Rogers in the 25th Century S01E03.mkv": ("Buck Rogers in the 25th Century", None, 1, (3,), None),
    "Beverly.Hills.90210.S01E02.mkv": ("Beverly Hills 90210", None, 1, (2,), None),
    "Monsters Inc. S01E02.mkv": ("Monsters Inc.", None, 1, (2,), None),
    "Pokémon S01E02.mkv": ("Pokémon", None, 1, (2,), None),
    "Poke\u0301mon S01E02.mkv": ("Pokémon", None, 1, (2,), None),
    # release tags
    "Show.S01E02.Name.1080p.WEB-DL.DD5.1.H.264-GRP.mkv": ("Show", None, 1, (2,), "Name"),
    "Show.S01E02.PROPER.720p.HDTV.x264-GRP.mkv": ("Show", None, 1, (2,), None),
    "Show.S01E02.Charlottes.Web.WEB.x264-GRP.mkv": ("Show", None, 1, (2,), "Charlottes Web"),
    "Show - S01E02 - Name (1080p BluRay x265).mkv": ("Show", None, 1, (2,), "Name"),
    "Show - S01E02 - Name [DVDRip].avi": ("Show", None, 1, (2,), "Name"),
    "Show - S01E02 - Extended Family.mkv": ("Show", None, 1, (2,), "Extended Family"),
    "Show.1080p.S01E02.mkv": ("Show", None, 1, (2,), None),
    # between interstitials
    "/tv/Trailers/Season 01/Trailers S01E02.mkv": ("Trailers", None, 1, (2,), None),
    "/Commercials/Toys (1985)/Season 1/Toys S01E02.mkv": ("Toys", 1985, 1, (2,), None),
    "/Promos/Show (1985)/Show S01E02.mkv": ("Show", 1985, 1, (2,), None),
}

MOVIES: dict[str, tuple[str, int]] = {
    "Movie (1984).mkv": ("Movie", 1984),
    "Movie [1984].mkv": ("Movie", 1984),
    "Movie.(1984).mkv": ("Movie", 1984),
    "Movie.1984.1080p.mkv": ("Movie", 1984),
    "Movie.1984.1080p.BluRay.x264-GRP.mkv": ("Movie", 1984),
    "Movie 1984 DVDRip XviD.avi": ("Movie", 1984),
    "Movie.1984.REMASTERED.1080p.mkv": ("Movie", 1984),
    "The_Movie_1984_720p.mkv": ("The Movie", 1984),
    "/m/Movie (1984)/Movie (1984) - 1080p.mkv": ("Movie", 1984),
    "/m/Movie (1984)/Movie (1984) - Station Cut.mkv": ("Movie", 1984),
    "/m/Movie (1984)/Movie (1984) - part1.mkv": ("Movie", 1984),
    "/m/Movie (1984)/Movie.mkv": ("Movie", 1984),
    "/m/Movie (1984)/Movie.1080p.mkv": ("Movie", 1984),
    "/m/Movie (1984)/Movie 1984.mkv": ("Movie", 1984),
    "/m/Other (1983)/Movie (1984).mkv": ("Movie", 1984),
    "Movie (1984) {edition-Director's Cut}.mkv": ("Movie", 1984),
    "Movie (1984) {imdb-tt0087332} {edition-Extended}.mkv": ("Movie", 1984),
    "Movie (1984) [imdbid-tt0087332].mkv": ("Movie", 1984),
    "Movie (1984) [tmdbid=123] - [1080p].mkv": ("Movie", 1984),
    "Movie {tmdb-1} (1984).mkv": ("Movie", 1984),
    "Movie (1984) Director's Cut.mkv": ("Movie", 1984),
    "Movie (1984) 1920x1080.mkv": ("Movie", 1984),
    "Movie (1984) cd1.avi": ("Movie", 1984),
    "2001 A Space Odyssey (1968).mkv": ("2001 A Space Odyssey", 1968),
    "1984 (1984).mkv": ("1984", 1984),
    "1984.1984.1080p.mkv": ("1984", 1984),
    "1917.2019.1080p.mkv": ("1917", 2019),
    "Blade Runner 2049 (2017).mkv": ("Blade Runner 2049", 2017),
    "Blade.Runner.2049.2017.1080p.mkv": ("Blade Runner 2049", 2017),
    "/m/Blade Runner 2049 (2017)/Blade Runner 2049.mkv": ("Blade Runner 2049", 2017),
    "10 Things I Hate About You (1999).mkv": ("10 Things I Hate About You", 1999),
    "12 Angry Men (1957).mkv": ("12 Angry Men", 1957),
    "The 4400 (2004).mkv": ("The 4400", 2004),
    "Area 51 (2015).mkv": ("Area 51", 2015),
    "UFO (2018).mkv": ("UFO", 2018),
    "V (1983).mkv": ("V", 1983),
    "M*A*S*H (1970).mkv": ("M*A*S*H", 1970),
    "Apollo 13 (1995).mkv": ("Apollo 13", 1995),
    "Ocean's Eleven (1960).mkv": ("Ocean's Eleven", 1960),
    "Ocean's 11 (1960).mkv": ("Ocean's 11", 1960),
    "History of the World, Part 1 (1981).mkv": ("History of the World, Part 1", 1981),
    "Star Wars Episode IV - A New Hope (1977).mkv": ("Star Wars Episode IV - A New Hope", 1977),
    "/m/Star Wars Episode 4 (1977)/Star Wars Episode 4 (1977).mkv": ("Star Wars Episode 4", 1977),
    "[REC] (2007).mkv": ("[REC]", 2007),
    "...And Justice for All (1979).mkv": ("...And Justice for All", 1979),
    "Monsters, Inc. (2001).mkv": ("Monsters, Inc.", 2001),
    "E.T. the Extra-Terrestrial (1982).mkv": ("E.T. the Extra-Terrestrial", 1982),
    "Roundhay Garden Scene (1888).mkv": ("Roundhay Garden Scene", 1888),
    "Der Himmel über Berlin (1987).mkv": ("Der Himmel über Berlin", 1987),
    "七人の侍 (1954).mkv": ("七人の侍", 1954),
    "C:\\Films\\Movie (1984)\\Movie (1984).mkv": ("Movie", 1984),
}

INTERSTITIALS: dict[str, tuple[AssetKind, int | None]] = {
    "/x/Commercials/Toys S01E02 1985.mkv": ("commercial", 1985),
    "/x/commercial/coke.mkv": ("commercial", None),
    "/x/Ads/coke 1985.mkv": ("commercial", 1985),
    "/x/Adverts/Coke (1985).mkv": ("commercial", 1985),
    "/x/Commercials/1980s/Toys/Coke (1985).mkv": ("commercial", 1985),
    "/x/Commercials/1985-12-24.mkv": ("commercial", 1985),
    "/x/Commercials/Coke 1985 vs 1986.mkv": ("commercial", None),
    "/x/Commercials/Season 1/02 - Coke.mkv": ("commercial", None),
    "/x/Commercials/Christmas (1985)/Coke.mkv": ("commercial", None),
    "/x/bumpers/a.mkv": ("bumper", None),
    "/x/Bumps/a.mkv": ("bumper", None),
    "/tv/Show (1984)/Season 01/Bumpers/a.mkv": ("bumper", None),
    "/x/Commercials/Bumpers/a.mkv": ("bumper", None),
    "/x/Promos/a.mkv": ("promo", None),
    "/x/promo/Show S01E02.mkv": ("promo", None),
    "/x/PSAs/a.mkv": ("psa", None),
    "/x/psa/a.mkv": ("psa", None),
    "/x/Public Service Announcements/a.mkv": ("psa", None),
    "/x/Station IDs/a.mkv": ("station_id", None),
    "/x/station_ids/a.mkv": ("station_id", None),
    "/x/Station-ID/a.mkv": ("station_id", None),
    "/x/idents/a.mkv": ("station_id", None),
    "/x/Station Identification/a.mkv": ("station_id", None),
    "/x/Trailers/Movie (1984).mkv": ("trailer", 1984),
    "/x/Previews/a.mkv": ("trailer", None),
    "/m/Movie (1984)/Trailers/a.mkv": ("trailer", None),
    "/m/Movie (1984)/Movie (1984)-trailer.mkv": ("trailer", 1984),
    "/m/Movie (1984)/trailer.mkv": ("trailer", None),
    "/tv/Show S01E02-trailer2.mkv": ("trailer", None),
    "/x/Filler/a.mkv": ("filler", None),
    "/x/Fillers/a.mkv": ("filler", None),
    "/x/Interludes/Potter's Wheel 1953.mkv": ("filler", 1953),
    "C:\\x\\Bumpers\\a.mkv": ("bumper", None),
}

UNREADABLE = [
    "",
    "/",
    ".mkv",
    "video.mkv",
    "Movie.mkv",
    "24.mkv",
    "The 4400.mkv",
    "Area 51.mkv",
    "M*A*S*H.mkv",
    "He-Man and the Masters of the Universe.mkv",
    "Space 1999.mkv",
    "Space: 1999.mkv",
    "1984.mkv",
    "2001 A Space Odyssey.mkv",
    "Blade Runner 2049.mkv",
    "Blade.Runner.2049.1080p.mkv",
    "(1984).mkv",
    "1984.1080p.mkv",
    "Movie (1234).mkv",
    "Movie (2184).mkv",
    "Movie.1920x1080.mkv",
    "Movie 640x480.mkv",
    "Movie 16x9.mkv",
    "Movie Part 1.mkv",
    "Show 1987-03-04.mkv",
    "Show.1987.03.04.1080p.mkv",
    "Show - 04.03.1987 (1987).mkv",
    "Show (1987) - Pilot.mkv",
    "/tv/Show (1987)/Show (1987) - 02 - Name.mkv",
    "/tv/Show (1987)/Show - Episode 5 (1988).mkv",
    "/tv/Show (1987)/pilot.mkv",
    "Show - 102.mkv",
    "Show - 02.mkv",
    "Show E02.mkv",
    "Show Episode 2.mkv",
    "S01E02.mkv",
    "/S01E02.mkv",
    "/tv/S01E02.mkv",
    "C:\\S01E02.mkv",
    "/tv/Season 1/02 - Name.mkv",
    "/tv/Show/Season 1/Name.mkv",
    "/tv/Show/Season 1/Part 1.mkv",
    "/tv/Show/Season 1/102 - Name.mkv",
    "/tv/Show/Season 1/12 Angry Men.mkv",
    "/tv/Show/Season 1/9-1-1.mkv",
    "/tv/Show/Season 1/Special 2.mkv",
    "/tv/Show/Season 1/1987-03-04.mkv",
    "/tv/Show/Season 1/04-03-1987.mkv",
    "/tv/Show/Season 1/04 - 03 - 1987.mkv",
    "/tv/Show (1987)/Season 1/Show (1987).mkv",
    "/tv/24/Season 1/24 - Midnight.mkv",
    "Show S01E05-E03.mkv",
    "Show S01E01-24 Hours.mkv",
    "Show S01E01-S02E01.mkv",
    "Show S01E01 and S02E03.mkv",
    "ShowS01E02x.mkv",
    "/m/Movie (1984)/Featurettes/Making of (1984).mkv",
    "/m/Movie (1984)/Movie (1984)-behindthescenes.mkv",
    "/m/Movie (1984)/Movie (1984)-sample.mkv",
    "/x/My Commercials/coke.mkv",
    "/x/Commercials of 1985/coke.mkv",
]


@pytest.mark.parametrize("path", EPISODES)
def test_an_episode_is_read(path: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert parsed.kind == "episode"
    assert (*(parsed.title, parsed.year, parsed.season_number, parsed.episode_numbers, parsed.episode_title),) == EPISODES[path]


@pytest.mark.parametrize("path", MOVIES)
def test_a_movie_is_read(path: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert parsed == ParsedName("movie", parsed.rule, *MOVIES[path])


@pytest.mark.parametrize("path", INTERSTITIALS)
def test_an_interstitial_is_read_by_its_deepest_telling_folder(path: str) -> None:
    kind, year = INTERSTITIALS[path]

    parsed = parse(path)

    assert parsed is not None
    assert parsed == ParsedName(kind, parsed.rule, year=year)


@pytest.mark.parametrize("path", UNREADABLE)
def test_what_follows_no_convention_is_not_guessed(path: str) -> None:
    assert parse(path) is None


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("Show S01E02.mkv", "SxxExx"),
        ("Show 1x02.mkv", "NxNN"),
        ("Show Season 1 Episode 2.mkv", "season_episode"),
        ("/Show/Season 1/02.mkv", "season_folder"),
        ("/Show/Specials/02.mkv", "special"),
        ("Movie (1984).mkv", "movie_year"),
        ("Movie.1984.1080p.mkv", "movie_bare_year"),
        ("/Movie (1984)/Movie.mkv", "movie_folder"),
        ("/Bumpers/a.mkv", "interstitial_folder"),
        ("Movie-trailer.mkv", "trailer_suffix"),
    ],
)
def test_it_says_which_rule_matched(path: str, rule: str) -> None:
    parsed = parse(path)

    assert parsed is not None
    assert parsed.rule == rule


FRAGMENTS = st.sampled_from(
    [*"/\\ .-_()[]{}&xSE0129", "S01E02", "1x02", "-E03", "-03", "Season 1", "Specials", "Bumpers", "(1984)", "1080p", ".mkv"]
)


@pytest.mark.proof(
    "Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused",
    how="Hypothesis draws texts, bytes and reports, and pieces of real ones",
)
@given(st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=3)), max_size=14).map("".join)))
def test_any_text_is_read_consistently_or_not_at_all(figures: Proof, path: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    parsed = parse(path)

    if parsed is None:
        return
    assert parsed.title is None or parsed.title.strip() == parsed.title != ""
    assert (parsed.title is None) == (parsed.kind in INTERSTITIAL_KINDS)
    assert parsed.year is None or 1888 <= parsed.year <= 2100
    assert list(parsed.episode_numbers) == sorted(set(parsed.episode_numbers))
    assert all(number >= 0 for number in parsed.episode_numbers)
    assert (parsed.kind == "episode") == bool(parsed.episode_numbers) == (parsed.season_number is not None)
    assert parsed.kind != "movie" or parsed.year is not None


def test_only_a_name_that_numbers_season_and_episode_has_a_marker() -> None:
    assert has_episode_marker("S01E02.mkv")
    assert not has_episode_marker("Movie (1984) 1920x1080.mkv")


def draft_of(path: str) -> AssetDraft:
    return AssetDraft(path, path)


@pytest.fixture
def enricher() -> FilenameEnricher:
    return FilenameEnricher({"guessit": False})


def test_it_reads_the_path_as_the_source_reports_it(enricher: FilenameEnricher) -> None:
    draft = AssetDraft(file_path="/mnt/a.mkv", source_path="/Show (1984)/Season 1/Show S01E02 - Name.mkv")

    assert enricher.enrich(draft) == attrs.evolve(
        draft,
        kind="episode",
        title="Show",
        year=1984,
        season_number=1,
        episode_numbers=(2,),
        episode_title="Name",
        metadata={"filename": {"rule": "SxxExx"}},
    )


def test_what_it_cannot_read_stays_as_it_is(enricher: FilenameEnricher) -> None:
    draft = draft_of("/a/video.mkv")

    assert enricher.enrich(draft) == draft


def test_facts_of_the_importer_stay(enricher: FilenameEnricher) -> None:
    draft = attrs.evolve(
        draft_of("/Show S01E02 - Name.mkv"), title="SHOW", year=1990, episode_title="Known", metadata={"probed": {}}
    )

    enriched = enricher.enrich(draft)

    assert (enriched.title, enriched.year, enriched.episode_title) == ("SHOW", 1990, "Known")
    assert (enriched.season_number, enriched.episode_numbers) == (1, (2,))
    assert enriched.metadata == {"probed": {}, "filename": {"rule": "SxxExx"}}


def test_facts_are_not_mixed_with_those_of_something_else(enricher: FilenameEnricher) -> None:
    other_kind = attrs.evolve(draft_of("/Show (1984) S01E02.mkv"), kind="commercial")
    other_title = enricher.enrich(attrs.evolve(draft_of("/Show (1984) S01E02.mkv"), title="Other"))
    other_season = enricher.enrich(attrs.evolve(draft_of("/Show S01E02.mkv"), season_number=3))
    other_episode = enricher.enrich(attrs.evolve(draft_of("/Show S01E02 - Name.mkv"), episode_numbers=(7,)))

    assert enricher.enrich(other_kind) == other_kind
    assert other_title.year is None
    assert other_season.episode_numbers == ()
    assert other_episode.episode_title is None


def test_a_kind_that_says_nothing_is_replaced(enricher: FilenameEnricher) -> None:
    assert enricher.enrich(attrs.evolve(draft_of("/Movie (1984).mkv"), kind="other")).kind == "movie"


def test_the_year_of_an_interstitial_is_no_year_of_a_title(enricher: FilenameEnricher) -> None:
    enriched = enricher.enrich(draft_of("/Bumpers/Snow 1985.mkv"))

    assert (enriched.kind, enriched.title, enriched.year) == ("bumper", None, None)
    assert enriched.metadata == {"filename": {"rule": "interstitial_folder", "year": 1985}}


@pytest.mark.parametrize("config", [{"gessit": True}, {"guessit": "yes"}, {"guessit": None}])
def test_a_wrong_configuration_is_refused_by_name(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(config))):
        FilenameEnricher(config)


def test_without_guessit_the_version_is_its_own(enricher: FilenameEnricher) -> None:
    assert enricher.version == "1"
    assert enricher.identifies
    enricher.check()


needs_guessit = pytest.mark.skipif(importlib.util.find_spec("guessit") is None, reason="guessit is not installed")


@pytest.fixture
def guesser() -> FilenameEnricher:
    return FilenameEnricher({})


@needs_guessit
def test_guessit_is_part_of_the_version(guesser: FilenameEnricher) -> None:
    assert guesser.version.startswith("1+guessit-")


@needs_guessit
def test_guessit_reads_what_the_conventions_do_not(guesser: FilenameEnricher) -> None:
    enriched = guesser.enrich(draft_of("/x/The.Thing.1982.German.DL.mkv"))

    assert (enriched.kind, enriched.title, enriched.year) == ("movie", "The Thing", 1982)
    assert enriched.metadata["filename"] == {"rule": "guessit"}


@needs_guessit
@pytest.mark.parametrize(
    "path",
    [
        "/x/video.mkv",
        "/x/Show 1987-03-04.mkv",
        "/x/Show - 02.mkv",
        "/x/Blade.Runner.2049.mkv",
        "/x/The 4400.mkv",
        "/x/24.mkv",
        "/x/Space 1999.mkv",
        "/x/2001 A Space Odyssey.mkv",
        "/tv/Season 1/02 - Name.mkv",
        "/tv/Show (1987)/Show (1987) - 02 - Name.mkv",
    ],
)
def test_an_incomplete_or_doubtful_guess_counts_for_nothing(guesser: FilenameEnricher, path: str) -> None:
    draft = draft_of(path)

    assert guesser.enrich(draft) == draft


@needs_guessit
@pytest.mark.parametrize(
    "path",
    [
        "/x/Show S01E05-E03.mkv",
        "/x/Show S01E01-24 Hours.mkv",
        "/x/Movie (1984)-sample.mkv",
        "/x/Movie (1984)/Extras/Making of (1984) 1080p.mkv",
    ],
)
def test_what_the_conventions_refuse_is_not_guessed_either(guesser: FilenameEnricher, path: str) -> None:
    draft = draft_of(path)

    assert guesser.enrich(draft) == draft


def test_without_guessit_installed_the_conventions_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "guessit", None)

    enricher = FilenameEnricher({})

    assert enricher.version == "1"
    assert enricher.enrich(draft_of("/x/The.Thing.1982.German.DL.mkv")).kind is None


@pytest.fixture
def breaking_guessit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A distribution of guessit that breaks down on every name."""
    package = tmp_path / "guessit"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from guessit.api import GuessitException\n"
        "__version__ = '0'\n"
        "def guessit(name, options):\n"
        "    raise GuessitException(name)\n"
    )
    (package / "api.py").write_text("class GuessitException(Exception): pass\n")
    for name in loaded_guessit():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in loaded_guessit():
        del sys.modules[name]


def loaded_guessit() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "guessit"]


@pytest.mark.usefixtures("breaking_guessit")
def test_a_breakdown_of_guessit_names_the_file() -> None:
    enricher = FilenameEnricher({})

    with pytest.raises(ResourceError, match=r"'/x/video\.mkv'"):
        enricher.enrich(draft_of("/x/video.mkv"))
