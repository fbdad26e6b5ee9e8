"""What recording, narrowed checks and the journal cost, and what they save: with and without.

python -m benchmarks recording [--assets N] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import attrs

from benchmarks.measuring import timed
from benchmarks.stations import make_files, station
from retrovue_uow import Catalog
from retrovue_uow.store import checks, recorder


@contextmanager
def nothing_recorded() -> Iterator[None]:
    """The library without recording, checks and journal: a switch of this benchmark, and of nobody else."""
    with (
        mock.patch.object(recorder, "HAS_SESSIONS", False),
        mock.patch.object(checks, "violations", return_value=[]),
        mock.patch.object(checks, "broken_references", return_value=[]),
        mock.patch.object(recorder.Recorder, "add_operation"),
        mock.patch.object(recorder.Recorder, "_close_unit"),
    ):
        yield


def ingest_seconds(assets: int) -> float:
    """An ingest of so many new files into a new catalogue."""
    with station("Shows") as new:
        return new.ingest("Shows", range(assets)).clock


def files_seconds(folder: str) -> float:
    """An ingest of a folder into a new catalogue, by file names alone."""
    with tempfile.TemporaryDirectory() as home, Catalog(Path(home, "catalog.db")) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={folder: folder})
        catalog.attach_enricher("Shows", "filename")
        return timed(lambda: catalog.ingest_collection("Shows")).clock


def by_turns(measure: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Medians of what `measure` gives, as the library is and with nothing recorded."""
    full, bare = [], []
    for _ in range(rounds):
        full.append(measure())
        with nothing_recorded():
            bare.append(measure())
    return statistics.median(full), statistics.median(bare)


@attrs.frozen
class Costs:
    """Seconds, medians over the rounds.

    Attributes:
        ingest: Of `assets` drafts that an importer has in memory, without enrichers, as the library does it.
        bare_ingest: The same without recording, checks and journal.
        files: Of as many empty files, by the filesystem importer and the enricher of file names.
        bare_files: The same without recording, checks and journal.
        wipe: Of `assets` assets.
        undo: Of that wipe.
    """

    assets: int
    ingest: float
    bare_ingest: float
    files: float
    bare_files: float
    wipe: float
    undo: float

    @property
    def overhead(self) -> float:
        """What recording, checks and journal add to an ingest, as a part of the ingest without them."""
        return self.ingest / self.bare_ingest - 1

    @property
    def files_overhead(self) -> float:
        """The same where the files are found on a disk, and their names read."""
        return self.files / self.bare_files - 1


def costs(*, assets: int, rounds: int) -> Costs:
    """All figures, those that are compared by turns."""
    ingests, bare = by_turns(lambda: ingest_seconds(assets), rounds)
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder, assets)
        files, bare_files = by_turns(lambda: files_seconds(folder), rounds)
    wipes, undos = zip(*(wiped_and_undone(assets) for _ in range(rounds)), strict=True)
    return Costs(
        assets=assets,
        ingest=ingests,
        bare_ingest=bare,
        files=files,
        bare_files=bare_files,
        wipe=statistics.median(wipes),
        undo=statistics.median(undos),
    )


def wiped_and_undone(assets: int) -> tuple[float, float]:
    """Seconds of a wipe, and of its undo."""
    with station("Shows") as full:
        full.ingest("Shows", range(assets))
        wipe = timed(lambda: full.catalog.wipe_collection("Shows")).clock
        undo = timed(lambda: full.catalog.undo(full.catalog.history(1)[0].id)).clock
        return wipe, undo


def as_text(found: Costs) -> str:
    """The figures for people."""
    bare = f"without recording, checks and journal {found.bare_ingest:.2f} s"
    lines = [
        f"ingest of {found.assets} drafts: {found.ingest:.2f} s; {bare}: {found.overhead:+.0%}",
        f"the same with files on a disk: {found.files:.2f} s; {found.bare_files:.2f} s: {found.files_overhead:+.0%}",
        f"wipe of them: {found.wipe:.2f} s; undo of the wipe: {found.undo:.2f} s",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what recording costs and saves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recording", description=main.__doc__)
    parser.add_argument("--assets", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args(arguments)
    found = costs(assets=given.assets, rounds=given.rounds)
    sys.stdout.write(as_text(found) + "\n")
    if given.json:
        Path(given.json).write_text(json.dumps(attrs.asdict(found), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
