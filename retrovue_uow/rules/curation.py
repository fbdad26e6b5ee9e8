"""What must hold before the operator's decisions: what keeps an asset off the air, and what nobody may take off it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from retrovue_uow.errors import BusinessRuleError, ResourceError, ValidationError, amount, some
from retrovue_uow.model import Asset, Title
from retrovue_uow.rules.verdict import rule
from retrovue_uow.store import assets, checks, extensions, known, rows
from retrovue_uow.store.decisions import Identity, title_kind_of
from retrovue_uow.store.titles import Version
from retrovue_uow.uow.changes import Changeset, Key, before
from retrovue_uow.uow.database import Database

Protection = Callable[[Asset], bool]
_NAMED = 10


def not_ready(asset: Asset, *, is_broken: bool) -> str | None:
    """Why an asset is not ready, in a sentence; None: it is."""
    if asset.state == "retired":
        return "it is retired: reinstate it first"
    if asset.state == "new" and is_broken:
        return "its file is broken (`asset explain` lists its findings): replace it, and ingest"
    if asset.state == "new":
        return "its length is not known: attach an enricher that measures it (ffprobe), ingest with --refresh changed"
    return None


def not_schedulable(asset: Asset, *, is_broken: bool) -> tuple[str, ...]:
    """Every reason for which an asset is kept off the air, in sentences; none: it may be scheduled."""
    reasons = [not_ready(asset, is_broken=is_broken)]
    if asset.missing_since is not None:
        reasons.append(f"its file is missing since {asset.missing_since}: bring the file back and ingest, or forget it")
    if not asset.approved:
        reasons.append(f"it is not approved: approve it{', once it is ready' if reasons[0] else ''}")
    return tuple(reason for reason in reasons if reason is not None)


def which_airs(versions: Sequence[Asset], *, is_preferred: bool) -> tuple[str, ...]:
    """Of versions that may be scheduled, in their order, which one airs and why, and why not each other one."""
    best, *others = versions
    airs = "the operator prefers it" if is_preferred else _compared(best, others[0])
    kept_off = ["the operator prefers the one that airs" if is_preferred else _compared(each, best) for each in others]
    off = [f"{each.canonical_key!r} does not air: {why}" for each, why in zip(others, kept_off, strict=True)]
    return (f"{best.canonical_key!r} airs: {airs}", *off)


def _compared(version: Asset, other: Asset) -> str:
    """What decides between two versions that the operator has said nothing of."""
    for its, those, what in ((version.height, other.height, "lines"), (version.size, other.size, "bytes")):
        if its != those:
            its_own, of_other = (f"{each} {what}" if each is not None else f"unknown {what}" for each in (its, those))
            return f"it has {its_own}, {other.canonical_key!r} has {of_other}"
    return f"it is {'older' if version.id < other.id else 'newer'} in the catalogue than {other.canonical_key!r}"


@rule
def validate_schedulable(db: Database, assets: Sequence[Asset]) -> None:
    """Each of the assets may be scheduled; the first that may not are named, each with its reasons."""
    others = [asset for asset in assets if not asset.approved or asset.missing_since is not None]  # approved needs ready
    if others:
        reasons = [(each, not_schedulable(each, is_broken=known.is_broken(db, each.id))) for each in others[:_NAMED]]
        listed = some(
            [f"{each.canonical_key!r}: {'; '.join(why)}" for each, why in reasons], _NAMED, between="\n  ", of=len(others)
        )
        raise ValidationError(f"{amount(len(others), 'asset')} may not be scheduled, so nothing was preferred:\n  {listed}")


@rule
def validate_no_versions(assets: Sequence[Asset], versions: Sequence[Version]) -> None:
    """No two of the assets show the same; `versions` are those of all of them."""
    keys = {asset.id: asset.canonical_key for asset in assets}
    alike = [(each.asset_id, each.id) for each in versions if each.id in keys and each.asset_id < each.id]
    if alike:
        listed = some([" and ".join(sorted(repr(keys[id_]) for id_ in each)) for each in alike], between=", ")
        raise ValidationError(f"only one of several that show the same can be preferred, so nothing was changed: {listed}")


def are(found: Sequence[object]) -> str:
    """`1 asset is`, `2 assets are`."""
    return f"{amount(len(found), 'asset')} {'is' if len(found) == 1 else 'are'}"


@rule
def validate_ready(db: Database, assets: Sequence[Asset]) -> None:
    """Each of the assets is ready; the first that are not are named, each with its reason."""
    others = [asset for asset in assets if asset.state != "ready"]
    if others:
        named = [(each.canonical_key, not_ready(each, is_broken=known.is_broken(db, each.id))) for each in others[:_NAMED]]
        listed = some([f"{key!r}: {reason}" for key, reason in named], _NAMED, between="\n  ", of=len(others))
        raise ValidationError(f"{are(others)} not ready, so nothing was approved:\n  {listed}")


@rule
def validate_retired(assets: Sequence[Asset]) -> None:
    """Each of the assets is retired."""
    others = [repr(asset.canonical_key) for asset in assets if asset.state != "retired"]
    if others:
        listed = some(others, between=", ")
        raise ValidationError(f"{are(others)} not retired, so nothing was reinstated: {listed}")


@rule
def validate_not_protected(protections: Sequence[Protection], assets: Sequence[Asset]) -> None:
    """None of the assets is protected, such as by having been on the air. Nothing overrides this."""
    protected = [
        repr(asset.canonical_key) for asset in assets if any(_protects(protection, asset) for protection in protections)
    ]
    if protected:
        listed = some(protected, between=", ")
        raise BusinessRuleError(f"{are(protected)} protected in production, so nothing was changed: {listed}")


@rule
def validate_nothing_refers(
    db: Database, going: Mapping[str, Collection[Key]], instead: str = "", changing: Mapping[str, Collection[Key]] = {}
) -> None:
    """No row of the station's own tables refers to what is to be deleted, or to what goes along, unless it goes along itself.

    Args:
        going: The keys of what is to be deleted, by table.
        instead: What the caller may do instead, in words.
        changing: The keys of rows that change with it: what these refer to then is judged in the end.
    """
    held = checks.held(db, going, changing) if checks.foreign_references(db) else {}
    if not held:
        return
    reasons = []
    for reference, pairs in held.items():
        kept = list(dict.fromkeys(key for _, key in pairs))
        named = some([str(rows.named(db, reference.parent, key)) for key in kept[:_NAMED]], _NAMED, between=", ", of=len(kept))
        by = f"{amount(len(pairs), 'row')} of table {reference.child!r} ({', '.join(reference.columns)})"
        is_own = reference.parent in extensions.own_names()
        what = amount(len(kept), reference.parent) if is_own else f"{amount(len(kept), 'row')} of table {reference.parent!r}"
        reasons.append(f"{what} cannot be deleted because of {by}: {named}")
    raise BusinessRuleError(f"{'; '.join(reasons)}. Nothing was changed: delete these rows first{instead}")


@rule
def validate_nothing_protected_goes(protections: Sequence[Protection], db: Database, changeset: Changeset) -> None:
    """The open unit, whose changes are given, deletes and retires nothing that was protected before it."""
    ids = deleted_or_retired_by(changeset)
    if ids:
        with before(db, changeset) as there, db.read_only():
            validate_not_protected(protections, assets.assets_by_id(there, ids))


def deleted_or_retired_by(changeset: Changeset) -> list[str]:
    """The identifiers of the assets that it deletes, which is also what it is to get another identifier, or retires."""
    retired = changeset.updated_to("asset", "state", "retired")
    return [str(key) for key in (*changeset.keys.changed["asset"]["DELETE"], *retired)]


def _protects(protection: Protection, asset: Asset) -> bool:
    try:
        return bool(protection(asset))
    except Exception as error:
        raise ResourceError(
            f"whether {asset.canonical_key!r} is protected cannot be told ({error!r}): mend the protection"
        ) from error


@rule
def validate_identity(identity: Identity) -> None:
    """A kind and what it shows fit together: an episode has a title, a season and numbers, a movie a title, others nothing."""
    if title_kind_of(identity.kind) is not None and not identity.title:
        raise ValidationError(f"an asset of kind {identity.kind} needs a title")
    if identity.kind == "episode" and (identity.season_number is None or not identity.episode_numbers):
        raise ValidationError("an episode needs a season_number (0 for a special) and episode_numbers")
    if identity.kind != "episode":
        _refuse_given(identity, "season_number", "episode_numbers", "episode_title")
    if title_kind_of(identity.kind) is None:
        _refuse_given(identity, "title", "year")


def _refuse_given(identity: Identity, *names: str) -> None:
    given = [name for name in names if getattr(identity, name) not in (None, ())]
    if given:
        raise ValidationError(f"an asset of kind {identity.kind} has no {', '.join(given)}: leave that out, or change its kind")


@rule
def validate_titles_can_merge(into: Title, merged: Title) -> None:
    """Two titles of one kind, and not one and the same."""
    if into.id == merged.id:
        raise ValidationError(f"title {into.name!r} cannot be merged with itself")
    if into.kind != merged.kind:
        raise ValidationError(f"{merged.kind} {merged.name!r} cannot be merged into {into.kind} {into.name!r}")
