"""What was found becomes rows: an asset with its title, season, episodes, markers and metadata."""

from __future__ import annotations

from collections.abc import Set
from operator import attrgetter

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import Asset, AssetDraft, Outcome
from retrovue_uow.operations.discover import Found
from retrovue_uow.store import assets, decisions, titles
from retrovue_uow.store.assets import KnownAsset
from retrovue_uow.store.ids import new_id, utc_now
from retrovue_uow.store.titles import Hierarchy
from retrovue_uow.uow.database import Database

_approved = attrgetter("kind", *(fact for fact in assets.FACTS if fact != "mtime_ns"))
"""What an operator approved, besides markers and what is shown."""
NOTHING: tuple[set[int], set[str]] = (set(), set())
"""No episodes and no movies."""


@attrs.frozen
class Writer:
    """Writes what was found into a collection, each file in a savepoint of its own.

    Attributes:
        retired: Canonical keys of the files that the operator has taken out of use.
    """

    db: Database
    collection_id: str
    retired: Set[str]
    now: str = attrs.field(factory=utc_now)
    hierarchy: Hierarchy = attrs.field(default=attrs.Factory(lambda self: Hierarchy(self.db), takes_self=True))

    def write(self, found: Found, known: KnownAsset | None) -> tuple[str, Outcome]:
        """Create the asset, refresh it, or leave it; `known` is what the open unit knows of it. Returns its identifier, too.

        Raises:
            ValidationError: Somebody changed or removed the asset since the file was found.
        """
        if known is None:
            return self._create(found), "created"
        seen = found.known if found.is_enriched else None
        left: Outcome = "changed" if seen is None and known.facts.has_changed(found.facts) else "unchanged"
        if seen is None and known.missing_since is None and None not in known.facts:
            return known.id, left
        with self.db.session():
            if known.missing_since is not None:
                assets.mark_returned(self.db, known.id)
                if known.facts.is_another_file(found.facts):
                    assets.withdraw_approval(self.db, known.id)  # what was approved is not what has come back
            if None in known.facts:
                assets.fill_in_facts(self.db, known.id, found.draft, now=self.now)
            if seen is None:
                return known.id, left
            if known._replace(missing_since=None) != seen._replace(missing_since=None):
                raise ValidationError(f"{found.key!r} was changed by somebody else while its file was looked at: run it again")
            self._refresh(found, known.id)
            return known.id, "refreshed"

    def move(self, found: Found, origin: KnownAsset, *, refresh: bool) -> Outcome:
        """Let an asset follow its file; identity, approval and links stay.

        Where the new name says something else, the asset counts as changed, and is read anew by the next refresh, or by this.
        """
        with self.db.session():
            decisions.move_decisions(self.db, origin.id, found.key)
            assets.move_asset(
                self.db,
                origin.id,
                found.draft,
                key=found.key,
                path_mapping_id=found.mapping.id,
                sidecars=found.facts.sidecars,
                is_changed=identity(assets.asset(self.db, origin.id)) != identity(found.draft),
                now=self.now,
            )
            if refresh:
                self._refresh(found, origin.id)
        return "moved"

    def _create(self, found: Found) -> str:
        if not found.is_enriched or found.known is not None:
            raise ValidationError(f"{found.key!r} went from the catalogue while its file was looked at: run it again")
        asset_id = new_id()
        with self.db.session():
            assets.add_asset(
                self.db,
                asset_id,
                found.draft,
                found.facts,
                collection_id=self.collection_id,
                path_mapping_id=found.mapping.id,
                canonical_key=found.key,
                is_retired=found.key in self.retired,
                now=self.now,
            )
            _link(self.db, self.hierarchy, found.draft, asset_id, now=self.now)
            assets.add_markers(self.db, asset_id, found.draft.markers)
            assets.set_metadata(self.db, asset_id, found.draft.metadata)
        return asset_id

    def _refresh(self, found: Found, asset_id: str) -> None:
        draft = found.draft
        before, markers = assets.asset(self.db, asset_id), set(assets.markers(self.db, asset_id))
        assets.update_asset(
            self.db,
            asset_id,
            draft,
            found.facts,
            path_mapping_id=found.mapping.id,
            now=self.now,
        )
        shows_another, gone = link_again(self.db, self.hierarchy, before, draft, now=self.now)
        if gone != NOTHING:
            titles.prune(self.db, *gone)
            self.hierarchy.forget()
        if markers != set(draft.markers):
            assets.remove_markers(self.db, asset_id)
            assets.add_markers(self.db, asset_id, draft.markers)
        assets.remove_metadata(self.db, asset_id, keep=draft.metadata)
        assets.set_metadata(self.db, asset_id, draft.metadata)
        if shows_another or markers != set(draft.markers) or _approved(before) != _approved(draft):
            assets.withdraw_approval(self.db, asset_id)


def link_again(
    db: Database, hierarchy: Hierarchy, asset: Asset, draft: AssetDraft, *, now: str
) -> tuple[bool, tuple[set[int], set[str]]]:
    """Let an asset show what the draft says; links that are right stay.

    Returns whether it shows something else now, or something of another name, and the episodes and movies that it left, which
    are to be pruned.
    """
    if identity(asset) == identity(draft):
        return _name_episodes(db, asset, draft), NOTHING
    gone = titles.unlink(db, asset.id)
    linked = _link(db, hierarchy, draft, asset.id, now=now)
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


def _link(db: Database, hierarchy: Hierarchy, draft: AssetDraft, asset_id: str, *, now: str) -> tuple[set[int], set[str]]:
    """Let an asset show what the draft says. Returns the episodes and movies that it shows now."""
    if draft.kind not in ("movie", "episode"):
        return set(), set()
    if draft.title is None:
        raise ValidationError(f"draft {draft.source_path!r} is of kind {draft.kind} and has no title")
    if draft.kind == "movie":
        title_id = hierarchy.title("movie", draft.title, draft.year, now=now)
        titles.link_movie(db, title_id, asset_id)
        return set(), {title_id}
    title_id = hierarchy.title("show", draft.title, draft.year, now=now)
    season_id = hierarchy.season(title_id, draft.season_number or 0)
    episodes = [hierarchy.episode(season_id, number, draft.episode_title) for number in draft.episode_numbers]
    for episode_id in episodes:
        titles.link_episode(db, episode_id, asset_id)
    return set(episodes), set()
