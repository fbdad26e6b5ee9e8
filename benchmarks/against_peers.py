"""What users would write instead: the ingest beside other libraries', a savepoint per asset, on the same tables."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import apsw

from benchmarks.against_floor import work_of, write_phase
from benchmarks.floor import Work
from benchmarks.measuring import Comparison, Goal, Sizes, Taken, compared
from benchmarks.peers import PEERS
from benchmarks.rows import validate_same_rows
from benchmarks.stations import Template, template

_GOALS = {
    "sqlalchemy_orm": Goal("faster", 60),
    "django_orm": Goal("faster", 30),
    "peewee_models": Goal("faster", 25),
}


def peers(sizes: Sizes) -> list[Comparison]:
    """The ingest beside the same by each installed peer, with a savepoint per asset, on the same tables."""
    with template() as empty:
        work = work_of(empty, sizes.peers)
        found = []
        for name, peer in PEERS.items():
            if not _is_installed(peer):
                continue
            ours, other = _taken(empty, work, peer)
            found.append(
                compared(
                    f"the same with {sizes.peers:,} episodes",
                    name,
                    _GOALS.get(peer, Goal("faster")),
                    ours,
                    [other],
                    note="the peer once, ours before and after; the same rows on both sides",
                )
            )
    return found


def _is_installed(peer: str) -> bool:
    return importlib.util.find_spec(peer.rpartition("_")[0]) is not None


def _taken(empty: Template, work: Work, peer: str) -> tuple[list[Taken], Taken]:
    """Ours before and after, and the peer's in between, which must write the same."""
    ours, count = [], len(work.drafts)
    with empty.copy() as our_path, empty.copy() as path:
        ours.append(write_phase(empty, our_path, count))
        other = _taken_by_peer(empty, work, peer, path)
        validate_same_rows(our_path, path, expect_assets=count)
    with empty.copy() as our_path:
        ours.append(write_phase(empty, our_path, count))
    return ours, other


def _taken_by_peer(empty: Template, work: Work, peer: str, path: str) -> Taken:
    _drop_views(path)
    what = [path, empty.importer.folder, work.collection_id, str(work.mapping_id), work.enrichers, str(len(work.drafts))]
    command = [sys.executable, "-m", "benchmarks.peers", peer, *what]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603  ourselves
    return Taken(*map(float, printed.split()))


def _drop_views(path: str) -> None:
    """Python's own SQLite may be too old to read them, and then reads nothing of the file."""
    connection = apsw.Connection(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall():
        connection.execute(f"DROP VIEW {name}")
    connection.close()
