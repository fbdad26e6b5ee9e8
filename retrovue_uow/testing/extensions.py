"""What the author of an extension has proven in one line: its tables, its rules, and the way there from every version."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw

from retrovue_uow import AssetSelector, Catalog, Database, Extension, RetroVueError, ValidationError
from retrovue_uow.store.extensions import statements
from retrovue_uow.testing.copies import in_memory
from retrovue_uow.testing.fakes import ROOT, drafts, fake_enricher, fake_importer
from retrovue_uow.testing.snapshots import shortened, snapshot
from retrovue_uow.uow.tables import quoted


def extended_catalog(path: str | os.PathLike[str], *extensions: Extension) -> Catalog:
    """A new catalogue with these extensions, and with twelve assets that may go on the air, for their rows to refer to."""
    types = {"importers": {"fake": fake_importer(drafts(12))}, "enrichers": {"fake": fake_enricher()}}
    catalog = Catalog(path, extensions=extensions, **types)  # type: ignore[arg-type]  # they are what they are called
    catalog.add_source("station", "fake")
    catalog.add_collection("station", "Shows", path_mappings={ROOT: str(Path(path).resolve().parent)})  # it holds a file
    catalog.attach_enricher("Shows", "fake")
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector(state="ready"))
    return catalog


def assert_extension(extension: Extension, *, breaks: Mapping[str, str] = {}, data: Mapping[int, str] = {}) -> None:
    """Prove that an extension can be added to a catalogue, from each of its versions, and that its rules judge.

    - It is added to a catalogue with assets. What the library refuses is raised as it is: names, keys, tables that are not
      STRICT, triggers, a rule without the four columns.
    - Each rule is broken by SQL of yours: the unit is refused, by that rule; written by another program, `check()` finds it,
      and what the rule says of it is true: its own name, a table, the key of a row in it, and words.
    - From each version, with rows of yours in every table, it comes to the newest one; opened again, nothing changes.
    - What a unit writes into its tables is undone bit for bit.

    Args:
        breaks: SQL that breaks a rule, by the rule's name. The catalogue has twelve assets, and no rows of yours.
        data: SQL that puts rows into every table as the first so many migrations make them, by that number.

    Raises:
        AssertionError: Names the rule or the version, and what is wrong with it.
    """
    with tempfile.TemporaryDirectory(prefix="retrovue-extension-", dir=in_memory()) as name:
        folder = Path(name)
        extended_catalog(folder / "without.db").close()
        shutil.copyfile(folder / "without.db", folder / "with.db")
        with Catalog(folder / "with.db", extensions=[extension]) as catalog:
            installed = next(each for each in catalog.extensions() if each.name == extension.name)
        if breaks.keys() != set(installed.rules):
            raise AssertionError(f"give SQL that breaks each rule, by its name: it has {installed.rules}, not {(*breaks,)}")
        for rule, sql in breaks.items():
            shutil.copyfile(folder / "with.db", folder / "broken.db")
            _assert_judges(folder / "broken.db", extension, rule, sql)
        if data.keys() != set(range(1, installed.version + 1)):
            raise AssertionError(f"give rows for each version from 1 to {installed.version}, not for {(*data,)}")
        for version in range(installed.version + 1):
            shutil.copyfile(folder / "without.db", folder / "older.db")
            _assert_comes_from(folder / "older.db", extension, version, data)


def _run(db: Database, sql: str, what: str) -> None:
    try:
        for statement in statements(sql):
            db.execute(statement)
    except RetroVueError as error:
        raise AssertionError(f"{what} cannot be written: {error}") from error


def _assert_judges(path: Path, extension: Extension, rule: str, sql: str) -> None:
    with Catalog(path, extensions=[extension]) as catalog:
        try:
            with catalog.session() as db:
                _run(db, sql, f"what breaks rule {rule!r}")
        except ValidationError as error:
            if rule not in {each.rule for each in error.violations}:
                raise AssertionError(f"what breaks rule {rule!r} was refused, but not by it: {error}") from error
        else:
            raise AssertionError(f"what breaks rule {rule!r} was committed")
        with closing(apsw.Connection(str(path))) as elsewhere:
            elsewhere.execute(sql).fetchall()
            rows: list[tuple[Any, ...]] = elsewhere.execute(f"SELECT rule, subject, id, detail FROM {quoted(rule)}").fetchall()  # noqa: S608  its own name
        if rule not in {each.rule for each in catalog.check().violations}:
            raise AssertionError(f"check() does not find what breaks rule {rule!r}")
        for said, subject, id_, detail in rows:
            key = catalog.database.shape.keys.get(subject)
            if said != rule or key is None or not detail:
                raise AssertionError(
                    f"rule {rule!r} must say its name, a table, a key and words, not {(said, subject, id_, detail)}"
                )
            if not catalog.database.execute(f"SELECT 1 FROM {quoted(subject)} WHERE {quoted(key)} = ?", (id_,)):  # noqa: S608  the schema's
                raise AssertionError(f"rule {rule!r} says {id_!r}, which is the key of no row of {subject!r}")


def _assert_comes_from(path: Path, extension: Extension, version: int, data: Mapping[int, str]) -> None:
    """From a version with rows to the newest one, and no further."""
    if version:
        with _first_migrations(extension, version, path.parent) as older, Catalog(path, extensions=[older]) as catalog:
            _assert_fills(catalog, extension, version, data)
    with Catalog(path, extensions=[extension]) as catalog:
        if violations := catalog.check().violations:
            raise AssertionError(f"after the way from version {version}, check() finds {violations[0]}")
        came = snapshot(catalog)
    with Catalog(path, extensions=[extension]) as catalog:
        if differences := came.differences(snapshot(catalog)):
            raise AssertionError("\n".join([f"opening it again after version {version} changes it:", *shortened(differences)]))


def _assert_fills(catalog: Catalog, extension: Extension, version: int, data: Mapping[int, str]) -> None:
    """The rows of a version are there, in every table, once an undo has been undone."""
    before = snapshot(catalog, journal=False)
    with catalog.session() as db:
        _run(db, data[version], f"the rows of version {version}")
    written = snapshot(catalog, journal=False)
    for table in written.tables:
        if table.startswith(f"{extension.name}_") and not written[table]:
            raise AssertionError(f"the rows of version {version} leave table {table!r} empty")
    undone = catalog.undo(catalog.history(1)[0].id)
    if differences := before.differences(snapshot(catalog, journal=False)):
        raise AssertionError("\n".join([f"the rows of version {version} are not undone:", *shortened(differences)]))
    catalog.undo(str(undone.unit_id))
    if differences := written.differences(snapshot(catalog, journal=False)):
        raise AssertionError("\n".join([f"the rows of version {version} do not come back:", *shortened(differences)]))


@contextmanager
def _first_migrations(extension: Extension, count: int, folder: Path) -> Iterator[Extension]:
    """The extension as it was when it had so many migrations: a package of its own, without rules and views."""
    package = f"retrovue_{uuid4().hex}"
    whole, part = Path(import_module(extension.package).__path__[0], "migrations"), folder / package / "migrations"
    part.mkdir(parents=True)
    for name in sorted(name for name in os.listdir(whole) if name.endswith(".sql"))[:count]:
        shutil.copyfile(whole / name, part / name)
    sys.path.append(str(folder))
    invalidate_caches()
    try:
        yield Extension(extension.name, package)
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(package, None)
