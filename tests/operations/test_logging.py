"""What the library says while it works, to whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from retrovue_uow import Catalog, Collection, IngestError, ResourceError
from retrovue_uow.testing import FakeImporter

Record = dict[str, Any]


@pytest.fixture
def records() -> Iterator[list[Record]]:
    """Every record that the library logs, as event, level and keywords."""
    found: list[Record] = []

    def keep(message: Any) -> None:
        record = message.record
        found.append({"event": record["message"], "level": record["level"].name, **record["extra"]})

    logger.enable("retrovue_uow")
    handler = logger.add(keep, level="DEBUG")
    yield found
    logger.remove(handler)
    logger.disable("retrovue_uow")


def events(records: list[Record], name: str) -> list[Record]:
    return [record for record in records if record["event"] == name]


def test_an_operation_tells_its_start_its_phases_its_rules_and_its_outcome(
    catalog: Catalog, collection: Collection, records: list[Record]
) -> None:
    catalog.ingest_collection("Shows")

    (start,) = events(records, "operation_started")
    assert (start["operation"], start["arguments"]["collection"], start["level"]) == ("collection_ingest", "Shows", "INFO")
    phases = events(records, "phase_finished")
    assert [phase["phase"] for phase in phases] == ["preflight", "preparation", "execution", "postvalidation"]
    assert all(phase["duration_s"] >= 0 for phase in phases)
    verdicts = events(records, "rule_holds")
    assert {"validate_collection_enabled", "validate_no_orphaned_records"} <= {verdict["rule"] for verdict in verdicts}
    assert {verdict["level"] for verdict in verdicts} == {"DEBUG"}
    assert len(events(records, "operation_finished")) == 1


def test_a_failure_tells_where_and_why_braces_and_all(
    catalog: Catalog, collection: Collection, importer: FakeImporter, records: list[Record]
) -> None:
    importer.unreachable = ResourceError("the {server} is asleep")

    with pytest.raises(IngestError):
        catalog.ingest_collection("Shows")

    (failure,) = events(records, "operation_failed")
    assert (failure["phase"], failure["error"], failure["level"]) == ("preflight", "ResourceError", "ERROR")
    assert failure["message"] == "the {server} is asleep"
    (verdict,) = events(records, "rule_broken")
    assert verdict["rule"] == "validate_source_connectivity"


def test_the_library_is_silent_until_asked(
    catalog: Catalog, collection: Collection, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.ingest_collection("Shows")

    assert capsys.readouterr() == ("", "")
