"""The station's own command, as it is installed, and the library's beside it."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

PROGRAMS = Path(sysconfig.get_path("scripts"))


@pytest.mark.skipif(not (PROGRAMS / "foreign-station").exists(), reason="the station is not installed: `pip install .`")
def test_what_the_station_has_aired_the_library_s_command_does_not_wipe(tmp_path: Path) -> None:
    (tmp_path / "robots.mkv").write_bytes(b"robots")
    (tmp_path / "shelf.csv").write_text("file,kind,title,year,seconds\nrobots.mkv,movie,Night of the Robots,1955,61.5\n")

    def told(program: str, *arguments: str) -> str:
        ran = subprocess.run(
            [PROGRAMS / program, *arguments],
            cwd=tmp_path,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return ran.stdout

    told("foreign-station", "ingest", str(tmp_path))
    told("retrovue-uow", "asset", "approve", "--state", "ready", "--expect-assets", "1")
    assert told("foreign-station", "plan", str(tmp_path / "robots.mkv"), "2026-12-24T20:00:00Z") == "slot 1 is planned\n"
    assert told("foreign-station", "air", "1") == "airing 1 is in the log\n"

    assert "because of 1 row of table 'playlog_airing'" in told("retrovue-uow", "collection", "wipe", "Tapes", "--force")
    assert told("foreign-station", "slots") == "nothing is planned\n"
