"""Make 300 files as a real disk has them: `python examples/make_messy_folder.py FOLDER`. Needs ffmpeg.

Most have names that follow some convention, one show under two spellings among them. Others are named by a camera, a DVD, a
download or nobody, and two are read wrongly. Some are cut off or empty, still being copied, hidden, links that lead nowhere;
NFO files lie or break off. `docs/tutorial.md` makes a catalogue of them.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from pathlib import Path

from make_media import clip

SECONDS = {".mkv": (1, 2, 3), ".mp4": (1, 2, 3), ".avi": (2,), ".ts": (2,), ".VOB": (3,)}
NEWEST_NS = 1_600_000_000_000_000_000
FUTURE_NS = 4_000_000_000_000_000_000
DAY_NS = 86_400_000_000_000
YOUNG = "Downloads/Harbour Lights (1964) - S01E08.mp4"
"""As if it were being copied just now: its mtime is the time at which the folder is made."""
FROM_THE_FUTURE = "Space Patrol 2000/Space Patrol 2000 1x02.mp4"

READ = """
Captain Comet (1958)/Season 1/Captain Comet - S01E01 - The Moon Men.mkv → Captain Comet (1958) S01E01
Captain Comet (1958)/Season 1/Captain Comet - S01E02 - Rings of Saturn.mkv → Captain Comet (1958) S01E02
Captain Comet (1958)/Season 1/captain.comet.s01e03.480p.DVDRip.x264.mkv → Captain Comet (1958) S01E03
Captain Comet (1958)/Season 1/Captain Comet - S01E04-E05 - The Long Way Home.mkv → Captain Comet (1958) S01E04-E05
Captain Comet (1958)/Season 1/Captain Comet - 1x06 - Dust.mkv → Captain Comet (1958) S01E06
Captain Comet (1958)/Season 2/01 - Return of the Moon Men.mkv → Captain Comet (1958) S02E01
Captain Comet (1958)/Season 2/Episode 2.mkv → Captain Comet (1958) S02E02
Captain Comet (1958)/Season 2/S02E03.mkv → Captain Comet (1958) S02E03
Captain Comet (1958)/Specials/Captain Comet - S00E01 - Christmas on Mars.mkv → Captain Comet (1958) S00E01
Captain Comet (1958)/Specials/02 - The Making of Captain Comet.mkv → Captain Comet (1958) S00E02
Capt. Comet/Season 3/Capt. Comet S03E01.avi → Capt. Comet S03E01
Capt. Comet/Season 3/Capt. Comet S03E02.avi → Capt. Comet S03E02
Capt. Comet/Season 3/Capt. Comet S03E03.avi → Capt. Comet S03E03
Space Patrol 2000/Space Patrol 2000 1x01.mp4 → Space Patrol 2000 S01E01
Space Patrol 2000/Space Patrol 2000 1x02.mp4 → Space Patrol 2000 S01E02
Space Patrol 2000/Space Patrol 2000 1x03.mp4 → Space Patrol 2000 S01E03
Space Patrol 2000/Space Patrol 2000 1x04.mp4 → Space Patrol 2000 S01E04
Harbour Lights (1964)/Harbour Lights (1964) - S01E01.mp4 → Harbour Lights (1964) S01E01
Harbour Lights (1964)/Harbour Lights (1964) - S01E02.mp4 → Harbour Lights (1964) S01E02
Harbour Lights (1964)/Harbour Lights - Season 1 Episode 3.mp4 → Harbour Lights (1964) S01E03
Kitchen Table (1954)/Season 1/Kitchen Table S01E01E02.mkv → Kitchen Table (1954) S01E01-E02
Kitchen Table (1954)/Season 1/Kitchen Table S01E03-E05.mkv → Kitchen Table (1954) S01E03-E04-E05
Kitchen Table (1954)/Season 1/Kitchen Table 1x06 - x07.mkv → Kitchen Table (1954) S01E06-E07
Kitchen Table (1954)/Season 1/Kitchen Table S01E08+09.mkv → Kitchen Table (1954) S01E08-E09
Kitchen Table (1954)/Season 1/Kitchen Table Season 1 Episode 10-11.mkv → Kitchen Table (1954) S01E10-E11
Kitchen Table (1954)/Season 2/Kitchen Table S2.Ep1.mkv → Kitchen Table (1954) S02E01
Kitchen Table (1954)/Season 2/Kitchen Table S02x02.mkv → Kitchen Table (1954) S02E02
Kitchen Table (1954)/Season 2/E03.mkv → Kitchen Table (1954) S02E03
Downloads/[OLDTV] Marsh & Sons S03E01 [480p].mkv → Marsh & Sons S03E01
Downloads/www.old.example - Marsh & Sons S03E02.mkv → Marsh & Sons S03E02
Downloads/Marsh & Sons S03.E03 - The Will.avi → Marsh & Sons S03E03
Downloads/Marsh.&.Sons.S03EP04.DVDRip.avi → Marsh & Sons S03E04
Downloads/marsh_&_sons_-_s03e05.mp4 → Marsh & Sons S03E05
Movies/Night of the Robots (1955).mkv → Night of the Robots (1955)
Movies/10 Ways to Leave Earth (1961)/10 Ways to Leave Earth (1961) - 480p.mp4 → 10 Ways to Leave Earth (1961)
Movies/2010 Odyssey (1984).mkv → 2010 Odyssey (1984)
Movies/Lost Valley (1939)/Lost Valley.mkv → Lost Valley (1939)
Movies/The.Glass.Tower.1948.DVDRip.mkv → The Glass Tower (1948)
Movies/A Quiet Signal (1951).mkv → A Quiet Signal (1951)
Movies/Cellar Door [1963].avi → Cellar Door (1963)
Movies/Dust Bowl Rodeo (1936)/Dust Bowl Rodeo (1936).mkv → Dust Bowl Rodeo (1936)
Movies/Eleven Clocks (1957) 576p DVDRip.mkv → Eleven Clocks (1957)
Movies/Fathoms.1967.EXTENDED.480p.WEB-DL.x264.mkv → Fathoms (1967)
Movies/Ghost Train to Riga (1941).mp4 → Ghost Train to Riga (1941)
Movies/Hôtel du Nord-Ouest (1959).mkv → Hôtel du Nord-Ouest (1959)
Movies/Invisible Ink (1944)/Invisible.Ink.1944.mkv → Invisible Ink (1944)
Movies/Jupiter, Calling! (1956).mkv → Jupiter, Calling! (1956)
Movies/Knights & Knaves (1933).mp4 → Knights & Knaves (1933)
Movies/Lantern_Street_(1949).avi → Lantern Street (1949)
Movies/Midnight: The Musical (1953).mkv → Midnight: The Musical (1953)
Movies/Nobody's Harbour (1950) {edition-Restored}.mkv → Nobody's Harbour (1950)
Movies/Oxen & Iron 1934 DVDRip.avi → Oxen & Iron (1934)
Movies/1914 (1929).mkv → 1914 (1929)
Movies/Velvet Rope (1961).mkv/Velvet Rope (1961).mkv → Velvet Rope (1961)
Downloads/Quartz.Hill.1968.720p.BluRay.x264-OLDTV/Quartz.Hill.1968.720p.BluRay.x264-OLDTV.mkv → Quartz Hill (1968)
Downloads/Rain.on.the.Roof.(1958).mp4 → Rain on the Roof (1958)
Commercials/1951 Soap.mp4 → commercial
Commercials/1952 Cereal.mp4 → commercial
Commercials/Toy Robot (1953).mp4 → commercial
Commercials/cola.mp4 → commercial
Commercials/soap  2.mp4 → commercial
Commercials/100% wool.mp4 → commercial
Commercials/what's #1?.mp4 → commercial
Bumpers/back in a minute.mp4 → bumper
Bumpers/bumper 2.mp4 → bumper
Bumpers/bumper 3.mp4 → bumper
Promos/Saturday Night.mp4 → promo
Promos/Captain Comet next week.mp4 → promo
PSA/Cross at the Lights.mp4 → psa
Station Ident/ident blue.mp4 → station_id
Station Ident/ident red.mp4 → station_id
Trailers/Coming Attractions.mp4 → trailer
Movies/Night of the Robots (1955)-trailer.mp4 → trailer
Movies/Lost Valley (1939)/Lost Valley - trailer.mp4 → trailer
Movies/Dust Bowl Rodeo (1936)/Dust Bowl Rodeo (1936)_trailer.mkv → trailer
"""
"""Files whose names say what they are, each with what that is."""

ROWS = (
    ("Doctor Static (1961)", 1, 13, "{show}/Season {season:02}/{show} - S{season:02}E{number:02} - Wave {number}.mkv"),
    ("Doctor Static (1961)", 2, 13, "{show}/Season {season:02}/{show} - S{season:02}E{number:02}.mkv"),
    ("The Lighthouse Six", 1, 12, "{show}/The.Lighthouse.Six.S{season:02}E{number:02}.480p.DVDRip.x264-OLDTV.mkv"),
    ("Marsh & Sons", 1, 10, "{show}/{show} {season}x{number:02}.avi"),
    ("Night Desk (1972)", 1, 10, "{show}/Season {season}/Episode {number}.mp4"),
    ("Pilot Fish", 1, 10, "{show}/Season {season}/{number:02} The Reef, day {number}.mkv"),
    ("Orbit Nine", 1, 12, "{show}/{show} - {number:02}.mp4"),
    ("Ärger im Turm (1969)", 1, 8, "{show}/Season {season}/{show} S{season:02}E{number:02}.mkv"),
    ("Harbour Lights (1964)", 2, 13, "{show}/Season {season:02}/{show} - S{season:02}E{number:02} - Pier {number}.mp4"),
    ("The Lighthouse Six", 2, 12, "{show}/S{season:02}/The.Lighthouse.Six.S{season:02}E{number:02}.480p.DVDRip.x264.mkv"),
    ("Marsh & Sons", 2, 10, "{show}/{show} {season}x{number:02}.avi"),
    ("Window Seat (1978)", 1, 12, "{show}/{show} - {season}x{number:02} - Stop {number}.mkv"),
    ("Evening Line", 2, 8, "{show}/{show} - Season {season} Episode {number}.ts"),
)
"""Shows of which all files are named alike: title, season, how many episodes, and the pattern of their names."""

READ_WRONGLY = """
Movies/Track 4x12.mkv → Track 4x12 (1971)
Commercials/Captain Comet 2x04.mkv → Captain Comet (1958) S02E04
"""

NOT_READ = """
Movies/Station 1999.mkv → Station 1999 (1958)
DVD backup/VTS_01_1.VOB → Harbour Lights (1964) S01E04
DVD backup/VTS_01_2.VOB → Harbour Lights (1964) S01E05
DVD backup/VTS_01_3.VOB → Harbour Lights (1964) S01E06-E07
Tapes/tape 7 side A.avi → Fog Signal (1949)
Tapes/tape 7 side B.avi → Captain Comet (1958) S03E04
Tapes/tape 12.avi → filler
Adverts, reel 2/clip0001.mp4 → commercial
Adverts, reel 2/clip0002.mp4 → commercial
Adverts, reel 2/clip0003.mp4 → commercial
Adverts, reel 2/clip0004.mp4 → commercial
New Folder (2)/final FINAL v2.mkv → promo
Untitled 3.mp4 → bumper
Untitled 4.mp4 → bumper
9f86d081884c7d65.mp4 → The Paper Comet (1962)
d2a84f4b8b650937.mp4 → psa
recording_2019-03-04.ts → Space Patrol 2000 S01E05
recording_2019-03-11.ts → Space Patrol 2000 S01E04
VID_20190311_201530.mp4 → promo
"""
"""Files whose names say nothing, with what is in them."""

BROKEN = """
Captain Comet (1958)/Season 2/Captain Comet - S02E05 - Half a Story.mp4 → Captain Comet (1958) S02E05
Movies/Paper Moon Base (1966).mp4 → Paper Moon Base (1966)
Movies/Empty Reel (1938).mkv → Empty Reel (1938)
Movies/The Error Page (1947).mkv → The Error Page (1947)
Marsh & Sons/Marsh & Sons 1x11.avi → Marsh & Sons S01E11
Bumpers/bumper 4.mp4 → bumper
"""
"""Files that are cut off, empty, a web page or nothing but zeros."""

PARTS = """
Movies/The Long Tide (1962)/The Long Tide (1962) CD1.avi → The Long Tide (1962) part 1
Movies/The Long Tide (1962)/The Long Tide (1962) CD2.avi → The Long Tide (1962) part 2
Movies/Four Winds (1943)/Four Winds (1943) - part1.mkv → Four Winds (1943) part 1
Movies/Four Winds (1943)/Four Winds (1943) - part2.mkv → Four Winds (1943) part 2
"""
"""Movies in several files."""

EXTRAS = """
Movies/Fathoms-sample.mkv → other
Movies/Dust Bowl Rodeo (1936)/Dust Bowl Rodeo-deletedscene.mkv → other
Movies/Dust Bowl Rodeo (1936)/Extras/The rope trick.mkv → other
Movies/Invisible Ink (1944)/Invisible Ink - interview.mkv → other
"""
"""What comes with a movie, and is neither it nor anything that a station has a kind for."""

ODD_NAMES = {
    "Promos/line\nbreak.mp4": "promo",
    "Promos/red \x1b[31malert\x1b[0m.mp4": "promo",
    "Promos/ \t blank.mp4": "promo",
    "Promos/4pm\u202e.mp4": "promo",
}
"""Names that no terminal should print as they are."""

CONTRADICTED = {
    "Evening Line/Evening Line - Season 2 Episode 8.ts": "Evening Line S02E09",
    "Night Desk (1972)/Season 1/Episode 10.mp4": "Night Desk: The Movie (1974)",
}
"""Files whose NFO says something else than their names, and is right."""

STATIC = "Doctor Static (1961)/Season 01/Doctor Static (1961) - S01E{0:02} - Wave {0}.nfo"
EPISODE = "<episodedetails><title>Wave {0}</title><season>1</season><episode>{0}</episode>{1}</episodedetails>{2}"
SIDECARS = {
    "Captain Comet (1958)/tvshow.nfo": "<tvshow><title>Captain Comet</title><year>1958</year></tvshow>",
    "Movies/Night of the Robots (1955).nfo": "\ufeff<movie><title>Night of the Robots</title><year>1955</year></movie>",
    "Evening Line/Evening Line - Season 2 Episode 8.nfo": EPISODE.replace("<season>1", "<season>2").format(9, "", ""),
    "Night Desk (1972)/Season 1/Episode 10.nfo": "<movie><title>Night Desk: The Movie</title><year>1974</year></movie>",
    "The Lighthouse Six/tvshow.nfo": "<tvshow><title>The Lighthouse Six</title><plot>Six men and",
    STATIC.format(1): EPISODE.format(1, "", "\0\0\0 saved by somebody's tool"),
    STATIC.format(2): EPISODE.format(2, "<plot>A bell\x07 rings</plot>", ""),
    STATIC.format(3): EPISODE.format(3, "<plot>3 < 4</plot>", ""),
    STATIC.format(4): EPISODE.format(4, "<plot>It breaks off", "").partition("</episodedetails>")[0],
    STATIC.format(5): EPISODE.format(5, "", "").replace("<season>1", "<season>-1"),
    STATIC.format(6): EPISODE.format(6, "", "").replace("<episode>6", "<episode>6.5"),
    STATIC.format(7): "<!DOCTYPE episodedetails>" + EPISODE.format(7, "", ""),
    STATIC.format(8): EPISODE.format(8, "<plot>Caf&eacute; at night</plot>", ""),
    STATIC.format(9): "",
    STATIC.format(10): "JFIF, and no XML at all",
    STATIC.format(11): "<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + EPISODE.format(11, "<plot>&a;&a;</plot>", ""),
    STATIC.format(12): "saved by a tool\n" + EPISODE.format(12, "", ""),
    "Harbour Lights (1964)/Season 02/season.nfo": "<season><seasonnumber>2</seasonnumber></season>",
}
"""What lies beside the files: most of it breaks off, or is no XML."""

LEFT_OUT = """
Movies/.Cellar Door [1963].avi
Movies/._Fathoms.mkv
.Trash-1000/files/Old Wave.mkv
lost+found/#1234567.mkv
Downloads/Doctor Static S02E14.mkv.part
Downloads/Doctor Static S02E15.mkv.!qB
Downloads/Doctor Static S02E16.mp4.crdownload
Downloads/Unconfirmed 4711.crdownload
Movies/.Fathoms.mkv.xyz123
Movies/Night of the Robots (1955).srt
Captain Comet (1958)/Season 1/Captain Comet - S01E01 - The Moon Men.srt
Movies/Night of the Robots (1955).jpg
Movies/disc 3.iso
Movies/readme.txt
Tapes/labels.zip
Tapes/Thumbs.db
"""
"""Hidden files, downloads that go on, and what is no video."""

LINKS = {
    "Movies/Gone with the Disk (1952).mkv": "/mnt/unplugged/Gone with the Disk (1952).mkv",
    "Movies/Lent Out (1946).mkv": "Lent Out (1946) old.mkv",
    "Movies/Hosts (1990).mkv": "/etc/hosts",
    "Movies/everything": "/",
    "Movies/loop": ".",
}
"""Links that lead nowhere, out of the folder, or in a circle."""

NOT_UTF8 = ("Movies/Caf\udce9 Noir (1950).mkv", "Tapes/b\udcfcndel/one.avi")
"""Names from an old disk, in Latin-1."""
TWIN = "Movies/" + unicodedata.normalize("NFD", "Hôtel du Nord-Ouest (1959).mkv")
"""A copy by way of another system, which spells letters and accents apart."""


def named(*blocks: str) -> dict[str, str]:
    """The paths in some of the texts above, and what is in the files."""
    return dict(line.split(" → ") for block in blocks for line in block.strip().splitlines())


def truth() -> dict[str, str]:
    """What is in each file that is to become an asset, by its path: a title as it is printed, or a kind."""
    told = named(READ, READ_WRONGLY, NOT_READ, BROKEN, PARTS, EXTRAS)
    for show, season, count, pattern in ROWS:
        for number in range(1, count + 1):
            name = pattern.format(show=show, season=season, number=number)
            told[name] = f"{show} S{season:02}E{number:02}"
    return {**told, **ODD_NAMES, **CONTRADICTED, YOUNG: "Harbour Lights (1964) S01E08"}


def make(folder: Path) -> int:
    """Write the files below `folder`, videos each a day older than the one before; how many there are."""
    clips = {suffix: [clip(folder, each, suffix, rate=25) for each in seconds] for suffix, seconds in SECONDS.items()}
    videos = [*truth(), *NOT_UTF8, TWIN]
    others = LEFT_OUT.strip().splitlines()
    written = [*videos, *SIDECARS, *others, *LINKS]
    for name in written:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(videos):
        of_this_suffix = clips[Path(name).suffix]
        shutil.copyfile(of_this_suffix[number % len(of_this_suffix)], folder / name)
    for name, text in SIDECARS.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in others:
        (folder / name).write_bytes(b"no video")
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    ruin(folder)
    for number, name in enumerate(videos):
        os.utime(folder / name, ns=(NEWEST_NS - number * DAY_NS,) * 2)
    os.utime(folder / FROM_THE_FUTURE, ns=(FUTURE_NS,) * 2)
    os.utime(folder / YOUNG)
    for source in (source for same_suffix in clips.values() for source in same_suffix):
        source.unlink()
    return len(written)


def ruin(folder: Path) -> None:
    """Break the files that are to be broken: cut off, empty, a web page, zeros."""
    torn, cut, empty, page, zeros, silent = (folder / name for name in named(BROKEN))
    for path in (torn, cut):
        os.truncate(path, path.stat().st_size // 2)
    empty.write_bytes(b"")
    page.write_text("<!doctype html><title>404 Not Found</title>")
    zeros.write_bytes(bytes(100_000))
    silent.write_bytes(b"")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/make_messy_folder.py FOLDER")
    print(f"{make(Path(sys.argv[1]))} files in {sys.argv[1]}")
