"""Claims: held as often as they were taken, refused by name, and never in the way of the next one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from retrovue_uow import ConflictError, Holder, ResourceError
from retrovue_uow.store.claims import Claims
from retrovue_uow.store.ids import utc_now


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


def test_claims_whose_place_is_taken_by_something_else_are_a_resource_error(claims: Claims, others: Claims) -> None:
    assert claims.folder is not None
    claims.folder.write_text("a file")
    with pytest.raises(ResourceError, match="claims cannot be written"):
        claims.take("shows", "collection_ingest")

    claims.folder.unlink()
    (claims.folder / "shows.db").mkdir(parents=True)
    with pytest.raises(ResourceError, match="shows"):
        claims.take("shows", "collection_ingest")

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


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"SQLite format 3\0" * 99, b"[1]", b"{" * 10_000, os.urandom(5000)])
def test_whatever_a_claim_s_file_holds_is_written_over(claims: Claims, others: Claims, content: bytes) -> None:
    assert claims.folder is not None
    claims.folder.mkdir()
    file = claims.folder / "shows.db"
    file.write_bytes(content)
    inode = file.stat().st_ino

    claim = claims.take("shows", "collection_ingest")

    assert file.stat().st_ino == inode
    with pytest.raises(ConflictError, match="collection_ingest of process"):
        others.take("shows", "collection_wipe")
    claim.release()


def test_a_conflict_with_a_holder_that_has_not_signed_names_nobody(claims: Claims, others: Claims) -> None:
    claim = claims.take("shows", "collection_ingest")
    assert claims.folder is not None
    (claims.folder / "shows.db").write_bytes(b"rubbish")

    with pytest.raises(ConflictError, match="in use by another process") as caught:
        others.take("shows", "collection_wipe")

    assert caught.value.holder == Holder("", 0, "")
    claim.release()


def test_a_forked_child_keeps_no_claim_of_its_parent(claims: Claims, others: Claims) -> None:
    claim = claims.take("shows", "collection_ingest")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        os._exit(0)

    claim.release()

    others.take("shows", "collection_wipe").release()
    os.write(writing, b".")
    assert os.waitpid(child, 0)[1] == 0


def test_a_claim_and_its_folder_have_the_permissions_of_the_catalogue(claims: Claims, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").touch()
    (tmp_path / "catalog.db").chmod(0o640)

    claims.take("shows", "collection_ingest").release()

    assert claims.folder is not None
    assert stat.S_IMODE(claims.folder.stat().st_mode) == 0o750
    assert stat.S_IMODE((claims.folder / "shows.db").stat().st_mode) == 0o640
