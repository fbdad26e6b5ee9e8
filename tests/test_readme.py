"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from retrovue_uow import Catalog, OperationError, ValidationError

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A home with a folder of media to run in, and no name defined."""
    folder = tmp_path / "Videos"
    (folder / "Trailers").mkdir(parents=True)
    (folder / "Captain Comet - S01E01.mkv").write_bytes(b"comet")
    (folder / "Trailers" / "Coming Soon.mkv").write_bytes(b"soon")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return {}


def test_the_library_example_runs(namespace: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    exec(BLOCKS[0], namespace)  # noqa: S102

    assert capsys.readouterr().out.splitlines()[:2] == ["2 new, 0 missing, 0 unclassified", "Captain Comet None 1"]


def test_the_custom_operation_runs_and_refuses(namespace: dict[str, object]) -> None:
    exec(BLOCKS[0] + BLOCKS[1], namespace)  # noqa: S102
    retire_trailers = namespace["retire_trailers"]
    assert callable(retire_trailers)

    with Catalog("station.db") as catalog:
        retire_trailers(catalog)
        assert [asset.state for asset in catalog.assets(kind="trailer")] == ["retired"]
        with pytest.raises(OperationError) as caught:
            retire_trailers(catalog)
        assert isinstance(caught.value.cause, ValidationError)


def test_the_composition_runs(namespace: dict[str, object]) -> None:
    exec(BLOCKS[0], namespace)  # noqa: S102

    with Catalog("station.db") as catalog:
        exec(BLOCKS[2], {"catalog": catalog})  # noqa: S102
        rows = catalog.database.execute("SELECT count(DISTINCT unit_id), count(*) FROM operation WHERE name LIKE '%wipe'")
        assert rows == [(1, 1)]
        assert len(catalog.assets()) == 2


def test_the_examples_are_ten_lines_each() -> None:
    statements = [[line for line in block.splitlines() if line.strip() and "import" not in line] for block in BLOCKS]
    assert all(len(lines) <= 10 for lines in statements)
