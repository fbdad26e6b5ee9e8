"""What the same work costs in ever larger catalogues, and how large their files are."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from benchmarks.measuring import Comparison, Curve, Goal, Sizes
from benchmarks.stations import SHOWS, Drafts, Station, cpu_seconds, station, timed
from retrovue_uow import AssetSelector, Catalog

FILL = 50_000
"""Assets per collection, at most, of those that make a catalogue large."""
NEW = 10**8
"""From where the numbers begin that no catalogue has yet."""
STEP, FEW, ONE = "Step", "Few", "One"


@attrs.frozen
class Grown:
    """A catalogue of some size, open."""

    assets: int
    station: Station
    file_bytes: int
    undo_bytes: int


@contextmanager
def grown(sizes: Sequence[int]) -> Iterator[list[Grown]]:
    """Catalogues of ascending sizes, each a copy of one that grows by ingests."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder, "mounted.txt").touch()
        importer = Drafts(folder)
        found = []
        with Catalog(Path(folder, "growing.db"), importers={"drafts": importer}) as catalog:
            catalog.add_source("drafts", "drafts")
            for name in (STEP, FEW, ONE):
                catalog.add_collection("drafts", name, path_mappings={folder: folder})
            start = 0
            for size in sizes:
                _fill(Station(catalog, importer), start, size)
                start = size
                found.append((size, str(Path(folder, f"{size}.db"))))
                catalog.backup(found[-1][1])
        for suffix in ("", "-wal", "-shm"):
            Path(folder, f"growing.db{suffix}").unlink(missing_ok=True)
        yield [_opened(stack, path, size, importer) for size, path in found]


def _fill(station: Station, start: int, end: int) -> None:
    for first in range(start, end, FILL):
        name = f"Fill {first}"
        station.catalog.add_collection("drafts", name, path_mappings={station.importer.folder: station.importer.folder})
        station.ingest(name, range(first, min(first + FILL, end)))


def _opened(stack: ExitStack, path: str, size: int, importer: Drafts) -> Grown:
    catalog = stack.enter_context(Catalog(path, importers={"drafts": importer}))
    ((undo_bytes,),) = catalog.database.execute("SELECT ifnull(sum(length(changeset)), 0) FROM unit_of_work")
    return Grown(size, Station(catalog, importer), Path(path).stat().st_size, undo_bytes)


def growth(sizes: Sizes) -> list[Comparison | Curve]:
    """The same work in catalogues of ever more assets, by turns; full checks; and the sizes of the files."""
    with grown(sizes.catalogues) as all_sizes:
        bytes_ = _bytes(all_sizes)
        checks = Curve("time", "full check()", "µs", _points(all_sizes, lambda each: _check_us(each.station, each.assets)))
        processing = _by_turns(all_sizes, _process_one, rounds=3 * sizes.rounds)
        few = _by_turns(all_sizes, lambda station, round_: _ingest_few(station, sizes.few), rounds=2 * sizes.rounds)
        steps = _steps(all_sizes, sizes)
    smallest, *larger = sizes.catalogues
    return [
        *(
            Comparison(
                f"one `process_asset` among {size:,} assets",
                f"itself among {smallest:,}",
                Goal("slower", 1.3),
                processing[size],
                processing[smallest],
                note="all sizes by turns, after a warm-up each",
            )
            for size in larger
        ),
        Comparison(
            f"ingest of {sizes.few} new files into {larger[-1]:,} assets",
            f"itself into {smallest:,}",
            Goal("slower", 1.5),
            few[larger[-1]],
            few[smallest],
            note="into an empty collection of the catalogue, without enrichers",
        ),
        *steps,
        checks,
        *bytes_,
    ]


def _bytes(all_sizes: Sequence[Grown]) -> list[Curve]:
    return [
        Curve("size", "database file without the undo store", "bytes", _points(all_sizes, _catalogue_bytes)),
        Curve("size", "undo store", "bytes", _points(all_sizes, lambda each: each.undo_bytes / each.assets)),
    ]


def _catalogue_bytes(each: Grown) -> float:
    return (each.file_bytes - each.undo_bytes) / each.assets


def _points(all_sizes: Sequence[Grown], measure: Callable[[Grown], float]) -> list[tuple[int, float]]:
    return [(each.assets, measure(each)) for each in all_sizes]


def _check_us(station: Station, assets: int) -> float:
    reports = []
    seconds = timed(lambda: reports.append(station.catalog.check()))
    if not reports[0].is_sound:
        raise AssertionError(f"the catalogue is not sound: {reports[0].violations[:3]}")
    return seconds / assets * 1e6


def _by_turns(all_sizes: Sequence[Grown], work: Callable[[Station, int], float], *, rounds: int) -> Mapping[int, list[float]]:
    """Seconds by size; the first round warms up: it also pays for the checkpoint of what was written before."""
    seconds: dict[int, list[float]] = {each.assets: [] for each in all_sizes}
    for round_ in range(1 + rounds):
        for each in all_sizes:
            taken = work(each.station, round_)
            if round_ > 0:
                seconds[each.assets].append(taken)
    return seconds


def _process_one(station: Station, round_: int) -> float:
    return station.process(ONE, NEW + round_)


def _ingest_few(station: Station, count: int) -> float:
    seconds = station.ingest(FEW, range(NEW, NEW + count))
    station.catalog.wipe_collection(FEW)
    return seconds


def _steps(all_sizes: Sequence[Grown], sizes: Sizes) -> list[Curve]:
    """Microseconds per asset of an ingest, rescan, wipe and undo of a collection of a fixed size."""
    taken: dict[str, dict[int, list[float]]] = {}

    def note(work: str, each: Grown, seconds: float) -> None:
        taken.setdefault(work, {}).setdefault(each.assets, []).append(seconds / sizes.one_step * 1e6)

    for round_ in range(1 + min(sizes.rounds, 5)):
        for each in all_sizes:
            for work, seconds in _step(each.station, range(NEW, NEW + sizes.one_step)).items():
                if round_ > 0:
                    note(work, each, seconds)
    return [
        Curve("time", work, "µs", [(size, statistics.median(found)) for size, found in by_size.items()])
        for work, by_size in taken.items()
    ]


def _step(station: Station, numbers: range) -> dict[str, float]:
    catalog = station.catalog
    seconds = {
        "ingest": station.ingest(STEP, numbers),
        "rescan": station.ingest(STEP, numbers),
        "wipe": timed(lambda: catalog.wipe_collection(STEP)),
        "undo": timed(lambda: catalog.undo(catalog.history(1)[0].id)),
    }
    catalog.wipe_collection(STEP)
    return seconds


INGEST, REFRESH = "ingest", "refresh of all"


def doubling(sizes: Sizes) -> list[Comparison]:
    """The same work on twice the files, in one collection of a new catalogue, in CPU time."""
    single, double = sizes.doubled, 2 * sizes.doubled
    taken: dict[str, dict[int, list[float]]] = {}
    for _ in range(sizes.rounds):
        for size in (single, double):
            for work, seconds in _large_units(size).items():
                taken.setdefault(work, {single: [], double: []})[size].append(seconds)
    return [
        *(
            Comparison(
                f"{work}, {double:,} assets",
                f"itself, {single:,}",
                Goal("slower", 2.2),
                found[double],
                found[single],
                note="CPU time; both sizes by turns, each in new catalogues",
            )
            for work, found in taken.items()
        ),
        Comparison(
            f"{REFRESH}, {double:,} assets",
            f"the ingest of these {double:,}",
            Goal("slower", 1.5),
            taken[REFRESH][double],
            taken[INGEST][double],
            note="CPU time; whole operations, without enrichers",
        ),
    ]


def _large_units(count: int) -> dict[str, float]:
    """CPU seconds of each unit that holds a whole collection of so many assets."""
    with station(SHOWS) as new:
        catalog, new.importer.numbers = new.catalog, range(count)

        def undo() -> None:
            catalog.undo(catalog.history(1)[0].id)

        def ingest_in_session() -> None:
            with catalog.prepare_ingest(SHOWS) as prepared, catalog.session():
                catalog.ingest_collection(prepared)

        def rebuild() -> None:
            with catalog.prepare_ingest(SHOWS, as_if_empty=True) as prepared, catalog.session():
                catalog.wipe_collection(SHOWS)
                catalog.ingest_collection(prepared)

        works: dict[str, Callable[[], object]] = {
            INGEST: lambda: catalog.ingest_collection(SHOWS),
            "undo of an ingest": undo,
            "prepared ingest in a session": ingest_in_session,
            REFRESH: lambda: catalog.ingest_collection(SHOWS, refresh="all"),
            "rebuild: wipe and prepared ingest in a session": rebuild,
            "assign of all": lambda: catalog.assign(AssetSelector(collection=SHOWS), title="Another"),
            "undo of an assign": undo,
        }
        return {name: cpu_seconds(work) for name, work in works.items()}
