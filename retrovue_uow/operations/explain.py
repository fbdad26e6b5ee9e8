"""Why an asset is what it is, in sentences: what happened to it, and what keeps it off the air; and why a file is no asset."""

from __future__ import annotations

import os
import shlex
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import retrovue_uow
from retrovue_uow import media
from retrovue_uow.errors import ValidationError, positional
from retrovue_uow.media import paths, roots
from retrovue_uow.model import Asset, Collection, IngestFilters, JournalUnit, PathMapping, RowChange, Source
from retrovue_uow.operations.ingest import NAME
from retrovue_uow.rules import curation
from retrovue_uow.store import assets, collections, decisions, journal, known, titles
from retrovue_uow.store.ids import whole_id
from retrovue_uow.uow.database import Database

_UNTOLD = frozenset({"id", "updated_at", "enrichers", "sidecars"})
_LEFT_OUT = {
    "partial": "its ending {!r} is that of an unfinished download: it comes in once it has its own name",
    "unknown_extension": "its ending {!r} is no media file's: if it should be, give the source `extensions`",
    None: "its ending {!r} is that of what stands beside media files: it is never an asset itself",
}
_SKIPPED = {
    "too_young": "the last ingest left it, since it had changed just before: the next one takes it once it has settled",
    "vanished": "it went while the last ingest read it: ingest again",
}


def asset_named(db: Database, selector: str) -> Asset | None:
    """The asset with that identifier, key or file; None for a path that is none of an asset's.

    Raises:
        ValidationError: There are several, or there is none and it is no path.
    """
    if not isinstance(selector, str):  # in a damaged file, an identifier may be none
        return assets.asset(db, selector)
    found = assets.assets_named(db, [selector, roots.absolute(selector)])
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise ValidationError(f"file {selector!r} is in several collections: use the id of one of its assets, {ids}")
    if found or "/" in selector or os.path.lexists(selector):
        return found[0] if found else None
    return assets.asset(db, whole_id(db, "asset", selector))


def explanation(db: Database, selector: str) -> retrovue_uow.Explanation:
    """All that can be said of an asset, or of a path that is none of an asset's."""
    asset = asset_named(db, selector)
    if asset is None:
        return retrovue_uow.Explanation(
            None, is_schedulable=False, reasons=tuple(_why_no_asset(db, roots.absolute(selector))), history=()
        )
    found = tuple(known.findings(db, asset.id))
    reasons = curation.not_schedulable(asset, is_broken=any(each.severity == "broken" for each in found))
    created_at = assets.created_at(db, asset.id)
    # a large unit is not unpacked for one row, whose time of creation names it as well
    adding = journal.recorded_units(db, "asset", "insert", at=created_at)
    if len(adding) != 1:
        adding = [unit for unit, _ in journal.changes_of(db, "asset", asset.id, "insert")]
    created = f"by {_named(adding[0])}" if adding else f"at {created_at}, by a unit that is no longer recorded row by row"
    updates = journal.changes_of(db, "asset", asset.id, "update")
    later = [f"changed by {_named(unit)}: {_columns(row)}" for unit, row in updates]
    history = (f"created {created}", *later, *_assignment(db, asset))
    ranked = [each for each in titles.versions(db, [asset.id]) if each.rank is not None]
    rank = next((each.rank for each in ranked if each.id == asset.id), None)
    if rank is None or len(ranked) == 1:
        return retrovue_uow.Explanation(asset, not reasons, reasons, history, found, rank)
    by_id = {each.id: each for each in assets.assets_by_id(db, [each.id for each in ranked])}
    versions = curation.which_airs([by_id[each.id] for each in ranked], is_preferred=ranked[0].is_preferred)
    return retrovue_uow.Explanation(asset, not reasons, reasons, history, found, rank, versions)


def _named(unit: JournalUnit) -> str:
    names = ", ".join(dict.fromkeys(operation.name for operation in unit.operations))
    return f"{names} at {unit.committed_at} (unit {unit.id})"


def _columns(row: RowChange) -> str:
    old, new = row.old or {}, row.new or {}
    changed = [f"{name} {old.get(name)!r} -> {value!r}" for name, value in new.items() if name not in _UNTOLD]
    return ", ".join(changed) or "read again, with nothing new"


def _assignment(db: Database, asset: Asset) -> list[str]:
    decided = decisions.decisions(db, asset.collection_id, ((asset.canonical_key, asset.canonical_key),))
    identity = decided.assignments.get(asset.canonical_key)
    if identity is None:
        return []
    words: list[str] = [identity.kind]
    if identity.title is not None:
        words.append(f"of {identity.title!r}" + (f" ({identity.year})" if identity.year else ""))
    if identity.season_number is not None:
        words.append(f"season {identity.season_number}, episodes {', '.join(map(str, identity.episode_numbers))}")
    return [f"assigned by the operator, whose word outranks the file's: {' '.join(words)}"]


def _why_no_asset(db: Database, path: str) -> Iterator[str]:
    """All that keeps a path from being an asset, in the order in which an ingest would meet it."""
    mapped = [(mapping, each) for each in collections.collections(db) for mapping in each.path_mappings]
    below = [(mapping, each) for mapping, each in mapped if paths.is_below(path, mapping.local_path)]
    if not os.path.lexists(path):
        lost = [problem for mapping, _ in below if (problem := roots.root_status(mapping.local_path).problem)]
        yield from lost or ["there is no such file or folder, or it cannot be seen"]
    elif not below and (linked := [each.local_path for each, _ in mapped if not roots.Links().lead_out(path, each.local_path)]):
        yield f"a link leads from it below {linked[0]!r}, which is mapped: ask about its path there"
    elif not below:
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        yield f"it lies in no mapped folder of any collection: run `retrovue-uow ingest {shlex.quote(folder)}`"
        yield from _says_its_name(path, os.path.relpath(path, folder), None)
    else:
        mapping, collection = max(below, key=lambda pair: len(pair[0].local_path))
        source = next(each for each in collections.sources(db) if each.id == collection.source_id)
        relative = path.removeprefix(mapping.local_path).lstrip("/")
        reasons = [
            *_says_its_name(path, relative, source),
            *_says_the_operator(db, path, relative, collection),
            *_says_the_disk(path, mapping),
            *_say_its_doubles(db, path, f"{mapping.source_path.rstrip('/')}/{relative}"),
        ]
        command = f"retrovue-uow collection ingest {positional(collection.name)}"
        yield from reasons or [f"no ingest of collection {collection.name!r} has met it yet: run `{command}`"]


def _says_its_name(path: str, relative: str, source: Source | None) -> Iterator[str]:
    """By the rules of the file-system importer; what others look at is theirs to say."""
    if source is not None and source.type != "filesystem":
        return
    for part in filter(roots.is_ignored, relative.split("/")):
        yield f"{part!r} is hidden, or the system's own, and never looked at"
    ending = os.path.splitext(path)[1]
    endings = media.walk.media_endings(source.config.get("extensions") if source else None)
    if ending.casefold() not in endings and not os.path.isdir(path):
        yield _LEFT_OUT[roots.why_left_out(ending.casefold())].format(ending)


def _says_the_operator(db: Database, path: str, relative: str, collection: Collection) -> Iterator[str]:
    given, skipped = _last_ingest(db, collection)
    matching = [each for each in (*collection.excludes, *given) if IngestFilters(exclude=(each,)).excludes(relative)]
    for pattern in dict.fromkeys(matching):
        if pattern in collection.excludes:
            yield f"collection {collection.name!r} excludes {pattern!r}: take that back with `collection exclude remove`"
        else:
            yield f"the last ingest was told to exclude {pattern!r}: ingest again without that"
    if not collection.enabled:
        yield f"collection {collection.name!r} is disabled, so that no ingest looks at it: enable it"
    yield from (sentence for reason, sentence in _SKIPPED.items() if path in skipped.get(reason, ()))


def _last_ingest(db: Database, collection: Collection) -> tuple[Sequence[str], Mapping[str, Sequence[str]]]:
    """What the last ingest of the collection was told to exclude, and what it skipped."""
    unit = journal.last_unit_of(db, NAME, collection.id)
    for operation in reversed(unit.operations if unit else ()):
        arguments: Any = operation.arguments
        result: Any = operation.result
        if operation.name == NAME and result["collection"]["id"] == collection.id:
            return arguments["filters"].get("exclude", ()), result.get("skipped", {})
    return (), {}


def _says_the_disk(path: str, mapping: PathMapping) -> Iterator[str]:
    try:
        found = os.stat(path)
    except OSError as error:
        is_link = os.path.islink(path)
        yield (
            "it is a link that leads nowhere: mend it" if is_link else f"it cannot be examined ({paths.reason(error)}): mend it"
        )
        return
    if not paths.is_utf8(path):
        yield "its path is not UTF-8: rename it"
    if roots.Links().lead_out(path, mapping.local_path):
        yield f"a link leads out of {mapping.local_path!r}, to {os.path.realpath(path)!r}: map that, too"
    elif stat.S_ISDIR(found.st_mode):
        yield "it is a folder: the files in it are assets"
    elif not stat.S_ISREG(found.st_mode):
        yield "it is no regular file"


def _say_its_doubles(db: Database, path: str, key: str) -> Iterator[str]:
    """Assets that have the file already, or another whose name looks the same."""
    real = os.path.realpath(path)
    for asset in assets.assets_named(db, [unicodedata.normalize("NFC", key), real]):
        if asset.file_path == real:
            yield f"asset {asset.id} has the file already, under its own path {real!r}"
        elif paths.are_twins(path, asset.file_path) and os.path.lexists(asset.file_path):
            both = f"{paths.with_form(path)} beside {paths.with_form(asset.file_path)}"
            yield f"its name differs from that of asset {asset.id} in Unicode form alone, {both}: rename one of them"
