"""What assets are said to be, and letting them be it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import ASSET_KINDS, PRINTED_TITLE, Asset, AssetDraft, AssetKind, folded, printed_title
from retrovue_uow.operations import write
from retrovue_uow.rules import curation
from retrovue_uow.rules.drafts import validate_asset_draft
from retrovue_uow.store import assets as asset_rows
from retrovue_uow.store import collections, decisions, titles
from retrovue_uow.store.decisions import Identity, title_kind_of
from retrovue_uow.store.ids import utc_now
from retrovue_uow.store.titles import Hierarchy
from retrovue_uow.uow.database import Database


def _as_tuple(numbers: Sequence[int] | None) -> tuple[int, ...] | None:
    # What is no sequence is left for the rules to refuse.
    return tuple(numbers) if isinstance(numbers, Sequence) and not isinstance(numbers, str) else numbers


@attrs.frozen
class Said:
    """What the operator said; None: nothing about that."""

    kind: AssetKind | None = None
    title: str | None = None
    year: int | None = None
    season_number: int | None = None
    episode_numbers: tuple[int, ...] | None = attrs.field(default=None, converter=_as_tuple)
    episode_title: str | None = None


def meant(db: Database, decided: Iterable[tuple[Asset, Said]]) -> list[Identity]:
    """What each asset is to be by what was said of it. Of several spellings of a title that is new, the first one counts.

    Raises:
        ValidationError: What comes out of it does not fit together, or a title is ambiguous.
    """
    owners = {collection.id: collection for collection in collections.collections(db)}
    titles_meant: dict[str, tuple[str | None, int | None]] = {}
    identities: list[Identity] = []
    for asset, said in decided:
        kind = said.kind or asset.kind
        if kind not in ASSET_KINDS:
            raise ValidationError(f"kind {kind!r} is not one of {', '.join(ASSET_KINDS)}")
        named = f"{kind} {said.year} {folded(str(said.title))}"
        if named not in titles_meant:
            titles_meant[named] = _title_said(db, kind, said)
        identity = _identity_of(asset, said, *titles_meant[named])
        curation.validate_identity(identity)
        validate_asset_draft(_draft(asset, identity), owners[asset.collection_id])
        identities.append(identity)
    return identities


def _identity_of(asset: Asset, said: Said, title: str | None, year: int | None) -> Identity:
    """What the asset is to be: what was said, and what it was as far as its kind, which may be another, has that."""
    kind = said.kind or asset.kind
    is_of_a_title = title_kind_of(kind) is not None and title_kind_of(kind) == title_kind_of(asset.kind)
    is_an_episode = is_of_a_title and kind == "episode"
    keeps_episode_title = said.episode_title is None and is_an_episode and not said.episode_numbers
    return Identity(
        kind=kind,
        title=asset.title if title is None and is_of_a_title else title,
        year=asset.year if is_of_a_title and said.title is None and said.year is None else year,
        season_number=asset.season_number if said.season_number is None and is_an_episode else said.season_number,
        episode_numbers=asset.episode_numbers if said.episode_numbers is None and is_an_episode else said.episode_numbers or (),
        episode_title=asset.episode_title if keeps_episode_title else said.episode_title,
    )


def _title_said(db: Database, kind: AssetKind, said: Said) -> tuple[str | None, int | None]:
    """The name and year that were said; without a year, those of the one title that goes by that name, if there is one."""
    if said.year is not None or not isinstance(said.title, str):
        return _as_spelled(db, kind, said.title, None if said.year == 0 else said.year)
    meant = decisions.meant_by(db, said.title)
    named = titles.titles_alike(db, [said.title, *meant])
    of_kind = [(each.name, each.year) for each in named if each.kind == title_kind_of(kind)]
    printed = [each for each in of_kind if folded(printed_title(*each)) == folded(said.title)]
    alike = printed if len(printed) == 1 else [each for each in of_kind if folded(each[0]) in meant]
    if len(alike) > 1:
        listed = ", ".join(repr(printed_title(*each)) for each in alike)
        raise ValidationError(f"title {said.title!r} is ambiguous: name one of {listed}, or give a year (0: not known)")
    if alike:
        return alike[0]
    as_printed = PRINTED_TITLE.fullmatch(said.title)  # a new one, called as listings will print it
    name, year = (as_printed[1], int(as_printed[2])) if as_printed else (said.title, None)
    return _as_spelled(db, kind, name, year)


def _as_spelled(db: Database, kind: AssetKind, title: str | None, year: int | None) -> tuple[str | None, int | None]:
    """The name and year by which the station calls a title."""
    title_kind = title_kind_of(kind)
    if title_kind is None or not isinstance(title, str):
        return title, year
    alike = [each for each in titles.titles_alike(db, [title]) if (each.kind, each.year) == (title_kind, year)]
    there = [each.name for each in alike if folded(each.name) == folded(title)]
    if there:
        return title if title in there else there[0], year
    return decisions.spellings(db).get((title_kind, title, year), (title, year))


def _draft(asset: Asset, identity: Identity) -> AssetDraft:
    return AssetDraft(asset.file_path, asset.canonical_key, **identity._asdict())


def assign(db: Database, assigned: Sequence[tuple[Asset, Identity]]) -> list[Asset]:
    """Keep what assets are said to be, and let them be it: those that were something else."""
    for asset, identity in assigned:
        decisions.set_assignment(db, asset.collection_id, asset.canonical_key, identity, now=utc_now())
    changed = let_be(db, assigned)
    approved = [asset.id for asset in changed if asset.approved]
    decisions.keep_approvals(db, asset_rows.assets_by_id(db, approved))  # of what they show now
    return changed


def let_be(db: Database, decided: Iterable[tuple[Asset, Identity]]) -> list[Asset]:
    """Let assets be and show what was decided, and remove what nothing shows any more: those that were something else."""
    hierarchy = Hierarchy(db)
    changed: list[Asset] = []
    episodes: set[int] = set()
    movies: set[str] = set()
    for asset, identity in decided:
        draft = _draft(asset, identity)
        if decisions.shown(asset) == decisions.shown(draft) and draft.episode_title in (None, asset.episode_title):
            continue
        asset_rows.set_kind(db, asset.id, identity.kind, now=hierarchy.now)
        _, left = write.link_again(db, hierarchy, asset, draft)
        episodes |= left[0]
        movies |= left[1]
        changed.append(asset)
    titles.prune(db, episodes, movies)  # at the end: what the hierarchy has looked up stays true until then
    return changed
