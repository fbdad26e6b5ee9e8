"""What the documentation shows runs, and what it refers to is there."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from harness import operations_of_catalog

import retrovue_uow
from retrovue_uow import Catalog

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
    files = {ROOT / name for name in re.findall(r"tests/store/test_\w+\.py", page)}

    tests = {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)}

    assert sorted(name for name in tests if f"#{name})" not in page) == []


def proven_in(file: Path) -> set[str]:
    """The promises that the file's tests are marked as proofs of."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.proof" and node.args
    ]
    promises = [constants[each.id] if isinstance(each, ast.Name) else each for each in found]
    return {str(ast.literal_eval(promise)) for promise in promises}


def test_the_page_of_proofs_has_a_line_for_every_promise_and_no_other(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-reliability"):
        return  # the lines that are missing are those that this run will write
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| (.+?) \|", page.partition("|---|")[2], re.MULTILINE)

    promises = {promise for file in (ROOT / "tests").rglob("test_*.py") for promise in proven_in(file)}

    assert sorted(told) == sorted(promises), (
        "run `pytest --proof=full --write-reliability`, or without `--proof=full` for a sample"
    )


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(page: Path, *, until: str | None = None) -> dict[str, Any]:
    """What the Python blocks of a page leave, one after another: all, or those up to the one that defines a name."""
    namespace: dict[str, Any] = {}
    for block in blocks(page, "python"):
        exec(block, namespace)  # noqa: S102
        if until in namespace:
            break
    return namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    run(page)


@pytest.mark.parametrize("done", ["Dark S01/Dark S01E01.mkv", "Dark S01", "Brazil (1985).mkv"])
def test_a_downloader_can_call_the_script_that_is_shown(tmp_path: Path, done: str) -> None:
    (script,) = [block for block in blocks(ROOT / "docs" / "how-to.md", "sh") if "--under" in block]
    (tmp_path / "downloaded").write_text(script.replace("/srv/station", str(tmp_path)))
    for name in ("Dark S01/Dark S01E01.mkv", "Brazil (1985).mkv"):
        (tmp_path / "media" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / name).write_bytes(name.encode())
    with Catalog(tmp_path / "catalog.db") as catalog:
        catalog.add_source("filesystem")
        catalog.add_collection("filesystem", "Media", path_mappings={str(tmp_path / "media"): str(tmp_path / "media")})
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    subprocess.run(["sh", tmp_path / "downloaded", tmp_path / "media" / done], check=True, env={**os.environ, "PATH": programs})

    with Catalog(tmp_path / "catalog.db") as catalog:
        assert len(catalog.assets()) == (1 if done.startswith("Dark") else 2)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the recipe takes SQLite's own shell")
@pytest.mark.parametrize("lost", ["asset", "marker", "unit_of_work", None])
def test_a_damaged_catalogue_is_saved_as_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str | None) -> None:
    (script,) = [block for block in blocks(ROOT / "docs" / "how-to.md", "sh") if ".dump" in block]
    media, damaged = tmp_path / "media", tmp_path / "damaged" / "catalog.db"
    damaged.parent.mkdir()
    for name in ("Dark S01E01.mkv", "Brazil (1985).mkv", "cut.mkv"):
        media.mkdir(exist_ok=True)
        (media / name).write_bytes(name.encode() if name != "cut.mkv" else b"")
    with Catalog(damaged) as catalog:
        catalog.add_source("filesystem")
        catalog.add_collection("filesystem", "Media", path_mappings={str(media): str(media)})
        catalog.attach_enricher("Media", "filename")
        catalog.ingest_collection("Media", broken="record")
        catalog.rename_title("Dark", name="Darker")
        size, pages = (
            catalog.database.execute("PRAGMA page_size")[0][0],
            catalog.database.execute("SELECT pageno FROM dbstat WHERE name = ?", (lost,)),
        )
    with damaged.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
    monkeypatch.chdir(tmp_path)
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["sh", "-ec", script], check=False, capture_output=True, text=True, env={**os.environ, "PATH": programs}
    )

    assert done.returncode == 0, done.stderr
    assert "the catalogue is sound" in done.stdout
    with Catalog("catalog.db") as catalog:
        assert {title.name for title in catalog.titles()} == {"Darker", "Brazil"}
        assert len(catalog.assets()) == 3


def test_the_loop_that_is_shown_follows_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("watchfiles")
    monkeypatch.chdir(tmp_path)
    names = run(ROOT / "docs" / "how-to.md", until="ingest_as_it_comes")
    media, stopping = names["media"], threading.Event()
    (media / "New").mkdir()
    following = threading.Thread(target=names["ingest_as_it_comes"], args=("Videos", media, stopping), kwargs={"quiet_s": 0.2})
    following.start()

    def await_asset(path: Path, *, missing: bool) -> None:
        for attempt in range(120):
            if not missing and attempt % 10 == 0:
                path.write_bytes(b"comet" * 10_000)  # again: nobody knows since when it is looked for
            time.sleep(0.5)
            with Catalog("catalog.db", read_only=True) as catalog:
                if any(asset.file_path == str(path) for asset in catalog.assets(missing=missing)):
                    return
        pytest.fail(f"nobody noticed {path}")

    try:
        kept, lost = (media / "New" / f"Captain Comet - S01E{number:02}.mkv" for number in (7, 8))
        await_asset(kept, missing=False)
        await_asset(lost, missing=False)
        lost.unlink()
        await_asset(lost, missing=True)
    finally:
        stopping.set()
        following.join()


def test_the_reference_is_what_its_generator_makes() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "generate_reference.py"))
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")

    assert page == generator["reference"](), "run `python docs/generate_reference.py`"


def test_the_reference_has_every_public_name_and_operation() -> None:
    headings = re.findall(r"^###+ `(\w+)`$", (ROOT / "docs" / "reference.md").read_text(encoding="utf-8"), re.MULTILINE)
    methods = [name for name in vars(retrovue_uow.Catalog) if not name.startswith("_")]

    wanted = {*retrovue_uow.__all__, *methods, *operations_of_catalog()}

    assert sorted(wanted - set(headings)) == []


def test_an_example_in_a_docstring_is_shown_and_not_run() -> None:
    described = runpy.run_path(str(ROOT / "docs" / "generate_reference.py"))["described"]

    page = described("What it gives.\n\n```python\nraise SystemExit\n```\n\n>>> 1 + 1\n2\n\nIn the end.")

    assert page == "What it gives.\n\n```py\nraise SystemExit\n```\n\n```pycon\n>>> 1 + 1\n2\n```\n\nIn the end.\n"
