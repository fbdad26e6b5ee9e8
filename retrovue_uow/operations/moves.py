"""Files that lie elsewhere now: which missing asset is which new file, as far as that can be known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from retrovue_uow.operations.discover import Found
from retrovue_uow.store.known import KnownAsset


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
