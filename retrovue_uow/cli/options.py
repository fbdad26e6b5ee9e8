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
        is_bash = os.environ.get(COMPLETE, "").startswith("bash")  # the only shell that leaves it to us to quote
        return [CompletionItem(_SPECIAL.sub(r"\\\1", each) if is_bash else each) for each in found]

    return complete


_collections = naming(lambda catalog: (each.name for each in catalog.collections()))
_sources = naming(lambda catalog: (each.name for each in catalog.sources()))
_titles = naming(lambda catalog: (printed_title(each.name, each.year) for each in catalog.titles()))
enricher_types = naming(lambda catalog: sorted(catalog.enrichers))

SOURCE = click.Argument(["source"], metavar="SOURCE", help="Name or id of the source.", shell_complete=_sources)
COLLECTION = click.Argument(
    ["collection"], metavar="COLLECTION", help="Name or id of the collection.", shell_complete=_collections
)
OF_COLLECTION = click.Argument(
    ["collection"], metavar="[COLLECTION]", required=False, help="Only those of this collection.", shell_complete=_collections
)
OF_SOURCE = click.Option(["--source"], help="Only those of this source.", shell_complete=_sources)
TITLE = click.Argument(
    ["title"], metavar="TITLE", help="Name, name with (year), or id of a show or movie.", shell_complete=_titles
)
TITLE_KIND = click.Option(["--kind"], type=click.Choice(get_args(TitleKind)), help="Only those of this kind.")
INTO = click.Option(["--into"], metavar="TITLE", required=True, help="The title that stays.", shell_complete=_titles)
ASSET = click.Argument(["asset"], metavar="ASSET", help="Its id, or the path of its file.")
CONFIG = click.Option(["--config"], metavar="JSON", default="{}", help="Its configuration, a JSON object.")
EXCLUDE = click.Option(
    ["--exclude"], multiple=True, metavar="GLOB", help="Leave out files and folders that match; may be given several times."
)
INGESTING_ALL = (
    EXCLUDE,
    click.Option(["--allow-empty"], is_flag=True, help="Believe that an empty folder was emptied on purpose."),
    click.Option(
        ["--strict-names"], is_flag=True, help="Refuse files whose names tell nothing, rather than ingest them as other."
    ),
    click.Option(
        ["--strict"], is_flag=True, help="Refuse broken files, links and names that are not UTF-8, rather than report them."
    ),
    click.Option(
        ["--settle"],
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="Leave files for next time that changed within so many seconds.",
    ),
    click.Option(
        ["--max-missing"],
        type=float,
        metavar="PART",
        help="Refuse if more of the assets would be missing than this part, from 0 to 1; of a server 0.5.",
    ),
)
INGESTING = (
    click.Option(
        ["--refresh"],
        type=click.Choice([*get_args(Refresh), "none"]),
        default="files",
        help="Read again, of the files that are known: those that changed, also those that older enrichers saw, all.",
    ),
    click.Option(["--under"], metavar="PATH", help="Ingest only what lies below this folder, and look at nothing else."),
    click.Option(["--title"], help="Ingest only this show or movie.", shell_complete=_titles),
    click.Option(["--season"], type=int, help="Ingest only this season of --title."),
    click.Option(["--episode"], type=int, help="Ingest only this episode of --season."),
    *INGESTING_ALL,
)
DESCRIBING = (
    click.Option(["--path"], metavar="GLOB", help="Only those whose path, or its end, matches (* ? [abc]): 'Season 01/*'."),
    click.Option(["--kind"], type=click.Choice(ASSET_KINDS), help="Only those of this kind."),
    click.Option(["--state"], type=click.Choice(ASSET_STATES), help="Only those in this state."),
    click.Option(["--missing/--present"], default=None, help="Only those whose files were not found, or were."),
    click.Option(["--approved/--unapproved"], default=None, help="Only those that are approved, or not."),
    click.Option(["--unclassified"], is_flag=True, default=None, help="Only those that nothing could classify."),
    click.Option(["--broken/--sound"], default=None, help="Only those whose file is broken, or is not."),
    click.Option(["--title"], help="Only those of this show or movie.", shell_complete=_titles),
    click.Option(["--season"], type=int, help="Only those of this season of --title."),
    click.Option(["--episode"], type=int, help="Only those of this episode of --season."),
    click.Option(
        ["--versions"],
        type=click.Choice(VERSIONS),
        help="Only what may be scheduled: of files that show the same the one to air, or all.",
    ),
)
NAMING = (
    click.Argument(["assets"], nargs=-1, metavar="[ASSET]...", help="Assets, by id or path of the file."),
    click.Option(["--collection"], metavar="COLLECTION", help="Only those of this collection.", shell_complete=_collections),
    *DESCRIBING,
)
EXPECT_ASSETS = click.Option(
    ["--expect-assets"], type=int, metavar="N", help="Do not ask, and refuse unless exactly N are selected."
)


def request(
    *,
    exclude: Sequence[str],
    strict: bool,
    settle: float,
    refresh: Refresh | Literal["none"] = "files",
    under: str | None = None,
    title: str | None = None,
    season: int | None = None,
    episode: int | None = None,
    **more: float | None,
) -> Asked:
    """What the options of an ingest stand for."""
    return {
        "filters": IngestFilters(title, season, episode, tuple(exclude), under and absolute(under)),
        "refresh": None if refresh == "none" else refresh,
        "broken": "refuse" if strict else "record",
        "settle_s": settle,
        **more,
    }


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
