"""The station's own command: `foreign-station ingest shelf`, `plan FILE TIME`, `air SLOT`, `slots`."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from foreign_station.playlog import PLAYLOG
from foreign_station.schedule import air, plan
from retrovue_uow import Catalog, RetroVueError


def main() -> int:
    """What the arguments ask for. The exit code: 1 where it was refused."""
    command = argparse.ArgumentParser(prog="foreign-station")
    command.add_argument("--catalog", default="catalog.db")
    verbs = command.add_subparsers(dest="verb", required=True)
    verbs.add_parser("ingest", help="bring in a shelf of tapes").add_argument("shelf")
    planning = verbs.add_parser("plan", help="plan a file")
    planning.add_argument("file")
    planning.add_argument("time", type=datetime.fromisoformat)
    verbs.add_parser("air", help="note that a slot has aired").add_argument("slot", type=int)
    verbs.add_parser("slots", help="list what is planned")
    asked = command.parse_args()
    try:
        with Catalog(asked.catalog, extensions=[PLAYLOG]) as catalog:
            print(_done(catalog, asked))
    except RetroVueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _done(catalog: Catalog, asked: argparse.Namespace) -> str:
    """What was done, in words."""
    match asked.verb:
        case "ingest":
            return f"{_ingest(catalog, asked.shelf)} assets are new"
        case "plan":
            return f"slot {plan(catalog, asked.file, asked.time)} is planned"
        case "air":
            return f"airing {air(catalog, asked.slot)} is in the log"
        case _:
            return "\n".join(" ".join(map(str, row)) for row in _slots(catalog)) or "nothing is planned"


def _ingest(catalog: Catalog, shelf: str) -> int:
    if not catalog.sources():
        catalog.add_source("tapes", "tape_shelf", {"shelf": shelf})
        catalog.discover_collections("tapes")
        catalog.enable_collection("Tapes")
    return catalog.ingest_collection("Tapes").created


def _slots(catalog: Catalog) -> list[tuple[object, ...]]:
    return catalog.database.execute(
        """
        SELECT playlog_slot.id, playlog_slot.starts_at, asset.file_path, ifnull(playlog_unairable.reason, '')
          FROM playlog_slot
          JOIN asset ON asset.id = playlog_slot.asset_id
          LEFT JOIN playlog_unairable ON playlog_unairable.id = playlog_slot.id
         ORDER BY playlog_slot.starts_at
        """
    )


if __name__ == "__main__":
    sys.exit(main())
