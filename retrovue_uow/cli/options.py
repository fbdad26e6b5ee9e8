"""The options and arguments that several commands share, with what the shell completes in them, and what they stand for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

import click
from click.shell_completion import CompletionItem

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import COMPLETE
from retrovue_uow.cli.command import argument, flag, option
from retrovue_uow.errors import RetroVueError, ValidationError
from retrovue_uow.media.roots import absolute
from retrovue_uow.model import (
    ASSET_KINDS,
    ASSET_STATES,
    VERSIONS,
    Asset,
    AssetSelector,
    IngestFilters,
    Refresh,
    TitleKind,
    folded,
    printed_title,
)
from retrovue_uow.operations import explain
from retrovue_uow.operations.select import Assets

Asked = dict[str, Any]
"""The arguments of an ingest by their names in the library."""
_AGES = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST_NUMBER = 6
_SPECIAL = re.compile(r"([^\w@%+=:,./-])")


def naming(names: Callable[[Catalog], Iterable[str]]) -> Callable[..., list[CompletionItem]]:
    """Completes an argument with names that the catalogue has."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            with Catalog(context.params["catalog"], read_only=True) as catalog:
                found = [each for each in names(catalog) if folded(each).startswith(folded(begun))]
        except RetroVueError:
            return []
        is_bash = os.environ.get(COMPLETE, "").startswith("bash")  # where we quote, and `read` eats a backslash
        return [CompletionItem(_SPECIAL.sub(r"\\\\\1", each) if is_bash else each) for each in found]

    return complete


_collections = naming(lambda catalog: (each.name for each in catalog.collections()))
_sources = naming(lambda catalog: (each.name for each in catalog.sources()))
_titles = naming(lambda catalog: (printed_title(each.name, each.year) for each in catalog.titles()))
enricher_types = naming(lambda catalog: sorted(catalog.enrichers))

SOURCE = argument("source", "Name or id of the source.", shell_complete=_sources)
COLLECTION = argument("collection", "Name or id of the collection.", shell_complete=_collections)
OF_COLLECTION = argument("collection", "Only those of this collection.", required=False, shell_complete=_collections)
OF_SOURCE = option("--source", "Only those of this source.", shell_complete=_sources)
TITLE = argument("title", "Name, name with (year), or id of a show or movie.", shell_complete=_titles)
TITLE_KIND = option("--kind", "Only those of this kind.", type=click.Choice(get_args(TitleKind)))
INTO = option("--into", "The title that stays.", metavar="TITLE", required=True, shell_complete=_titles)
ASSET = argument("asset", "Its id, or the path of its file.")
CONFIG = option("--config", "Its configuration, a JSON object.", metavar="JSON", default="{}")
EXCLUDE = option(
    "--exclude", "Leave out files and folders that match; may be given several times.", multiple=True, metavar="GLOB"
)
INGESTING_ALL = (
    EXCLUDE,
    flag("--allow-empty", "Believe that an empty folder was emptied on purpose."),
    flag("--strict-names", "Refuse files whose names tell nothing, rather than ingest them as other."),
    flag("--strict", "Refuse broken files, links and names that are not UTF-8, rather than report them."),
    option(
        "--settle", "Leave files for next time that changed within so many seconds.", type=float, default=0.0, metavar="SECONDS"
    ),
    option(
        "--max-missing",
        "Refuse if more of the assets would be missing than this part, from 0 to 1; of a server 0.5.",
        type=float,
        metavar="PART",
    ),
)
INGESTING = (
    option(
        "--refresh",
        "Read again, of the files that are known: those that changed, also those that older enrichers saw, all.",
        type=click.Choice([*get_args(Refresh), "none"]),
        default="files",
    ),
    option("--under", "Ingest only what lies below this folder, and look at nothing else.", metavar="PATH"),
    option("--title", "Ingest only this show or movie.", shell_complete=_titles),
    option("--year", "The year of --title, where several have that name.", type=int),
    option("--season", "Ingest only this season of --title.", type=int),
    option("--episode", "Ingest only this episode of --season.", type=int),
    *INGESTING_ALL,
)
DESCRIBING = (
    option("--path", "Only those whose path, or its end, matches (* ? [abc]): 'Season 01/*'.", metavar="GLOB"),
    option("--kind", "Only those of this kind.", type=click.Choice(ASSET_KINDS)),
    option("--state", "Only those in this state.", type=click.Choice(ASSET_STATES)),
    option("--missing/--present", "Only those whose files were not found, or were.", default=None),
    option("--approved/--unapproved", "Only those that are approved, or not.", default=None),
    option("--unclassified", "Only those that nothing could classify.", is_flag=True, default=None),
    option("--broken/--sound", "Only those whose file is broken, or is not.", default=None),
    option("--title", "Only those of this show or movie.", shell_complete=_titles),
    option("--year", "The year of --title, where several have that name.", type=int),
    option("--season", "Only those of this season of --title.", type=int),
    option("--episode", "Only those of this episode of --season.", type=int),
    option(
        "--versions",
        "Only what may be scheduled: of files that show the same the one to air, or all.",
        type=click.Choice(VERSIONS),
    ),
)
NAMING = (
    argument("assets", "Assets, by id or path of the file.", nargs=-1, metavar="[ASSET]..."),
    option("--collection", "Only those of this collection.", metavar="COLLECTION", shell_complete=_collections),
    *DESCRIBING,
)
EXPECT_ASSETS = option("--expect-assets", "Do not ask, and refuse unless exactly N are selected.", type=int, metavar="N")


def request(
    *,
    exclude: Sequence[str],
    strict: bool,
    settle: float,
    refresh: Refresh | Literal["none"] = "files",
    under: str | None = None,
    title: str | None = None,
    year: int | None = None,
    season: int | None = None,
    episode: int | None = None,
    **more: float | None,
) -> Asked:
    """What the options of an ingest stand for."""
    return {
        "filters": IngestFilters(_printed(title, year), season, episode, tuple(exclude), under and absolute(under)),
        "refresh": None if refresh == "none" else refresh,
        "broken": "refuse" if strict else "record",
        "settle_s": settle,
        **more,
    }


def selector(*, title: str | None, year: int | None, **more: Any) -> AssetSelector:
    """What the options describe."""
    return AssetSelector(title=_printed(title, year), **more)


def _printed(title: str | None, year: int | None) -> str | None:
    if title is None and year is not None:
        raise ValidationError("a year needs a title: say --title too")
    return None if title is None else printed_title(title, year)


def selected(catalog: Catalog, assets: Sequence[str], described: AssetSelector) -> Assets:
    """The assets that are named or described. Selecting everything by saying nothing is a slip, and refused."""
    is_described = described != AssetSelector()
    if assets and is_described:
        raise ValidationError("name assets, or describe them by options, not both")
    if not assets and not is_described:
        raise ValidationError("name assets, or describe them by options: --collection, --path, --title, …")
    return [asset_named(catalog, each).id for each in assets] if assets else described


def asset_named(catalog: Catalog, selector: str) -> Asset:
    """The asset with that identifier, key or file."""
    named = explain.asset_named(catalog.database, selector)
    if named is None:
        raise ValidationError(f"{selector!r} is no asset: {'; '.join(catalog.explain(selector).reasons)}")
    return named


def age(text: str | None) -> timedelta | None:
    """The time span that `--older-than` was given, such as `90d`, `12h` or `2w`."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or len(number) > _LONGEST_NUMBER or unit not in _AGES:
        raise ValidationError(f"--older-than {text!r} is not an age: write it like 90d, 12h or 2w")
    return int(number) * _AGES[unit]


def json_object(text: str) -> dict[str, object]:
    """The JSON object that `--config` was given."""
    try:
        value: object = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:  # its text may hold a secret, and is not told
        raise ValidationError(f'--config is not JSON ({error}): write it like \'{{"root": "/media"}}\'') from None
    if not isinstance(value, dict):
        raise ValidationError('--config is not a JSON object: write it like \'{"root": "/media"}\'')
    return value


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubled = sorted(name for name in found if [each for each, _ in pairs].count(name) > 1)
        raise ValueError(f"it says {doubled} more than once")
    return found
