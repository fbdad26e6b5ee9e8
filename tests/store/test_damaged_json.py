"""JSON that another program damaged in the file is told by its column, whoever comes across it."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import pytest
from harness import draft

from retrovue_uow import Catalog, Collection, ResourceError
from retrovue_uow.store import decisions
from retrovue_uow.store.decisions import Identity
from retrovue_uow.testing import FakeImporter

READERS: dict[str, tuple[str, str, Callable[[Catalog], object]]] = {
    "source.config": ("source", "config", Catalog.sources),
    "collection_enricher.config": ("collection_enricher", "config", Catalog.collections),
    "the episode numbers of a decision": (
        "assignment",
        "episode_numbers",
        lambda catalog: decisions.decisions(catalog.database, catalog.collection("Shows").id),
    ),
    "asset_metadata.document": (
        "asset_metadata",
        "document",
        lambda catalog: [catalog.metadata(asset.id) for asset in catalog.assets()],
    ),
    "unit_of_work.counts": ("unit_of_work", "counts", Catalog.history),
    "operation.arguments": ("operation", "arguments", Catalog.history),
    "operation.result": ("operation", "result", Catalog.history),
}


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with something in every column that holds JSON."""
    importer.drafts = [draft("a.mkv", metadata={"editorial": {"plot": "Größe"}})]
    catalog.ingest_collection(collection.name)
    with catalog.session() as db:
        decisions.set_assignment(db, collection.id, "/media/b.mkv", Identity("movie", "A"), now="2026-01-31T09:05:07Z")
    return catalog


def damage(catalog: Catalog, table: str, column: str, text: str) -> None:
    """Let another program write it, past the checks of what goes in."""
    other = apsw.Connection(catalog.database.path)
    other.execute("DROP INDEX operation_subject").fetchall()  # it could not be kept over what is no JSON
    other.execute("PRAGMA ignore_check_constraints = ON").fetchall()
    other.execute(f"UPDATE {table} SET {column} = ?", (text,)).fetchall()  # noqa: S608  the names are those above
    assert other.changes()
    other.close()


@pytest.mark.parametrize("told", READERS)
@pytest.mark.parametrize("text", ["{", "[" * 9000], ids=["cut off", "deep"])
def test_what_is_no_json_is_told_by_its_column(stocked: Catalog, told: str, text: str) -> None:
    table, column, read = READERS[told]
    damage(stocked, table, column, text)

    with pytest.raises(ResourceError, match=f"^{told} holds no JSON .*restore a backup$"):
        read(stocked)


@pytest.mark.parametrize("told", sorted(READERS.keys() - {"operation.result"}))
@pytest.mark.parametrize("text", ["7", "null"])
def test_json_of_another_kind_is_told_by_its_column(stocked: Catalog, told: str, text: str) -> None:
    table, column, read = READERS[told]
    damage(stocked, table, column, text)

    with pytest.raises(ResourceError, match=f"^{told} holds other JSON than it must.*restore a backup$"):
        read(stocked)


def test_a_damaged_undo_is_told_though_only_later_units_are_asked_for(stocked: Catalog) -> None:
    stocked.add_source("another")
    stocked.undo(stocked.history(1)[0].id)
    stocked.add_source("a third")
    damage(stocked, "operation", "arguments", "{")

    with pytest.raises(ResourceError, match=r"^operation\.arguments holds no JSON"):
        stocked.history(1)
