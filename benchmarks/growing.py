"""What the same work costs in ever larger catalogues, and how large their files are."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import attrs

from benchmarks.measuring import Comparison, Curve, Goal, Sizes, Taken, compared, timed
from benchmarks.memory import READING, measured_reading
from benchmarks.stations import SHOWS, Drafts, Station, make_files, station, template
from retrovue_uow import AssetSelector, Catalog, IngestFilters

FILL = 50_000
"""Assets per collection, at most, of those that make a catalogue large."""
NEW = 10**8
"""From where the numbers begin that no catalogue has yet."""
LONG = 1_000
"""Episodes of a long season."""
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
            compared(
                f"one `process_asset` among {size:,} assets",
                f"itself among {smallest:,}",
                Goal("slower", 1.3),
                processing[size],
                processing[smallest],
                note="all sizes by turns, after a warm-up each",
            )
            for size in larger
        ),
        compared(
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
    taken = timed(lambda: reports.append(station.catalog.check()))
    if not reports[0].is_sound:
        raise AssertionError(f"the catalogue is not sound: {reports[0].violations[:3]}")
    return taken.cpu / assets * 1e6


def _by_turns(all_sizes: Sequence[Grown], work: Callable[[Station, int], Taken], *, rounds: int) -> Mapping[int, list[Taken]]:
    """What was taken, by size; the first round warms up: it also pays for the checkpoint of what was written before."""
    all_taken: dict[int, list[Taken]] = {each.assets: [] for each in all_sizes}
    for round_ in range(1 + rounds):
        for each in all_sizes:
            taken = work(each.station, round_)
            if round_ > 0:
                all_taken[each.assets].append(taken)
    return all_taken


def _process_one(station: Station, round_: int) -> Taken:
    return station.process(ONE, NEW + round_)


def _ingest_few(station: Station, count: int) -> Taken:
    taken = station.ingest(FEW, range(NEW, NEW + count))
    station.catalog.wipe_collection(FEW)
    return taken


def _steps(all_sizes: Sequence[Grown], sizes: Sizes) -> list[Curve]:
    """Microseconds per asset of an ingest, rescan, wipe and undo of a collection of a fixed size."""
    taken: dict[str, dict[int, list[float]]] = {}

    def note(work: str, each: Grown, seconds: float) -> None:
        taken.setdefault(work, {}).setdefault(each.assets, []).append(seconds / sizes.one_step * 1e6)

    for round_ in range(1 + min(sizes.rounds, 5)):
        for each in all_sizes:
            for work, step in _step(each.station, range(NEW, NEW + sizes.one_step)).items():
                if round_ > 0:
                    note(work, each, step.cpu)
    return [
        Curve("time", work, "µs", [(size, statistics.median(found)) for size, found in by_size.items()])
        for work, by_size in taken.items()
    ]


def _step(station: Station, numbers: range) -> dict[str, Taken]:
    catalog = station.catalog
    taken = {
        "ingest": station.ingest(STEP, numbers),
        "rescan": station.ingest(STEP, numbers),
        "wipe": timed(lambda: catalog.wipe_collection(STEP)),
        "undo": timed(lambda: catalog.undo(catalog.history(1)[0].id)),
    }
    catalog.wipe_collection(STEP)
    return taken


def folder(sizes: Sizes) -> list[Comparison]:
    """An ingest of one folder, of new files and of known ones, while ever more files of its collection lie elsewhere."""
    small, large = sizes.catalogues[0], sizes.catalogues[-2]
    taken: dict[str, dict[int, list[Taken]]] = {"new": {small: [], large: []}, "known": {small: [], large: []}}
    with ExitStack() as stack:
        on_disk = {size: stack.enter_context(_on_disk(size)) for size in (small, large)}
        for round_ in range(1 + 2 * sizes.rounds):
            for size, (catalog, root) in on_disk.items():
                one = IngestFilters(under=Path(root, f"New {round_}"))
                make_files(str(one.under), sizes.few)
                for by_size in taken.values():
                    by_size[size].append(timed(lambda: catalog.ingest_collection(SHOWS, one)))  # noqa: B023  called at once
    return [
        compared(
            f"ingest of a folder of {sizes.few} {which} files, {large:,} assets elsewhere",
            f"itself, {small:,} elsewhere",
            Goal("slower", 1.5),
            by_size[large][1:],
            by_size[small][1:],
            note="real, empty files of one collection; both sizes by turns, after a warm-up each",
        )
        for which, by_size in taken.items()
    ]


@contextmanager
def _on_disk(size: int) -> Iterator[tuple[Catalog, str]]:
    """A catalogue of so many real files, and the folder that they lie in."""
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as home:
        make_files(root, size)
        with Catalog(Path(home, "catalog.db")) as catalog:
            catalog.add_source("disk")
            catalog.add_collection("disk", SHOWS, path_mappings={root: root})
            catalog.attach_enricher(SHOWS, "filename")
            catalog.ingest_collection(SHOWS)
            yield catalog, root


INGEST, REFRESH = "ingest", "refresh of all"


def doubling(sizes: Sizes) -> list[Comparison]:
    """The same work on twice the files, in one collection of a new catalogue."""
    single, double = sizes.doubled, 2 * sizes.doubled
    taken: dict[str, dict[int, list[Taken]]] = {}
    for _ in range(sizes.rounds):
        for size in (single, double):
            for work, unit in _large_units(size).items():
                taken.setdefault(work, {single: [], double: []})[size].append(unit)
    return [
        *(
            compared(
                f"{work}, {double:,} assets",
                f"itself, {single:,}",
                Goal("slower", 2.2),
                found[double],
                found[single],
                note="both sizes by turns, each in new catalogues",
            )
            for work, found in taken.items()
        ),
        compared(
            f"{REFRESH}, {double:,} assets",
            f"the ingest of these {double:,}",
            Goal("slower", 1.5),
            taken[REFRESH][double],
            taken[INGEST][double],
            note="whole operations, without enrichers",
        ),
    ]


def _large_units(count: int) -> dict[str, Taken]:
    """What each unit takes that holds a whole collection of so many assets."""
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
        return {name: timed(work) for name, work in works.items()}


def merging(sizes: Sizes) -> list[Comparison]:
    """A show of many episodes is merged into another one that has the same."""
    single, double = sizes.merged, 2 * sizes.merged
    taken: dict[int, list[Taken]] = {single: [], double: []}
    for _ in range(min(sizes.rounds, 3)):
        for size, all_taken in taken.items():
            with station(SHOWS) as new:
                new.importer.season = min(LONG, size)
                new.importer.seasons = size // new.importer.season
                new.ingest(SHOWS, range(2 * size))
                all_taken.append(timed(lambda: new.catalog.merge_titles("Show 0", into="Show 1")))
    return [
        compared(
            f"merge of a show of {double:,} episodes into another that has the same",
            f"itself, {single:,}",
            Goal("slower", 2.2),
            taken[double],
            taken[single],
            note="both sizes by turns, each in new catalogues",
        )
    ]


def explaining(sizes: Sizes) -> list[Comparison]:
    """Explaining one asset of a large unit, and of a small one."""
    small, large = sizes.explained // 40, sizes.explained
    with ExitStack() as stack:
        taken: dict[int, list[Taken]] = {}
        explained = {}
        for size in (small, large):
            some = stack.enter_context(template(size))
            catalog = stack.enter_context(some.opened(some.path))
            explained[size] = partial(catalog.explain, catalog.assets(limit=1)[0].id)
        for _ in range(1 + 10 * sizes.rounds):
            for size, explain in explained.items():
                taken.setdefault(size, []).append(timed(explain))
    return [
        compared(
            f"`explain` of an asset of a unit of {large:,}",
            f"itself, of a unit of {small:,}",
            Goal("slower", 1.5),
            taken[large][1:],
            taken[small][1:],
            note="by turns, after a warm-up each",
        )
    ]


class Read(NamedTuple):
    """What a piece of work took, each time, and the peak of the process that did nothing else, in megabytes."""

    taken: list[Taken]
    peak_mb: float


def reading(sizes: Sizes) -> list[Comparison]:
    """Naming, selecting, explaining and checking in a large catalogue and one of a tenth; and the memory that it takes."""
    small, large = sizes.catalogues[-2:]
    found: dict[str, dict[int, Read]] = {name: {} for name in READING}
    with grown((small, large)) as all_sizes:
        for each in all_sizes:
            each.station.importer.season = LONG
            each.station.ingest(ONE, range(NEW, NEW + sizes.assigned))
            each.station.catalog.close()
        for name, by_size in found.items():
            for each in all_sizes:
                path = each.station.catalog.database.path
                by_size[each.assets] = Read(*measured_reading(name, path, each.station.importer.folder, sizes.rounds))
    linear = 1.3 * large / small
    goals = {"select by a glob": Goal("slower", linear), "`check()`": Goal("slower")}
    return [
        *(
            compared(
                f"{name} among {large:,} assets",
                f"itself among {small:,}",
                goals.get(name, Goal("slower", 1.3)),
                by_size[large].taken,
                by_size[small].taken,
                note=f"each in a process of its own, with a peak of {by_size[large].peak_mb:.0f} MB",
            )
            for name, by_size in found.items()
        ),
        Comparison(
            f"peak memory of the hungriest of these without `check()`, among {large:,} assets",
            "nothing: it is that of the whole process",
            Goal("more", 150),
            [max(by_size[large].peak_mb for name, by_size in found.items() if name != "`check()`")],
            [0.0],
            unit="MB",
        ),
    ]
