"""What the operator decides about assets between ingests: what may go on the air, and what may not any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retrovue_uow.errors import CurationError
from retrovue_uow.model import Asset, CurationResult
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.operations.select import Assets, chosen, described, selected
from retrovue_uow.rules import curation, integrity
from retrovue_uow.store import assets as asset_rows
from retrovue_uow.store import decisions
from retrovue_uow.store.ids import utc_now
from retrovue_uow.uow.database import Database

Require = Callable[[Sequence[Asset]], None]
Change = Callable[[Database, list[str]], None]


def approve(catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False) -> CurationResult:
    """Let assets go on the air.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - Each of them is ready; those that are not are named, each with its reason.

    Post-conditions:
        - Each of them is approved; some may have been before.

    Atomicity: All of them are approved, or none.

    Args:
        assets: Identifiers or assets, or an `AssetSelector`.
        dry_run: Do the whole work, report it, and roll it back.

    Raises:
        CurationError: A pre-condition does not hold, or SQLite or a rule refused the result.
    """
    return _decide(
        catalog,
        "asset_approve",
        assets,
        expect_assets=expect_assets,
        dry_run=dry_run,
        require=curation.validate_ready,
        is_so=lambda asset: asset.approved,
        change=asset_rows.approve,
    )


def withdraw_approval(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> CurationResult:
    """Keep assets off the air that had been approved.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.

    Post-conditions:
        - None of them is approved; nothing else about them changed.

    Atomicity: The approval of all of them is withdrawn, or of none.

    Args:
        assets: Identifiers or assets, or an `AssetSelector`.
        dry_run: Do the whole work, report it, and roll it back.

    Raises:
        CurationError: A pre-condition does not hold, or SQLite or a rule refused the result.
    """
    return _decide(
        catalog,
        "asset_withdraw_approval",
        assets,
        expect_assets=expect_assets,
        dry_run=dry_run,
        require=_require_nothing,
        is_so=lambda asset: not asset.approved,
        change=asset_rows.withdraw_approvals,
    )


def retire(catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False) -> CurationResult:
    """Take assets out of use for good; they stay in the catalogue, and later ingests and rebuilds leave them retired.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - In production none of them is protected.

    Post-conditions:
        - Each of them is retired and not approved, and is so again if the collection is wiped and ingested anew.

    Atomicity: All of them are retired, or none.

    Args:
        assets: Identifiers or assets, or an `AssetSelector`.
        dry_run: Do the whole work, report it, and roll it back.

    Raises:
        CurationError: A pre-condition does not hold, or SQLite or a rule refused the result.
    """
    return _decide(
        catalog,
        "asset_retire",
        assets,
        expect_assets=expect_assets,
        dry_run=dry_run,
        require=lambda found: curation.validate_not_protected(catalog.protections, found),
        is_so=lambda asset: asset.state == "retired",
        change=_retire,
    )


def reinstate(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> CurationResult:
    """Take retired assets back into use. They are to be approved anew.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - Each of them is retired.

    Post-conditions:
        - Each of them is ready if its duration is known, and new otherwise; none is approved.

    Atomicity: All of them are reinstated, or none.

    Args:
        assets: Identifiers or assets, or an `AssetSelector`.
        dry_run: Do the whole work, report it, and roll it back.

    Raises:
        CurationError: A pre-condition does not hold, or SQLite or a rule refused the result.
    """
    return _decide(
        catalog,
        "asset_reinstate",
        assets,
        expect_assets=expect_assets,
        dry_run=dry_run,
        require=curation.validate_retired,
        is_so=lambda asset: asset.state != "retired",
        change=_reinstate,
    )


def _decide(
    catalog: OpenCatalog,
    name: str,
    assets: Assets,
    *,
    expect_assets: int | None,
    dry_run: bool,
    require: Require,
    is_so: Callable[[Asset], bool],
    change: Change,
) -> CurationResult:
    """What all four decisions have in common."""
    choice = chosen(assets)
    with catalog.operation(name, CurationError, dry_run=dry_run, assets=described(choice), expect_assets=expect_assets) as op:
        with op.preflight() as db:
            found = selected(db, choice, expect_assets=expect_assets)
            require(found)
            to_change = [asset for asset in found if not is_so(asset)]
        with op.execution() as db:
            change(db, [asset.id for asset in to_change])
        with op.postvalidation() as db:
            integrity.validate_database_consistency(db)
        return op.finish(curation_result(found, to_change))


def _retire(db: Database, asset_ids: list[str]) -> None:
    asset_rows.retire(db, asset_ids)
    decisions.retire(db, asset_ids, now=utc_now())


def _reinstate(db: Database, asset_ids: list[str]) -> None:
    asset_rows.reinstate(db, asset_ids)
    decisions.reinstate(db, asset_ids)


def curation_result(found: Sequence[Asset], changed: Sequence[Asset]) -> CurationResult:
    """How many assets were selected and changed, and the paths of those that were."""
    return CurationResult(
        selected=len(found),
        changed=len(changed),
        unchanged=len(found) - len(changed),
        paths=tuple(asset.canonical_key for asset in changed),
    )


def _require_nothing(_: Sequence[Asset]) -> None:
    """Whatever an asset is, its approval can be withdrawn."""
