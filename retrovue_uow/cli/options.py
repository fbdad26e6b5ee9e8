"""The options and arguments that several commands share, with what the shell completes in them, and what they stand for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
    split_arg_string,
)

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import COMPLETE, NAME
from retrovue_uow.cli.command import FILE, argument, flag, option
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
_OPTION = re.compile(r"--[^=]+=")
_ENDS_IN_BASH = re.compile(r"\n([:=@]+)(?:\n|$)")
_OPTION_IN_BASH = re.compile(r"(\n--[^\n]+)\n=\n?")
_SPECIAL = {
    "'": (re.compile("'"), r"'\\''"),
    '"': (re.compile(r'(["$`\\])'), r"\\\1"),
    "": (re.compile(r"([^\w@%+=:,./-])"), r"\\\1"),
}
"""By the quote in front of a name: what of it bash would not take for itself, and what stands for that."""


class _Whole(ShellComplete):
    """A shell that puts a name in place of a whole word, which may be `--title=Doc`."""

    option = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words in front, and the one to complete."""
        args, word = super().get_completion_args()
        found = _OPTION.match(word)
        self.option = found[0] if found else ""
        return args, word

    def format_completion(self, item: CompletionItem[str]) -> str:
        """What the shell's function reads."""
        item.value = self.option + item.value
        return super().format_completion(item)


class _Zsh(_Whole, ZshComplete):
    """zsh."""


class _Fish(_Whole, FishComplete):
    """fish, whose function in click ends a name or a description at its first comma."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


class _Bash(BashComplete):
    """bash, to which a word ends at `:`, `=` and `@`, and which takes names as they have to stand in the line."""

    kept = 0
    quote = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words in front, and the one to complete."""
        words = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
        whole = _ENDS_IN_BASH.sub(r"\1", _OPTION_IN_BASH.sub(r"\1\n", "\n".join(words)))
        os.environ |= {"COMP_WORDS": whole, "COMP_CWORD": str(whole.count("\n"))}
        args, word = super().get_completion_args()
        end = words[-1].lstrip(":=@")
        self.kept = len(word) - len("".join(split_arg_string(end)))
        self.quote = end[:1] if end[:1] in _SPECIAL else ""
        return args, word

    def format_completion(self, item: CompletionItem[str]) -> str:
        """What the shell's function reads, of which `read` eats a backslash."""
        special, instead = _SPECIAL[self.quote]
        item.value = special.sub(instead, item.value[self.kept :]).replace("\\", "\\\\")
        return super().format_completion(item)


def completed(app: click.Command, instruction: str) -> int:
    """Tell a shell how to complete the command line, or what completes it; the exit code."""
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)
    return shell_complete(app, {}, NAME, COMPLETE, instruction)


def naming(names: Callable[[Catalog], Iterable[str]]) -> Callable[..., list[CompletionItem]]:
    """Completes an argument with names that the catalogue has."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            with Catalog(context.params["catalog"], read_only=True) as catalog:
                found = [each for each in names(catalog) if folded(each).startswith(folded(begun))]
        except RetroVueError:
            return []
        return [*map(CompletionItem, found)]

    return complete


_collections = naming(lambda catalog: (each.name for each in catalog.collections()))
_sources = naming(lambda catalog: (each.name for each in catalog.sources()))
titles_there = naming(lambda catalog: (printed_title(each.name, each.year) for each in catalog.titles()))
enricher_types = naming(lambda catalog: sorted(catalog.enrichers))

SOURCE = argument("source", "Name or id of the source.", shell_complete=_sources)
COLLECTION = argument("collection", "Name or id of the collection.", shell_complete=_collections)
OF_COLLECTION = argument("collection", "Only those of this collection.", required=False, shell_complete=_collections)
OF_SOURCE = option("--source", "Only those of this source.", shell_complete=_sources)
TITLE = argument("title", "Name, name with (year), or id of a show or movie.", shell_complete=titles_there)
TITLE_KIND = option("--kind", "Only those of this kind.", type=click.Choice(get_args(TitleKind)))
INTO = option("--into", "The title that stays.", metavar="TITLE", required=True, shell_complete=titles_there)
ASSET = argument("asset", "Its id, or the path of its file.", type=FILE)
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
    option("--under", "Ingest only what lies below this folder, and look at nothing else.", type=FILE, metavar="PATH"),
    option("--title", "Ingest only this show or movie.", shell_complete=titles_there),
    option("--year", "The year of --title, where several have that name.", type=int),
    option("--season", "Ingest only this season of --title.", type=int),
    option("--episode", "Ingest only this episode of --season.", type=int),
    *INGESTING_ALL,
)
DESCRIBING = (
    option("--path", "Only those whose path, or its end, matches (* ? [abc]): 'Season 01/*'.", metavar="GLOB"),
    option("--kind", f"Only those of this kind: {', '.join(ASSET_KINDS)}.", type=click.Choice(ASSET_KINDS), metavar="KIND"),
    option("--state", "Only those in this state.", type=click.Choice(ASSET_STATES)),
    option("--missing/--present", "Only those whose files were not found, or were.", default=None),
    option("--approved/--unapproved", "Only those that are approved, or not.", default=None),
    option("--unclassified", "Only those that nothing could classify.", is_flag=True, default=None),
    option("--broken/--sound", "Only those whose file is broken, or is not.", default=None),
    option("--title", "Only those of this show or movie.", shell_complete=titles_there),
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
    argument("assets", "Assets, by id or path of the file.", type=FILE, nargs=-1, metavar="[ASSET]..."),
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
