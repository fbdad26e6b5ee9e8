"""The contract, walked from the public names: what every operation has, what every rule view does, who imports whom."""

# ruff: noqa: S608  the statements are put together from our own names

from __future__ import annotations

import ast
import functools
import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from harness import entry, operations_of_catalog
from loguru import logger

import retrovue_uow
from retrovue_uow import (
    AfterCommitError,
    AssetDraft,
    AssetProcessingError,
    AssetSelector,
    BrokenFileError,
    BusinessRuleError,
    Catalog,
    Collection,
    ConfigurationError,
    ConflictError,
    ConstraintError,
    ContractError,
    CurationError,
    Database,
    ForgetError,
    IngestError,
    IngestFilters,
    OperationError,
    RelocateError,
    ResourceError,
    RetroVueError,
    TransactionLostError,
    UndoError,
    ValidationError,
    WipeError,
    WipeOptions,
    as_json,
    errors,
    model,
)
from retrovue_uow.rules import drafts, integrity, preflight
from retrovue_uow.testing import snapshot

PACKAGE = Path(retrovue_uow.__file__).parent
README = PACKAGE.parent / "README.md"
HEADINGS = ("Pre-conditions:", "Post-conditions:", "Atomicity:", "Raises:")
PHASES = ["preflight", "execution", "postvalidation"]

FAILURES: dict[str, tuple[type[OperationError], type[Exception], Callable[[Catalog], object]]] = {
    "add_source": (ConfigurationError, ValidationError, lambda c: c.add_source("STATION", "fake")),
    "discover_collections": (ConfigurationError, ValidationError, lambda c: c.discover_collections("nowhere")),
    "add_collection": (ConfigurationError, ValidationError, lambda c: c.add_collection("station", "shows")),
    "map_path": (ConfigurationError, ValidationError, lambda c: c.map_path("Shows", "/media", "/elsewhere")),
    "unmap_path": (ConfigurationError, BusinessRuleError, lambda c: c.unmap_path("Shows", "/media")),
    "exclude": (ConfigurationError, ValidationError, lambda c: c.exclude("Shows", "/")),
    "unexclude": (ConfigurationError, ValidationError, lambda c: c.unexclude("Shows", "*.iso")),
    "enable_collection": (ConfigurationError, ValidationError, lambda c: c.enable_collection("Sh%")),
    "disable_collection": (ConfigurationError, ValidationError, lambda c: c.disable_collection("Show_")),
    "set_upgrades": (ConfigurationError, ValidationError, lambda c: c.set_upgrades("Nowhere", "ask")),
    "attach_enricher": (ConfigurationError, ValidationError, lambda c: c.attach_enricher("Shows", "fake")),
    "detach_enricher": (ConfigurationError, ValidationError, lambda c: c.detach_enricher("Shows", "nfo")),
    "remove_collection": (ConfigurationError, BusinessRuleError, lambda c: c.remove_collection("Shows")),
    "remove_source": (ConfigurationError, BusinessRuleError, lambda c: c.remove_source("station")),
    "prepare_ingest": (IngestError, ValidationError, lambda c: c.prepare_ingest("Shows", IngestFilters(season=1))),
    "ingest_collection": (IngestError, ValidationError, lambda c: c.ingest_collection("Shows", IngestFilters("Lost"))),
    "ingest_source": (IngestError, ValidationError, lambda c: c.ingest_source("bare")),
    "process_asset": (
        AssetProcessingError,
        ValidationError,
        lambda c: c.process_asset(AssetDraft("a.mkv", "a.mkv"), "Shows"),
    ),
    "wipe_collection": (WipeError, ValidationError, lambda c: c.wipe_collection("Shows", WipeOptions(expect_assets=1))),
    "forget_missing": (ForgetError, ValidationError, lambda c: c.forget_missing("Shows", expect_assets=1)),
    "relocate_collection": (RelocateError, ValidationError, lambda c: c.relocate_collection("Shows", "/media", "/elsewhere")),
    "undo": (UndoError, ValidationError, lambda c: c.undo("nothing")),
    "approve": (CurationError, ValidationError, lambda c: c.approve("nothing")),
    "withdraw_approval": (CurationError, ValidationError, lambda c: c.withdraw_approval([])),
    "retire": (CurationError, ValidationError, lambda c: c.retire(AssetSelector(), expect_assets=1)),
    "reinstate": (CurationError, ValidationError, lambda c: c.reinstate(AssetSelector())),
    "assign": (CurationError, ValidationError, lambda c: c.assign(AssetSelector(kind="movie"), season_number=1)),
    "assign_by_name": (CurationError, ValidationError, lambda c: c.assign_by_name(AssetSelector(), "S{season}E{episode}")),
    "unassign": (CurationError, ValidationError, lambda c: c.unassign("nothing")),
    "prefer": (CurationError, ValidationError, lambda c: c.prefer(AssetSelector())),
    "unprefer": (CurationError, ValidationError, lambda c: c.unprefer([])),
    "rename_title": (CurationError, ValidationError, lambda c: c.rename_title("Tron", name="Tron")),
    "merge_titles": (CurationError, ValidationError, lambda c: c.merge_titles("Tron", into="Space: 1999")),
}
SUCCESSES: dict[str, Callable[[Catalog], object]] = {
    "add_source": lambda c: c.add_source("another", "fake"),
    "discover_collections": lambda c: c.discover_collections("station"),
    "add_collection": lambda c: c.add_collection("station", "More"),
    "map_path": lambda c: c.map_path("Empty", "/more", "/srv/more"),
    "unmap_path": lambda c: c.unmap_path("Empty", "/empty"),
    "exclude": lambda c: c.exclude("Shows", "*.iso"),
    "unexclude": lambda c: c.exclude("Shows", "*.iso") and c.unexclude("Shows", "*.ISO"),
    "enable_collection": lambda c: c.enable_collection("Empty"),
    "disable_collection": lambda c: c.disable_collection("Empty"),
    "set_upgrades": lambda c: c.set_upgrades("Shows", "keep-approval"),
    "attach_enricher": lambda c: c.attach_enricher("Empty", "fake"),
    "detach_enricher": lambda c: c.detach_enricher("Shows", "fake"),
    "remove_collection": lambda c: c.remove_collection("Empty"),
    "remove_source": lambda c: c.remove_source("bare"),
    "prepare_ingest": lambda c: c.prepare_ingest("Shows").close(),
    "ingest_collection": lambda c: c.ingest_collection("Shows"),
    "ingest_source": lambda c: c.ingest_source("station"),
    "process_asset": lambda c: c.process_asset(a_file(c), "Shows"),
    "wipe_collection": lambda c: c.wipe_collection("Shows"),
    "forget_missing": lambda c: c.forget_missing("Shows"),
    "relocate_collection": lambda c: c.relocate_collection("Shows", local(c), str(Path(local(c)).parent), min_found=0),
    "undo": lambda c: c.undo(c.history(1)[0].id),
    "approve": lambda c: c.approve(c.assets()),
    "withdraw_approval": lambda c: c.withdraw_approval(AssetSelector(title="tron")),
    "retire": lambda c: c.retire(c.assets()[0].id),
    "reinstate": lambda c: c.retire(c.assets()[0]) and c.reinstate(c.assets()[0]),
    "assign": lambda c: c.assign(AssetSelector(kind="movie"), kind="trailer"),
    "assign_by_name": lambda c: c.assign_by_name(AssetSelector(kind="episode"), "S{season}E{episode}", title="Dark"),
    "unassign": lambda c: c.unassign(c.assets()),
    "prefer": lambda c: c.approve(c.assets()[0]) and c.prefer(c.assets()[0]),
    "unprefer": lambda c: c.unprefer(AssetSelector(title="tron")),
    "rename_title": lambda c: c.rename_title("Tron", name="TRON", year=0),
    "merge_titles": lambda c: c.process_asset(another_tron(c), "Shows") and c.merge_titles("Tron (1999)", into="Tron (1982)"),
}


def local(catalog: Catalog) -> str:
    return catalog.collection("Shows").path_mappings[0].local_path


def a_file(catalog: Catalog) -> AssetDraft:
    path = Path(local(catalog)) / "mounted.txt"
    return AssetDraft(str(path), "/media/mounted.txt", kind="bumper")


def another_tron(catalog: Catalog) -> AssetDraft:
    return attrs.evolve(a_file(catalog), kind="movie", title="Tron", year=1999)


@pytest.fixture
def station(catalog: Catalog, collection: Collection) -> Catalog:
    """A catalogue in which every operation can succeed, and fail."""
    catalog.add_source("bare", "fake")
    catalog.add_collection("station", "Empty", path_mappings={"/empty": "/srv/empty"}, enabled=False)
    catalog.ingest_collection(collection.id)
    return catalog


@pytest.fixture
def phases() -> Iterator[list[tuple[str, str]]]:
    """Operation and phase of every `phase_finished` that the library logs."""
    seen: list[tuple[str, str]] = []

    def note(message: Any) -> None:
        if message.record["message"] == "phase_finished":
            seen.append((message.record["extra"]["operation"], message.record["extra"]["phase"]))

    logger.enable("retrovue_uow")
    sink = logger.add(note, level="DEBUG")
    yield seen
    logger.remove(sink)
    logger.disable("retrovue_uow")


@pytest.mark.parametrize("heading", HEADINGS)
@pytest.mark.parametrize("name", operations_of_catalog())
def test_every_operation_documents_its_contract(name: str, heading: str) -> None:
    doc = inspect.getdoc(operations_of_catalog()[name]) or ""

    starts = [line.strip() for line in doc.splitlines()]

    assert any(line.startswith(heading) for line in starts)


@pytest.mark.parametrize("heading", ["Pre-conditions:", "Post-conditions:"])
@pytest.mark.parametrize("name", operations_of_catalog())
def test_every_condition_is_a_bullet(name: str, heading: str) -> None:
    doc = inspect.getdoc(operations_of_catalog()[name]) or ""

    following = doc.split(heading)[1].strip()

    assert following.startswith("- ")


@pytest.mark.parametrize("name", operations_of_catalog())
def test_every_operation_runs_its_phases_in_order(station: Catalog, phases: list[tuple[str, str]], name: str) -> None:
    run = entry(SUCCESSES, name, "add to SUCCESSES a call of the operation that succeeds on `station`")

    run(station)

    assert phases
    for operation in {operation for operation, _ in phases}:
        done = [phase for each, phase in phases if each == operation and phase != "preparation"]
        only_prepares = operation in {"collection_prepare_ingest", "source_ingest"}
        assert done[:3] == (["preflight"] if only_prepares else PHASES)


@pytest.mark.parametrize("name", operations_of_catalog())
def test_every_operation_fails_as_documented_and_changes_nothing(station: Catalog, name: str) -> None:
    error, cause, run = entry(FAILURES, name, "add to FAILURES its error, the cause, and a call that fails on `station`")
    before = snapshot(station)

    with pytest.raises(error) as caught:
        run(station)

    assert type(caught.value) is error
    assert type(caught.value.cause) is cause
    assert error.__name__ in (inspect.getdoc(operations_of_catalog()[name]) or "").split("Raises:")[1]
    assert snapshot(station) == before


@pytest.mark.parametrize("name", operations_of_catalog())
def test_every_operation_has_a_row_in_the_readme(name: str) -> None:
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("|")]

    assert any(row.startswith(f"| `{name}`") for row in rows), f"add a row on `{name}` to the table of operations in README.md"


def test_error_classes_are_the_design_s_tree() -> None:
    parents = {
        ValidationError: RetroVueError,
        ConflictError: ValidationError,
        BrokenFileError: ValidationError,
        ConstraintError: RetroVueError,
        BusinessRuleError: RetroVueError,
        ResourceError: RetroVueError,
        TransactionLostError: ResourceError,
        OperationError: RetroVueError,
        IngestError: OperationError,
        AssetProcessingError: OperationError,
        WipeError: OperationError,
        ForgetError: OperationError,
        RelocateError: OperationError,
        CurationError: OperationError,
        UndoError: OperationError,
        ConfigurationError: OperationError,
        AfterCommitError: RetroVueError,
        ContractError: RetroVueError,
        RetroVueError: Exception,
    }

    public = {value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)}

    assert {each: each.__bases__[0] for each in public} == parents


SIGNATURES = {
    "add_source": "(name, type='filesystem', config={})",
    "discover_collections": "(source)",
    "add_collection": "(source, name, *, external_id=None, path_mappings={}, enabled=True)",
    "map_path": "(collection, source_path, local_path)",
    "unmap_path": "(collection, source_path)",
    "exclude": "(collection, pattern)",
    "unexclude": "(collection, pattern)",
    "enable_collection": "(collection)",
    "disable_collection": "(collection)",
    "set_upgrades": "(collection, upgrades)",
    "attach_enricher": "(collection, type, *, config={}, priority=100)",
    "detach_enricher": "(collection, type)",
    "remove_collection": "(collection)",
    "remove_source": "(source)",
    "prepare_ingest": "(collection_id, "
    "filters=IngestFilters(title=None, season=None, episode=None, exclude=(), under=None), "
    "*, refresh='files', as_if_empty=False, allow_empty=False, strict_names=False, broken='refuse', settle_s=0, "
    "max_missing=None, progress=None)",
    "ingest_collection": "(collection_id, "
    "filters=IngestFilters(title=None, season=None, episode=None, exclude=(), under=None), "
    "*, dry_run=False, refresh='files', allow_empty=False, strict_names=False, broken='refuse', settle_s=0, "
    "max_missing=None, progress=None)",
    "ingest_source": "(source_id, "
    "filters=IngestFilters(title=None, season=None, episode=None, exclude=(), under=None), "
    "*, dry_run=False, refresh='files', allow_empty=False, strict_names=False, broken='refuse', settle_s=0, "
    "max_missing=None, progress=None)",
    "process_asset": "(asset_draft, collection, *, refresh='files', broken='refuse')",
    "wipe_collection": "(collection_id, options=WipeOptions(dry_run=False, expect_assets=None))",
    "forget_missing": "(collection, *, older_than=None, expect_assets=None, max_fraction=0.1, dry_run=False)",
    "relocate_collection": "(collection, old_root, new_root, *, min_found=0.9, dry_run=False)",
    "undo": "(unit_id, *, dry_run=False)",
    "approve": "(assets, *, expect_assets=None, dry_run=False)",
    "withdraw_approval": "(assets, *, expect_assets=None, dry_run=False)",
    "retire": "(assets, *, expect_assets=None, dry_run=False)",
    "reinstate": "(assets, *, expect_assets=None, dry_run=False)",
    "assign": "(assets, *, kind=None, title=None, year=None, season_number=None, episode_numbers=None, episode_title=None, "
    "expect_assets=None, dry_run=False)",
    "assign_by_name": "(assets, pattern, *, kind=None, title=None, year=None, season=None, expect_assets=None, dry_run=False)",
    "unassign": "(assets, *, expect_assets=None, dry_run=False)",
    "prefer": "(assets, *, expect_assets=None, dry_run=False)",
    "unprefer": "(assets, *, expect_assets=None, dry_run=False)",
    "rename_title": "(title, *, name=None, year=None, dry_run=False)",
    "merge_titles": "(merged, *, into, dry_run=False)",
    "select": "(selector, *, limit=None, after=None)",
    "schedulable_assets": "(collection=None, *, versions='best')",
    "explain": "(asset)",
    "history": "(limit=None, *, since=None)",
    "changes": "(unit_id)",
    "last_ingest": "(collection)",
    "session": "(*, contain=False, durable=False)",
    "check": "()",
    "backup": "(path, *, progress=None)",
    "sources": "()",
    "collection": "(selector)",
    "collections": "(source=None)",
    "assets": "(collection=None, *, kind=None, state=None, missing=None, title=None, limit=None, after=None)",
    "asset": "(uuid)",
    "titles": "(kind=None)",
    "close": "()",
}


def plain_signature(function: Callable[..., object]) -> str:
    """The signature without its first parameter and without types."""
    signature = inspect.signature(function)
    own = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()][1:]
    return str(signature.replace(parameters=own, return_annotation=inspect.Signature.empty))


@pytest.mark.parametrize("name", sorted({*SIGNATURES, *operations_of_catalog()}))
def test_public_signatures_are_the_design_s(name: str) -> None:
    expected = entry(SIGNATURES, name, "add its signature to SIGNATURES, where nothing may change but by what is added")

    assert plain_signature(getattr(Catalog, name)) == expected


def test_catalog_opens_with_the_design_s_parameters() -> None:
    limits = "busy_timeout_ms=5000, write_wait_s=60, undo_units=200, undo_bytes=1073741824"
    plugins = "importers={}, enrichers={}, ffprobe=None, extensions=()"
    expected = f"(path, *, read_only=False, {limits}, {plugins}, production=False, protects=None)"

    assert plain_signature(Catalog.__init__) == expected


EVERY_RESULT = {"unit_id", "dry_run", "duration_s", "changes"}
WITHDRAWING = {"approvals_withdrawn", "withdrawals"}
INGEST_COUNTS = {
    "discovered",
    "created",
    "unchanged",
    "changed",
    "outdated",
    "refreshed",
    "missing",
    "returned",
    "moved",
    "duplicates",
    "unclassified",
    "ambiguous",
    "replaced",
    "retitled",
    "approved",
    "twins",
    "unreachable",
    "broken",
    "warnings",
}


LEFT_OUT = {"skipped", "left_out", "left_out_paths"}


def test_ingest_result_is_the_documented_json(station: Catalog) -> None:
    told = json.loads(json.dumps(as_json(station.ingest_collection("Shows"))))

    others = {"collection", "under", "paths", "created_entities", "findings", "replacements", "retitlings"}
    assert set(told) == {*EVERY_RESULT, *WITHDRAWING, *INGEST_COUNTS, *LEFT_OUT, *others}
    assert all(type(told[name]) is int for name in INGEST_COUNTS)
    assert set(told["paths"]) == INGEST_COUNTS - {"discovered", "unchanged"}


def test_processing_result_is_the_documented_json(station: Catalog) -> None:
    told = json.loads(json.dumps(as_json(station.process_asset(a_file(station), "Shows"))))

    assert set(told) == {*EVERY_RESULT, *WITHDRAWING, "asset", "outcome", "created_entities", "findings"}
    assert set(told["asset"]) == {field.name for field in attrs.fields(model.Asset)}
    assert told["outcome"] == "created"


def test_wipe_result_is_the_documented_json(station: Catalog) -> None:
    told = json.loads(json.dumps(as_json(station.wipe_collection("Shows"))))

    assert set(told) == {*EVERY_RESULT, "collection", "deleted"}
    assert told["deleted"]["asset"] == 4


def test_results_name_their_unit_unless_it_was_a_dry_run(station: Catalog) -> None:
    dry = station.wipe_collection("Shows", WipeOptions(dry_run=True))
    real = station.wipe_collection("Shows")

    units = [row[0] for row in snapshot(station)["unit_of_work"]]
    assert (dry.unit_id, dry.dry_run) == (None, True)
    assert (real.unit_id, real.dry_run) == (units[-1], False)
    assert real.duration_s > 0


def test_an_asset_draft_has_the_design_s_fields() -> None:
    named = {
        "file_path",
        "source_path",
        "size",
        "mtime_ns",
        "kind",
        "title",
        "year",
        "season_number",
        "episode_numbers",
        "episode_title",
        "duration_ms",
        "container",
        "video_codec",
        "audio_codec",
        "width",
        "height",
        "markers",
        "metadata",
    }

    fields = {field.name: field.default is attrs.NOTHING for field in attrs.fields(AssetDraft)}

    assert named <= set(fields)
    assert [name for name, is_required in fields.items() if is_required] == ["file_path", "source_path"]


RULES = (
    "validate_collection_exists",
    "validate_collection_enabled",
    "validate_path_mappings",
    "validate_source_connectivity",
    "validate_no_conflicting_operations",
    "validate_asset_draft",
    "validate_collection_accessible",
    "validate_enrichers_available",
    "validate_wipe_prerequisites",
    "validate_no_orphaned_records",
    "validate_all_relationships",
    "validate_business_rules",
    "validate_asset_relationships",
    "validate_hierarchy_integrity",
    "validate_no_duplicates",
    "validate_collection_preserved",
    "validate_path_mappings_preserved",
    "validate_database_consistency",
)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_of_the_contract_is_there_and_used(name: str) -> None:
    found = [getattr(module, name) for module in (preflight, drafts, integrity) if name in vars(module)]
    used = [path for path in (PACKAGE / "operations").glob("*.py") if f"{name}(" in path.read_text(encoding="utf-8")]

    assert len(found) == 1
    assert inspect.getdoc(found[0])
    assert used or name == "validate_collection_enabled"


LAYERS = (
    ("__main__", "cli"),
    ("catalog",),
    ("operations",),
    ("rules",),
    ("media", "store"),
    ("uow",),
    ("model", "results", "errors", "log", "secrets"),  # `secrets`: the very values are shown without their secrets
)


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Syntax trees by dotted name below the package."""
    paths = {path.relative_to(PACKAGE).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    return {".".join(name.parts): ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}


def imported(node: ast.AST) -> list[str]:
    """What an import statement imports, as dotted names below the package; each name that may be a module of its own too."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{'retrovue_uow.' * bool(node.level)}{node.module or ''}".rstrip(".")]
        names += [f"{names[0]}.{alias.name}" for alias in node.names]
    else:
        return []
    return [name.removeprefix("retrovue_uow.") for name in names if name.startswith("retrovue_uow.")]


def imports_of(tree: ast.Module) -> set[str]:
    return {name for node in ast.walk(tree) for name in imported(node)}


def layer(module: str) -> int | None:
    """Its number, from the top. None: of no layer."""
    top = module.split(".")[0]
    return next((number for number, names in enumerate(LAYERS) if top in names), None)


ABOVE_ALL = ("__init__", "testing")


@pytest.mark.parametrize("module", [name for name in modules() if name.split(".")[0] not in ABOVE_ALL])
def test_imports_point_down_only(module: str) -> None:
    own = layer(module)
    wing = module.split(".")[0]
    assert own is not None, f"{module} belongs to no layer"

    for name in imports_of(modules()[module]):
        reached = layer(name)
        is_below = reached is not None and reached > own
        is_own_wing = name.split(".")[0] == wing or (own == reached in {0, len(LAYERS) - 1})
        is_public_name = reached is None and (own == 0 or name.startswith("schema"))
        assert is_below or is_own_wing or is_public_name, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("uow.")])
def test_the_unit_of_work_knows_nothing_of_the_catalogue(module: str) -> None:
    reached = {name.partition(".")[0] for name in imports_of(modules()[module])}

    assert reached <= {"uow", "errors", "log"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = modules()
    edges = {name: imports_of(tree) & set(trees) - {name} for name, tree in trees.items()}

    while leaves := [name for name, needed in edges.items() if not needed & set(edges)]:
        for name in leaves:
            del edges[name]

    assert not edges


def test_a_newcomer_finds_the_room() -> None:
    wings = Counter(name.partition(".")[0] for name in modules() if "." in name and not name.endswith("__init__"))
    lines = {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in PACKAGE.rglob("*.py")
    }
    is_excepted = re.compile(r"model\.py").fullmatch

    assert {wing: count for wing, count in wings.items() if count > 16} == {}
    assert {path: count for path, count in lines.items() if count > 450 and not is_excepted(path)} == {}


def test_no_function_imports_what_is_ours_but_the_command_line_s() -> None:
    guilty = [
        f"{name}.{function.name}"
        for name, tree in modules().items()
        if name not in ("__main__", "cli.app")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if imported(node)
    ]

    assert guilty == []


def test_only_one_module_knows_the_log() -> None:
    guilty = [
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "loguru"
    ]

    assert guilty == ["log"]


@pytest.mark.parametrize("name", ["utils", "base", "manager", "helpers"])
def test_no_module_is_named_for_anything(name: str) -> None:
    assert not [module for module in modules() if name in module.split(".")]


VIEWS = sorted(
    entry.name.removesuffix(".sql")
    for entry in (files("retrovue_uow.schema") / "rules").iterdir()
    if entry.name.endswith(".sql")
)
DECISIONS = {"approval_contradicted", "assignment_contradicted", "retirement_contradicted", "title_spelling_contradicted"}
SHOW, MOVIE = ("(SELECT id FROM title WHERE kind = 'show')", "(SELECT id FROM title WHERE kind = 'movie')")
EPISODE, FILM = ("(SELECT id FROM asset WHERE kind = 'episode' LIMIT 1)", "(SELECT id FROM asset WHERE kind = 'movie')")
BREAKING: dict[str, list[tuple[str, str]]] = {
    "asset_link_of_other_kind": [
        (f"INSERT INTO episode_asset (episode_id, asset_id) SELECT id, {FILM} FROM episode LIMIT 1", FILM),
        (f"INSERT INTO movie_asset (title_id, asset_id) VALUES ({MOVIE}, {EPISODE})", EPISODE),
    ],
    "asset_marker_outside_duration": [
        (f"INSERT INTO marker (asset_id, kind, start_ms) VALUES ({FILM}, 'avail', 60001)", FILM),
        (f"INSERT INTO marker (asset_id, kind, start_ms, end_ms) VALUES ({FILM}, 'avail', 1, 60001)", FILM),
    ],
    "episode_of_other_season": [
        (
            f"""
            INSERT INTO season (title_id, number) SELECT title_id, 99 FROM season LIMIT 1;
            INSERT INTO episode (season_id, number) VALUES (last_insert_rowid(), 1);
            INSERT INTO episode_asset (episode_id, asset_id) VALUES (last_insert_rowid(), {EPISODE})
            """,
            f"episode_id FROM episode_asset WHERE asset_id = {EPISODE}",
        )
    ],
    "asset_outside_mapping": [
        (f"UPDATE asset SET canonical_key = '/mediating/x.mkv' WHERE id = {FILM}", FILM),
        (
            f"""
            INSERT INTO path_mapping (collection_id, source_path, local_path)
            SELECT id, '/media', '/srv/other' FROM collection WHERE name = 'Empty';
            UPDATE asset SET path_mapping_id = last_insert_rowid() WHERE id = {FILM}
            """,
            FILM,
        ),
    ],
    "approval_contradicted": [
        (
            f"""
            INSERT INTO approval (collection_id, canonical_key, approved, shown, decided_at)
            SELECT collection_id, canonical_key, 0, '[]', '' FROM asset WHERE id = {FILM};
            UPDATE asset SET approved = 1 WHERE id = {FILM}
            """,
            FILM,
        ),
        (
            f"""
            INSERT INTO approval (collection_id, canonical_key, approved, size, duration_ms, shown, decided_at)
            SELECT collection_id, canonical_key, 1, size + 1, duration_ms, '[]', '' FROM asset WHERE id = {FILM};
            UPDATE asset SET approved = 1 WHERE id = {FILM}
            """,
            FILM,
        ),
    ],
    "assignment_contradicted": [
        (
            f"""
            INSERT INTO assignment (collection_id, canonical_key, kind, episode_numbers, assigned_at)
            SELECT collection_id, canonical_key, 'bumper', '[]', '' FROM asset WHERE id = {FILM}
            """,
            FILM,
        ),
        (
            f"""
            INSERT INTO assignment (collection_id, canonical_key, kind, title, season_number, episode_numbers, assigned_at)
            SELECT collection_id, canonical_key, 'episode', 'Other', 7, '[70]', '' FROM asset WHERE id = {EPISODE}
            """,
            EPISODE,
        ),
    ],
    "retirement_contradicted": [
        (
            f"""
            INSERT INTO retirement (collection_id, canonical_key, retired_at)
            SELECT collection_id, canonical_key, '' FROM asset WHERE id = {FILM}
            """,
            FILM,
        )
    ],
    "title_spelling_contradicted": [
        (
            """
            INSERT INTO title_spelling (kind, spelled, spelled_year, name)
            SELECT kind, name, year, 'Other' FROM title WHERE kind = 'movie'
            """,
            MOVIE,
        )
    ],
    "asset_without_episode": [(f"DELETE FROM episode_asset WHERE asset_id = {EPISODE}", EPISODE)],
    "asset_ready_though_broken": [
        (f"INSERT INTO finding (asset_id, enricher, severity, message) VALUES ({FILM}, 'fake', 'broken', 'torn')", FILM),
    ],
    "asset_without_movie": [("DELETE FROM movie_asset", FILM)],
    "collection_mapping_overlap": [
        (
            """
            INSERT INTO path_mapping (collection_id, source_path, local_path)
            SELECT collection_id, '/again', local_path || '/sub' FROM path_mapping WHERE source_path = '/media'
            """,
            "(SELECT id FROM collection WHERE name = 'Shows')",
        )
    ],
    "episode_without_asset": [
        (
            "INSERT INTO episode (season_id, number) SELECT id, 99 FROM season LIMIT 1",
            "(SELECT id FROM episode WHERE number = 99)",
        )
    ],
    "season_without_episode": [
        (f"INSERT INTO season (title_id, number) VALUES ({SHOW}, 9)", "(SELECT id FROM season WHERE number = 9)")
    ],
    "title_of_other_kind": [
        (f"INSERT INTO season (title_id, number) VALUES ({MOVIE}, 1)", MOVIE),
        (f"INSERT INTO movie_asset (title_id, asset_id) VALUES ({SHOW}, {EPISODE})", SHOW),
    ],
    "title_without_content": [
        (
            f"INSERT INTO title (id, kind, name, created_at) VALUES (printf('%036d', 1), '{kind}', 'Nothing', '')",
            "printf('%036d', 1)",
        )
        for kind in ("show", "movie")
    ],
}
BREAKS = [
    pytest.param(view, *each, id=f"{view} {number}") for view in VIEWS for number, each in enumerate(BREAKING.get(view, ()))
]


@pytest.fixture
def copy(station: Catalog, tmp_path: Path) -> Iterator[apsw.Connection]:
    """A copy of a sound catalogue, in which nobody minds what is written."""
    station.backup(tmp_path / "copy.db")
    connection = apsw.Connection(str(tmp_path / "copy.db"))
    yield connection
    connection.close()


@pytest.mark.parametrize("view", VIEWS)
def test_every_rule_view_is_broken_here_and_judged_by_an_operation(view: str) -> None:
    entry(BREAKING, view, "add to BREAKING statements that break the rule, and which row it must name")

    judges = [name for name, judged in JUDGES.items() if view in judged and name != "validate_database_consistency"]
    assert judges, f"add {view!r} to a rule of `rules/integrity.py`, and to that one in JUDGES"


def test_every_rule_view_accepts_a_sound_catalogue(copy: apsw.Connection) -> None:
    found = {view: copy.execute(f"SELECT * FROM {view}").fetchall() for view in VIEWS}

    assert found == {view: [] for view in VIEWS}


@pytest.mark.parametrize(("view", "breaking", "offender"), BREAKS)
def test_every_rule_view_names_the_row_that_breaks_it(copy: apsw.Connection, view: str, breaking: str, offender: str) -> None:
    copy.execute(breaking).fetchall()

    found = copy.execute(f"SELECT rule, subject, id, detail FROM {view}").fetchall()

    offenders = {id_ for (id_,) in copy.execute(f"SELECT {offender}").fetchall()}
    if view in DECISIONS:  # told from every side, whichever of them a unit may touch
        named = {id_ for _, subject, id_, _ in found if subject in ("asset", "title")}
        assert {rule for rule, *_ in found} == {view}
        assert {view.removesuffix("_contradicted")} < {subject for _, subject, *_ in found}
        assert offenders <= named
    else:
        assert {id_ for _, _, id_, _ in found} == offenders
        named_for = {(rule, subject) for rule, subject, *_ in found}
        assert named_for == {(view, view.split("_")[0])}, "a rule's name begins with the table whose rows it names"
    assert all(str(detail) for *_, detail in found)
    united = copy.execute("SELECT rule, subject, id, detail FROM violation WHERE rule = ?", (view,)).fetchall()
    assert united == found


def test_check_reports_what_the_views_find(copy: apsw.Connection) -> None:
    copy.execute("DELETE FROM movie_asset").fetchall()

    with Catalog(copy.filename) as broken:
        report = broken.check()

    assert {violation.rule for violation in report.violations} == {"asset_without_movie", "title_without_content"}
    assert not report.is_sound


ORPHANS = {"title_without_content", "season_without_episode", "episode_without_asset"}
LINKS = {"asset_without_episode", "asset_without_movie", "asset_link_of_other_kind", "asset_outside_mapping"}
HIERARCHY = {"title_of_other_kind", "episode_of_other_season"}
JUDGES: dict[str, set[str]] = {
    "validate_no_orphaned_records": ORPHANS,
    "validate_all_relationships": LINKS | HIERARCHY,
    "validate_business_rules": {"asset_marker_outside_duration", "asset_ready_though_broken", "collection_mapping_overlap"}
    | DECISIONS,
    "validate_hierarchy_integrity": ORPHANS | HIERARCHY,
    "validate_no_duplicates": {"collection_mapping_overlap"},
    "validate_database_consistency": set(VIEWS),
}


def refusal_of(judging: Callable[[], None]) -> ValidationError | None:
    try:
        judging()
    except ValidationError as error:
        return error
    return None


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(("view", "breaking", "offender"), BREAKS)
def test_every_post_validation_refuses_what_is_its_own_to_judge(
    copy: apsw.Connection, judge: str, view: str, breaking: str, offender: str
) -> None:
    copy.execute(breaking).fetchall()
    broken = {rule for (rule,) in copy.execute("SELECT DISTINCT rule FROM violation")}
    own = broken & JUDGES[judge]

    with Database(copy.filename) as db:
        refusal = refusal_of(lambda: getattr(integrity, judge)(db))

    assert view in broken
    assert {violation.rule for violation in getattr(refusal, "violations", ())} == own
    assert getattr(refusal, "rule", judge) == judge


@pytest.mark.parametrize("view", sorted(LINKS | {"asset_marker_outside_duration"}))
def test_one_asset_s_relationships_are_judged_by_themselves(copy: apsw.Connection, view: str) -> None:
    breaking, offender = BREAKING[view][0]
    copy.execute(breaking).fetchall()
    ((guilty,),) = copy.execute(f"SELECT {offender}").fetchall()
    ((innocent,),) = copy.execute("SELECT id FROM asset WHERE id <> ? ORDER BY id DESC LIMIT 1", (guilty,)).fetchall()

    with Database(copy.filename) as db:
        integrity.validate_asset_relationships(db, str(innocent))
        with pytest.raises(ValidationError) as caught:
            integrity.validate_asset_relationships(db, str(guilty))

    assert view in {violation.rule for violation in caught.value.violations}


@pytest.mark.parametrize(
    ("change", "judge"),
    [
        ("UPDATE collection SET name = 'Other' WHERE name = 'Shows'", integrity.validate_collection_preserved),
        ("UPDATE collection SET enabled = 0", integrity.validate_collection_preserved),
        ("DELETE FROM collection_enricher", integrity.validate_collection_preserved),
        (
            "UPDATE path_mapping SET local_path = '/elsewhere'",
            integrity.validate_path_mappings_preserved,
        ),
        ("DELETE FROM collection", integrity.validate_path_mappings_preserved),
        ("DELETE FROM collection", integrity.validate_collection_preserved),
    ],
)
def test_what_must_be_preserved_is_held_against_what_was(
    station: Catalog, copy: apsw.Connection, change: str, judge: Callable[[Database, Collection], None]
) -> None:
    before = station.collection("Shows")
    with Database(copy.filename) as db:
        judge(db, before)
        copy.execute(change).fetchall()

        with pytest.raises(ValidationError, match="preserved"):
            judge(db, before)
