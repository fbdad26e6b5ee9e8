"""Relocating: a library that lies elsewhere now keeps its assets, and all that the operator has said of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

import retrovue_uow
from retrovue_uow.errors import RelocateError, ValidationError, some
from retrovue_uow.media import paths, roots
from retrovue_uow.model import Collection, as_argument
from retrovue_uow.operations.open_catalog import OpenCatalog
from retrovue_uow.rules import integrity, preflight
from retrovue_uow.store import assets, collections, decisions
from retrovue_uow.store.collections import Relocation
from retrovue_uow.store.ids import utc_now
from retrovue_uow.uow.database import Row

_LISTED = ("missing", "returned", "mtime_differs", "other_size", "other_name")
Looked = dict[str, list[Row]]
"""Assets by what was found of their files at the new place; one may be in several lists."""


def relocate_collection(
    catalog: OpenCatalog, collection: str, old_root: str, new_root: str, *, min_found: float = 0.9, dry_run: bool = False
) -> retrovue_uow.RelocateResult:
    """Map a collection to the folder to which its files were copied or moved, and keep its assets.

    Pre-conditions:
        - The collection exists and nobody else is working on it; no unit of work is open.
        - `old_root` is the local folder of one of its path mappings, whole.
        - `new_root` is another folder, not one below it, that is there, can be read and is not empty. No other mapping of the
          collection covers it, and none would reach its files under other paths.
        - Of the assets that came through the mapping and were not missing, at least the part `min_found` has its file there:
          under the same path below the folder, spelled alike, and of the same size.

    Post-conditions:
        - The mapping leads to `new_root`, and the files of its assets lie there. Of a filesystem source that knows the folder
          by its local path, canonical keys change, and what the operator said of files follows them, whether or not there are
          assets of them; to any other source the files are where they were.
        - Identifiers, approvals, titles, what is excluded, and history are as they were.
        - Assets whose file was not found are marked missing, and listed. Those that were missing and whose file is there, as
          it was, no longer are. A file with another mtime is found, and listed; of a filesystem source, its approval speaks of
          that mtime now.

    Atomicity: All of it follows, or nothing. No media file is touched. The files are looked for before the write lock is taken.

    Args:
        collection: Identifier, external id or name.
        old_root: As it is mapped; it need not be there any more.
        new_root: An absolute path.
        min_found: From 0 to 1; with 0, all of them may be missing.

    Raises:
        RelocateError: As in every operation.
        ContractError: A unit of work is open.
    """
    with catalog.operation(
        "collection_relocate",
        RelocateError,
        dry_run=dry_run,
        prepares=True,
        collection=collection,
        old_root=old_root,
        new_root=new_root,
        min_found=as_argument(min_found),
    ) as op:
        with op.preflight() as db:
            preflight.validate_min_found(min_found)
            named = preflight.validate_collection_exists(db, collection)
            preflight.validate_no_conflicting_operations(op, named)
            before = preflight.validate_collection_exists(db, named.id)  # as it is now that nobody else can change it
            source = preflight.validate_source_exists(db, before.source_id)
            relocation = _relocation(before, old_root, new_root, is_filesystem=source.type == "filesystem")
            preflight.validate_new_root(relocation.moved.local_path)
            files = collections.mapped_files(db, relocation)
            seen_at = db.data_version()
            _refuse_other_mapping(before, relocation, files)
        with op.preparation():
            looked, alike = _look(relocation, files)
            _refuse_few(relocation, files, looked, alike, min_found)
        with op.execution() as db:
            preflight.validate_collection_unchanged(db, before)
            if db.data_version() != seen_at and collections.mapped_files(db, relocation) != files:
                raise ValidationError(
                    f"assets of collection {before.name!r} were changed while files were looked for: run it again"
                )
            decisions.relocate_decisions(db, relocation)
            collections.relocate(db, relocation)
            assets.mark_missing(db, [id_ for id_, *_ in looked["missing"]], since=utc_now())
            for id_, *_ in looked["returned"]:
                assets.mark_returned(db, id_)
            # what another source says of a file's mtime does not depend on this disk
            for _, key, _, _, _, missing_since, *there in looked["mtime_differs"] if source.type == "filesystem" else ():
                if missing_since is None:
                    decisions.follow_file(db, before.id, relocation.new_key(key), *there)
        with op.postvalidation() as db:
            integrity.validate_no_orphaned_records(db)
            integrity.validate_collection_preserved(db, before)
            integrity.validate_database_consistency(db)
            after = preflight.validate_collection_exists(db, before.id)
        keys = {name: tuple(relocation.new_key(key) for _, key, *_ in looked[name]) for name in _LISTED} | {"other_name": alike}
        return op.finish(
            retrovue_uow.RelocateResult(
                collection=after,
                old_root=relocation.mapping.local_path,
                new_root=relocation.moved.local_path,
                found=len(looked["found"]),
                paths=keys,
                **{name: len(keys[name]) for name in _LISTED},  # type: ignore[arg-type]  # each of them counts one kind of paths
            )
        )


def _relocation(collection: Collection, old_root: str, new_root: str, *, is_filesystem: bool) -> Relocation:
    """The mapping that is meant, and where it is to lead."""
    (_, old), (new_key, new) = (preflight.validate_mapping(root, root) for root in (old_root, new_root))
    mapped = {each.local_path: each for each in collection.path_mappings}
    alike = [each for each in mapped if paths.are_twins(each, old)]
    mapping = mapped.get(old) or (mapped[alike[0]] if len(alike) == 1 else None)
    if mapping is None:
        has = some([repr(each) for each in sorted(mapped)], between=", ") or "none"
        raise ValidationError(
            f"{old!r} is no mapped folder of collection {collection.name!r}: name one of its folders, whole. It has {has}"
        )
    if paths.is_below(new, mapping.local_path):
        where = "is that folder already" if new == mapping.local_path else f"lies below {mapping.local_path!r}, which is mapped"
        raise ValidationError(
            f"{new!r} {where}: there is nothing to relocate. Ingest the collection: files that moved within a mapped folder "
            "are followed"
        )
    moves_keys = is_filesystem and mapping.source_path == paths.canonical_key(mapping.local_path)
    moved = attrs.evolve(mapping, local_path=new, source_path=new_key if moves_keys else mapping.source_path)
    prefix = mapping.source_path.rstrip("/") + "/"
    others = [each.source_path for each in collection.path_mappings if each.id != mapping.id]
    return Relocation(collection.id, mapping, moved, tuple(each for each in others if each.startswith(prefix)))


def _refuse_other_mapping(collection: Collection, relocation: Relocation, files: Sequence[Row]) -> None:
    """No other mapping of the collection reaches what lies at the new place."""
    moved, name = relocation.moved, collection.name
    others = {each.source_path: each for each in collection.path_mappings if each.id != moved.id}
    for other in others.values():
        covers = paths.is_below(moved.local_path, other.local_path)
        if covers or (relocation.changes_keys and paths.is_below(moved.source_path, other.source_path)):
            raise ValidationError(
                f"{moved.local_path!r} lies in {other.local_path!r}, which is mapped for collection {name!r} already: "
                "name a folder outside of it"
            )
        if paths.is_below(other.local_path, moved.local_path) and other.source_path != collections.under(
            moved.source_path, other.local_path, moved.local_path
        ):
            raise ValidationError(
                f"in {moved.local_path!r} lies {other.local_path!r}, which is mapped for collection {name!r} under another "
                "path of its source: name a folder beside it"
            )
    inner = {source: each for source, each in others.items() if paths.is_below(source, moved.source_path)}
    for _, key, *_ in files if relocation.changes_keys and inner else ():
        reached = paths.mapping_for(relocation.new_key(key), inner)
        if reached is not None:
            raise ValidationError(
                f"{key!r} would come to lie in {reached.local_path!r}, which is mapped for collection {name!r} already: "
                "name a folder beside it"
            )


def _look(relocation: Relocation, files: Sequence[Row]) -> tuple[Looked, tuple[str, ...]]:
    """What is found of the files at the new place; and, in words, what may be one of them under another name."""
    looked: Looked = {name: [] for name in ("found", *_LISTED)}
    alike: list[str] = []
    found = roots.files_at([file[2] for file in files], relocation.moved.local_path)
    for file, there in zip(files, found, strict=True):
        _, _, path, size, mtime_ns, missing_since = file
        if there == (size, mtime_ns) and missing_since is None:
            looked["found"].append(file)
            continue
        for name in _verdict(there, size, mtime_ns, was_missing=missing_since is not None):
            looked[name].append((*file, *there) if isinstance(there, tuple) else file)
        if isinstance(there, str):
            alike.append(f"{paths.with_form(there)} in place of {paths.with_form(path)}")
    if looked["missing"]:  # which is evidence only while the disk is there
        preflight.validate_new_root(relocation.moved.local_path)
    return looked, tuple(alike)


def _verdict(there: roots.Place, size: int | None, mtime_ns: int | None, *, was_missing: bool) -> Iterator[str]:
    """The lists in which an asset belongs. One that was missing is found only as it was."""
    if not isinstance(there, tuple) or size not in (None, there[0]):
        if isinstance(there, tuple):
            yield "other_size"
        if not was_missing:
            yield "missing"
        return
    is_as_it_was = mtime_ns in (None, there[1])
    if not is_as_it_was:
        yield "mtime_differs"
    elif was_missing:
        yield "returned"
    if is_as_it_was or not was_missing:
        yield "found"


def _refuse_few(relocation: Relocation, files: Sequence[Row], looked: Looked, alike: Sequence[str], min_found: float) -> None:
    expected = sum(file[-1] is None for file in files)
    found = expected - len(looked["missing"])
    if not expected or found / expected >= min_found:
        return
    told = [f"not there: {some([repr(path) for _, _, path, *_ in looked['missing']], between=', ')}"]
    if looked["other_size"]:
        told.append(f"{len(looked['other_size'])} are there with another size, so other files or not copied to their end")
    if alike:
        told.append(
            f"{len(alike)} may be there under a name of other case or Unicode form, which is not guessed: {some(alike)}"
        )
    raise ValidationError(
        f"{found} of {expected} files are in {relocation.moved.local_path!r}, less than the part of {min_found:g} that must be "
        f"(min_found, --min-found); {'; '.join(told)}"
    )
