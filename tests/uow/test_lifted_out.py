"""The unit of work alone: a copy of its wing, beside copies of `errors` and `log`, keeps its promises on any SQLite file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import retrovue_uow

PACKAGE = Path(retrovue_uow.__file__).parent
TESTS = Path(__file__).parent
PROMISES = ("nesting", "commit", "stray_control", "transaction_lost", "ownership", "read_only", "orphans")
PUBLIC = """
from retrovue_uow.errors import *
from retrovue_uow.uow.database import Database
"""


def test_the_wing_alone_keeps_the_promises_of_the_unit_of_work(tmp_path: Path) -> None:
    package, tests = tmp_path / "retrovue_uow", tmp_path / "tests"
    shutil.copytree(PACKAGE / "uow", package / "uow", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "testing").mkdir()
    for name in ("errors.py", "log.py", "testing/disk.py", "testing/faults.py"):
        shutil.copy(PACKAGE / name, package / name)
    (package / "__init__.py").write_text(PUBLIC, encoding="utf-8")
    tests.mkdir()
    for name in ("conftest.py", *(f"test_{promise}.py" for promise in PROMISES)):
        shutil.copy(TESTS / name, tests / name)

    ours = {"PYTHONPATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    environment = {**os.environ, **ours}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tests), str(tests)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
