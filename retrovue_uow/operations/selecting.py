"""Which assets an operation is about: exactly those, told before anything changes."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import ASSET_KINDS, ASSET_STATES, Asset, AssetSelector
from retrovue_uow.rules import preflight
from retrovue_uow.store import queries_assets
from retrovue_uow.store.database import Database
from retrovue_uow.store.queries_assets import AssetQuery

Assets = str | Asset | AssetSelector | Iterable[str | Asset]
"""What every verb takes: an asset or its identifier, several of them, or a selector."""


def described(assets: Assets) -> object:
    """What was selected, as the journal keeps it."""
    if isinstance(assets, AssetSelector):
        return {name: value for name, value in attrs.asdict(assets).items() if value is not None}
    return _ids(assets)


def selected(db: Database, assets: Assets, *, expect_assets: int | None) -> list[Asset]:
    """The assets that are meant, by collection and key.

    Raises:
        ValidationError: None is meant, one is not there, or their number is not `expect_assets`.
    """
    found = matching(db, assets) if isinstance(assets, AssetSelector) else _named(db, _ids(assets))
    if not found:
        raise ValidationError("no asset is selected: `asset list` with the same options shows what there is")
    if expect_assets is not None and len(found) != expect_assets:
        raise ValidationError(f"{len(found)} assets are selected, not the expected {expect_assets}: nothing was changed")
    return found


def matching(db: Database, selector: AssetSelector) -> list[Asset]:
    """The assets that a selector describes, which may be none."""
    _validate(selector)
    collection_id = None if selector.collection is None else preflight.validate_collection_exists(db, selector.collection).id
    return queries_assets.assets(
        db,
        AssetQuery(
            collection_id=collection_id,
            kind="other" if selector.unclassified else selector.kind,
            state=selector.state,
            missing=selector.missing,
            approved=selector.approved,
            path=selector.path,
            title=selector.title,
            season=selector.season,
            episode=selector.episode,
        ),
    )


def _validate(selector: AssetSelector) -> None:
    if selector.kind not in (None, *ASSET_KINDS) or selector.state not in (None, *ASSET_STATES):
        raise ValidationError(
            f"kind is one of {ASSET_KINDS}, state one of {ASSET_STATES}; not {selector.kind!r}, {selector.state!r}"
        )
    if selector.unclassified and selector.kind not in (None, "other"):
        raise ValidationError(f"an unclassified asset is of kind other, not {selector.kind!r}")
    for name, text in (("title", selector.title), ("path", selector.path)):
        if text is not None and (not isinstance(text, str) or not text.strip()):
            raise ValidationError(f"the {name} must be text that is not blank, not {text!r}")
    preflight.validate_season_and_episode(selector.title, selector.season, selector.episode)


def _ids(assets: str | Asset | Iterable[str | Asset]) -> list[str]:
    each_one = [assets] if isinstance(assets, str | Asset) else list(assets)
    ids = [each.id if isinstance(each, Asset) else each for each in each_one]
    for id_ in ids:
        if not isinstance(id_, str):
            raise ValidationError(f"name assets by their identifiers, not by {id_!r}")
    return list(dict.fromkeys(ids))


def _named(db: Database, ids: list[str]) -> list[Asset]:
    found = queries_assets.assets_by_id(db, ids)
    missing = sorted(set(ids) - {asset.id for asset in found})
    if missing:
        raise ValidationError(f"there is no asset {missing[0]!r}: `asset list` shows them")
    return found
