"""Whatever fails at whichever SQL statement of an operation: the catalogue is as before, nothing stays locked, it can go on.

The statements are counted as they run, BEGIN, SAVEPOINT, ROLLBACK and COMMIT among them; none is listed here. A fault strikes
before its statement runs, so that one at the COMMIT means that there was none.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import attrs
import pytest
from harness import FakeEnricher, FakeImporter, dump, episode, mounted, movie, operations_of_catalog

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    AssetSelector,
    Catalog,
    ConfigurationError,
    CurationError,
    ForgetError,
    FoundCollection,
    IngestError,
    Marker,
    OperationError,
    ResourceError,
    UndoError,
    WipeError,
    WipeOptions,
    as_json,
)

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
FAULTS: dict[str, Callable[[], BaseException]] = {
    "error": lambda: RuntimeError("a fault"),
    "interrupt": lambda: KeyboardInterrupt("a fault"),
    "full disk": lambda: apsw.FullError("a fault"),
}
CAUSES = {"error": RuntimeError, "full disk": ResourceError}


@attrs.frozen
class Case:
    """An operation at work on the scene; `outside`: some of its statements belong to none, so their errors come as they are."""

    run: Callable[[Catalog], object]
    error: type[OperationError] = ConfigurationError
    outside: bool = False


def prepared_ingest(catalog: Catalog) -> object:
    with catalog.prepare_ingest("Shows", refresh="all") as prepared:
        return catalog.ingest_collection(prepared)


def wiped_and_ingested_anew(catalog: Catalog) -> object:
    with catalog.prepare_ingest("Shows", as_if_empty=True) as prepared, catalog.session():
        return [catalog.wipe_collection("Shows"), catalog.ingest_collection(prepared)]


def session_of_operations_and_sql(catalog: Catalog) -> object:
    with catalog.session() as db:
        db.execute("UPDATE asset SET state = 'retired'")
        with catalog.session(contain=True):
            return [catalog.disable_collection("Shows"), catalog.wipe_collection("Empty")]


def last_unit(catalog: Catalog) -> str:
    """Read through another connection, whose statements are not counted."""
    return str(dump(catalog)["unit_of_work"][-1][0])


def undone_in_a_session(catalog: Catalog) -> object:
    unit_id = last_unit(catalog)
    with catalog.session():
        return [catalog.undo(unit_id), catalog.disable_collection("Shows")]


def retired_and_reinstated(catalog: Catalog) -> object:
    with catalog.session():
        return [catalog.retire(AssetSelector(kind="movie")), catalog.reinstate(AssetSelector(kind="movie"))]


def assigned_and_unassigned(catalog: Catalog) -> object:
    with catalog.session():
        return [catalog.assign(AssetSelector(kind="movie"), title="TRON"), catalog.unassign(AssetSelector(kind="movie"))]


def assigned_and_merged(catalog: Catalog) -> object:
    with catalog.session():
        return [
            catalog.assign(AssetSelector(path="*S01E02.mkv"), title="Space 1999"),
            catalog.merge_titles("Space 1999", into="Space: 1999"),
        ]


def on_disk(catalog: Catalog, found: AssetDraft) -> AssetDraft:
    return mounted(found, str(Path(catalog.database.path).with_name("media")))


CASES = {
    "add_source": Case(lambda catalog: catalog.add_source("another", "fake")),
    "discover_collections": Case(lambda catalog: catalog.discover_collections("station")),
    "add_collection": Case(lambda catalog: catalog.add_collection("station", "More", path_mappings={"/a": "/b", "/c": "/d"})),
    "map_path": Case(lambda catalog: catalog.map_path("Empty", "/more", "/srv/more")),
    "unmap_path": Case(lambda catalog: catalog.unmap_path("Empty", "/empty")),
    "enable_collection": Case(lambda catalog: catalog.enable_collection("Empty")),
    "disable_collection": Case(lambda catalog: catalog.disable_collection("Shows")),
    "attach_enricher": Case(lambda catalog: catalog.attach_enricher("Empty", "fake")),
    "detach_enricher": Case(lambda catalog: catalog.detach_enricher("Shows", "fake")),
    "remove_collection": Case(lambda catalog: catalog.remove_collection("Empty")),
    "remove_source": Case(lambda catalog: catalog.remove_source("bare")),
    "prepare_ingest": Case(prepared_ingest, IngestError),
    "ingest_collection": Case(lambda catalog: catalog.ingest_collection("Shows"), IngestError),
    "ingest_collection, refreshing": Case(lambda catalog: catalog.ingest_collection("Shows", refresh="all"), IngestError),
    "ingest_collection, dry": Case(lambda catalog: catalog.ingest_collection("Shows", dry_run=True), IngestError),
    "process_asset": Case(
        lambda catalog: catalog.process_asset(on_disk(catalog, episode("Dark", 1, 1)), "Shows"), AssetProcessingError
    ),
    "process_asset, refreshing": Case(
        lambda catalog: catalog.process_asset(on_disk(catalog, movie("Tron", 1982, size=7)), "Shows", refresh="changed"),
        AssetProcessingError,
    ),
    "wipe_collection": Case(lambda catalog: catalog.wipe_collection("Shows"), WipeError),
    "wipe_collection, dry": Case(lambda catalog: catalog.wipe_collection("Shows", WipeOptions(dry_run=True)), WipeError),
    "forget_missing": Case(lambda catalog: catalog.forget_missing("Shows", max_fraction=1), ForgetError),
    "forget_missing, dry": Case(lambda catalog: catalog.forget_missing("Shows", max_fraction=1, dry_run=True), ForgetError),
    "undo": Case(lambda catalog: catalog.undo(last_unit(catalog)), UndoError),
    "undo, dry": Case(lambda catalog: catalog.undo(last_unit(catalog), dry_run=True), UndoError),
    "undo in a session": Case(undone_in_a_session, OperationError, outside=True),
    "approve": Case(lambda catalog: catalog.approve(AssetSelector(state="ready")), CurationError),
    "approve, dry": Case(lambda catalog: catalog.approve(AssetSelector(), dry_run=True), CurationError),
    "withdraw_approval": Case(lambda catalog: catalog.withdraw_approval(AssetSelector()), CurationError),
    "retire": Case(lambda catalog: catalog.retire(AssetSelector(kind="movie")), CurationError),
    "reinstate": Case(retired_and_reinstated, CurationError, outside=True),
    "assign": Case(
        lambda catalog: catalog.assign(
            AssetSelector(kind="movie"), kind="episode", title="Dark", season_number=1, episode_numbers=(1, 2)
        ),
        CurationError,
    ),
    "unassign": Case(assigned_and_unassigned, CurationError, outside=True),
    "rename_title": Case(lambda catalog: catalog.rename_title("Tron", name="TRON"), CurationError),
    "merge_titles": Case(assigned_and_merged, CurationError, outside=True),
    "wipe and ingest in one session": Case(wiped_and_ingested_anew, OperationError, outside=True),
    "session of operations and SQL": Case(session_of_operations_and_sql, OperationError, outside=True),
}


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
    for name in ("station", "bare"):
        catalog.add_source(name, "fake")
    catalog.add_collection("station", "Empty", path_mappings={"/empty": str(media.parent)}, enabled=False)
    catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
    catalog.attach_enricher("Shows", "fake")
    (media / "Dark").mkdir()
    (media / "Dark" / "S01E01.mkv").touch()
    (media / "Tron (1982).mkv").touch()
    returning, leaving, staying, new = (
        episode("Space: 1999", 1, 1),
        episode("Space: 1999", 1, 2),
        movie("Tron", 1982, markers=(Marker("intro", 0, 500),), metadata={"editorial": {"studio": "Disney"}}),
        movie("Alien", 1979),
    )
    importer.drafts = [returning, leaving, staying]
    catalog.ingest_collection("Shows")
    importer.drafts = [leaving, staying]
    catalog.ingest_collection("Shows")
    importer.drafts = [returning, staying, new]
    importer.found = [FoundCollection("Found", "42", {"/found": "/srv/found"})]
    template = apsw.Connection(":memory:")
    with template.backup("main", catalog.database.connection, "main") as copying:
        copying.step()
    with Catalog(catalog.database.path, busy_timeout_ms=0, write_wait_s=1) as neighbour:
        yield Scene(catalog, neighbour, template)
    template.close()


class FaultAt:
    """Raises a fault before the n-th statement of a connection, counting from 1; counts on in any case."""

    def __init__(self, connection: apsw.Connection, number: int, fault: BaseException | None) -> None:
        self.statements: list[str] = []
        self._connection = connection
        self._number = number
        self._fault = fault

    def __enter__(self) -> FaultAt:
        self._connection.exec_trace = self
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.exec_trace = None

    def __call__(self, cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        self.statements.append(sql)
        if len(self.statements) == self._number and self._fault is not None:
            raise self._fault
        return True


def outcome(scene: Scene, case: Case) -> tuple[str, dict[str, int], list[str]]:
    """What a run gives: its result without what differs every time, the rows per table, its statements. Undone at the end."""
    with FaultAt(scene.catalog.database.connection, 0, None) as tracer:
        result = str(without_rows(as_json(case.run(scene.catalog))))
    rows = {table: len(found) for table, found in dump(scene.catalog).items()}
    scene.restore()
    plain = re.sub(r"'(duration_s|[a-z_]+_at)': [^,}]+", "", UUID.sub("", result))
    return plain, rows, tracer.statements


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

    assert set(operations_of_catalog()) - without <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_fault_at_any_statement_leaves_everything_as_it_was(scene: Scene, name: str) -> None:
    case = CASES[name]
    before = dump(scene.catalog)
    *clean, statements = outcome(scene, case)
    assert dump(scene.catalog) == before

    for number in range(1, len(statements) + 1):
        kind = list(FAULTS)[number % len(FAULTS)]  # the kinds take turns
        fault = FAULTS[kind]()
        with pytest.raises(BaseException) as caught, FaultAt(scene.catalog.database.connection, number, fault):  # noqa: PT011  the kind is asserted below
            case.run(scene.catalog)

        assert_right_error(case, kind, caught.value, fault)
        assert dump(scene.catalog) == before, statements[number - 1]
        assert_nothing_is_held(scene)
        assert outcome(scene, case)[:2] == tuple(clean)
