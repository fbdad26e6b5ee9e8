"""Files that lie elsewhere now, or that others replace: which new file is which missing asset, as far as that can be known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import retrovue_uow
from retrovue_uow.model import Asset, Collection, folded
from retrovue_uow.operations.discover import Found
from retrovue_uow.store import assets as asset_rows
from retrovue_uow.store import decisions, titles
from retrovue_uow.store.decisions import shown
from retrovue_uow.store.known import KnownAsset, known_asset
from retrovue_uow.uow.database import Database


def find_moves(
    missing: Iterable[KnownAsset], found: Sequence[Found], known: Mapping[str, KnownAsset]
) -> tuple[dict[str, KnownAsset], list[str]]:
    """Pair missing assets and new files of equal size, mtime and duration, as far as all three are known.

    Where another asset of the collection has them, too, nothing is paired: the new file may be a copy. Files that took each
    other's places (a swap, a chain) are not followed, but listed.

    Returns:
        By the key of a new file, the asset that it was; and the keys of assets and files that may be moves, but more than one
        of them looks the same, or the place of one is taken by another.
    """
    gone = {asset.key for asset in missing}
    replacing = {each.key for each in found if each.key in known and known[each.key].facts.is_another_file(each.facts)}
    arrived = [each for each in found if each.key not in known or each.key in replacing]
    if not (arrived and (gone or replacing)):
        return {}, []  # nothing has left its place, or nothing has come to one
    alike: defaultdict[tuple[int | None, ...], tuple[list[KnownAsset], list[Found]]] = defaultdict(lambda: ([], []))
    for asset in known.values():
        alike[asset.facts.size, asset.facts.mtime_ns, asset.duration_ms][0].append(asset)
    for each in arrived:
        if each.is_enriched:
            alike[each.facts.size, each.facts.mtime_ns, each.draft.duration_ms][1].append(each)
    origins: dict[str, KnownAsset] = {}
    ambiguous: set[str] = set()
    for same, (assets, files) in alike.items():
        left = [asset for asset in assets if asset.key in gone or asset.key in replacing]
        if None in same or not left or not files:
            continue
        if len(assets) == len(files) == 1 and assets[0].key in gone and files[0].key not in known:
            origins[files[0].key] = assets[0]
        else:
            ambiguous.update([asset.key for asset in assets], [each.key for each in files])
    return origins, sorted(ambiguous)


def replace(
    db: Database, collection: Collection, missing: Sequence[KnownAsset], created: Sequence[Found]
) -> tuple[list[retrovue_uow.Replacement], list[str]]:
    """The new files that show what missing ones showed, and take over what was said of them; and the keys of unclear ones."""
    if not (missing and created):
        return [], []
    gone = asset_rows.assets_by_id(db, [each.id for each in missing])
    wanted = {(folded(asset.title), asset.year) for asset in gone if asset.title is not None}
    maybe = [each.key for each in created if (folded(each.draft.title or ""), each.draft.year) in wanted]
    new = asset_rows.assets_by_id(db, [asset.id for key in maybe if (asset := known_asset(db, collection.id, key))])
    pairs, unclear = _find_replacements([asset for asset in gone if asset.title is not None], new)
    return _hand_over(db, collection, pairs) if pairs else [], unclear


def _hand_over(db: Database, collection: Collection, pairs: Sequence[tuple[Asset, Asset]]) -> list[retrovue_uow.Replacement]:
    """Let new assets be approved and preferred as the missing ones are, if the collection is set so."""
    keeps, heirs = collection.upgrades == "keep-approval", _heirs(db, pairs)
    said = decisions.approvals(db, collection.id, [come.canonical_key for _, come in pairs])
    waiting = [come for left, come in pairs if keeps and left.approved and not come.approved and come.state == "ready"]
    kept = [come for come in waiting if come.canonical_key not in said]
    if kept:
        asset_rows.decide(db, "approve", [asset.id for asset in kept])
        decisions.decide(db, "approve", kept)
    approved = {come.id for _, come in pairs if come.approved} | {come.id for come in kept}
    preferred = heirs & approved if keeps else set()
    if preferred:
        decisions.decide(db, "prefer", [come for _, come in pairs if come.id in preferred])
    told: list[retrovue_uow.Replacement] = []
    for left, come in pairs:
        approval: Literal["kept", "ask", "not_ready"] = (
            "kept" if come.id in approved else "ask" if come.state == "ready" else "not_ready"
        )
        preference: Literal["kept", "ask"] = "kept" if come.id in preferred else "ask"
        paths = come.id, come.canonical_key, left.id, left.canonical_key
        told.append(
            retrovue_uow.Replacement(*paths, approval if left.approved else None, preference if come.id in heirs else None)
        )
    return told


def _heirs(db: Database, pairs: Sequence[tuple[Asset, Asset]]) -> set[str]:
    """The new assets in whose place the missing one is preferred, and no other that shows the same."""
    preferred: defaultdict[str, set[str]] = defaultdict(set)
    for each in titles.versions(db, [come.id for _, come in pairs]):
        if each.is_preferred:
            preferred[each.asset_id].add(each.id)
    return {come.id for left, come in pairs if preferred[come.id] == {left.id}}


def _find_replacements(missing: Sequence[Asset], new: Sequence[Asset]) -> tuple[list[tuple[Asset, Asset]], list[str]]:
    """Pair missing assets and new ones that show exactly the same title, season, episodes and part.

    What was missing before counts only where nothing that shows the same has just gone: something else took its place since.

    Returns:
        Each missing asset with the new one; and the keys of those that show the same, where more than one is missing or new.
    """
    alike: defaultdict[object, tuple[list[Asset], list[Asset]]] = defaultdict(lambda: ([], []))
    for asset in missing:
        alike[shown(asset), asset.part][0].append(asset)
    for asset in new:
        alike[shown(asset), asset.part][1].append(asset)
    replaced: list[tuple[Asset, Asset]] = []
    ambiguous: list[str] = []
    for gone, come in alike.values():
        lately = [asset for asset in gone if asset.missing_since is None] or gone
        if len(lately) == len(come) == 1:
            replaced.append((lately[0], come[0]))
        elif lately and come:
            ambiguous += [asset.canonical_key for asset in (*lately, *come)]
    return replaced, ambiguous
