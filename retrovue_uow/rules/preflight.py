"""What must hold before an operation. Each function raises, saying what to do, or returns what it found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from retrovue_uow.errors import ConflictError, ResourceError, ValidationError, amount, some
from retrovue_uow.media import paths, plugins, roots
from retrovue_uow.media.enrichment import ReadyEnricher
from retrovue_uow.media.interfaces import Importer
from retrovue_uow.model import (
    Collection,
    IngestFilters,
    PathMapping,
    Source,
    Title,
    TitleKind,
    WipeOptions,
    folded,
    printed_title,
)
from retrovue_uow.rules.drafts import is_json
from retrovue_uow.rules.verdict import rule
from retrovue_uow.secrets import MAX_DEPTH
from retrovue_uow.store import collections, titles
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.ids import as_stored
from retrovue_uow.uow.database import Database

Named = TypeVar("Named", Source, Collection, Title)
_LAST_YEAR = 9999
_LONGEST_AGE = timedelta(days=365_000)
_LONGEST_SETTLE_S = 10**9


@rule
def validate_source_exists(db: Database, selector: str) -> Source:
    """The source that `selector` names: its identifier, or its name, whole and case-insensitive."""
    return _only_one("source", selector, collections.sources(db))


@rule
def validate_collection_exists(db: Database, selector: str) -> Collection:
    """The collection that `selector` names: its identifier, external id or name, whole and case-insensitive."""
    return _only_one("collection", selector, collections.collections(db))


def _only_one(noun: str, selector: object, candidates: Sequence[Named]) -> Named:
    """The one that is named. Where none or several are, the message lists them."""
    if not isinstance(selector, str) or not selector.strip():
        raise ValidationError(f"name a {noun} by its id or name, not by {selector!r}")
    wanted = folded(selector)
    found = [each for each in candidates if each.id == as_stored(selector)] or [
        each
        for each in candidates
        if wanted in (folded(each.name), folded(_printed(each))) or selector == getattr(each, "external_id", None)
    ]
    titles = [each for each in found if isinstance(each, Title)]
    exactly = [each for each in titles if selector in (each.name, _printed(each))]
    with_year = [each for each in titles if folded(_printed(each)) == wanted]
    for only in (exactly, with_year, found):
        if len(only) == 1:
            return only[0]
    if found:
        listed = ", ".join(f"{_called(each)} ({each.id})" for each in found)
        raise ValidationError(f"{noun} {selector!r} is ambiguous: name one of these by its id: {listed}")
    from difflib import get_close_matches  # which only a misspelt name needs

    names = {folded(name): _called(each) for each in candidates for name in (each.name, _printed(each))}
    near = dict.fromkeys(names[each] for each in get_close_matches(wanted, names))
    if near:
        raise ValidationError(f"there is no {noun} {selector!r}: did you mean {' or '.join(near)}?")
    known = some(list(map(_called, candidates)), between=", ") or "none yet"
    raise ValidationError(f"there is no {noun} {selector!r}: the catalogue has {known}")


def _called(each: Source | Collection | Title) -> str:
    return f"{each.kind} '{_printed(each)}'" if isinstance(each, Title) else repr(each.name)


def _printed(each: Source | Collection | Title) -> str:
    return printed_title(each.name, each.year) if isinstance(each, Title) else each.name


@rule
def validate_title_exists(db: Database, selector: str, *, kind: TitleKind | None = None) -> Title:
    """The show or movie that `selector` names: its identifier, its name, or its name with the year in parentheses.

    Where a title of the `kind` has that very name, one of that kind is meant.
    """
    is_text = isinstance(selector, str) and paths.is_utf8(selector)
    found = titles.titles_called(db, selector) if is_text else []
    if len(found) != 1 or kind not in (None, found[0].kind):
        alike = titles.titles_alike(db, [selector]) if is_text else []
        of_kind = [each for each in alike if each.kind == kind]
        is_of_kind = any(folded(each.name) == folded(selector) for each in of_kind)
        found = [_only_one("title", selector, (of_kind if is_of_kind else alike) or titles.titles(db))]
    return titles.title(db, found[0].id)


@rule
def validate_title_is_free(db: Database, found: Title, renamed: Title) -> None:
    """The new name and year can be had, differ from the old ones, and belong to no other title of the kind."""
    if not isinstance(renamed.name, str) or not renamed.name.strip() or not paths.is_utf8(renamed.name) or "\0" in renamed.name:
        raise ValidationError(f"a title needs a readable name, not {renamed.name!r}")
    if renamed.year is not None and (not isinstance(renamed.year, int) or not 0 < renamed.year <= _LAST_YEAR):
        raise ValidationError(f"the year must be a whole number from 1 to {_LAST_YEAR}, or 0 for none, not {renamed.year!r}")
    if renamed == found:
        raise ValidationError(f"{_called(found)} is called that already: give another name or year")
    for other in titles.titles_alike(db, [renamed.name]):
        is_alike = (other.kind, other.year) == (found.kind, renamed.year) and folded(other.name) == folded(renamed.name)
        if is_alike and other.id != found.id:
            raise ValidationError(f"there is a {_called(other)} already: merge the two titles instead")


@rule
def validate_name(noun: str, name: object) -> None:
    """A source or a collection needs a name that can be read."""
    if not isinstance(name, str) or not name.strip() or "\0" in name or not paths.is_utf8(name):
        raise ValidationError(f"a {noun} needs a readable name, not {name!r}")


@rule
def validate_name_free(noun: str, name: str, taken: Iterable[str]) -> None:
    """Nothing of its kind is called so, in whatever case."""
    if folded(name) in map(folded, taken):
        raise ValidationError(f"there is a {noun} {name!r} already: choose another")


@rule
def validate_enricher_attached(collection: Collection, type_: str) -> None:
    """The collection has an enricher of that type."""
    attached = [enricher.type for enricher in collection.enrichers]
    if type_ not in attached:
        has = ", ".join(attached) or "none"
        raise ValidationError(f"enricher {type_!r} is not attached to collection {collection.name!r}: it has {has}")


@rule
def validate_configuration(noun: str, name: str, config: object) -> None:
    """The configuration of a source or an enricher can be kept as it is."""
    if not isinstance(config, Mapping) or not _is_plain(config, MAX_DEPTH) or not is_json(config):
        raise ValidationError(
            f"the configuration of {noun} {name!r} must be a JSON object, its names text, and nested {MAX_DEPTH} deep at most"
        )


def _is_plain(value: object, depth: int) -> bool:
    """Whether it holds nothing that JSON would take for something else, such as the name 1 for "1"."""
    if isinstance(value, Mapping):
        return depth > 0 and all(isinstance(name, str) and _is_plain(each, depth - 1) for name, each in value.items())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    return value is None or isinstance(value, str | int | float)


@rule
def validate_collection_enabled(collection: Collection) -> None:
    """The operator wants this collection to be ingested."""
    if not collection.enabled:
        raise ValidationError(f"collection {collection.name!r} is disabled: enable it first")


@rule
def validate_refresh(refresh: object) -> None:
    """`refresh` is one of the four things that it can be."""
    if refresh not in (None, "files", "changed", "all"):
        raise ValidationError(f"refresh must be None, 'files', 'changed' or 'all', not {refresh!r}")


@rule
def validate_upgrades(upgrades: object) -> None:
    """`upgrades` is one of the two things that it can be."""
    if upgrades not in ("ask", "keep-approval"):
        raise ValidationError(f"upgrades must be 'ask' or 'keep-approval', not {upgrades!r}")


@rule
def validate_broken(broken: object) -> None:
    """`broken` is one of the two things that it can be."""
    if broken not in ("refuse", "record"):
        raise ValidationError(f"broken must be 'refuse' or 'record', not {broken!r}")


@rule
def validate_settle_s(settle_s: object) -> None:
    """`settle_s` is a number of seconds, from 0 to some thirty years."""
    if isinstance(settle_s, bool) or not isinstance(settle_s, int | float) or not 0 <= settle_s <= _LONGEST_SETTLE_S:
        raise ValidationError(f"settle_s must be a number of seconds from 0 to {_LONGEST_SETTLE_S}, not {settle_s!r}")


@rule
def validate_max_missing(max_missing: object) -> None:
    """The part of the assets that may be missing is one of a whole, or left to the importer."""
    if isinstance(max_missing, bool) or not isinstance(max_missing, int | float | None) or not 0 <= (max_missing or 0) <= 1:
        raise ValidationError(f"max_missing must be a number from 0 to 1, not {max_missing!r}")


@rule
def validate_ingest_filters(filters: IngestFilters) -> None:
    """Season needs title, episode needs season, nothing is negative or blank, and a folder is named from the root on."""
    if not isinstance(filters, IngestFilters):
        raise ValidationError(f"these filters make no sense: they must be IngestFilters, not {filters!r}")
    validate_season_and_episode(filters.title, filters.season, filters.episode)
    if filters.under is not None and (
        not isinstance(filters.under, str) or not filters.under.startswith("/") or ".." in filters.under.split("/")
    ):
        raise ValidationError(
            f"these filters make no sense: under must be an absolute path without '..', not {filters.under!r}"
        )
    if isinstance(filters.exclude, str) or not all(isinstance(glob, str) and glob for glob in filters.exclude):
        raise ValidationError(f"these filters make no sense: exclude must be a tuple of glob patterns, not {filters.exclude!r}")
    filters.excludes("")  # an empty pattern is refused


@rule
def validate_exclude(collection: Collection, pattern: str) -> None:
    """The pattern is one that an ingest takes, can be kept, and is not excluded already; case and Unicode form aside."""
    validate_ingest_filters(IngestFilters(exclude=(pattern,)))
    if "\0" in pattern or not paths.is_utf8(pattern):
        raise ValidationError(f"exclude pattern {pattern!r} is not UTF-8: write ? or * for what is not")
    if folded(pattern) in map(folded, collection.excludes):
        raise ValidationError(f"collection {collection.name!r} excludes {pattern!r} already")


@rule
def validate_excluded(collection: Collection, pattern: str) -> str:
    """The collection has the pattern, which is returned as it is kept."""
    for kept in collection.excludes if isinstance(pattern, str) else ():
        if folded(kept) == folded(pattern):
            return kept
    has = ", ".join(map(repr, collection.excludes)) or "none"
    raise ValidationError(f"collection {collection.name!r} has no exclude {pattern!r}: it has {has}")


@rule
def validate_season_and_episode(title: object, season: object, episode: object) -> None:
    """A season is one of a title, an episode one of a season, and both count from 0."""
    problem = None
    if title is not None and (not isinstance(title, str) or not title.strip()):
        problem = f"the title must be text that is not blank, not {title!r}"
    elif not all(
        each is None or (isinstance(each, int) and not isinstance(each, bool) and each >= 0) for each in (season, episode)
    ):
        problem = f"season and episode must be whole numbers from 0, not {season!r} and {episode!r}"
    elif season is not None and title is None:
        problem = "a season needs a title"
    elif episode is not None and season is None:
        problem = "an episode needs a season"
    if problem is not None:
        raise ValidationError(f"title, season and episode make no sense: {problem}")


@rule
def validate_mapping(source_path: str, local_path: str) -> tuple[str, str]:
    """Both paths are whole and readable; they are returned in the spelling that the catalogue keeps."""
    if not isinstance(local_path, str) or not os.path.isabs(local_path) or ".." in local_path.split("/"):
        raise ValidationError(f"local path {local_path!r} must be absolute and without '..'")
    if not paths.is_utf8(local_path) or "\0" in local_path:
        raise ValidationError(f"local path {local_path!r} is not readable text")
    return paths.canonical_key(source_path), os.path.normpath(local_path)


@rule
def validate_folder_mapped(collection: Collection, under: str) -> str:
    """The folder is there, and lies below a mapped one: its path from that one on, without links."""
    _validate_root(under, refuse_empty=False)
    found = roots.located(under, collection.path_mappings)
    if found is None:
        real = os.path.realpath(under)
        leads = "" if real == under else f", which leads to {real!r},"
        mapped = some([repr(each.local_path) for each in collection.path_mappings], between=", ") or "none yet"
        raise ValidationError(
            f"folder {under!r}{leads} is below no mapped folder of collection {collection.name!r}; mapped: {mapped}"
        )
    return found


@rule
def validate_collections_to_ingest(db: Database, source: Source, under: str | None) -> list[Collection]:
    """The source has an enabled collection; where a folder is asked for, one that has it. All of these."""
    enabled = [each for each in collections.collections(db) if each.source_id == source.id and each.enabled]
    if not enabled:
        raise ValidationError(f"source {source.name!r} has no enabled collection: enable one first")
    having = [each for each in enabled if under is None or roots.located(under, each.path_mappings) is not None]
    if not having:
        raise ValidationError(
            f"folder {under!r} is below no mapped folder of an enabled collection of source {source.name!r}: "
            "`collection list` shows them"
        )
    return having


@rule
def validate_path_mappings(collection: Collection, under: str | None, *, refuse_empty: bool) -> None:
    """What is to be looked at of every mapped folder is there and can be read, and is not empty where that is refused."""
    if not collection.path_mappings:
        raise ValidationError(f"collection {collection.name!r} has no path mapping: map a source path to a local folder first")
    for folder in paths.starts(collection.path_mappings, under).values():
        _validate_root(folder, refuse_empty=refuse_empty)


def _validate_root(folder: str, *, refuse_empty: bool) -> None:
    verdict = roots.root_status(folder)
    if verdict.problem is not None:
        raise ResourceError(verdict.problem) from verdict.error
    if refuse_empty and verdict.state is roots.RootState.EMPTY:
        raise ResourceError(
            f"folder {folder!r} is empty, but the catalogue has assets of its collection: is its disk mounted? "
            "If it was emptied on purpose, say so with allow_empty=True (--allow-empty)"
        )


@rule
def validate_new_root(path: str) -> None:
    """The folder is there, can be read, and has something in it."""
    verdict = roots.root_status(path)
    if verdict.problem is not None:
        raise ResourceError(verdict.problem) from verdict.error
    if verdict.state is roots.RootState.EMPTY:
        raise ResourceError(f"folder {path!r} is empty: is its disk mounted, and were the files copied?")


@rule
def validate_min_found(min_found: object) -> None:
    """The part of the files that must be found is one of a whole."""
    if isinstance(min_found, bool) or not isinstance(min_found, int | float) or not 0 <= min_found <= 1:
        raise ValidationError(f"min_found must be a number from 0 to 1, not {min_found!r}")


@rule
def validate_source_connectivity(source: Source, importer: Importer) -> None:
    """The source can be reached and lets us in: its importer says so."""
    owner = f"source {source.name!r} ({source.type})"
    plugins.check(owner, importer.check, config=source.config, timeout_s=plugins.timeout_of(owner, importer))


@rule
def validate_no_conflicting_operations(op: Operation, collection: Collection) -> None:
    """Nobody else is working on the collection; from here to the end of the unit, nobody else can."""
    try:
        op.claim(collection.id)
    except ConflictError as error:
        holder = error.holder
        raise ConflictError(
            f"collection {collection.name!r} is in use: {holder.operation} of process {holder.pid} has been working on it "
            f"since {holder.started_at}; wait until it is done",
            holder=holder,
        ) from error


@rule
def validate_collection_accessible(collection: Collection, mapping: PathMapping) -> None:
    """The collection is enabled and the folder that a draft comes from is there."""
    validate_collection_enabled(collection)
    _validate_root(mapping.local_path, refuse_empty=False)


@rule
def validate_enrichers_available(enrichers: Sequence[ReadyEnricher]) -> None:
    """Each enricher has what it needs: it says so itself."""
    for each in enrichers:
        plugins.check(f"enricher {each.type!r}", each.enricher.check, config=each.config)


@rule
def validate_collection_unchanged(db: Database, seen: Collection) -> None:
    """The collection, its mappings, enrichers and excludes are still what pre-flight saw."""
    now = next((each for each in collections.collections(db) if each.id == seen.id), None)
    if now != seen:
        raise ValidationError(f"collection {seen.name!r} was changed while its files were looked at: run it again")


@rule
def validate_wipe_prerequisites(db: Database, collection: Collection, options: WipeOptions) -> None:
    """The collection holds exactly as many assets as the caller expects, where it says."""
    if options.expect_assets is None:
        return
    count = collections.count_assets(db, collection.id)
    if count != options.expect_assets:
        raise ValidationError(
            f"collection {collection.name!r} holds {amount(count, 'asset')}, not the expected {options.expect_assets}: "
            "nothing was wiped"
        )


@rule
def validate_forget_options(older_than: object, max_fraction: object) -> None:
    """The age is a time span, the fraction one of a whole."""
    if older_than is not None and (not isinstance(older_than, timedelta) or not timedelta(0) <= older_than < _LONGEST_AGE):
        raise ValidationError(f"older_than must be a timedelta from 0 to a thousand years, not {older_than!r}")
    if not isinstance(max_fraction, int | float) or not 0 <= max_fraction <= 1:
        raise ValidationError(f"max_fraction must be a number from 0 to 1, not {max_fraction!r}")


@rule
def validate_forget_bounds(
    db: Database, collection: Collection, doomed: int, *, expect_assets: int | None, max_fraction: float
) -> None:
    """No more assets are to go than the caller expects, nor than a part of the collection that can be meant."""
    if expect_assets is not None and doomed != expect_assets:
        raise ValidationError(
            f"{amount(doomed, 'asset')} of collection {collection.name!r} would be forgotten, not the expected "
            f"{expect_assets}: nothing was forgotten"
        )
    count = collections.count_assets(db, collection.id)
    if doomed > max_fraction * count:
        raise ValidationError(
            f"{doomed} of the {count} assets of collection {collection.name!r} would be forgotten, more than the fraction of "
            f"{max_fraction:g} that may be: is a disk not mounted, or a folder moved? If they are gone for good, say so with a "
            "larger max_fraction (--max-fraction)"
        )
