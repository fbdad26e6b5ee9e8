"""Who starts the library or its command line waits for what is used, and for nothing else."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import retrovue_uow
import retrovue_uow.testing
from retrovue_uow import media
from retrovue_uow.cli.app import COMMANDS, app

HEAVY = ("loguru", "apsw", "attr", "cattrs", "asyncio", "importlib.metadata", "xml", "subprocess", "click")


def told_by(code: str) -> str:
    """What a new process prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def loaded_by(statement: str) -> set[str]:
    """The modules that a statement loads in a new process."""
    return set(told_by(f"import sys; {statement}; sys.stdout.write(' '.join(sys.modules))").split())


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert loaded_by("import retrovue_uow").isdisjoint(HEAVY)


def test_opening_and_reading_a_catalogue_loads_nothing_that_only_an_ingest_needs() -> None:
    loaded = loaded_by("from retrovue_uow import Catalog; catalog = Catalog(':memory:'); catalog.assets(); catalog.check()")

    assert loaded.isdisjoint({"cattrs", "importlib.metadata", "xml", "hashlib", "difflib"})
    assert loaded.isdisjoint(f"retrovue_uow.media.{name}" for name in ("walk", "nfo", "filenames", "titles", "probing", "kodi"))


def test_reading_a_catalogue_loads_no_results_of_operations() -> None:
    loaded = loaded_by("from retrovue_uow import Catalog; catalog = Catalog(':memory:'); catalog.sources(); catalog.titles()")

    assert "retrovue_uow.results" not in loaded


def test_a_part_that_loads_late_is_there_and_a_misspelt_one_is_an_error() -> None:
    assert ".mkv" in media.walk.VIDEO_ENDINGS
    with pytest.raises(AttributeError, match="wlak"):
        media.wlak  # type: ignore[attr-defined]  # noqa: B018  as a user would find out


@pytest.mark.parametrize("used", ["retrovue_uow.Catalog", "retrovue_uow.as_json([])"])
def test_what_is_loaded_on_first_use_and_cannot_be_is_an_error_of_the_library(used: str) -> None:
    code = f"""
import os, resource, retrovue_uow
from retrovue_uow import as_json, ResourceError
free = os.dup(0)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    {used}
except ResourceError as error:
    print(error)
"""

    assert told_by(code).endswith("cannot be loaded: Too many open files")


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_the_help_of_the_command_line_loads_nothing_of_the_library(option: str) -> None:
    loaded = loaded_by(
        "import atexit; atexit.register(lambda: print(*sys.modules)); "
        f"from retrovue_uow.cli.app import app; app.main([{option!r}])"
    )

    assert loaded.isdisjoint({*HEAVY} - {"click"})
    assert {name for name in loaded if name.startswith("retrovue_uow.")} == {"retrovue_uow.cli", "retrovue_uow.cli.app"}


def test_the_pytest_plugin_loads_nothing_of_the_library_until_it_is_used() -> None:
    loaded = loaded_by("import pytest; import retrovue_uow.testing")

    assert loaded.isdisjoint({"loguru", "apsw", "cattrs"})
    assert {name for name in loaded if name.startswith("retrovue_uow.")} == {
        "retrovue_uow.testing",
        "retrovue_uow.testing.plugin",
    }


def test_every_name_of_the_plugin_is_there() -> None:
    called = {name: getattr(retrovue_uow.testing, name).__name__ for name in retrovue_uow.testing.__all__}
    synonyms = {"fake_importer": "FakeImporter", "fake_enricher": "FakeEnricher"}
    assert called == {name: synonyms.get(name, name) for name in called}
    with pytest.raises(AttributeError, match="assert_atomci"):
        retrovue_uow.testing.assert_atomci  # type: ignore[attr-defined]  # noqa: B018  as a user would find out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_of_itself_what_the_whole_help_says_of_it(name: str) -> None:
    runner = CliRunner()
    (line,) = [line for line in runner.invoke(app, ["--help"]).stdout.splitlines() if line.startswith(f"  {name} ")]

    own = runner.invoke(app, [name, "--help"]).stdout

    assert line.split(maxsplit=1)[1] in " ".join(own.split())


@pytest.mark.parametrize("name", retrovue_uow.__all__)
def test_every_public_name_is_where_type_checkers_see_it(name: str) -> None:
    tree = ast.parse(Path(retrovue_uow.__file__).read_text(encoding="utf-8"))
    (module,) = [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]
    ]

    value = getattr(retrovue_uow, name)

    assert value is getattr(sys.modules[str(module)], name)
    assert pickle.loads(pickle.dumps(value)) is value  # noqa: S301  our own


def test_a_star_import_has_every_public_name_and_a_misspelt_one_is_an_error() -> None:
    names = told_by("from retrovue_uow import *; import sys; sys.stdout.write(' '.join(dir()))").split()

    assert set(retrovue_uow.__all__) <= set(names)
    assert set(retrovue_uow.__all__) <= set(dir(retrovue_uow))
    with pytest.raises(AttributeError, match="Catalgo"):
        retrovue_uow.Catalgo  # type: ignore[attr-defined]  # noqa: B018  as a user would find out


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("pass", ""),
        ("logger.enable('retrovue_uow')", "catalogue_migrated"),
        ("logger.enable('retrovue_uow'); logger.disable('retrovue_uow.store')", ""),
        ("logger.enable('retrovue_uow.store.migrations')", "catalogue_migrated"),
    ],
)
def test_what_is_said_of_the_log_before_the_library_is_used_holds(said: str, heard: str) -> None:
    listening = "logger.remove(); logger.add(lambda message: sys.stdout.write(message.record['message']))"

    code = f"import sys, retrovue_uow; from loguru import logger; {listening}; {said}; retrovue_uow.Catalog(':memory:')"

    assert told_by(code) == heard
