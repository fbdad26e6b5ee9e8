"""Collections: the parts of a source that are ingested and wiped as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import attrs
import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli import ingesting
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.command import FILE, Page, argument, calls, command, flag, option
from retrovue_uow.cli.options import COLLECTION, INGESTING, INGESTING_ALL, OF_SOURCE, SOURCE, age, request
from retrovue_uow.cli.output import Listing, Long, compact, facts, moment
from retrovue_uow.cli.reports import forget_report, relocate_report, wipe_report
from retrovue_uow.cli.text import plain
from retrovue_uow.errors import amount
from retrovue_uow.media.roots import absolute
from retrovue_uow.model import Collection, JournalUnit, Upgrades, WipeOptions
from retrovue_uow.results import ForgetResult, RelocateResult, WipeResult

collection = Group("collection", help="The parts of a source that are ingested and wiped as a whole.")
exclude = Group("exclude", help="What every ingest of a collection leaves out.")
COLLECTIONS = Listing(
    names=tuple(attrs.fields_dict(Collection)),
    headers=("collection", "enabled", "enrichers", "folder", "excludes"),
    row=lambda each: (
        Long(each.name),
        "yes" if each.enabled else "no",
        ", ".join(enricher.type for enricher in each.enrichers),
        Long(", ".join(mapping.local_path for mapping in each.path_mappings)),
        Long(", ".join(each.excludes)),
    ),
    empty="there are no collections yet",
)
_EXCLUDES = Listing(names=("exclude",), headers=("exclude",), row=lambda each: (Long(each),), empty="nothing is excluded")
_SOURCE_PATH = argument(
    "source_path",
    "The folder as the source names it.",
    callback=lambda _context, _parameter, path: absolute(path) if path.startswith(".") else path,
)
_UPGRADES = option(
    "--upgrades",
    "Whether a new file takes over the approval of a missing one that showed the same.",
    type=click.Choice(get_args(Upgrades)),
    required=True,
)


def collection_facts(found: Collection, **more: object) -> Any:
    """All about one collection, and more."""
    told = {
        "collection": found.name,
        "id": found.id,
        "source": found.source_id,
        "external id": found.external_id,
        "enabled": "yes" if found.enabled else "no",
        "mapped": "\n".join(
            plain(each.local_path if each.source_path == each.local_path else f"{each.source_path} -> {each.local_path}")
            for each in found.path_mappings
        ),
        "enrichers": "\n".join(f"{each.priority} {each.type} {compact(each.config)}" for each in found.enrichers),
        "excludes": "\n".join(map(plain, found.excludes)),
        "upgrades": found.upgrades,
    }
    return facts({**told, **more})


def _shown_ingest(unit: JournalUnit | None) -> str:
    """What an ingest did, in a line."""
    if unit is None:
        return "never"
    result = next((each.result for each in reversed(unit.operations) if each.name == "collection_ingest"), None)
    counts = result if isinstance(result, Mapping) else {}
    told = [f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if type(count) is int and count]
    undone = ", undone since" if unit.undone_by else ""
    return f"{moment(unit.committed_at)}: {', '.join(told) or 'nothing found'}{undone} (unit {unit.id})"


@command(
    collection,
    "add",
    SOURCE,
    argument("name", "What to call the collection."),
    option(
        "--folder",
        "A folder with its files, the same for the source; may be repeated.",
        type=FILE,
        multiple=True,
        metavar="FOLDER",
    ),
    option("--external-id", "What the source itself calls it."),
    flag("--disabled", "Keep it from being ingested for now."),
    opens="changing",
    shows=collection_facts,
)
def add(catalog: Catalog, source: str, name: str, folder: Sequence[str], external_id: str | None, disabled: bool) -> Collection:
    """Add a collection to a source. Attach enrichers to it before you ingest it."""
    mappings = {absolute(each): absolute(each) for each in folder}
    return catalog.add_collection(source, name, external_id=external_id, path_mappings=mappings, enabled=not disabled)


calls(collection, "list", "collections", "List every collection.", OF_SOURCE, lists=COLLECTIONS)


@command(collection, "show", COLLECTION)
def show(catalog: Catalog, collection: str) -> Page:
    """Show all about one collection and its last ingest."""
    found = catalog.collection(collection)
    last = catalog.last_ingest(found.id)
    document = {**attrs.asdict(found, recurse=False), "last_ingest": last}
    source = next(each.name for each in catalog.sources() if each.id == found.source_id)
    return Page(document, lambda _: collection_facts(found, **{"source": source, "last ingest": _shown_ingest(last)}))


def _changes(group: Group, name: str, method: str, help_: str, *parameters: click.Parameter) -> None:
    calls(group, name, method, help_, COLLECTION, *parameters, opens="changing", shows=collection_facts)


_changes(
    collection,
    "map",
    "map_path",
    "Say where a folder of the source is found on this machine.",
    _SOURCE_PATH,
    argument(
        "local_path", "The folder on this machine.", type=FILE, callback=lambda _context, _parameter, path: absolute(path)
    ),
)
_changes(collection, "unmap", "unmap_path", "Remove a path mapping through which no asset came.", _SOURCE_PATH)
_changes(collection, "set", "set_upgrades", "Say whether a better file takes over an approval.", _UPGRADES)
_PATTERN = argument("pattern", "Files and folders to leave out, such as '*.sample.*' or Extras.", metavar="GLOB")
_changes(
    exclude, "add", "exclude", "Leave out what matches from every ingest from now on. Known assets stay as they are.", _PATTERN
)
_changes(exclude, "remove", "unexclude", "Let the ingests of a collection see again what a pattern left out.", _PATTERN)


@command(exclude, "list", COLLECTION, lists=_EXCLUDES)
def exclude_list(catalog: Catalog, collection: str) -> Sequence[str]:
    """List what every ingest of a collection leaves out."""
    return catalog.collection(collection).excludes


@command(collection, "ingest", COLLECTION, *INGESTING, opens="changing", tries=True)
def ingest(catalog: Catalog, collection: str, dry_run: bool, **asked: Any) -> Page:
    """Bring what a collection's source has into the catalogue."""
    return ingesting.ingest(catalog, collection, request(**asked), dry_run=dry_run)


@command(collection, "rebuild", COLLECTION, *INGESTING_ALL, opens="changing", agrees=True)
def rebuild(catalog: Catalog, collection: str, agreed: Any, **asked: Any) -> Page | None:
    """Wipe a collection and ingest it anew, in one unit. One undo takes back both."""
    return ingesting.rebuild(catalog, collection, request(**asked), agreed)


@command(
    collection,
    "wipe",
    COLLECTION,
    option("--expect-assets", "Refuse unless the collection holds exactly N assets.", type=int, metavar="N"),
    opens="changing",
    agrees=True,
    shows=wipe_report,
)
def wipe(catalog: Catalog, collection: str, expect_assets: int | None, agreed: Any) -> Any:
    """Delete a collection's assets from the catalogue. Asks for a typed yes, and touches no media file."""

    def act(seen: WipeResult | None, *, dry_run: bool) -> WipeResult:
        expected = expect_assets if seen is None else seen.deleted["asset"]
        which = collection if seen is None else seen.collection.id
        return catalog.wipe_collection(which, WipeOptions(dry_run=dry_run, expect_assets=expected))

    return agreed(
        act,
        lambda seen: (
            f"wiping collection {seen.collection.name!r} deletes {amount(seen.deleted['asset'], 'asset')}, and no media file"
        ),
    )


@command(
    collection,
    "forget-missing",
    COLLECTION,
    option("--older-than", "Only those missing for longer than 90d, 12h, 2w, …", metavar="AGE"),
    option("--expect-assets", "Refuse unless exactly N assets would go.", type=int, metavar="N"),
    option("--max-fraction", "Refuse if more than this part of the collection would go.", type=float, default=0.1, metavar="F"),
    opens="changing",
    agrees=True,
    shows=forget_report,
)
def forget_missing(
    catalog: Catalog, collection: str, older_than: str | None, expect_assets: int | None, max_fraction: float, agreed: Any
) -> Any:
    """Delete those assets that are marked missing. Asks for a typed yes, and touches no media file."""
    long_ago = age(older_than)

    def act(seen: ForgetResult | None, *, dry_run: bool) -> ForgetResult:
        expected = expect_assets if seen is None else seen.forgotten
        return catalog.forget_missing(
            collection, older_than=long_ago, expect_assets=expected, max_fraction=max_fraction, dry_run=dry_run
        )

    return agreed(
        act, lambda seen: f"{amount(seen.forgotten, 'missing asset')} of collection {seen.collection.name!r} would be forgotten"
    )


@command(
    collection,
    "relocate",
    COLLECTION,
    argument("old", "The folder that is mapped now; it need not be there any more.", type=FILE),
    argument("new", "The folder that holds its files now.", type=FILE),
    option("--min-found", "Refuse unless this part of the files, from 0 to 1, is there.", type=float, default=0.9, metavar="F"),
    opens="changing",
    tries=True,
    shows=relocate_report,
)
def relocate(catalog: Catalog, collection: str, old: str, new: str, min_found: float, dry_run: bool) -> RelocateResult:
    """Map a collection to the folder where its files lie now. Its assets keep all that was said of them."""
    return catalog.relocate_collection(collection, absolute(old), absolute(new), min_found=min_found, dry_run=dry_run)


for _name, _done, _help in (
    ("enable", "enabled", "Let a collection be ingested."),
    ("disable", "disabled", "Keep a collection from being ingested. Its assets stay."),
    ("remove", "removed", "Remove a collection that has no assets."),
):
    calls(
        collection,
        _name,
        f"{_name}_collection",
        _help,
        COLLECTION,
        opens="changing",
        shows=lambda it, done=_done: [plain(f"{done} collection {it.name}")],
    )
collection.add_command(exclude)
