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
        ambiguous: Keys of missing assets and new files that look the same, but are not one of each.
    """

    origins: Mapping[str, KnownAsset]
    ambiguous: tuple[str, ...]


def find_moves(missing: Iterable[KnownAsset], new: Iterable[PreparedAsset]) -> Moves:
    """Pair missing assets and new files of equal size, mtime and duration, as far as all three are known."""
    gone: defaultdict[Facts, list[KnownAsset]] = defaultdict(list)
    for asset in missing:
        if (facts := _facts(asset.size, asset.mtime_ns, asset.duration_ms)) is not None:
            gone[facts].append(asset)
    come: defaultdict[Facts, list[PreparedAsset]] = defaultdict(list)
    for each in new:
        if (facts := _facts(each.draft.size, each.draft.mtime_ns, each.draft.duration_ms)) is not None:
            come[facts].append(each)
    alike = [(gone[facts], come[facts]) for facts in gone if facts in come]
    return Moves(
        origins={new[0].key: old[0] for old, new in alike if len(old) == len(new) == 1},
        ambiguous=tuple(sorted(key for old, new in alike if len(old) + len(new) > 2 for key in _keys(old, new))),
    )


def _keys(old: Iterable[KnownAsset], new: Iterable[PreparedAsset]) -> list[str]:
    return [*(each.key for each in old), *(each.key for each in new)]


def _facts(size: int | None, mtime_ns: int | None, duration_ms: int | None) -> Facts | None:
    if size is None or mtime_ns is None or duration_ms is None:
        return None
    return size, mtime_ns, duration_ms
