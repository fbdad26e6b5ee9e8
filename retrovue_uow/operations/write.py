"""What was found becomes rows: an asset with its title, season, episodes, markers and metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

import retrovue_uow
from retrovue_uow.errors import ConstraintError, ValidationError
from retrovue_uow.model import Asset, AssetDraft, Outcome, Refresh, folded
from retrovue_uow.operations.discover import Found
from retrovue_uow.store import assets, decisions, titles
from retrovue_uow.store.assets import StoredAsset
from retrovue_uow.store.decisions import Approval, Decisions, shown
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.known import KnownAsset
from retrovue_uow.store.titles import Hierarchy
from retrovue_uow.uow.database import Database

T = TypeVar("T")
R = TypeVar("R")
_APPROVED = {"size": "size (bytes)", "duration_ms": "length (ms)"} | {
    fact: fact.replace("_", " ") for fact in ("kind", *assets.FACTS) if fact not in {"size", "mtime_ns", "duration_ms", "part"}
}
"""What an operator approved, in words, besides markers and what is shown. Another part is said by the name of the same file."""


class Writer:
    """Writes what was found into a collection, so that a file which SQLite refuses is named.

    Attributes:
        decided: What the operator decided about the collection's files.
        withdrawals: The approvals that it withdrew.
        approved: The canonical keys of assets whose approval holds again.
        retitlings: Moved assets that it left under their titles.
    """

    def __init__(self, op: Operation, db: Database, collection_id: str, decided: Decisions) -> None:
        self.op, self.db, self.collection_id, self.decided = op, db, collection_id, decided
        self.withdrawals: list[retrovue_uow.Withdrawal] = []
        self.approved: list[str] = []
        self.retitlings: list[retrovue_uow.Retitling] = []
        self.hierarchy = Hierarchy(db)

    def create(self, batch: Sequence[Found]) -> list[str]:
        """Create the assets of new files: their identifiers.

        Raises:
            ValidationError: Somebody removed the asset since the file was found.
        """
        return self._together(batch, self._create)

    def _create(self, batch: Sequence[Found]) -> list[str]:
        keys = [each.key for each in batch if self.decided.has_approvals]
        said = decisions.approvals(self.db, self.collection_id, keys) if keys else {}
        return [self._add(each, said.get(each.key)) for each in batch]

    def update(self, batch: Sequence[tuple[Found, KnownAsset]]) -> list[Outcome]:
        """Refresh assets, or leave them, each given with what the open unit knows of it: what became of them.

        Raises:
            ValidationError: Somebody changed the asset since the file was found.
        """
        return self._together(batch, self._update)

    def _together(self, batch: Sequence[T], write: Callable[[Sequence[T]], list[R]]) -> list[R]:
        """Write a batch in one savepoint, or one by one where SQLite refuses a row: then the file is named."""
        added, is_alone = self.hierarchy.added.copy(), len(batch) == 1
        withdrawn, approved = len(self.withdrawals), len(self.approved)
        try:
            with self.db.session(contain=not is_alone):
                written = write(batch)
                self.op.working_on = self.op.working_on if is_alone else None
                self.hierarchy.write()
                return written
        except ConstraintError:
            if is_alone:
                raise
            self.hierarchy.take_back(added)
            del self.withdrawals[withdrawn:], self.approved[approved:]
        return [result for each in batch for result in self._together([each], write)]

    def _add(self, found: Found, said: Approval | None) -> str:
        self.op.working_on = found.key
        if not found.is_enriched or found.known is not None:
            raise ValidationError(f"{found.key!r} went from the catalogue while its file was looked at: run it again")
        is_approved = said is not None and said.approved
        void = said.why_void(found.draft, self.decided) if said is not None and is_approved else None
        if is_approved and found.is_broken:
            void = "its file is broken"
        asset_id = assets.add_asset(
            self.hierarchy.rows,
            found.draft,
            found.facts,
            collection_id=self.collection_id,
            mapping_id=found.mapping.id,
            key=found.key,
            is_retired=found.key in self.decided.retired,
            is_approved=is_approved and void is None,
            findings=found.findings,
            now=self.hierarchy.now,
        )
        self.hierarchy.show(asset_id, found.draft)
        if void is not None:
            decisions.void_approval(self.db, self.collection_id, found.key)
            self.withdrawals.append(retrovue_uow.Withdrawal(asset_id, found.key, void))
        elif is_approved:
            self.approved.append(found.key)
        return asset_id

    def _update(self, batch: Sequence[tuple[Found, KnownAsset]]) -> list[Outcome]:
        for found, known in batch:
            self._meet(found, known)
        stored = assets.stored_assets(self.db, [known.id for found, known in batch if found.is_enriched])
        return [self._refreshed_or_left(found, known, stored) for found, known in batch]

    def _meet(self, found: Found, known: KnownAsset) -> None:
        """Note that a missing file is back, and what was not known of a file."""
        self.op.working_on = found.key
        if known.missing_since is not None:
            assets.mark_returned(self.db, known.id)
            if known.facts.is_another_file(found.facts):
                self._withdraw(known.id, found.key, ["another file came back in its place"])
        if None in known.facts:
            assets.fill_in_facts(self.db, known.id, found.draft, now=self.hierarchy.now)
            size = found.draft.size if known.facts.size is None else known.facts.size
            decisions.follow_file(self.db, self.collection_id, found.key, size, found.draft.mtime_ns)

    def _refreshed_or_left(self, found: Found, known: KnownAsset, stored: dict[str, StoredAsset]) -> Outcome:
        self.op.working_on = found.key
        seen = found.known if found.is_enriched else None
        if seen is None:
            has_changed = known.facts.has_changed(found.facts)
            return "changed" if has_changed else "outdated" if known.facts.is_outdated(found.facts) else "unchanged"
        if known != seen and known._replace(missing_since=None) != seen._replace(missing_since=None):
            raise ValidationError(f"{found.key!r} was changed by somebody else while its file was looked at: run it again")
        self._refresh(found, known.id, stored)
        return "refreshed"

    def move(self, found: Found, origin: KnownAsset, *, refresh: Refresh | None) -> Outcome:
        """Let an asset follow its file; identity, approval and links stay.

        Where the new name says something else, the asset counts as changed, and is read anew by the next refresh, or by this.
        Where that is another title and nothing else, it is left under its own unless all is to be read anew.
        """
        self.op.working_on = found.key
        before = assets.asset(self.db, origin.id)
        if refresh != "all" and (retitling := _retitling(before, found)) is not None:
            self.retitlings.append(retitling)
            found = found._replace(draft=attrs.evolve(found.draft, title=before.title, year=before.year))
        now = found.draft
        with self.db.session():
            decisions.move_decisions(self.db, origin.id, found.key)
            assets.move_asset(
                self.db,
                origin.id,
                found.draft,
                key=found.key,
                path_mapping_id=found.mapping.id,
                sidecars=found.facts.sidecars,
                is_changed=(shown(before), before.part) != (shown(now), now.part),
                now=self.hierarchy.now,
            )
            if refresh is not None:
                self._refresh(found, origin.id, {})
                self.hierarchy.write()
        return "moved"

    def retitled(self) -> tuple[retrovue_uow.Retitling, ...]:
        """The moved assets that were left under their titles, with what only the end shows: which new titles there are."""
        alike = titles.titles_alike(self.db, {each.new_title for each in self.retitlings}) if self.retitlings else ()
        taken = {(each.kind, folded(each.name), each.year) for each in alike}
        named = [(each.kind, folded(each.new_title), each.new_year) for each in self.retitlings]
        return tuple(attrs.evolve(each, is_taken=name in taken) for each, name in zip(self.retitlings, named, strict=True))

    def _refresh(self, found: Found, asset_id: str, stored: dict[str, StoredAsset]) -> None:
        """Write what was read of a file; `stored` holds assets as they were read, as long as they are so."""
        was = stored.get(asset_id) or assets.stored_assets(self.db, [asset_id])[asset_id]
        draft, changes = found.draft, self.db.unit_changes()
        shows_another, gone = link_again(self.db, self.hierarchy, was.asset, draft)
        if gone != titles.NOTHING:
            titles.prune(self.db, *gone)
            self.hierarchy.forget()
        if self.db.unit_changes() != changes:
            stored.clear()  # what others show may be called otherwise now
        if was.asset.approved:
            reasons = ["its file is broken"] * found.is_broken + ["its markers changed"] * (was.markers != set(draft.markers))
            self._withdraw(asset_id, found.key, [*_differences(was.asset, draft, shows_another=shows_another), *reasons])
        elif was.asset.state == "ready" and self.decided.has_approvals and not found.is_broken:
            self._approve_again(was.asset, found)
        facts, place = found.facts, found.mapping.id
        assets.update_asset(
            self.hierarchy.rows, was, draft, facts, mapping_id=place, findings=found.findings, now=self.hierarchy.now
        )
        if was.asset.approved and was.asset.mtime_ns != draft.mtime_ns:
            decisions.follow_file(self.db, self.collection_id, found.key, draft.size, draft.mtime_ns)

    def _approve_again(self, was: Asset, found: Found) -> None:
        """Approve an asset that an undo brought back, and whose file is read now as the one that was approved since."""
        if (was.size, was.mtime_ns, was.duration_ms) != (found.draft.size, found.draft.mtime_ns, found.draft.duration_ms):
            said = decisions.approvals(self.db, self.collection_id, [found.key]).get(found.key)
            if said is not None and said.approved and said.why_void(found.draft, self.decided) is None:
                assets.decide(self.db, "approve", [was.id])
                self.approved.append(found.key)

    def _withdraw(self, asset_id: str, key: str, reasons: Sequence[str]) -> None:
        """Withdraw the approval of an asset that is not what was approved, before it is written as what it is."""
        if reasons and assets.withdraw_approval(self.db, asset_id):
            decisions.void_approval(self.db, self.collection_id, key)
            self.withdrawals.append(retrovue_uow.Withdrawal(asset_id, key, "; ".join(reasons)))


def _retitling(before: Asset, found: Found) -> retrovue_uow.Retitling | None:
    """That a file says another title than its asset's, if it says the same otherwise; case makes no other title."""
    title, year = found.draft.title, found.draft.year
    was, now = shown(before), shown(found.draft)
    kind = decisions.title_kind_of(before.kind)
    if (was._replace(title=title, year=year), before.part) != (now, found.draft.part):
        return None
    if kind is None or before.title is None or title is None or (folded(before.title), before.year) == (folded(title), year):
        return None
    return retrovue_uow.Retitling(before.id, found.key, kind, before.title, before.year, title, year)


def _differences(before: Asset, now: AssetDraft, *, shows_another: bool) -> list[str]:
    """In what a file is no longer what was approved, in words; what was not known of it before is no difference."""
    differing = [fact for fact in _APPROVED if getattr(before, fact) not in (None, getattr(now, fact))]
    reasons = [f"its {_APPROVED[fact]} changed: {getattr(before, fact)} → {getattr(now, fact)}" for fact in differing]
    if shows_another and before.kind == now.kind:
        reasons.append(f"it shows another {now.kind}, or one of another name")
    return [reason.replace("None", "unknown") for reason in reasons]


def link_again(db: Database, hierarchy: Hierarchy, asset: Asset, draft: AssetDraft) -> tuple[bool, tuple[set[int], set[str]]]:
    """Let an asset show what the draft says; links that are right stay.

    Returns whether it shows something else now, or something of another name, and the episodes and movies that it left, which
    are to be pruned.
    """
    if shown(asset) == shown(draft):
        is_named_so = asset.episode_title == draft.episode_title and len(asset.episode_numbers) == 1
        return not is_named_so and _name_episodes(db, asset, draft), titles.NOTHING
    gone = titles.unlink(db, asset.id)
    linked = hierarchy.show(asset.id, draft)
    hierarchy.write()
    is_named = _name_episodes(db, asset, draft)
    return is_named or linked != gone, gone


def _name_episodes(db: Database, asset: Asset, draft: AssetDraft) -> bool:
    """Whether an episode that the asset shows has another name now; one without a name has one as soon as it is linked."""
    if draft.kind != "episode" or draft.episode_title is None:
        return False
    is_another = titles.name_episodes(db, asset.id, draft.episode_title)
    return asset.episode_title != draft.episode_title and (is_another or asset.episode_title is None)
