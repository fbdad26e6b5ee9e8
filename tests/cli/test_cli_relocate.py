"""`collection relocate`: a library on another disk, and what is told of its files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from commandline import Run

from retrovue_uow import Catalog
from retrovue_uow.testing import snapshot


@pytest.fixture
def new(ingested: Path, shows: Path) -> Path:
    """A copy of the folder of `shows`."""
    return Path(shutil.copytree(shows, f"{shows}.new"))


def mapped() -> list[str]:
    with Catalog("catalog.db") as catalog:
        return [each.local_path for each in catalog.collection("shows").path_mappings]


def test_a_relocation_tells_what_was_found(run: Run, shows: Path, new: Path) -> None:
    result = run("collection", "relocate", "shows", f"{shows}/", os.path.relpath(new))

    assert result.exit_code == 0
    assert f"relocated collection 'shows' from {str(shows)!r} to {str(new)!r}: 6 files found, 0 missing" in result.stdout
    assert mapped() == [str(new)]


def test_a_dry_run_keeps_nothing_and_lists_what_is_not_there(run: Run, shows: Path, new: Path) -> None:
    gone = next(new.rglob("*.mkv"))
    gone.rename(gone.with_name(gone.name.upper()))
    before = snapshot("catalog.db")

    result = run("collection", "relocate", "shows", str(shows), str(new), "--min-found", "0.5", "--dry-run")

    assert "would relocate collection 'shows'" in result.stdout
    assert "5 files found, 1 missing" in result.stdout
    assert "not there, and missing (1):" in result.stdout
    assert "there under a name of other case or Unicode form, which is not guessed; rename it, and ingest (1):" in result.stdout
    assert snapshot("catalog.db") == before


def test_too_few_files_are_an_error_with_figures(run: Run, shows: Path, new: Path) -> None:
    for path in new.rglob("*.mkv"):
        path.write_bytes(b"another")

    result = run("collection", "relocate", "shows", str(shows), str(new))

    assert result.exit_code == 1
    assert "of 6 files are in" in result.stderr
    assert mapped() == [str(shows)]


def test_a_folder_that_is_away_is_not_available(run: Run, shows: Path, ingested: Path) -> None:
    result = run("collection", "relocate", "shows", str(shows), "away")

    assert (result.exit_code, "is missing: is its disk mounted?" in result.stderr) == (3, True)


def test_as_json_it_is_the_result_alone(run: Run, shows: Path, new: Path) -> None:
    told = json.loads(run("collection", "relocate", "shows", str(shows), str(new), "--json").stdout)

    assert (told["found"], told["missing"], told["new_root"]) == (6, 0, str(new))
    assert told["paths"] == {name: [] for name in ("missing", "returned", "mtime_differs", "other_size", "other_name")}
