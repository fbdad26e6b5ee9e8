"""Undoing: a unit of work that was committed is taken back, row by row, if nobody has built on it since.

What comes back is then as the operator has decided since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import retrovue_uow
from retrovue_uow.errors import UndoError
from retrovue_uow.log import logger
from retrovue_uow.model import Asset, AssetSelector, printed_title
from retrovue_uow.operations import curate, identities
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import curation, integrity, preflight
from retrovue_uow.rules import undo as undoing
from retrovue_uow.store import assets, checks, collections, decisions, journal, titles
from retrovue_uow.store.ids import as_stored, new_id, utc_now
from retrovue_uow.store.journal import UNDO
from retrovue_uow.uow.database import Database


def undo(catalog: OpenCatalog, unit_id: str, *, dry_run: bool = False) -> retrovue_uow.UndoResult:
    """Take back all that a unit of work changed; the undo is itself a unit that can be undone.

    Pre-conditions:
        - The unit is in the journal, changed something, and is not undone already.
        - Its record has not expired, is what was written, and its tables still begin with the columns of then.
        - It added no row to a table of the station's own whose key has another collation than BINARY (`NOCASE`).
        - Nobody else is working on a collection that it touched; in production no asset that would go or be
          retired is protected.
        - No row of the station's own tables refers to what would go.

    Post-conditions:
        - Every row that the unit changed is, bit for bit, what it was before, cascades included; but for
          what the operator has decided since of what came back (retired, assigned, renamed, merged). `settled` lists that.
        - Approvals that the unit gave are gone, each listed with its reason.
        - Rows that others changed meanwhile are as they were; if the unit's own rows are among them, or something hangs on
          what it had added, the undo is refused, naming the row and the unit that changed it last.

    Atomicity: All of the unit is undone, or nothing. No media file is touched.

    Args:
        unit_id: As results and `history` name it.

    Raises: `UndoError`.
    """
    with catalog.operation(UNDO, UndoError, dry_run=dry_run, unit_id=as_stored(unit_id)) as op:
        with op.preflight() as db:
            unit = undoing.validate_unit_exists(db, unit_id)
            inverse = undoing.validate_unit_can_be_undone(db, unit)
            undoing.validate_rows_are_as_left(db, unit, inverse)
            going, changing = (
                {table: changed[kind] for table, changed in inverse.keys.changed.items()} for kind in ("DELETE", "UPDATE")
            )
            curation.validate_nothing_refers(db, going, ", or undo the units that wrote them", changing)
            ids = checks.above(db, inverse, "collection")
            for collection in collections.collections(db):
                if collection.id in ids:
                    preflight.validate_no_conflicting_operations(op, collection)
            if catalog.protections:
                losing = assets.assets_by_id(db, curation.deleted_or_retired_by(inverse))
                curation.validate_not_protected(catalog.protections, losing)
        with op.execution() as db:
            undoing.validate_nothing_in_the_way(db, unit, op.apply(inverse))
            undoing.validate_no_later_decision(db, unit, inverse)
            back = inverse.keys.changed["asset"]
            settled, withdrawn = settle(db, [str(key) for key in (*back["INSERT"], *back["UPDATE"])])
            if not back["INSERT"]:  # of assets that come back, approvals speak of what they were
                named = inverse.keys.changed["title"]
                _renew_approvals(db, map(str, (*named["INSERT"], *named["UPDATE"])))
            lost = assets.assets_by_id(db, map(str, inverse.updated_to("asset", "approved", 0)))
        with op.postvalidation() as db:
            undoing.validate_nothing_hangs_loose(db, unit, inverse)
            integrity.validate_database_consistency(db)
        return op.finish(
            retrovue_uow.UndoResult(
                undone_unit_id=unit.id,
                operations=tuple(each.name for each in unit.operations),
                settled=tuple(settled),
                withdrawals=(
                    *(retrovue_uow.Withdrawal(asset.id, asset.canonical_key, "what approved it is undone") for asset in lost),
                    *withdrawn,
                ),
            )
        )


def settle(db: Database, back: Iterable[str] = ()) -> tuple[list[str], tuple[retrovue_uow.Withdrawal, ...]]:
    """Let what contradicts the operator's decisions be as decided: what that changed, in sentences, and withdrawn approvals.

    Decisions are kept by path and by spelling, and outlive rows that go and come back. Of approvals there may be as many as
    assets: only those of the assets `back` are looked at.
    """
    settled: list[str] = []
    for kind, id_, name, year, new, new_year in checks.contradicted_titles(db):
        if (there := titles.title_id(db, kind, new, new_year)) is not None:
            titles.merge_titles(db, id_, into=there)
        else:
            titles.rename_title(db, id_, new, new_year)
        settled.append(f"{kind} {printed_title(name, year)!r} is {printed_title(new, new_year)!r}, as it was renamed or merged")
    assigned = assets.assets_by_id(db, checks.contradicted_assets(db, "assignment"))
    identities.let_be(db, curate.assigned(db, assigned))
    settled += [f"{asset.canonical_key!r} is what it was assigned to be" for asset in assigned]
    retired = assets.assets_by_id(db, checks.contradicted_assets(db, "retirement"))
    assets.decide(db, "retire", [asset.id for asset in retired])
    decisions.decide(db, "retire", retired)
    settled += [f"{asset.canonical_key!r} is retired" for asset in retired]
    withdrawn = curate.withdrawals(retired, curate.WITHDRAWING["retire"])
    for asset, void in _with_approvals(db, assets.assets_by_id(db, checks.otherwise_approved(db, back))):
        if asset.approved or void is None:
            assets.decide(db, "withdraw_approval" if asset.approved else "approve", [asset.id])
            settled.append(f"{asset.canonical_key!r} is {'not ' * asset.approved}approved, as was said since")
            withdrawn += curate.withdrawals([asset], void or "")
    return settled, withdrawn


def _renew_approvals(db: Database, title_ids: Iterable[str]) -> None:
    """Let approvals speak of titles as they are called now that an undo has named them."""
    for title_id in title_ids:
        approved = assets.assets(db, AssetSelector(approved=True), title_id=title_id)
        decisions.keep_approvals(db, [asset for asset, void in _with_approvals(db, approved) if void is not None])


def _with_approvals(db: Database, found: Sequence[Asset]) -> Iterator[tuple[Asset, str | None]]:
    """Assets, by collection, each with why what was said of its file does not approve it; None: it does."""
    for collection_id, of_collection in groupby(found, attrgetter("collection_id")):
        own = list(of_collection)
        said = decisions.approvals(db, collection_id, [asset.canonical_key for asset in own])
        spelled = decisions.decisions(db, collection_id, ())  # nothing but spellings is asked of it
        for asset in own:
            approval = said.get(asset.canonical_key)
            if approval is None or not approval.approved:
                yield asset, curate.WITHDRAWING["withdraw_approval"]
            else:
                yield asset, approval.why_void(asset, spelled)


def settle_after_migration(db: Database) -> None:
    """Settle what an older version of the library let stand, and say so in the log and in the journal."""
    started_at = utc_now()
    settled, _ = settle(db)
    if not settled:
        return
    logger.warning("contradictions_settled", settled=settled)
    journal.add_operation(
        db,
        new_id(),
        unit_started_at=started_at,
        name="schema_migration",
        arguments={},
        result={"settled": settled},
        started_at=started_at,
        duration_ms=0,
    )
