"""`docs/extensions.md` shows the files of the example, and its commands do what it says they do."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extensions.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "foreign_station"
PIP = """
import shutil, sys, tomllib
from pathlib import Path

site, programs = Path({site!r}), Path({programs!r})
about = site / "foreign_station-0.1.dist-info"
if sys.argv[1] == "uninstall":
    shutil.rmtree(about)
    shutil.rmtree(site / "foreign_station")
    sys.exit()
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
shutil.copytree("foreign_station", site / "foreign_station")
about.mkdir()
(about / "METADATA").write_text("Metadata-Version: 2.1\\nName: foreign_station\\nVersion: 0.1\\n")
groups = project["entry-points"].items()
(about / "entry_points.txt").write_text(
    "".join(f"[{{group}}]\\n" + "".join(f"{{name}} = {{value}}\\n" for name, value in named.items()) for group, named in groups)
)
"""
"""What pip does here, without a network and in no time; `.ci/run` installs the example with pip itself."""


def files() -> dict[str, str]:
    return dict(re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))


def commands() -> list[tuple[str, str]]:
    """Each command of the page, and what it shows of its output; `…` stands for anything."""
    blocks = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks, re.MULTILINE)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The example's folder, and programs to be found: `pip`, `foreign-station`, and `sqlite3` if the machine has none."""
    programs, site = tmp_path / "bin", tmp_path / "site"
    programs.mkdir()
    site.mkdir()
    scripts = {"pip": PIP.format(site=str(site), programs=str(programs)), "foreign-station": RUN}
    if shutil.which("sqlite3") is None:
        scripts["sqlite3"] = "import sys, apsw.shell\napsw.shell.main()"
    for name, text in scripts.items():
        (programs / name).write_text(f"#!{sys.executable}\n{text}")
        (programs / name).chmod(stat.S_IRWXU)
    return Path(shutil.copytree(EXAMPLE, tmp_path / "foreign_station", ignore=shutil.ignore_patterns("__pycache__", "build")))


RUN = "import sys\nfrom foreign_station.__main__ import main\nsys.exit(main())"


@pytest.mark.parametrize("name", files())
def test_the_page_shows_the_example_s_files(name: str) -> None:
    assert files()[name] == (EXAMPLE / name).read_text(encoding="utf-8")


def test_every_command_does_what_the_page_shows(here: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{here.parent / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(here.parent / "site"),
    }
    for ours in ("RETROVUE_CATALOG", "PYTEST_ADDOPTS"):
        environment.pop(ours, None)
    for command, shown in commands():
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=here,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

        wanted = ".*".join(map(re.escape, shown.strip().split("…")))
        assert re.fullmatch(wanted, ran.stdout.strip(), re.DOTALL), f"{command}\n{ran.stdout}"
