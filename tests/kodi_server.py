"""A real Kodi, as Debian packages it, on a virtual screen, with a small library of its own; skipped by name where it is not."""

from __future__ import annotations

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

PROGRAMS = ("/usr/lib/*/kodi/kodi.bin", "Xvfb", "ffmpeg")
PATIENCE_S = 120
EPISODES = {"S01E01": [1], "S01E02": [2], "S01E03-E04": [3, 4], "S01E05": [5], "S01E06": [6]}
NUMBERS, MOVIES = sum(map(len, EPISODES.values())), 3
SERVICES = {
    "webserver": "true",
    "webserverauthentication": "true",
    "webserverusername": "kodi",
    "webserverpassword": "rocket1958",
    "webserverssl": "false",
    "zeroconf": "false",
    "esenabled": "false",
    "upnp": "false",
    "wsdiscovery": "false",
}


class Kodi:
    """A Kodi with three sources below `media`: `Shows` and `Movies`, which it scans, and `Station`, which it does not.

    Attributes:
        media: A folder whose path is as long as `/home/station`, for which the documentation has it.
    """

    password = SERVICES["webserverpassword"]

    def __init__(self, home: Path, media: Path) -> None:
        self.media = media
        self._home = home
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._screen, self._display = _virtual_screen(home)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def install(self) -> None:
        """Configure it, start it for the first time, and let it scan; what a source holds only its own database says."""
        userdata = self._home / ".kodi" / "userdata"
        userdata.mkdir(parents=True)
        settings = {**{f"services.{name}": value for name, value in SERVICES.items()}, "general.addonupdates": "2"}
        settings["services.webserverport"] = str(self._port)
        lines = "".join(f'<setting id="{name}">{value}</setting>' for name, value in settings.items())
        (userdata / "guisettings.xml").write_text(f'<settings version="2">{lines}</settings>')
        sources = "".join(
            f'<source><name>{name}</name><path pathversion="1">{self.media}/{name}/</path></source>'
            for name in ("Shows", "Movies", "Station")
        )
        (userdata / "sources.xml").write_text(f"<sources><video>{sources}</video></sources>")
        self.start()
        (database,) = glob.glob(f"{userdata}/Database/MyVideos*.db")
        with apsw.Connection(database) as videos:
            videos.set_busy_timeout(10_000)
            for name, content, levels in (("Shows", "tvshows", 0), ("Movies", "movies", 2**31 - 1)):
                videos.execute(
                    "INSERT INTO path (strPath, strContent, strScraper, scanRecursive, useFolderNames, noUpdate, exclude)"
                    " VALUES (?, ?, 'metadata.local', ?, 0, 0, 0)",
                    (f"{self.media}/{name}/", content, levels),
                )
        videos.close()

    def start(self) -> None:
        """Start it, and wait until its web server answers."""
        # The script around it would let gdb look at each crash, and leave a core.
        self._process = subprocess.Popen(
            [found(PROGRAMS[0]), "--standalone"],
            cwd=self._home,
            env={**os.environ, "HOME": str(self._home), "DISPLAY": self._display},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._until(lambda: bool(self.ask("JSONRPC.Version")), "its web server did not answer")

    def signal(self, number: int) -> None:
        """Send it a signal, and wait for its end where that is what the signal means."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait(PATIENCE_S)

    def revive(self) -> None:
        """Let it go on where it stopped, or start it anew: killed it may have been, and Kodi crashes by itself, too."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        if self._process.poll() is not None:
            self.start()

    def close(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGKILL)
        self._screen.kill()
        self._screen.wait(PATIENCE_S)

    def ask(self, method: str, **params: Any) -> Any:
        """What it answers, asked without our importer."""
        credentials = b64encode(f"kodi:{self.password}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310  our own, on loopback
            f"{self.url}/jsonrpc",
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Basic {credentials}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_S) as response:
            return json.load(response)["result"]

    def restore(self) -> None:
        """Put back the files that are gone, and let it scan its sources until it has all that they tell of."""
        self.revive()
        shutil.copytree(self._home / "originals", self.media, dirs_exist_ok=True)
        if len(self._episodes()) < NUMBERS or not self._has_movies():
            self.ask("VideoLibrary.Scan", showdialogs=False)
        self._until(lambda: len(self._episodes()) == NUMBERS, "it did not scan its episodes")
        self._until(self._has_movies, "it did not scan its movies")
        is_scanning = "Library.IsScanningVideo"
        self._until(lambda: not self.ask("XBMC.GetInfoBooleans", booleans=[is_scanning])[is_scanning], "it never stopped")

    def _episodes(self) -> list[Any]:
        found: list[Any] = self.ask("VideoLibrary.GetEpisodes", properties=["episode"]).get("episodes", [])
        return found

    def _has_movies(self) -> bool:
        return len(self.ask("VideoLibrary.GetMovies").get("movies", [])) == MOVIES

    def forget(self, *numbers: int) -> None:
        """Remove episodes from its library, all if none is named; their files stay."""
        for each in self._episodes():
            if not numbers or each["episode"] in numbers:
                self.ask("VideoLibrary.RemoveEpisode", episodeid=each["episodeid"])

    def _until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                if is_so():
                    return
            except OSError:
                assert self._process is not None
                assert self._process.poll() is None, "Kodi ended by itself"
            time.sleep(0.1)
        pytest.fail(f"Kodi: {otherwise} within {PATIENCE_S} s")


def found(program: str) -> str:
    """The path of a program; empty where it is not installed."""
    return next(iter(glob.glob(program)), "") if "/" in program else shutil.which(program) or ""


def _virtual_screen(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """An X server that draws nowhere, and what to call it: it looks for a free number itself."""
    ours, theirs = os.pipe()
    with open(ours, "rb") as told:
        try:
            screen = subprocess.Popen(
                ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
                pass_fds=[theirs],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        return screen, f":{told.readline().decode().strip()}"


def make_library(media: Path) -> None:
    """A show with a file of two episodes, movies, one of them a link to a stream, and what no library has."""
    season = media / "Shows" / "Captain Comet" / "Season 1"
    season.mkdir(parents=True)
    tell(season.parent / "tvshow.nfo", "tvshow", title="Captain Comet", premiered="1958-09-01", plot="Rockets.", genre="SF")
    for place, (name, numbers) in enumerate(EPISODES.items()):
        film(season / f"Captain Comet {name}.mkv", seconds=2 + place)
        nfo = season / f"Captain Comet {name}.nfo"
        for number in numbers:
            tell(nfo, "episodedetails", title=f"Part {number}", season=1, episode=number, plot=f"Rocket {number}.")
    for number, name in enumerate(("Night of the Robots (1962)", "Moon of Ice (1955)")):
        film(media / "Movies" / name / f"{name}.mkv", seconds=8 + number)
        tell(media / "Movies" / name / f"{name}.nfo", "movie", title=name[:-7], year=name[-5:-1], genre="Horror")
    stream = media / "Movies" / "Live Feed (1999)" / "Live Feed (1999).strm"
    stream.parent.mkdir()
    stream.write_text("http://127.0.0.1:9/feed\n")
    tell(stream.with_suffix(".nfo"), "movie", title="Live Feed", year=1999)
    film(media / "Station" / "Bumpers" / "Good Night.mkv", seconds=1)


def film(path: Path, *, seconds: int) -> None:
    """A small film whose length nothing else has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = f"testsrc=size=64x48:rate=5:duration={seconds}"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", source, "-c:v", "mpeg4", str(path)]
    subprocess.run(command, check=True)


def tell(nfo: Path, kind: str, **facts: object) -> None:
    """Add what an NFO file says of one thing."""
    lines = "".join(f"<{name}>{value}</{name}>" for name, value in facts.items())
    with nfo.open("a", encoding="utf-8") as file:
        file.write(f"<{kind}>{lines}</{kind}>\n")


@contextmanager
def installed(home: Path) -> Iterator[Kodi]:
    """A Kodi, started."""
    media = Path(tempfile.mkdtemp(prefix="", dir="/tmp"))
    try:
        make_library(media)
        shutil.copytree(media, home / "originals")
        kodi = Kodi(home, media)
        try:
            kodi.install()
            yield kodi
        finally:
            kodi.close()
    finally:
        shutil.rmtree(media)


@pytest.fixture(scope="session")
def one_kodi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kodi]:
    """The Kodi of all tests."""
    lacking = [program for program in PROGRAMS if not found(program)]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} is not installed: no real Kodi is asked")
    if {name for _, name in socket.if_nameindex()} == {"lo"}:
        pytest.skip("Kodi keeps its web server off where loopback is the only network interface: no real Kodi is asked")
    with installed(tmp_path_factory.mktemp("kodi")) as kodi:
        yield kodi


@pytest.fixture
def kodi(one_kodi: Kodi) -> Kodi:
    """It, with all of its library and every file, whatever another test did."""
    one_kodi.restore()
    return one_kodi
