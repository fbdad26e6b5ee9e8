"""Operations at random, by seed: what the proof lets happen to a catalogue while something goes wrong."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import attrs
from extending import PLAYLOG
from harness import draft, episode, movie

from retrovue_uow import AssetDraft, AssetSelector, Catalog, OperationError, ValidationError
from retrovue_uow.model import Result
from retrovue_uow.rules.integrity import validate_database_consistency
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

NAMES = ("Shows", "More")


def at(path: str, found: AssetDraft) -> AssetDraft:
    """The draft as it is found under another path."""
    return attrs.evolve(found, file_path=path, source_path=path)


KNOWN = (
    *(episode(show, season, number) for show in ("Space: 1999", "Dark") for season in (1, 2) for number in (1, 2, 3)),
    *(movie(name, 1982, metadata={"editorial": {"plot": f"{name} " * 100}}) for name in ("Tron", "Blade Runner")),
    draft("bumper.mkv", kind="bumper"),
    movie("Torn", 1982),
    movie("Odd", 1982),
)
BETTER = tuple(attrs.evolve(at(f"{each.source_path}.better", each), size=7) for each in KNOWN[:4])
MOVED = tuple(attrs.evolve(at(f"{each.source_path}.moved", each), year=1 if each.title else None) for each in KNOWN[6:])
POOL = (*KNOWN, *BETTER, *MOVED)
"""Also better files of some episodes, and files that moved and may say another title."""
Operation = Callable[[Catalog, random.Random], object]


def judged(found: AssetDraft) -> AssetDraft:
    """What the enricher says: one file is broken, and of another it warns."""
    if "Torn" in found.file_path:
        raise ValidationError("its end is torn off")
    warnings = ("its length is a guess",) if "Odd" in found.file_path else ()
    return attrs.evolve(found, duration_ms=60_000, warnings=warnings)


def opened(path: Path | str) -> Catalog:
    """A catalogue with an extension, an importer whose drafts can be set, and an enricher whose answers are cached."""
    enricher = FakeEnricher(cached_by="file", returns=judged)
    return Catalog(path, importers={"fake": FakeImporter()}, enrichers={"fake": enricher}, extensions=[PLAYLOG])


def set_up(catalog: Catalog, media: Path, done: Callable[[], object] = lambda: None) -> None:
    """Two collections with nothing in them; `done` is called after each operation."""
    media.mkdir(exist_ok=True)
    (media / "mounted.txt").write_text("an empty folder would count as an unplugged disk")
    catalog.add_source("station", "fake")
    done()
    for name in NAMES:
        catalog.add_collection("station", name, path_mappings={"/media": str(media)})
        done()
        catalog.attach_enricher(name, "fake")
        done()
    catalog.set_upgrades(NAMES[0], "keep-approval")
    done()


def offer(catalog: Catalog, chance: random.Random) -> None:
    """Let the source have some of the files."""
    importer = catalog.importers["fake"]
    assert isinstance(importer, FakeImporter)
    importer.drafts = chance.sample(POOL, chance.randint(1, len(POOL)))


def ingest(catalog: Catalog, chance: random.Random) -> object:
    """A full ingest of one collection."""
    offer(catalog, chance)
    return catalog.ingest_collection(
        chance.choice(NAMES),
        refresh=chance.choice((None, "files", "changed", "all")),
        broken=chance.choice(("record", "record", "refuse")),
    )


def rebuild(catalog: Catalog, chance: random.Random) -> object:
    """A wipe and an ingest in one unit."""
    offer(catalog, chance)
    name = chance.choice(NAMES)
    with catalog.prepare_ingest(name, as_if_empty=True, broken="record") as prepared, catalog.session():
        catalog.wipe_collection(name)
        return catalog.ingest_collection(prepared)


def undo(catalog: Catalog, chance: random.Random) -> object:
    """The undo of one of the last units."""
    return catalog.undo(chance.choice(catalog.history(limit=4)).id)


def assign(catalog: Catalog, chance: random.Random) -> object:
    """Everything that a path matches is an episode of one show."""
    chosen = AssetSelector(path=chance.choice(("*Tron*", "*bumper*", "*E01*")))
    return catalog.assign(chosen, kind="episode", title="Lost", season_number=1, episode_numbers=(1, 2))


def prefer(catalog: Catalog, chance: random.Random) -> object:
    """One of what may be scheduled, if there is any."""
    found = catalog.schedulable_assets(versions="all")
    return catalog.prefer(chance.sample(found, min(1, len(found))))


def relocate(catalog: Catalog, chance: random.Random) -> object:
    """A folder beside the mapped one, or back."""
    collection = catalog.collection(chance.choice(NAMES))
    old = collection.path_mappings[0].local_path
    new = old.removesuffix(".moved") if old.endswith(".moved") else f"{old}.moved"
    os.makedirs(f"{new}/mounted", exist_ok=True)
    return catalog.relocate_collection(collection.id, old, new, min_found=0)


def plan(catalog: Catalog, chance: random.Random) -> object:
    """A slot for one of the assets, in place of what was planned then; two that overlap are refused."""
    start_ms = chance.randrange(0, 100, 10)
    with catalog.operation("plan") as op:
        with op.preflight():
            pass
        with op.execution() as db:
            db.execute("DELETE FROM playlog_slot WHERE start_ms = ?", (start_ms,))
            db.execute(
                """
                INSERT INTO playlog_slot (asset_id, start_ms, end_ms)
                SELECT id, ?, ? FROM asset WHERE kind <> 'other' ORDER BY substr(id, -?) LIMIT 1
                """,
                (start_ms, start_ms + chance.choice((5, 10, 15)), chance.randint(1, 12)),
            )
        with op.postvalidation() as db:
            validate_database_consistency(db)
        return op.finish(Result())


OPERATIONS: tuple[Operation, ...] = (
    ingest,
    ingest,
    ingest,
    rebuild,
    undo,
    undo,
    relocate,
    assign,
    prefer,
    plan,
    plan,
    lambda catalog, chance: catalog.wipe_collection(chance.choice(NAMES)),
    lambda catalog, _: catalog.forget_missing("Shows", max_fraction=1),
    lambda catalog, _: catalog.approve(AssetSelector(state="ready")),
    lambda catalog, _: catalog.withdraw_approval(AssetSelector(kind="episode")),
    lambda catalog, _: catalog.retire(AssetSelector(kind="movie")),
    lambda catalog, _: catalog.rename_title("Dark", name="Dark (renamed)"),
)


def one_operation(catalog: Catalog, chance: random.Random) -> bool:
    """Try one of the operations; whether it was done. That there is nothing to do for it is no failure."""
    try:
        chance.choice(OPERATIONS)(catalog, chance)
    except OperationError as error:
        if not isinstance(error.cause, ValidationError):
            raise
        return False
    return True


def fingerprint(path: Path | str, *, journal: bool = False) -> str:
    """A short text that changes with any row of a catalogue."""
    return hashlib.sha256(repr(snapshot(path, journal=journal).tables).encode()).hexdigest()[:16]
