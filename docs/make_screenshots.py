"""Makes the pictures of a terminal and of Datasette in docs/images: `python docs/make_screenshots.py` (extra `docs`).

The terminal's are drawn from what the commands print. Those of Datasette need it and a Chromium; without these they stay.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
COLUMNS = 100
SHOWN = {
    "terminal-ingest": "ingest Videos",
    "terminal-assets": "asset list Videos --kind episode --limit 12",
    "terminal-undo": "undo --dry-run",
}
PAGES = {"datasette-catalog": "/catalog", "datasette-asset-listing": "/catalog/asset_listing?_size=12"}
PORT = 8765


def printed(command: str) -> str:
    """What a command prints on a terminal of so many columns, escapes included."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    words = [sys.executable, "-m", "retrovue_uow", *command.split()]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    told = bytearray()
    try:
        while part := os.read(ours, 65536):
            told += part
    except OSError:  # Linux says so that nobody writes any more
        pass
    finally:
        os.close(ours)
    process.wait()
    return re.sub(r"[^\n]*\r(?!\n)", "", told.decode()).replace("\r\n", "\n")  # a progress bar draws over itself


def draw_terminal(name: str, command: str) -> None:
    """Write one picture of a command and what it prints."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ retrovue-uow {command}"), Text.from_ansi(printed(command)), sep="\n")
    picture = console.export_svg(title="retrovue-uow")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # of another host: any monospaced one will do
    (IMAGES / f"{name}.svg").write_text(picture, encoding="utf-8")


def photograph_datasette(browser: str) -> None:
    """Write a picture of each page of Datasette, which shows the catalogue of the current folder."""
    metadata = ROOT / "examples" / "datasette" / "metadata.yaml"
    server = subprocess.Popen(
        ["datasette", "catalog.db", "--metadata", metadata, "--port", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(5)
        for name, page in PAGES.items():
            options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,1250"]
            target = f"--screenshot={IMAGES / name}.png"
            subprocess.run([browser, *options, target, f"http://127.0.0.1:{PORT}{page}"], check=True, capture_output=True)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Make all of them, of a small station."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([sys.executable, ROOT / "examples" / "make_media.py", "Videos"], check=True, capture_output=True)
        for name, command in SHOWN.items():
            draw_terminal(name, command)
        browser = shutil.which("chromium")
        if browser is not None and shutil.which("datasette") is not None:
            photograph_datasette(browser)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
