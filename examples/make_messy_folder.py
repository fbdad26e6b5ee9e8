"""Make 60 media files as a real disk has them: `python examples/make_messy_folder.py FOLDER`. Needs ffmpeg.

Most have names that follow some convention, one show under two spellings among them. Others are named by a camera, a DVD, a
download or nobody, and two are read wrongly. `docs/tutorial.md` makes a catalogue of them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from make_media import clip

SECONDS = {".mkv": (1, 2, 3), ".mp4": (1, 2, 3), ".avi": (2,), ".ts": (2,), ".VOB": (3,)}
NEWEST_NS = 1_600_000_000_000_000_000
DAY_NS = 86_400_000_000_000

READ = """
Captain Comet (1958)/Season 1/Captain Comet - S01E01 - The Moon Men.mkv
Captain Comet (1958)/Season 1/Captain Comet - S01E02 - Rings of Saturn.mkv
Captain Comet (1958)/Season 1/captain.comet.s01e03.480p.DVDRip.x264.mkv
Captain Comet (1958)/Season 1/Captain Comet - S01E04-E05 - The Long Way Home.mkv
Captain Comet (1958)/Season 1/Captain Comet - 1x06 - Dust.mkv
Captain Comet (1958)/Season 2/01 - Return of the Moon Men.mkv
Captain Comet (1958)/Season 2/Episode 2.mkv
Captain Comet (1958)/Season 2/S02E03.mkv
Captain Comet (1958)/Specials/Captain Comet - S00E01 - Christmas on Mars.mkv
Captain Comet (1958)/Specials/02 - The Making of Captain Comet.mkv
Capt. Comet/Season 3/Capt. Comet S03E01.avi
Capt. Comet/Season 3/Capt. Comet S03E02.avi
Capt. Comet/Season 3/Capt. Comet S03E03.avi
Space Patrol 2000/Space Patrol 2000 1x01.mp4
Space Patrol 2000/Space Patrol 2000 1x02.mp4
Space Patrol 2000/Space Patrol 2000 1x03.mp4
Space Patrol 2000/Space Patrol 2000 1x04.mp4
Harbour Lights (1964)/Harbour Lights (1964) - S01E01.mp4
Harbour Lights (1964)/Harbour Lights (1964) - S01E02.mp4
Harbour Lights (1964)/Harbour Lights - Season 1 Episode 3.mp4
Movies/Night of the Robots (1955).mkv
Movies/Night of the Robots (1955)-trailer.mp4
Movies/10 Ways to Leave Earth (1961)/10 Ways to Leave Earth (1961) - 480p.mp4
Movies/2010 Odyssey (1984).mkv
Movies/Lost Valley (1939)/Lost Valley.mkv
Movies/The.Glass.Tower.1948.DVDRip.mkv
Commercials/1951 Soap.mp4
Commercials/1952 Cereal.mp4
Commercials/Toy Robot (1953).mp4
Commercials/cola.mp4
Bumpers/back in a minute.mp4
Bumpers/bumper 2.mp4
Bumpers/bumper 3.mp4
Promos/Saturday Night.mp4
Promos/Captain Comet next week.mp4
PSA/Cross at the Lights.mp4
Station Ident/ident blue.mp4
Station Ident/ident red.mp4
Trailers/Coming Attractions.mp4
"""

READ_WRONGLY = """
Movies/Track 4x12.mkv
Commercials/Captain Comet 2x04.mkv
"""

NOT_READ = """
Movies/Station 1999.mkv
DVD backup/VTS_01_1.VOB
DVD backup/VTS_01_2.VOB
DVD backup/VTS_01_3.VOB
Tapes/tape 7 side A.avi
Tapes/tape 7 side B.avi
Tapes/tape 12.avi
Adverts, reel 2/clip0001.mp4
Adverts, reel 2/clip0002.mp4
Adverts, reel 2/clip0003.mp4
Adverts, reel 2/clip0004.mp4
New Folder (2)/final FINAL v2.mkv
Untitled 3.mp4
Untitled 4.mp4
9f86d081884c7d65.mp4
d2a84f4b8b650937.mp4
recording_2019-03-04.ts
recording_2019-03-11.ts
VID_20190311_201530.mp4
"""


def names() -> Iterator[str]:
    """Where the files lie, below the folder."""
    for block in (READ, READ_WRONGLY, NOT_READ):
        yield from block.strip().splitlines()


def make(folder: Path) -> list[Path]:
    """Write the files below `folder`, each a day older than the one before, and return them."""
    clips = {suffix: [clip(folder, each, suffix, rate=25) for each in seconds] for suffix, seconds in SECONDS.items()}
    made = [folder / name for name in names()]
    for number, path in enumerate(made):
        path.parent.mkdir(parents=True, exist_ok=True)
        of_this_suffix = clips[path.suffix]
        shutil.copyfile(of_this_suffix[number % len(of_this_suffix)], path)
        os.utime(path, ns=(NEWEST_NS - number * DAY_NS,) * 2)
    for source in (source for same_suffix in clips.values() for source in same_suffix):
        source.unlink()
    return made


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/make_messy_folder.py FOLDER")
    print(f"{len(make(Path(sys.argv[1])))} media files in {sys.argv[1]}")
