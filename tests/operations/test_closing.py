"""Closing a catalogue gives everything back, whatever goes wrong on the way."""

from __future__ import annotations

import threading

import apsw
import pytest

from retrovue_uow import Catalog, Collection, ContractError, ResourceError


def test_where_a_part_cannot_be_closed_the_others_are_and_the_first_error_is_raised(
    catalog: Catalog, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = catalog.prepare_ingest("Shows")
    close, closed = catalog.database.close, []
    claims_close = catalog._claims.close

    def failing() -> None:
        close()
        raise ResourceError("the disk is gone")

    def failing_later() -> None:
        claims_close()
        closed.append("claims")
        raise OSError("and so is this one")

    monkeypatch.setattr(catalog.database, "close", failing)
    monkeypatch.setattr(catalog._claims, "close", failing_later)
    with pytest.raises(ResourceError, match="the disk is gone"):
        catalog.close()
    monkeypatch.undo()

    assert closed == ["claims"]
    with Catalog(catalog.database.path, importers=catalog.importers, enrichers=catalog.enrichers) as other:
        other.wipe_collection("Shows")  # the claim is free
    prepared.close()


def test_an_error_of_sqlite_at_closing_is_the_library_s(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def close(self) -> None:
            raise apsw.IOError("disk I/O error")

    monkeypatch.setattr(catalog.database.transaction, "connection", Gone())  # a disk that fails just then

    with pytest.raises(ResourceError, match="look after its disk"):
        catalog.close()


def test_a_refused_closing_leaves_the_claims_of_whoever_is_at_work(catalog: Catalog, collection: Collection) -> None:
    refused: list[BaseException] = []

    def close() -> None:
        try:
            catalog.close()
        except ContractError as error:
            refused.append(error)

    with catalog.session():
        catalog.wipe_collection("Shows")
        other = threading.Thread(target=close)
        other.start()
        other.join()
        assert list(catalog._claims._held) == [collection.id]  # nobody else sees them while the unit has its turn

    assert len(refused) == 1
    assert catalog.history(1)[0].operations[0].name == "collection_wipe"


def test_all_claims_are_given_back_also_where_one_cannot_be(catalog: Catalog) -> None:
    class Stuck:
        def release(self) -> None:
            raise OSError("gone")

    claims = catalog._claims  # its parts cannot be made to fail from outside
    first, second = claims.take("a", "x"), claims.take("b", "x")
    lock, first.lock = first.lock, Stuck()  # type: ignore[assignment]
    with pytest.raises(OSError, match="gone"):
        claims.close()

    assert claims._held == {}
    assert second.lock is not None
    assert lock is not None
    lock.release()


def test_a_catalogue_that_is_closed_gives_its_claims_back(catalog: Catalog, collection: Collection) -> None:
    prepared = catalog.prepare_ingest("Shows")
    catalog.close()

    with Catalog(catalog.database.path) as other:
        assert not other.disable_collection("Shows").enabled
    prepared.close()
