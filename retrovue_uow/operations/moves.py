"""Files that lie elsewhere now: which missing asset is which new file, where that can be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import attrs

from retrovue_uow.operations.preparation import PreparedAsset
from retrovue_uow.store.queries_assets import KnownAsset

Facts = tuple[int, int, int]


@attrs.frozen
class Moves:
    """What a full ingest takes for moves.

    Attributes:
        origins: By the key of a new file, the asset that it was.
        ambiguous: Keys of assets and files that may be moves, but more than one of them looks the same, or the place of one
            is taken by another.
    """

    origins: Mapping[str, KnownAsset] = attrs.field(factory=dict)
    ambiguous: tuple[str, ...] = ()

    def key_before(self, key: str) -> str:
        """The key by which the file of `key` was known, as far as it has moved."""
        origin = self.origins.get(key)
        return key if origin is None else origin.key


@attrs.define
class _Alike:
    """What is of the same size, mtime and duration: assets that are missing or replaced, files that are new or replaced one."""

    missing: list[KnownAsset] = attrs.field(factory=list)
    replaced: list[KnownAsset] = attrs.field(factory=list)
    new: list[PreparedAsset] = attrs.field(factory=list)
    replacing: list[PreparedAsset] = attrs.field(factory=list)

    @property
    def is_a_move(self) -> bool:
        return (len(self.missing), len(self.replaced), len(self.new), len(self.replacing)) == (1, 0, 1, 0)

    @property
    def may_be_moves(self) -> bool:
        return bool(self.missing or self.replaced) and bool(self.new or self.replacing) and not self.is_a_move

    @property
    def keys(self) -> set[str]:
        return {each.key for each in (*self.missing, *self.replaced)} | {each.key for each in (*self.new, *self.replacing)}


def find_moves(missing: Iterable[KnownAsset], found: Iterable[PreparedAsset], known: Mapping[str, KnownAsset]) -> Moves:
    """Pair missing assets and new files of equal size, mtime and duration, as far as all three are known.

    Files that took each other's places (a swap, a chain) are not followed, but listed.
    """
    alike: defaultdict[Facts | None, _Alike] = defaultdict(_Alike)
    new: list[PreparedAsset] = []
    for asset in missing:
        alike[_facts(asset.size, asset.mtime_ns, asset.duration_ms)].missing.append(asset)
    for each in found:
        asset_there = known.get(each.key)
        if asset_there is None:
            new.append(each)
        elif (asset_there.size, asset_there.mtime_ns) != (each.draft.size, each.draft.mtime_ns):
            alike[_facts_of(each)].replacing.append(each)
            alike[_facts(asset_there.size, asset_there.mtime_ns, asset_there.duration_ms)].replaced.append(asset_there)
    if not alike:
        return Moves()  # nothing has left its place, so nothing new has come from one
    for each in new:
        alike[_facts_of(each)].new.append(each)
    alike.pop(None, None)
    return Moves(
        origins={each.new[0].key: each.missing[0] for each in alike.values() if each.is_a_move},
        ambiguous=tuple(sorted(set[str]().union(*(each.keys for each in alike.values() if each.may_be_moves)))),
    )


def _facts_of(each: PreparedAsset) -> Facts | None:
    return _facts(each.draft.size, each.draft.mtime_ns, each.draft.duration_ms) if each.is_enriched else None


def _facts(size: int | None, mtime_ns: int | None, duration_ms: int | None) -> Facts | None:
    if size is None or mtime_ns is None or duration_ms is None:
        return None
    return size, mtime_ns, duration_ms
