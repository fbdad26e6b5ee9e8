"""What the documentation shows runs, and what it refers to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_test_exists(page: Path) -> None:
    links = re.findall(r"\]\(\.\./(tests/[\w/]+\.py)#(\w+)\)", page.read_text(encoding="utf-8"))

    missing = [name for file, name in links if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_other_linked_file_exists(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_every_test_of_the_unit_of_work_is_in_its_table() -> None:
    page = (ROOT / "docs" / "unit-of-work.md").read_text(encoding="utf-8")
    of_something_else = ("test_opening.py", "test_enrichment_cache.py")
    files = [file for file in (ROOT / "tests" / "store").glob("test_*.py") if file.name not in of_something_else]

    tests = {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)}

    assert sorted(name for name in tests if f"#{name})" not in page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}

    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(block, namespace)  # noqa: S102
