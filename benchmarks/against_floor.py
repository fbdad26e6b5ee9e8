"""What safety costs: the library beside bare APSW, on the same rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import apsw

from benchmarks import floor
from benchmarks.measuring import Comparison, Goal, Sizes, Taken, by_turns, compared, timed
from benchmarks.rows import all_rows, validate_same_rows
from benchmarks.stations import SHOWS, Template, drafts, make_files, template
from retrovue_uow import Catalog
from retrovue_uow.media import plugins
from retrovue_uow.uow.connection import wrong_settings

PER_FOLDER = 20


Write: TypeAlias = Callable[[apsw.Connection, floor.Work], None]


def work_of(empty: Template, count: int) -> floor.Work:
    """So many new episodes for the template's collection."""
    (mapping,) = empty.collection.path_mappings
    return floor.Work(
        empty.collection.id,
        mapping.id,
        plugins.fingerprint((), ()),
        list(drafts(empty.importer.folder, SHOWS, range(count))),
    )


def write_phase(empty: Template, path: str, count: int) -> Taken:
    """The write phase of an ingest of so many new episodes."""
    empty.importer.numbers = range(count)
    with empty.opened(path) as catalog, catalog.prepare_ingest(SHOWS) as prepared:
        return timed(lambda: catalog.ingest_collection(prepared))


def ingest(sizes: Sizes) -> list[Comparison]:
    """The write phase of an ingest of new episodes, in batches, all rules, capture and journal on."""
    with template() as empty:
        work = work_of(empty, sizes.ingest)

        def bare(path: str, write: Write) -> Taken:
            connection = floor.connect(path)
            try:
                return timed(lambda: write(connection, work))
            finally:
                connection.close()

        def bare_on_a_copy(write: Write) -> Taken:
            with empty.copy() as path:
                return bare(path, write)

        def ours_on_a_copy() -> Taken:
            with empty.copy() as path:
                return write_phase(empty, path, sizes.ingest)

        for write in (floor.ingest, floor.ingest_by_table):
            with empty.copy() as bare_path, empty.copy() as our_path:
                bare(bare_path, write)
                write_phase(empty, our_path, sizes.ingest)
                validate_same_rows(our_path, bare_path, expect_assets=sizes.ingest)
        against_loop = by_turns(partial(bare_on_a_copy, floor.ingest), ours_on_a_copy, rounds=sizes.rounds, warm_ups=0)
        by_table = by_turns(partial(bare_on_a_copy, floor.ingest_by_table), ours_on_a_copy, rounds=sizes.rounds, warm_ups=0)
    note = "each on a new file; the same rows on both sides"
    return [
        compared(
            f"ingest, write phase, {sizes.ingest:,} new episodes in one collection",
            "bare APSW loop, same rows, one transaction",
            Goal("slower", 2.2, aim=1.9),
            *against_loop,
            note=note,
        ),
        compared(
            f"the same with {sizes.ingest:,} episodes",
            "bare APSW, rows collected and written by `executemany`, a table at a time",
            Goal("slower"),
            *by_table,
            note=note,
        ),
    ]


def wipe_and_undo(sizes: Sizes) -> list[Comparison]:
    """A wipe of a whole collection, and the undo of that wipe."""
    wipes: tuple[list[Taken], list[Taken]] = ([], [])
    undos: tuple[list[Taken], list[Taken]] = ([], [])
    with template(sizes.wipe) as full, full.copy() as bare_path, full.copy() as our_path:
        bare = floor.connect(bare_path)
        rows = floor.stored(bare)
        with full.opened(our_path) as catalog:
            for _ in range(1 + sizes.rounds):
                wipes[1].append(timed(lambda: floor.wipe(bare, full.collection.id)))
                wipes[0].append(timed(lambda: catalog.wipe_collection(SHOWS)))
                validate_same_rows(our_path, bare_path, expect_assets=0)
                unit = catalog.history(1)[0].id
                undos[1].append(timed(lambda: floor.with_transaction(bare, rows)))
                undos[0].append(timed(lambda: catalog.undo(unit)))  # noqa: B023  called at once
        bare.close()
        validate_same_rows(our_path, bare_path, expect_assets=sizes.wipe)
    return [
        compared(
            f"wipe of {sizes.wipe:,} assets",
            "the same DELETEs bare",
            Goal("slower", 3.3, aim=3.0),
            wipes[0][1:],
            wipes[1][1:],
            note="wiped and put back by turns, after one warm-up; the same rows are left",
        ),
        compared(
            "undo of that wipe",
            "bare INSERT of the same rows",
            Goal("slower", 2.5, aim=2.0),
            undos[0][1:],
            undos[1][1:],
            note="the bare side has the rows in memory",
        ),
    ]


class OverlookedError(Exception):
    """A scan did not see every file."""


def validate_all_seen(*seen: int, expected: int) -> None:
    """Each scan saw all the files, so that their times can be compared."""
    if set(seen) != {expected}:
        raise OverlookedError(f"{seen} files were seen, of {expected}")


def rescan(sizes: Sizes) -> list[Comparison]:
    """A rescan of files that did not change, which writes nothing but the journal's row of it."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        make_files(folder, sizes.rescan, per_folder=PER_FOLDER)
        path = str(Path(home, "catalog.db"))
        with Catalog(path) as catalog:
            catalog.add_source("disk")
            catalog.add_collection("disk", SHOWS, path_mappings={folder: folder})
            catalog.attach_enricher(SHOWS, "filename")
            catalog.ingest_collection(SHOWS)
        with Catalog(path) as catalog:
            before = all_rows(path)
            ours, other = by_turns(
                lambda: timed(lambda: floor.walk(folder)),
                lambda: timed(lambda: catalog.ingest_collection(SHOWS)),
                rounds=sizes.rounds,
            )
            has_written = all_rows(path) != before
            validate_all_seen(catalog.ingest_collection(SHOWS).unchanged, len(floor.walk(folder)), expected=sizes.rescan)
    return [
        compared(
            f"unchanged rescan of {sizes.rescan:,} files in {sizes.rescan // PER_FOLDER:,} folders",
            "bare `os.scandir` + `stat` walk",
            Goal("slower", 2.5),
            ours,
            other,
            note="real, empty files; all rows but the journal's are what they were",
            broken="something was written" if has_written else "",
        )
    ]


def relocation(sizes: Sizes) -> list[Comparison]:
    """The relocation of a whole collection to another folder, to which its files were moved."""
    with tempfile.TemporaryDirectory() as home:
        folders = [f"{home}/old", f"{home}/new"]
        make_files(folders[0], sizes.rescan, per_folder=PER_FOLDER)
        path, bare_path = f"{home}/catalog.db", f"{home}/bare.db"
        with Catalog(path) as catalog:
            catalog.add_source("disk")
            catalog.add_collection("disk", SHOWS, path_mappings={folders[0]: folders[0]})
            catalog.attach_enricher(SHOWS, "filename")
            catalog.ingest_collection(SHOWS)
            catalog.backup(bare_path)
        bare = floor.connect(bare_path)

        def bare_after_a_move() -> Taken:
            Path(folders[0]).rename(folders[1])
            return timed(lambda: floor.relocate(bare, *folders))

        with Catalog(path) as catalog:

            def ours_after_it() -> Taken:
                taken = timed(lambda: catalog.relocate_collection(SHOWS, *folders, min_found=1))
                folders.reverse()
                return taken

            ours, other = by_turns(bare_after_a_move, ours_after_it, rounds=sizes.rounds)
        bare.close()
        validate_same_rows(path, bare_path, expect_assets=sizes.rescan)
    return [
        compared(
            f"relocation of {sizes.rescan:,} files in {sizes.rescan // PER_FOLDER:,} folders",
            "bare `os.scandir` + `stat` walk, and an UPDATE of their rows",
            Goal("slower", 3.0),
            ours,
            other,
            note="there and back; real, empty files; the same rows are left",
        )
    ]


def refresh(sizes: Sizes) -> list[Comparison]:
    """A refresh of all of a folder's real files, without probing, beside their first ingest."""
    firsts, again = [], []
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder, sizes.refreshed, per_folder=PER_FOLDER)
        for _ in range(sizes.rounds):
            with tempfile.TemporaryDirectory() as home, Catalog(Path(home, "catalog.db")) as catalog:
                catalog.add_source("disk")
                catalog.add_collection("disk", SHOWS, path_mappings={folder: folder})
                for enricher in ("filename", "nfo"):
                    catalog.attach_enricher(SHOWS, enricher)
                firsts.append(timed(lambda: catalog.ingest_collection(SHOWS)))
                again.append(timed(lambda: catalog.ingest_collection(SHOWS, refresh="all")))
    return [
        compared(
            f"refresh of {sizes.refreshed:,} real files, without probing",
            "their first ingest",
            Goal("slower", 1.0),
            again,
            firsts,
            note="empty files, with the enrichers of names and sidecars; each round in a new catalogue",
        )
    ]


def opening(sizes: Sizes) -> list[Comparison]:
    """Opening a catalogue that exists."""
    with template(sizes.one_step) as some:

        def bare() -> Taken:
            connections: list[apsw.Connection] = []
            taken = timed(lambda: connections.append(floor.connect(some.path)))
            if wrong := wrong_settings(connections[0], some.path, read_only=False):
                raise AssertionError(f"the bare connection is set otherwise: {wrong}")
            connections[0].close()
            return taken

        def ours() -> Taken:
            catalogs: list[Catalog] = []
            taken = timed(lambda: catalogs.append(Catalog(some.path)))
            catalogs[0].close()
            return taken

        opened = by_turns(bare, ours, rounds=10 * sizes.starts, warm_ups=5)
    return [compared("opening an existing catalogue", "`apsw.Connection` + the pragmas", Goal("slower", 2.0), *opened)]
