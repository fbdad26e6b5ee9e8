"""One ingest by one peer, in a process of its own."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from benchmarks.floor import Work
from benchmarks.peers import PEERS
from benchmarks.stations import SHOWS, drafts


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the ingest of so many new episodes took: seconds by the clock, and of a core."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=main.__doc__)
    parser.add_argument("peer", choices=PEERS.values())
    parser.add_argument("path", help="a catalogue without views")
    parser.add_argument("folder", help="where the files would be")
    parser.add_argument("collection_id")
    parser.add_argument("mapping_id", type=int)
    parser.add_argument("enrichers", help="fingerprint")
    parser.add_argument("count", type=int)
    given = parser.parse_args(arguments)
    found = list(drafts(given.folder, SHOWS, range(given.count)))
    work = Work(given.collection_id, given.mapping_id, given.enrichers, found)
    peer = importlib.import_module(f"benchmarks.peers.{given.peer}")
    sys.stdout.write("{} {}\n".format(*peer.ingest(given.path, work)))


if __name__ == "__main__":
    main()
