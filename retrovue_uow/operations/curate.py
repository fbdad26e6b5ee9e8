"""What the operator decides and corrects: what may go on the air, what a file is, what a title is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

import retrovue_uow
from retrovue_uow.errors import CurationError, ValidationError
from retrovue_uow.model import Asset, AssetKind
from retrovue_uow.operations import identities
from retrovue_uow.operations.identities import Said
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.operations.select import Assets, chosen, described, selected
from retrovue_uow.rules import curation, integrity, preflight
from retrovue_uow.rules.name_patterns import validate_name_pattern, validate_names_fit
from retrovue_uow.store import assets as asset_rows
from retrovue_uow.store import decisions, titles
from retrovue_uow.store.assets import Decision
from retrovue_uow.store.decisions import Identity
from retrovue_uow.uow.database import Database

WITHDRAWING = {"withdraw_approval": "the operator withdrew it", "retire": "it is retired"}
"""Decisions that an approval does not survive, each with what its result gives as the reason."""


def approve(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Let assets go on the air.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - Each of them is ready; those that are not are named, each with its reason.

    Post-conditions:
        - Each of them is approved; some may have been before. It is so again if it is wiped and the same file is ingested anew.

    Atomicity: All of them are approved, or none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "approve", assets, expect_assets=expect_assets, dry_run=dry_run)


def withdraw_approval(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Keep assets off the air that had been approved.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.

    Post-conditions:
        - None of them is approved; nothing else about them changed.

    Atomicity: The approval of all of them is withdrawn, or of none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "withdraw_approval", assets, expect_assets=expect_assets, dry_run=dry_run)


def retire(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Take assets out of use for good; they stay in the catalogue, and later ingests and rebuilds leave them retired.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - In production none of them is protected.

    Post-conditions:
        - Each of them is retired and not approved, and is so again if the collection is wiped and ingested anew.

    Atomicity: All of them are retired, or none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "retire", assets, expect_assets=expect_assets, dry_run=dry_run)


def reinstate(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Take retired assets back into use. They are to be approved anew.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - Each of them is retired.

    Post-conditions:
        - Each of them is ready if its duration is known, and new otherwise; none is approved.

    Atomicity: All of them are reinstated, or none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "reinstate", assets, expect_assets=expect_assets, dry_run=dry_run)


def _decide(
    catalog: OpenCatalog, decision: Decision, assets: Assets, *, expect_assets: int | None, dry_run: bool
) -> retrovue_uow.CurationResult:
    """What every decision that needs no more said has in common."""
    choice = chosen(assets)
    with catalog.operation(
        f"asset_{decision}", CurationError, dry_run=dry_run, assets=described(choice), expect_assets=expect_assets
    ) as op:
        with op.preflight() as db:
            found = selected(db, choice, expect_assets=expect_assets)
            to_change = _to_change(catalog, db, decision, found)
        with op.execution() as db:
            asset_rows.decide(db, decision, [asset.id for asset in to_change])
            decisions.decide(db, decision, to_change)
        with op.postvalidation() as db:
            integrity.validate_database_consistency(db)
        reason = WITHDRAWING.get(decision)
        return op.finish(_result(found, to_change, withdrawals(to_change, reason) if reason else ()))


def _to_change(catalog: OpenCatalog, db: Database, decision: Decision, found: Sequence[Asset]) -> list[Asset]:
    """Those of the assets that are not so already; refused if one of them must not be so."""
    if decision == "approve":
        curation.validate_ready(db, found)
        return [asset for asset in found if not asset.approved]
    if decision == "withdraw_approval":
        return [asset for asset in found if asset.approved]
    if decision == "retire":
        curation.validate_not_protected(catalog.protections, found)
        return [asset for asset in found if asset.state != "retired"]
    if decision == "reinstate":
        curation.validate_retired(found)
        return list(found)
    if decision in ("prefer", "unprefer"):
        return _preferred_anew(db, decision, found)
    return [asset for asset, _ in assigned(catalog.database, found)]


def _preferred_anew(db: Database, decision: Decision, found: Sequence[Asset]) -> list[Asset]:
    """Those of the assets that are not the only preferred ones of their versions, or, to be unpreferred, that are preferred."""
    versions = titles.versions(db, [asset.id for asset in found])
    if decision == "prefer":
        curation.validate_schedulable(db, found)
        curation.validate_no_versions(found, versions)
        others = {each.asset_id for each in versions if each.is_preferred != (each.id == each.asset_id)}
    else:
        others = {each.id for each in versions if each.is_preferred}
    return [asset for asset in found if asset.id in others]


def assigned(db: Database, found: Sequence[Asset]) -> list[tuple[Asset, Identity]]:
    """Those of the assets that were assigned, each with what it was assigned to be."""
    said = {id_: decisions.decisions(db, id_).assignments for id_ in {asset.collection_id for asset in found}}
    with_identity = ((asset, said[asset.collection_id].get(asset.canonical_key)) for asset in found)
    return [(asset, identity) for asset, identity in with_identity if identity is not None]


def withdrawals(lost: Iterable[Asset], reason: str) -> tuple[retrovue_uow.Withdrawal, ...]:
    """What a result tells of assets, as they were, that lose their approval if they have it."""
    return tuple(retrovue_uow.Withdrawal(asset.id, asset.canonical_key, reason) for asset in lost if asset.approved)


def _result(
    found: Sequence[Asset], changed: Sequence[Asset], withdrawn: tuple[retrovue_uow.Withdrawal, ...] = ()
) -> retrovue_uow.CurationResult:
    paths, unchanged = tuple(asset.canonical_key for asset in changed), len(found) - len(changed)
    return retrovue_uow.CurationResult(
        selected=len(found), changed=len(changed), unchanged=unchanged, paths=paths, withdrawals=withdrawn
    )


def assign(
    catalog: OpenCatalog,
    assets: Assets,
    *,
    kind: AssetKind | None = None,
    title: str | None = None,
    year: int | None = None,
    season_number: int | None = None,
    episode_numbers: Sequence[int] | None = None,
    episode_title: str | None = None,
    expect_assets: int | None = None,
    dry_run: bool = False,
) -> retrovue_uow.CurationResult:
    """Say what assets are and show, where that was read wrongly or not at all. The operator's word outranks the file's.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - What comes out fits together: an episode has a title, a season and numbers, a movie a title, others have neither.

    Post-conditions:
        - Each of them is and shows what was said; what was not said is as it was, as far as its kind has it.
        - It stays so in later refreshes, when the file moves, and when the collection is wiped and ingested anew.
        - What nothing shows any more is gone. Approval and everything else about the assets are as they were.

    Atomicity: All of them are assigned, or none.

    Args:
        title: Name of the show or movie, which is added if there is none.
        year: First year of the show or movie; 0: not known. None: that of the one title that goes by the name, if there is one.
        season_number: From 0; season 0 holds the specials.

    Raises: `CurationError`.
    """
    choice, said = chosen(assets), Said(kind, title, year, season_number, episode_numbers, episode_title)
    with catalog.operation(
        "asset_assign",
        CurationError,
        dry_run=dry_run,
        assets=described(choice),
        expect_assets=expect_assets,
        said={name: value for name, value in attrs.asdict(said).items() if value is not None},
    ) as op:
        with op.preflight() as db:
            if said == Said():
                raise ValidationError("nothing was said: give a kind, a title, a season, …")
            found = selected(db, choice, expect_assets=expect_assets)
            decided = identities.meant(db, [(asset, said) for asset in found])
        with op.execution() as db:
            changed = identities.assign(db, list(zip(found, decided, strict=True)))
        with op.postvalidation() as db:
            integrity.validate_hierarchy_integrity(db)
            integrity.validate_all_relationships(db)
        return op.finish(_result(found, changed))


def assign_by_name(
    catalog: OpenCatalog,
    assets: Assets,
    pattern: str,
    *,
    kind: AssetKind | None = None,
    title: str | None = None,
    year: int | None = None,
    season: int | None = None,
    expect_assets: int | None = None,
    dry_run: bool = False,
) -> retrovue_uow.CurationResult:
    """Say what assets are and show by the names of their files, as a pattern reads them; the rest as in `assign`.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.
        - The pattern fits the name of each file; those that it does not fit are named.
        - What comes out fits together: an episode has a title, a season and numbers, a movie a title, others have neither.

    Post-conditions:
        - As of `assign`: each of them is and shows what its name and the arguments say, now and later.

    Atomicity: All of them are assigned, or none.

    Args:
        pattern: The whole name of a file, without folder and ending, with fields where it tells something:
            `Astro Boy - {episode} - {episode_title}`. `{title}` and `{episode_title}` are as short as they can be, read as
            names with dots or underscores for spaces and without tags in square brackets; `{year}` has four digits; `{season}`
            is a number; `{episode}` a number, a span (`01-02`, at most 20 beyond the first) or several (`01+03`). `{*}` stands
            for anything, also nothing, and may be there several times. Case and Unicode form of the text between make no
            difference; `{{` and `}}` are braces. Two fields need text between them.
        kind: None: each stays of its kind.
        title: Name of the show or movie, which is added if there is none; where the pattern does not read it, as the next two.
        year: First year of the show or movie; 0: not known. None: as in `assign`.
        season: From 0; season 0 holds the specials.

    Raises: `CurationError`.
    """
    choice, said = chosen(assets), Said(kind, title, year, season)
    given = {name: value for name, value in (("title", title), ("year", year), ("season", season)) if value is not None}
    with catalog.operation(
        "asset_assign_by_name",
        CurationError,
        dry_run=dry_run,
        assets=described(choice),
        pattern=pattern,
        expect_assets=expect_assets,
        said=given if kind is None else {"kind": kind, **given},
    ) as op:
        with op.preflight() as db:
            read = validate_name_pattern(pattern, given)
            found = selected(db, choice, expect_assets=expect_assets)
            names = validate_names_fit(read, found)
            decided = identities.meant(
                db, [(each, attrs.evolve(said, **name)) for each, name in zip(found, names, strict=True)]
            )
        with op.execution() as db:
            changed = identities.assign(db, list(zip(found, decided, strict=True)))
            assigned = asset_rows.assets_by_id(db, [asset.id for asset in found])
        with op.postvalidation() as db:
            integrity.validate_hierarchy_integrity(db)
            integrity.validate_all_relationships(db)
        return op.finish(attrs.evolve(_result(found, changed), assets=tuple(assigned)))


def unassign(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Take back what was assigned: from the next ingest on, assets are again what their files say.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.

    Post-conditions:
        - Nothing is assigned to any of them. They are as they were until an ingest reads them again, as it does by default.

    Atomicity: The assignments of all of them are taken back, or of none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "unassign", assets, expect_assets=expect_assets, dry_run=dry_run)


def prefer(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Let assets air rather than other files that show the same: exactly the same movie or episodes, and part.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given; no two that show the same.
        - Each of them may be scheduled; those that may not are named, each with its reason.

    Post-conditions:
        - Each has version rank 1 while it may be scheduled, also after it moved or was wiped and came back.
        - None that shows the same is preferred any more.

    Atomicity: All of them are preferred, or none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "prefer", assets, expect_assets=expect_assets, dry_run=dry_run)


def unprefer(
    catalog: OpenCatalog, assets: Assets, *, expect_assets: int | None = None, dry_run: bool = False
) -> retrovue_uow.CurationResult:
    """Take back that assets are preferred: height, size and age say again which of the files that show the same airs.

    Pre-conditions:
        - At least one asset is selected, and exactly `expect_assets`, if that is given.

    Post-conditions:
        - None of them is preferred; nothing else about them changed.

    Atomicity: The preference is taken from all of them, or from none.

    Raises: `CurationError`.
    """
    return _decide(catalog, "unprefer", assets, expect_assets=expect_assets, dry_run=dry_run)


def rename_title(
    catalog: OpenCatalog, title: str, *, name: str | None = None, year: int | None = None, dry_run: bool = False
) -> retrovue_uow.TitleResult:
    """Call a show or movie otherwise. Files that name it as before are still its own.

    Pre-conditions:
        - The title exists, and no other one of its kind has the new name and year, in whatever case.

    Post-conditions:
        - The title has the new name and year; its seasons, episodes and assets are as they were.
        - What later ingests find under the old name belongs to it, also after a wipe.

    Atomicity: The title is renamed, or all is as before.

    Args:
        title: Its identifier, its name, or its name with the year: `Space: 1999 (1975)`.
        name: The new name; None leaves it.
        year: The first year; None leaves it, 0 says that it is not known.

    Raises: `CurationError`.
    """
    with catalog.operation("title_rename", CurationError, dry_run=dry_run, title=title, name=name, year=year) as op:
        with op.preflight() as db:
            found = preflight.validate_title_exists(db, title)
            renamed = attrs.evolve(
                found, name=found.name if name is None else name, year=found.year if year is None else year or None
            )
            preflight.validate_title_is_free(db, found, renamed)
        with op.execution() as db:
            titles.rename_title(db, found.id, renamed.name, renamed.year)
            decisions.add_alias(db, found.kind, (found.name, found.year), (renamed.name, renamed.year))
        with op.postvalidation() as db:
            integrity.validate_database_consistency(db)
        return op.finish(retrovue_uow.TitleResult(title=renamed))


def merge_titles(catalog: OpenCatalog, merged: str, *, into: str, dry_run: bool = False) -> retrovue_uow.TitleResult:
    """Let two spellings of one show or movie be one: seasons and episodes are joined.

    Pre-conditions:
        - Both titles exist, are of one kind, and are not one and the same.

    Post-conditions:
        - All that belonged to `merged` belongs to `into`; equal seasons and episodes are one, and `merged` is gone.
        - No asset was changed or lost. What later ingests find under the merged name belongs to `into`, also after a wipe.

    Atomicity: All of it is joined, or all is as before.

    Args:
        merged: The title that goes: its identifier, its name, or its name with the year.
        into: The title that stays, named in the same way.

    Raises: `CurationError`.
    """
    with catalog.operation("title_merge", CurationError, dry_run=dry_run, merged=merged, into=into) as op:
        with op.preflight() as db:
            goes, stays = preflight.validate_title_exists(db, merged), preflight.validate_title_exists(db, into)
            curation.validate_titles_can_merge(stays, goes)
        with op.execution() as db:
            titles.merge_titles(db, goes.id, into=stays.id)
            decisions.add_alias(db, goes.kind, (goes.name, goes.year), (stays.name, stays.year))
            joined = titles.title(db, stays.id)
        with op.postvalidation() as db:
            integrity.validate_database_consistency(db)
        return op.finish(retrovue_uow.TitleResult(title=joined, merged=goes))
