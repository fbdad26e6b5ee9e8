"""What was found becomes rows: an asset with its title, season, episodes, markers and metadata."""

from __future__ import annotations

from collections.abc import Sequence, Set

import attrs

from retrovue_uow.errors import ConstraintError, ValidationError
from retrovue_uow.model import Asset, AssetDraft, Outcome, Withdrawal
from retrovue_uow.operations.discover import Found
from retrovue_uow.store import assets, decisions, findings, titles
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.known import KnownAsset
from retrovue_uow.store.titles import Hierarchy
from retrovue_uow.uow.database import Database

_APPROVED = {"size": "size (bytes)", "duration_ms": "length (ms)"} | {
    fact: fact.replace("_", " ") for fact in ("kind", *assets.FACTS) if fact not in {"size", "mtime_ns", "duration_ms", "part"}
}
"""What an operator approved, in words, besides markers and what is shown. Another part is said by the name of the same file."""


@attrs.frozen
class Writer:
    """Writes what was found into a collection, so that a file which SQLite refuses is named.

    Attributes:
        retired: Canonical keys of the files that the operator has taken out of use.
        withdrawals: The approvals that it withdrew.
    """

    op: Operation
    db: Database
    collection_id: str
    retired: Set[str]
    withdrawals: list[Withdrawal] = attrs.field(factory=list)
    hierarchy: Hierarchy = attrs.field(default=attrs.Factory(lambda self: Hierarchy(self.db), takes_self=True))

    def create(self, batch: Sequence[Found]) -> list[str]:
        """Create the assets of new files in one savepoint, or one by one where SQLite refuses a row: their identifiers.

        Raises:
            ValidationError: Somebody removed the asset since the file was found.
        """
        added = self.hierarchy.added.copy()
        is_alone = len(batch) == 1
        try:
            with self.db.session(contain=not is_alone):
                ids = [self._add(each) for each in batch]
                self.op.working_on = batch[0].key if is_alone else None
                self.hierarchy.write()
                return ids
        except ConstraintError:
            if is_alone:
                raise
            self.hierarchy.take_back(added)
        return [asset_id for each in batch for asset_id in self.create([each])]

    def _add(self, found: Found) -> str:
        self.op.working_on = found.key
        if not found.is_enriched or found.known is not None:
            raise ValidationError(f"{found.key!r} went from the catalogue while its file was looked at: run it again")
        asset_id = assets.add_asset(
            self.hierarchy.rows,
            found.draft,
            found.facts,
            collection_id=self.collection_id,
            mapping_id=found.mapping.id,
            key=found.key,
            is_retired=found.key in self.retired,
            findings=found.findings,
            now=self.hierarchy.now,
        )
        self.hierarchy.show(asset_id, found.draft)
        return asset_id

    def update(self, found: Found, known: KnownAsset) -> Outcome:
        """Refresh an asset, or leave it; `known` is what the open unit knows of it.

        Raises:
            ValidationError: Somebody changed the asset since the file was found.
        """
        self.op.working_on = found.key
        seen = found.known if found.is_enriched else None
        is_outdated, has_changed = known.facts.is_outdated(found.facts), known.facts.has_changed(found.facts)
        left: Outcome = "outdated" if is_outdated else "changed" if has_changed else "unchanged"
        if seen is None and known.missing_since is None and None not in known.facts:
            return left
        with self.db.session():
            if known.missing_since is not None:
                assets.mark_returned(self.db, known.id)
                if known.facts.is_another_file(found.facts):
                    self._withdraw(known.id, found.key, ["another file came back in its place"])
            if None in known.facts:
                assets.fill_in_facts(self.db, known.id, found.draft, now=self.hierarchy.now)
            if seen is None:
                return left
            if known._replace(missing_since=None) != seen._replace(missing_since=None):
                raise ValidationError(f"{found.key!r} was changed by somebody else while its file was looked at: run it again")
            self._refresh(found, known.id)
            return "refreshed"

    def move(self, found: Found, origin: KnownAsset, *, refresh: bool) -> Outcome:
        """Let an asset follow its file; identity, approval and links stay.

        Where the new name says something else, the asset counts as changed, and is read anew by the next refresh, or by this.
        """
        self.op.working_on = found.key
        before, now = assets.asset(self.db, origin.id), found.draft
        with self.db.session():
            decisions.move_decisions(self.db, origin.id, found.key)
            assets.move_asset(
                self.db,
                origin.id,
                found.draft,
                key=found.key,
                path_mapping_id=found.mapping.id,
                sidecars=found.facts.sidecars,
                is_changed=(identity(before), before.part) != (identity(now), now.part),
                now=self.hierarchy.now,
            )
            if refresh:
                self._refresh(found, origin.id)
        return "moved"

    def _refresh(self, found: Found, asset_id: str) -> None:
        draft = found.draft
        before, markers = assets.asset(self.db, asset_id), set(assets.markers(self.db, asset_id))
        shows_another, gone = link_again(self.db, self.hierarchy, before, draft)
        if gone != titles.NOTHING:
            titles.prune(self.db, *gone)
            self.hierarchy.forget()
        if markers != set(draft.markers):
            assets.remove_markers(self.db, asset_id)
            assets.add_markers(self.hierarchy.rows, asset_id, draft.markers)
            self.hierarchy.write()
        assets.remove_metadata(self.db, asset_id, keep=draft.metadata)
        assets.set_metadata(self.db, asset_id, draft.metadata)
        reasons = ["its file is broken"] * found.is_broken + ["its markers changed"] * (markers != set(draft.markers))
        self._withdraw(asset_id, found.key, [*_differences(before, draft, shows_another=shows_another), *reasons])
        place = found.mapping.id
        assets.update_asset(
            self.db, asset_id, draft, found.facts, path_mapping_id=place, is_broken=found.is_broken, now=self.hierarchy.now
        )
        findings.set_findings(self.db, asset_id, found.findings)

    def _withdraw(self, asset_id: str, key: str, reasons: Sequence[str]) -> None:
        """Withdraw the approval of an asset that is not what was approved, before it is written as what it is."""
        if reasons and assets.withdraw_approval(self.db, asset_id):
            self.withdrawals.append(Withdrawal(asset_id, key, "; ".join(reasons)))


def _differences(before: Asset, now: AssetDraft, *, shows_another: bool) -> list[str]:
    """In what a file is no longer what was approved, in words."""
    differing = [fact for fact in _APPROVED if getattr(before, fact) != getattr(now, fact)]
    reasons = [f"its {_APPROVED[fact]} changed: {getattr(before, fact)} → {getattr(now, fact)}" for fact in differing]
    if shows_another and before.kind == now.kind:
        reasons.append(f"it shows another {now.kind}, or one of another name")
    return [reason.replace("None", "unknown") for reason in reasons]


def link_again(db: Database, hierarchy: Hierarchy, asset: Asset, draft: AssetDraft) -> tuple[bool, tuple[set[int], set[str]]]:
    """Let an asset show what the draft says; links that are right stay.

    Returns whether it shows something else now, or something of another name, and the episodes and movies that it left, which
    are to be pruned.
    """
    if identity(asset) == identity(draft):
        return _name_episodes(db, asset, draft), titles.NOTHING
    gone = titles.unlink(db, asset.id)
    linked = hierarchy.show(asset.id, draft)
    hierarchy.write()
    is_named = _name_episodes(db, asset, draft)
    return is_named or linked != gone, gone


def identity(asset: Asset | AssetDraft) -> tuple[object, ...]:
    """What an asset is and shows, as far as its kind shows anything."""
    shown = {"movie": (asset.title, asset.year), "episode": (asset.title, asset.year, asset.season_number)}
    numbers = tuple(sorted(asset.episode_numbers)) if asset.kind == "episode" else ()
    return asset.kind, shown.get(asset.kind or "", ()), numbers


def _name_episodes(db: Database, asset: Asset, draft: AssetDraft) -> bool:
    """Whether an episode that the asset shows has another name now; one without a name has one as soon as it is linked."""
    if draft.kind != "episode" or draft.episode_title is None:
        return False
    is_another = titles.name_episodes(db, asset.id, draft.episode_title)
    return asset.episode_title != draft.episode_title and (is_another or asset.episode_title is None)
