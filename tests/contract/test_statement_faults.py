"""Whatever fails at whichever SQL statement of an operation: the catalogue is as before, nothing stays locked, it can go on.

The statements are counted as they run, BEGIN, SAVEPOINT, ROLLBACK and COMMIT among them; none is listed here. A fault strikes
before its statement runs, so that one at the COMMIT means that there was none.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import attrs
import pytest
from cases import CASES, Case, stock
from extending import PLAYLOG, MakeExtension
from harness import entry, operations_of_catalog
from proof.figures import Proof, Size

from retrovue_uow import Catalog, OperationError, ResourceError, WipeOptions, as_json
from retrovue_uow.rules.integrity import validate_database_consistency
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot
from retrovue_uow.testing.faults import Fault, Injection, tracing

SAMPLE = 9
"""Statements of each operation at which something fails unless all are asked for."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
FAULTS: dict[str, Callable[[], BaseException]] = {
    "error": lambda: RuntimeError("a fault"),
    "interrupt": lambda: KeyboardInterrupt("a fault"),
    "full disk": lambda: apsw.FullError("a fault"),
}
CAUSES = {"error": RuntimeError, "full disk": ResourceError}


@attrs.frozen
class Scene:
    """A catalogue with something for every operation to do, which `restore` brings back after one did it."""

    catalog: Catalog
    neighbour: Catalog
    template: apsw.Connection

    def restore(self) -> None:
        with contextlib.closing(apsw.Connection(self.catalog.database.path)) as target:
            target.execute("PRAGMA synchronous = OFF").fetchall()
            with target.backup("main", self.template, "main") as copying:
                copying.step()


@pytest.fixture
def scene(catalog: Catalog, importer: FakeImporter, enricher: FakeEnricher, media: Path) -> Iterator[Scene]:
    stock(catalog, importer, media)
    catalog.add_extension(PLAYLOG)
    with catalog.session() as db:
        db.execute("INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT id, 10 * rowid, 10 * rowid + 9 FROM asset")
    template = apsw.Connection(":memory:")
    with template.backup("main", catalog.database.connection, "main") as copying:
        copying.step()
    with Catalog(catalog.database.path, busy_timeout_ms=0, write_wait_s=1) as neighbour:
        yield Scene(catalog, neighbour, template)
    template.close()


@contextlib.contextmanager
def fault_at(catalog: Catalog, number: int, error: BaseException) -> Iterator[Injection]:
    """Raises an error before the n-th statement of the catalogue's connection, counting from 1; counts on in any case."""

    def fail(_: Injection) -> None:
        raise error

    injection = Injection(Fault("statement", number, "", ""))
    with tracing(catalog.database.connection, injection, fail):
        yield injection


def planned(catalog: Catalog) -> object:
    """An operation of the extension's own."""
    with catalog.operation("plan") as op:
        with op.preflight():
            pass
        with op.execution() as db:
            db.execute("DELETE FROM playlog_slot WHERE start_ms = 10")
            db.execute("INSERT INTO playlog_slot (asset_id, start_ms, end_ms) SELECT min(id), 1000, 1001 FROM asset")
        with op.postvalidation() as db:
            validate_database_consistency(db)
        return op.finish(None)


EVERY_CASE = {**CASES, "plan": Case(planned, OperationError)}


def outcome(scene: Scene, case: Case) -> tuple[str, dict[str, int], list[str]]:
    """What a run gives: its result without what differs every time, the rows per table, its statements. Undone at the end."""
    with fault_at(scene.catalog, 0, AssertionError("there is no such statement")) as tracer:
        result = str(without_rows(as_json(case.run(scene.catalog))))
    rows = {name: len(table.rows) for name, table in snapshot(scene.catalog).tables.items()}
    scene.restore()
    plain = re.sub(r"'(duration_s|[a-z_]+_at)': [^,}]+", "", UUID.sub("", result))
    return plain, rows, tracer.points


def without_rows(result: object) -> object:
    """The result with the counts of its changes only: their rows stand in no order, and have new identifiers each time."""
    if isinstance(result, list | tuple):
        return [without_rows(each) for each in result]
    if isinstance(result, dict) and isinstance(result.get("changes"), dict):
        counts = sorted((table, sorted(kinds.items())) for table, kinds in result["changes"]["counts"].items())
        return {**result, "changes": counts}
    return result


def assert_nothing_is_held(scene: Scene) -> None:
    assert not scene.catalog.database.connection.in_transaction
    assert not scene.catalog.database.in_unit
    assert scene.neighbour.wipe_collection("Shows", WipeOptions(dry_run=True)).deleted["asset"] == 3


def assert_right_error(case: Case, kind: str, error: BaseException, fault: BaseException) -> None:
    if kind == "interrupt":
        assert error is fault
    elif case.outside and not isinstance(error, OperationError):
        assert error is fault or error.__cause__ is fault
    else:
        assert isinstance(error, case.error)
        assert isinstance(error.cause, CAUSES[kind])


def test_every_operation_has_a_case() -> None:
    without = {"ingest_source"}  # one ingest after the other, and a frame that writes nothing

    for name in set(operations_of_catalog()) - without:
        entry(CASES, name, "add to CASES in cases.py how it works on the scene, which `stock` prepares")


@pytest.mark.proof(
    "An operation that fails at an SQL statement raises the promised error, changes and holds nothing, and works the next time",
    how="an error, Ctrl-C and a full disk take turns before every statement of every public operation, on one open catalogue",
)
@pytest.mark.parametrize("name", EVERY_CASE)
def test_a_fault_at_any_statement_leaves_everything_as_it_was(scene: Scene, size: Size, figures: Proof, name: str) -> None:
    case = EVERY_CASE[name]
    before = snapshot(scene.catalog)
    *clean, statements = outcome(scene, case)
    assert snapshot(scene.catalog) == before

    numbers = size.some(range(1, len(statements) + 1), SAMPLE)
    for number in numbers:
        kind = list(FAULTS)[(number + size.seed) % len(FAULTS)]
        fault = FAULTS[kind]()
        with pytest.raises(BaseException) as caught, fault_at(scene.catalog, number, fault):  # noqa: PT011  the kind is asserted below
            case.run(scene.catalog)

        assert_right_error(case, kind, caught.value, fault)
        assert snapshot(scene.catalog) == before, statements[number - 1]
        assert_nothing_is_held(scene)
        assert outcome(scene, case)[:2] == tuple(clean)
    figures.add({"faults": len(numbers), "statements": len(statements)})


@pytest.mark.proof(
    "An operation that fails at an SQL statement raises the promised error, changes and holds nothing, and works the next time"
)
@pytest.mark.parametrize("act", ["add", "remove"])
def test_a_fault_at_any_statement_leaves_an_extension_as_it_was(
    catalog: Catalog, extension: MakeExtension, size: Size, figures: Proof, act: str
) -> None:
    bill = extension("bill", ["CREATE TABLE bill_item (id INTEGER PRIMARY KEY) STRICT"], {}, {"bill_due": "SELECT 1 AS id"})
    catalog.add_extension(PLAYLOG)
    before, schema = snapshot(catalog), made_in(catalog)

    for faults in itertools.count():
        number = 1 + size.seed % 5 + faults * size.choose(sample=5, full=1)
        fault = list(FAULTS.values())[faults % len(FAULTS)]()
        with contextlib.suppress(type(fault), ResourceError), fault_at(catalog, number, fault) as injection:
            if act == "add":
                catalog.add_extension(bill)
            else:
                catalog.remove_extension("playlog")
        if not injection.has_struck:
            break
        assert (snapshot(catalog), made_in(catalog)) == (before, schema), injection.points[-1]

    assert snapshot(catalog) != before
    catalog.add_source("nothing is held", "fake")
    assert catalog.check().is_sound
    figures.add({"faults": faults, "statements": number})


def made_in(catalog: Catalog) -> list[object]:
    with contextlib.closing(apsw.Connection(catalog.database.path)) as other:
        return list(other.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall())
