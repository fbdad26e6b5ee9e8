"""After a power cut the catalogue opens as it was after the last operation that had returned, or after the one being done."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apsw
import attrs
import pytest
from proof.figures import Proof, Size
from proof.powercut import Event, RecordingDisk, Replay
from proof.workload import NAMES, offer, one_operation, opened, set_up

from retrovue_uow import RetroVueError
from retrovue_uow.testing import Snapshot, snapshot
from retrovue_uow.uow import connection

ROLLBACK_JOURNAL = {"journal_mode": "delete", "synchronous": 3}
"""With FULL alone, which is 2, an operation that has returned may be taken back: the deletion of the journal is not synced."""
NO_SYNC = {"synchronous": 0}


@attrs.frozen
class Recording:
    """What a run asked of the disk, and what the catalogue held after each of its operations: `states[n]` after n of them."""

    seed: int
    events: list[Event]
    states: list[Snapshot]

    @property
    def made_at(self) -> int:
        """The event after which the empty catalogue had been made."""
        return 1 + next(number for number, event in enumerate(self.events) if event.act == "promise")


def recorded(folder: Path, seed: int, operations: int, settings: Mapping[str, object] = {}) -> Recording:
    """Operations at random, the file closed and opened again now and then, and its log written back every few pages."""
    chance = random.Random(seed)
    path = folder / f"run-{seed}" / "catalog.db"
    path.parent.mkdir()
    states: list[Snapshot] = []
    with RecordingDisk(str(path.parent)) as disk, with_settings(settings):

        def done() -> None:
            states.append(snapshot(path))
            disk.promise(len(states) - 1)

        catalog = opened(path)
        done()
        set_up(catalog, folder / "media", done)
        while len(states) <= operations:
            catalog.database.connection.wal_autocheckpoint(chance.choice((1000, 20)))
            if one_operation(catalog, chance):
                done()
            if chance.random() < 0.1:
                catalog.close()
                catalog = opened(path)
        catalog.close()
    return Recording(seed, disk.events, states)


@contextmanager
def with_settings(settings: Mapping[str, object]) -> Iterator[None]:
    """A block in which catalogues are opened with other settings than the library's."""
    usual = connection._pragmas
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_pragmas", lambda path, *, read_only: {**usual(path, read_only=read_only), **settings})
        yield


def complaint(path: Path, wanted: list[Snapshot]) -> str | None:
    """What is wrong with a catalogue that should open without further ado, hold one of the states, and work."""
    try:
        with opened(path) as catalog:
            try:
                found = snapshot(path)
            except UnicodeDecodeError as error:  # the reader is the test's own
                return f"holds text that is none: {error}"
            report = catalog.check()
            if not report.is_sound:
                return f"not sound: {report.violations}"
            if found not in wanted:
                return "holds neither what was promised nor what was being done"
            if found["collection"]:
                offer(catalog, random.Random(0))
                catalog.ingest_collection(NAMES[0], broken="record")
                catalog.wipe_collection(NAMES[0])
    except (RetroVueError, apsw.Error) as error:
        return f"{type(error).__name__}: {error}"
    return None


def complaints(recording: Recording, points: Iterable[int], tmp_path: Path, *, damages: int = 1) -> list[str]:
    """Cut the power before each of some events, and say what is wrong afterwards."""
    found, wanted, replay = [], set(points), Replay()
    for position, event in enumerate(recording.events):
        for damage in range(damages if position in wanted else 0):
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                replay.cut(random.Random(f"{recording.seed} {position} {damage}"), Path(folder))
                wrong = complaint(Path(folder, "catalog.db"), allowed(recording, replay))
            if wrong is not None:
                found.append(f"seed {recording.seed}, cut before event {position}, damage {damage}: {wrong}")
        replay.go_on(event)
    return found


def spread(recording: Recording, cuts: int) -> list[int]:
    """So many points after the catalogue was made, evenly spread."""
    first = recording.made_at
    return [first + (len(recording.events) - first) * number // cuts for number in range(cuts)]


def allowed(recording: Recording, replay: Replay) -> list[Snapshot]:
    """What the catalogue may hold: what it held when the last operation returned, or after the one that was being done."""
    return recording.states[:1] if replay.promised is None else recording.states[replay.promised : replay.promised + 2]


def tried_on(recordings: list[Recording], cuts: int) -> dict[str, int]:
    """The figures of so many cuts in each."""
    return {
        "cuts": cuts * len(recordings),
        "file operations": sum(len(each.events) for each in recordings),
        "operations": sum(len(each.states) - 1 for each in recordings),
    }


PROMISE = "A power cut leaves whole operations, and all that had returned"
HOW = (
    "every file operation is recorded; at a cut each file's unsynced writes are kept, lost or torn by sectors of 512 bytes, "
    "and names in unsynced folders come and go; the catalogue must open without repair, be sound, and work"
)


@pytest.mark.proof(PROMISE, how=HOW)
def test_after_a_power_cut_every_promise_is_kept(tmp_path: Path, size: Size, figures: Proof) -> None:
    cuts = size.choose(sample=40, full=200)
    recordings = [recorded(tmp_path, seed, operations=30) for seed in size.seeds(sample=2, full=12)]

    found = [each for recording in recordings for each in complaints(recording, spread(recording, cuts), tmp_path)]

    assert found == []
    figures.add(tried_on(recordings, cuts))


@pytest.mark.proof(PROMISE)
def test_with_a_rollback_journal_the_disk_shows_no_loss_either(tmp_path: Path, size: Size, figures: Proof) -> None:
    recording, cuts = recorded(tmp_path, size.seed, operations=20, settings=ROLLBACK_JOURNAL), size.choose(sample=20, full=200)

    assert complaints(recording, spread(recording, cuts), tmp_path) == []
    figures.add(tried_on([recording], cuts))


@pytest.mark.proof(
    "The test of power cuts can fail",
    how="the same, with `synchronous=OFF` forced upon the library: something must be lost",
)
@pytest.mark.parametrize("journal", [{}, ROLLBACK_JOURNAL], ids=["log", "rollback journal"])
def test_without_syncs_the_same_cuts_find_what_is_lost(
    tmp_path: Path, size: Size, figures: Proof, journal: Mapping[str, object]
) -> None:
    cuts = size.choose(sample=20, full=200)
    recording = recorded(tmp_path, size.seed, operations=20, settings={**journal, **NO_SYNC})

    found = complaints(recording, spread(recording, cuts), tmp_path)

    assert found
    figures.add({"cuts": cuts, "of them with a loss": len(found)})


@pytest.mark.proof(PROMISE)
def test_a_power_cut_while_the_catalogue_is_made_leaves_one_that_can_be_opened(
    tmp_path: Path, size: Size, figures: Proof
) -> None:
    recording, damages = recorded(tmp_path, size.seed, operations=0), size.choose(sample=4, full=100)

    assert complaints(recording, range(12), tmp_path, damages=damages) == []
    figures.add({"cuts": 12 * damages})


@pytest.mark.proof(PROMISE)
def test_a_header_damaged_while_it_was_written_is_recovered_from_the_log(tmp_path: Path) -> None:
    """What a torn write may leave of the first sector when the power fails while the log is being written back."""
    path, after_cut = tmp_path / "catalog.db", tmp_path / "after"
    after_cut.mkdir()
    with opened(path) as catalog:
        catalog.add_source("station", "fake")
        for name in ("catalog.db", "catalog.db-wal"):
            (after_cut / name).write_bytes((tmp_path / name).read_bytes())
    with (after_cut / "catalog.db").open("r+b") as file:
        file.write(random.Random(0).randbytes(512))

    with contextlib.closing(apsw.Connection(str(after_cut / "catalog.db"))) as plain:
        assert plain.execute("SELECT name FROM source").fetchall() == [("station",)]
        shutil.copytree(after_cut, tmp_path / "again")
    with opened(tmp_path / "again" / "catalog.db") as catalog:
        assert [source.name for source in catalog.sources()] == ["station"]
