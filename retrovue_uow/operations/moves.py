"""Files that lie elsewhere now: which missing asset is which new file, where that can be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import attrs

from retrovue_uow.operations.prepare import PreparedAsset
from retrovue_uow.operations.process import is_other_file
from retrovue_uow.store.assets import KnownAsset

Facts = tuple[int, int, int]


@attrs.frozen
class Moves:
    """What a full ingest takes for moves.

    Attributes:
        origins: By the key of a new file, the asset that it was.
        ambiguous: Keys of assets and files that may be moves, but more than one of them looks the same, be it one that stayed
            where it was, or the place of one is taken by another.
    """

    origins: Mapping[str, KnownAsset] = attrs.field(factory=dict)
    ambiguous: tuple[str, ...] = ()

    def key_before(self, key: str) -> str:
        """The key by which the file of `key` was known, as far as it has moved."""
        origin = self.origins.get(key)
        return key if origin is None else origin.key


@attrs.define
class _Alike:
    """What is of the same size, mtime and duration: assets that are missing or replaced, files that are new or replaced one.

    `others` are the collection's other assets, there or not: where one looks the same, the new file may be a copy of it.
    """

    missing: list[KnownAsset] = attrs.field(factory=list)
    replaced: list[KnownAsset] = attrs.field(factory=list)
    new: list[PreparedAsset] = attrs.field(factory=list)
    replacing: list[PreparedAsset] = attrs.field(factory=list)
    others: list[KnownAsset] = attrs.field(factory=list)

    @property
    def is_a_move(self) -> bool:
        counts = (len(self.missing), len(self.new), len(self.replaced), len(self.replacing), len(self.others))
        return counts == (1, 1, 0, 0, 0)

    @property
    def may_be_moves(self) -> bool:
        return bool(self.missing or self.replaced) and bool(self.new or self.replacing) and not self.is_a_move

    @property
    def keys(self) -> set[str]:
        assets = (*self.missing, *self.replaced, *self.others)
        return {each.key for each in assets} | {each.key for each in (*self.new, *self.replacing)}


def find_moves(missing: Iterable[KnownAsset], found: Sequence[PreparedAsset], known: Mapping[str, KnownAsset]) -> Moves:
    """Pair missing assets and new files of equal size, mtime and duration, as far as all three are known.

    Where another asset of the collection has them, too, nothing is paired. Files that took each other's places (a swap, a
    chain) are not followed, but listed.
    """
    gone = {asset.key for asset in missing}
    new = [each for each in found if each.key not in known]
    replacing = {each.key: each for each in found if each.key in known and is_other_file(known[each.key], each.draft)}
    if not ((gone and new) or replacing):
        return Moves()  # nothing has left its place, or nothing has come to one
    alike: defaultdict[Facts | None, _Alike] = defaultdict(_Alike)
    for asset in known.values():
        same = alike[_facts(asset.size, asset.mtime_ns, asset.duration_ms)]
        (same.missing if asset.key in gone else same.replaced if asset.key in replacing else same.others).append(asset)
    for each in new:
        alike[_facts_of(each)].new.append(each)
    for each in replacing.values():
        alike[_facts_of(each)].replacing.append(each)
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
