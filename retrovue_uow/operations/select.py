"""The assets that an operation is about, chosen before anything changes."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import ASSET_KINDS, ASSET_STATES, VERSIONS, Asset, AssetSelector
from retrovue_uow.rules import curation, preflight
from retrovue_uow.store import assets
from retrovue_uow.store.decisions import title_kind_of
from retrovue_uow.store.ids import whole_id
from retrovue_uow.uow.database import Database

Assets = str | Asset | AssetSelector | Iterable[str | Asset]
"""What every verb takes: an asset or its identifier, several of them, or a selector."""


Chosen = AssetSelector | tuple[object, ...]
"""The same, gone through once: what may be a generator is not asked twice."""


def chosen(assets: Assets) -> Chosen:
    """What was given, as it is judged later."""
    if isinstance(assets, AssetSelector):
        return assets
    if isinstance(assets, str | Asset) or not isinstance(assets, Iterable):
        return (assets,)
    return tuple(assets)


def described(choice: Chosen) -> object:
    """What was chosen, as the journal keeps it."""
    if isinstance(choice, AssetSelector):
        return {name: value for name, value in attrs.asdict(choice).items() if value is not None}
    return [each.id if isinstance(each, Asset) else str(each) for each in choice]


def selected(db: Database, choice: Chosen, *, expect_assets: int | None) -> list[Asset]:
    """The assets that are meant, by collection and key.

    Raises:
        ValidationError: None is meant, one is not there, or their number is not `expect_assets`.
    """
    found = matching(db, choice) if isinstance(choice, AssetSelector) else _named(db, choice)
    if not found:
        raise ValidationError("no asset is selected: `asset list` with the same options shows what there is")
    if expect_assets is not None and len(found) != expect_assets:
        raise ValidationError(f"{curation.are(found)} selected, not the expected {expect_assets}: nothing was changed")
    return found


def matching(db: Database, selector: AssetSelector, *, limit: int | None = None, after: Asset | None = None) -> list[Asset]:
    """The assets that a selector describes, which may be none; with `limit`, the first so many of those `after` one."""
    _validate(selector)
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit < 2**63):
        raise ValidationError(f"the limit must be a whole number from 0, not {limit!r}")
    if after is not None and not isinstance(after, Asset):
        raise ValidationError(f"`after` must be an asset, the last one of those before, not {after!r}")
    collection, title = selector.collection, selector.title
    wanted = "show" if selector.season is not None else title_kind_of(selector.kind)
    return assets.assets(
        db,
        selector,
        collection_id=None if collection is None else preflight.validate_collection_exists(db, collection).id,
        title_id=None if title is None else preflight.validate_title_exists(db, title, kind=wanted).id,
        limit=limit,
        after=after,
    )


def _validate(selector: AssetSelector) -> None:
    if not isinstance(selector, AssetSelector):
        raise ValidationError(f"assets are selected by an AssetSelector, not by {selector!r}")
    flags = (selector.missing, selector.approved, selector.unclassified, selector.broken)
    if not all(flag is None or isinstance(flag, bool) for flag in flags):
        raise ValidationError(f"missing, approved, unclassified and broken are True, False or None, not {flags!r}")
    if selector.kind not in (None, *ASSET_KINDS) or selector.state not in (None, *ASSET_STATES):
        raise ValidationError(
            f"kind is one of {ASSET_KINDS}, state one of {ASSET_STATES}; not {selector.kind!r}, {selector.state!r}"
        )
    if selector.versions not in (None, *VERSIONS):
        raise ValidationError(f"versions are one of {VERSIONS}, not {selector.versions!r}")
    if selector.unclassified and selector.kind not in (None, "other"):
        raise ValidationError(f"an unclassified asset is of kind other, not {selector.kind!r}")
    if selector.path is not None and (not isinstance(selector.path, str) or not selector.path.strip()):
        raise ValidationError(f"the path must be text that is not blank, not {selector.path!r}")
    preflight.validate_season_and_episode(selector.title, selector.season, selector.episode)


def _named(db: Database, choice: tuple[object, ...]) -> list[Asset]:
    ids: set[str] = set()
    for each in choice:
        id_ = each.id if isinstance(each, Asset) else each
        if not isinstance(id_, str):
            raise ValidationError(f"name assets by their identifiers, not by {id_!r}")
        ids.add(whole_id(db, "asset", id_))
    found = assets.assets_by_id(db, ids)
    missing = sorted(ids - {asset.id for asset in found})
    if missing:
        raise ValidationError(f"there is no asset {missing[0]!r}: `asset list` shows them")
    return found
