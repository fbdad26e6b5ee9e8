"""A process that works on a catalogue until it is killed, and tells of each operation when it has returned."""

from __future__ import annotations

import random
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
from loguru import logger
from proof.workload import fingerprint, one_operation, opened

from retrovue_uow import Catalog


@attrs.frozen
class Told:
    """What the catalogue was when an operation had returned: how many units it had, and what all else in it was."""

    units: int
    fingerprint: str


def count_units(catalog: Catalog) -> int:
    """How many units of work the journal has."""
    ((count,),) = catalog.database.execute("SELECT count(*) FROM unit_of_work")
    return int(count)


def work_until_killed(path: Path, seed: int, pipe: Connection) -> None:
    """One operation after the other."""
    logger.disable("retrovue_uow")
    chance = random.Random(seed)
    with opened(path) as catalog:
        pipe.send(Told(count_units(catalog), fingerprint(path)))
        while True:
            if one_operation(catalog, chance):
                pipe.send(Told(count_units(catalog), fingerprint(path)))
