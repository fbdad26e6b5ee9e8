"""Make a small station's worth of real media files: `python examples/make_media.py FOLDER`. Needs ffmpeg.

Two shows with specials and a double episode, three movies, bumpers, commercials and trailers, NFO files beside a few, and one
file that nothing can classify.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SECONDS = (1, 2, 3)

TVSHOW_NFO = "<tvshow><title>Captain Comet</title><year>1958</year><studio>Channel 5</studio></tvshow>"
EPISODE_NFO = "<episodedetails><title>The Moon Men & Friends</title><season>1</season><episode>1</episode></episodedetails>"
MOVIE_NFO = "\ufeff<movie><title>Night of the Robots</title><year>1955</year></movie>\nhttps://example.org/robots"

SIDECARS = {
    "Captain Comet (1958)/tvshow.nfo": TVSHOW_NFO,
    "Captain Comet (1958)/Season 01/Captain Comet - S01E01.nfo": EPISODE_NFO,
    "Movies/Night of the Robots (1955).nfo": MOVIE_NFO,
}


def names() -> Iterator[str]:
    """Where the files lie, below the folder."""
    for season in (1, 2):
        for number in range(1, 13):
            yield f"Captain Comet (1958)/Season {season:02}/Captain Comet - S{season:02}E{number:02}.mkv"
    yield "Captain Comet (1958)/Specials/Captain Comet - S00E01 - Christmas on Mars.mkv"
    for number in range(1, 13):
        yield f"Space Patrol 2000/Season 1/Space Patrol 2000 - 1x{number:02} - Chapter {number}.mp4"
    yield "Space Patrol 2000/Season 1/Space Patrol 2000 - S01E13-E14 - The Long Way Home.mp4"
    yield "Space Patrol 2000/Season 0/Space Patrol 2000 - S00E01 - Pilot.mp4"
    yield "Movies/Night of the Robots (1955).mkv"
    yield "Movies/10 Ways to Leave Earth (1961)/10 Ways to Leave Earth (1961) - 480p.mp4"
    yield "Movies/2010 Odyssey (1984).mkv"
    for number in range(1, 13):
        yield f"Bumpers/bumper {number}.mp4"
    for number, product in enumerate(("Soap", "Cereal", "Toy Robot", "Cola", "Tooth Powder", "Station Wagon"), 1):
        yield f"Commercials/{1950 + number} {product}.mp4"
    yield "Trailers/Coming Attractions.mp4"
    yield "Misc/untitled capture.mkv"


def make(folder: Path) -> list[Path]:
    """Write the files below `folder`, and return the media files."""
    clips = {suffix: [clip(folder, seconds, suffix) for seconds in SECONDS] for suffix in (".mkv", ".mp4")}
    made = [folder / name for name in names()]
    for number, path in enumerate(made):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clips[path.suffix][number % len(SECONDS)], path)
    for name, text in SIDECARS.items():
        (folder / name).write_text(text, encoding="utf-8")
    for source in (source for same_suffix in clips.values() for source in same_suffix):
        source.unlink()
    return made


def clip(folder: Path, seconds: int, suffix: str, *, rate: int = 5) -> Path:
    """A test picture with a tone, written into `folder`, with `rate` pictures per second."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f".clip-{seconds}{suffix}"
    picture = f"testsrc=size=160x120:rate={rate}:duration={seconds}"
    sound = f"sine=frequency=440:duration={seconds}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, str(made)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return made


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/make_media.py FOLDER")
    print(f"{len(make(Path(sys.argv[1])))} media files in {sys.argv[1]}")
