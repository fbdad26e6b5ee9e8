"""A path names one file: what is moved under it while it is open is noticed, and links to it are the file itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from retrovue_uow import Catalog, ConfigurationError, ResourceError


def replaced(catalog: Catalog, tmp_path: Path) -> None:
    catalog.backup(tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(catalog.database.path)


def deleted(catalog: Catalog, tmp_path: Path) -> None:
    for side_file in ("", "-wal", "-shm"):
        Path(f"{catalog.database.path}{side_file}").unlink()


@pytest.mark.parametrize("how", [replaced, deleted])
def test_it_is_refused_and_nothing_is_written(tmp_path: Path, how: Callable[[Catalog, Path], None]) -> None:
    with Catalog(tmp_path / "catalog.db") as catalog:
        catalog.add_source("before")
        how(catalog, tmp_path)
        there = sorted(each.name for each in tmp_path.glob("catalog.db*"))

        with pytest.raises(ConfigurationError) as caught:
            catalog.add_source("lost")
        with pytest.raises(ResourceError, match="deleted or replaced since it was opened"):
            catalog.check()

    assert isinstance(caught.value.cause, ResourceError)
    assert "deleted or replaced" in str(caught.value.cause)
    if how is deleted:
        assert "catalog.db" not in there
    else:
        with Catalog(tmp_path / "catalog.db") as reopened:
            assert [source.name for source in reopened.sources()] == ["before"]
            assert reopened.check().violations == ()


def test_it_is_looked_at_again_before_the_commit(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.db") as catalog:
        catalog.add_source("before")
        catalog.backup(tmp_path / "copy.db")
        with pytest.raises(ResourceError, match="deleted or replaced"), catalog.session():
            catalog.add_source("lost")
            (tmp_path / "copy.db").replace(tmp_path / "catalog.db")


LINKED = """
import sys
from retrovue_uow import Catalog, ConfigurationError

with Catalog(sys.argv[1], busy_timeout_ms=100, write_wait_s=0.2) as catalog:
    try:
        catalog.add_source("beside")
    except ConfigurationError as error:
        print(error.cause)
"""


def test_two_names_of_one_file_are_one_catalogue_with_one_queue(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to("../catalog.db")
    with Catalog(link) as catalog, catalog.session():
        catalog.add_source("first")
        said = subprocess.run(
            [sys.executable, "-c", LINKED, str(tmp_path / "catalog.db")], capture_output=True, text=True, check=True
        )

    assert "another writer kept its turn" in said.stdout
    assert sorted(each.name for each in (tmp_path / "elsewhere").iterdir()) == ["link.db"]
    with Catalog(tmp_path / "catalog.db") as catalog:
        assert [source.name for source in catalog.sources()] == ["first"]
