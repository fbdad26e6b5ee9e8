"""Claims: held as often as they were taken, refused by name, and never in the way of the next one."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest

from retrovue_uow import ConflictError, ResourceError
from retrovue_uow.store.claims import Claims
from retrovue_uow.store.identity import utc_now


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(str(tmp_path / "catalog.db"))


@pytest.fixture
def others(tmp_path: Path) -> Claims:
    """The same claims, as another catalogue on the file has them."""
    return Claims(str(tmp_path / "catalog.db"))


def test_a_claim_is_held_until_it_was_released_as_often_as_taken(claims: Claims, others: Claims) -> None:
    taken = [claims.take("shows", "collection_ingest") for _ in range(3)]

    for claim in taken:
        with pytest.raises(ConflictError):
            others.take("shows", "collection_wipe")
        claim.release()

    others.take("shows", "collection_wipe").release()


def test_a_conflict_names_operation_process_and_start_of_the_holder(claims: Claims, others: Claims) -> None:
    before = utc_now()
    claim = claims.take("shows", "collection_ingest")

    with pytest.raises(ConflictError, match="'shows' is in use: collection_ingest") as caught:
        others.take("shows", "collection_wipe")

    holder = caught.value.holder
    assert holder is not None
    assert (holder.operation, holder.pid) == ("collection_ingest", os.getpid())
    assert before <= holder.started_at <= utc_now()
    claim.release()


def test_a_claim_that_cannot_be_signed_is_refused_and_free_afterwards(claims: Claims, others: Claims) -> None:
    claims.take("shows", "collection_ingest").release()
    assert claims.folder is not None
    reader = apsw.Connection(str(claims.folder / "shows.db"))
    reader.execute("BEGIN; SELECT * FROM claim").fetchall()

    with pytest.raises(ConflictError, match="collection_ingest"):
        others.take("shows", "collection_wipe")

    reader.close()
    others.take("shows", "collection_wipe").release()
    claims.take("shows", "collection_ingest").release()


def test_claims_whose_place_is_taken_by_something_else_are_a_resource_error(claims: Claims, others: Claims) -> None:
    assert claims.folder is not None
    claims.folder.write_text("a file")
    with pytest.raises(ResourceError, match="claims cannot be written"):
        claims.take("shows", "collection_ingest")

    claims.folder.unlink()
    (claims.folder / "shows.db").mkdir(parents=True)
    with pytest.raises(ResourceError, match="shows"):
        claims.take("shows", "collection_ingest")

    (claims.folder / "dark.db").write_bytes(b"no database, and no empty file either" * 99)
    with pytest.raises(ResourceError, match=r"dark\.db' is not a SQLite database"):
        claims.take("dark", "collection_ingest")

    claims.take("movies", "collection_ingest").release()


def test_the_claims_of_a_catalogue_in_memory_count_as_others_do_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    claims = Claims(":memory:")
    claim, again = claims.take("shows", "collection_ingest"), claims.take("shows", "collection_ingest")

    assert again is claim
    claim.release()
    again.release()

    assert claims.take("shows", "collection_ingest") is not claim
    claims.close()
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_is_released_after_all_were_given_back_does_no_harm(claims: Claims, others: Claims) -> None:
    claim = claims.take("shows", "collection_ingest")
    claims.close()

    claim.release()

    others.take("shows", "collection_wipe").release()


def test_who_finds_another_signature_over_his_own_signs_again(
    claims: Claims, others: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    others.take("shows", "collection_wipe").release()
    assert claims.folder is not None
    rival = apsw.Connection(str(claims.folder / "shows.db"))
    signed: list[str] = []

    def sign_over(_: object, statement: str, __: object) -> bool:
        signed.extend([statement] if statement.startswith("BEGIN") else [])
        if len(signed) == 2 and statement.startswith("BEGIN"):
            rival.execute("UPDATE claim SET token = 'of the rival', operation = 'collection_forget'").fetchall()
        return True

    monkeypatch.setattr(apsw, "connection_hooks", [lambda connection: setattr(connection, "exec_trace", sign_over)])
    claim = claims.take("shows", "collection_ingest")

    assert rival.execute("SELECT operation FROM claim").fetchall() == [("collection_ingest",)]
    with pytest.raises(ConflictError, match="collection_ingest"):
        others.take("shows", "collection_wipe")
    claim.release()
    rival.close()
