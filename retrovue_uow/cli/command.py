"""Makes a command of a function that takes an open catalogue and returns what is to be shown."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import attrs
import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Command, Group
from retrovue_uow.cli.output import Listing, changed, counted, print_json
from retrovue_uow.cli.text import plain, say
from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.model import Result

R = TypeVar("R")
Opens = Literal["reading", "changing", "making", "nothing"]


@attrs.frozen
class Page:
    """What a command shows that is more than one value of the library.

    Attributes:
        document: It as JSON.
        lines: It for people, given whether they want all of it.
        complaints: What is wrong, for standard error after all else.
        exit_code: What the command exits with.
    """

    document: object
    lines: Callable[[bool], Iterable[str]]
    complaints: Sequence[str] = ()
    exit_code: int = 0


def option(name: str, help_: str, **more: Any) -> click.Option:
    """An option of a command."""
    return click.Option(name.split(), help=help_, **more)


def flag(name: str, help_: str) -> click.Option:
    """An option without a value."""
    return option(name, help_, is_flag=True)


def argument(name: str, help_: str, **more: Any) -> click.Argument:
    """What a command is about, shown in capitals."""
    return click.Argument([name], help=help_, **more)


FILE = click.Path(readable=False)
"""A file or folder, which the shell completes, and which only the library judges."""
CATALOG = option(
    "--catalog", "The catalogue to work on.", type=FILE, default="catalog.db", envvar="RETROVUE_CATALOG", metavar="FILE"
)
JSON = flag("--json", "Print JSON, and nothing else, on standard output.")
QUIET = flag("-q --quiet", "Print nothing but questions and errors.")
VERBOSE = flag("-v --verbose", "Tell row by row what changed, or would; of an ingest, also what was left out.")
DRY_RUN = flag("--dry-run", "Do the whole work, report it, and keep nothing.")
FORCE = flag("--force", "Do not ask.")
FORMATS = ("table", "json", "jsonl", "csv", "tsv")
LISTING = (
    option("--output", "How to print it.", type=click.Choice(FORMATS), default="table"),
    option("--columns", "Only these, by their names in the JSON.", metavar="NAME,…"),
    option("--sort", "Sort by this column, then the next; -NAME: the last first.", metavar="NAME,…"),
)
LIMIT = option("--limit -n", "Only the first N.", type=click.IntRange(min=0), metavar="N")


def command(
    group: Group | None,
    name: str,
    *parameters: click.Parameter,
    opens: Opens = "reading",
    shows: Callable[[Any], Iterable[str]] | None = None,
    lists: Listing | None = None,
    tries: bool = False,
    agrees: bool = False,
    verbose: bool = False,
) -> Callable[[Callable[..., Any]], click.Command]:
    """A command called `name`, in `group` or at the top, from a function whose docstring is its help.

    The function takes the catalogue, opened as `opens` says (`making`: made if it is not there; `nothing`: its path), and a
    keyword for each parameter. What it returns is shown as a list (`lists`), by `shows`, or as the `Page` that it is; None: the
    user did not agree. With `tries` it takes `dry_run`; with `agrees` it takes `agreed` instead, and asks by it.
    """
    own = {str(each.name) for each in parameters}
    asking = (FORCE,) * agrees + (DRY_RUN,) * (tries or agrees)
    listing = (*LISTING, *(LIMIT,) * ("limit" not in own))
    telling = (*(VERBOSE,) * (tries or agrees or verbose), QUIET)

    def decorated(function: Callable[..., Any]) -> click.Command:
        def run(**given: Any) -> int:
            asked = {each: given[each] for each in own}
            if tries:
                asked["dry_run"] = given["dry_run"]
            if agrees:
                asked["agreed"] = partial(agreed, force=given["force"], dry_run=given["dry_run"])
            if opens == "nothing":
                return _shown(function(given["catalog"], **asked), shows, given)
            with _opened(given["catalog"], opens) as catalog:
                found = function(catalog, **asked)
                if lists is not None:
                    lists.show(found, given, footer=lists.footer and lists.footer(catalog))
                    return 0
            return _shown(found, shows, given)

        made = Command(
            name,
            params=[*parameters, *asking, CATALOG, *((*listing, QUIET) if lists else telling), JSON],
            callback=run,
            help=inspect.getdoc(function),
        )
        if group is not None:
            group.add_command(made)
        return made

    return decorated


def calls(group: Group, name: str, method: str, help_: str, *parameters: click.Parameter, **how: Any) -> None:
    """A command that calls a method of the catalogue with its parameters, in their order; `how` is as for `command`."""

    def call(catalog: Catalog, **asked: Any) -> Any:
        return getattr(catalog, method)(*(asked[str(each.name)] for each in parameters))

    call.__doc__ = help_
    command(group, name, *parameters, **how)(call)


def agreed(
    act: Callable[..., R],
    question: Callable[[Any], str],
    *,
    force: bool,
    dry_run: bool,
    is_sure: bool = False,
    preview: Callable[[], Result] | None = None,
    details: Callable[[Any], Iterable[str]] = lambda _: (),
) -> R | None:
    """What `act(seen, dry_run=…)` returns, once the user has seen its dry run, or the preview, and typed `yes`; else None.

    Who forces it, is sure, or wants the dry run alone is not asked, and has seen nothing: None. Nor is anybody asked where
    nothing would change. Where nobody can be asked, nothing is done. `details` are shown before the changed rows.
    """
    previewed = preview() if preview else None  # refuses what it must before any long work
    if force or dry_run or is_sure:
        return act(None, dry_run=dry_run)
    seen: Any = previewed or act(None, dry_run=True)
    if seen.changes is not None and not seen.changes.counts:
        return act(seen, dry_run=False)
    sentence = question(seen)
    if not sys.stdin.isatty():
        raise ValidationError(f"{sentence}, and there is no terminal to ask at: say --force, or --dry-run to only look")
    rows = counted(seen.changes, sys.stderr) if seen.changes is not None else ()
    say([plain(f"{sentence}:"), *details(seen), *rows], sys.stderr)  # so that standard output stays the result's
    sys.stderr.write("type yes to go on: ")
    sys.stderr.flush()
    return act(seen, dry_run=False) if sys.stdin.readline().removesuffix("\n") == "yes" else None


def is_made(path: str) -> bool:
    """Whether there is a catalogue to read: an empty file is none yet."""
    return os.path.exists(path) and os.path.getsize(path) > 0


def _opened(path: str, opens: Opens) -> Catalog:
    """Only `ingest` and `source add` make a catalogue; to everybody else a missing one is a mistyped one."""
    if opens != "making" and not is_made(path):
        what = f"catalogue {path!r} is an empty file" if os.path.exists(path) else f"there is no catalogue {path!r}"
        raise ResourceError(f"{what}: name one with --catalog, or make one with `retrovue-uow ingest FOLDER`")
    return Catalog(path, read_only=opens == "reading")


def _shown(found: Any, shows: Callable[[Any], Iterable[str]] | None, given: Mapping[str, Any]) -> int:
    """Print what a command found or did; its exit code."""
    if found is None:
        found = Page({"cancelled": True}, lambda _: ["cancelled"])
    verbose = given.get("verbose", False)
    page = found if isinstance(found, Page) else Page(found, lambda _: _report(found, shows, verbose=verbose))
    if given["json"]:
        print_json(page.document, verbose=verbose)
    elif not given["quiet"]:
        say(page.lines(verbose))
    sys.stdout.flush()
    say(page.complaints, sys.stderr)
    return page.exit_code


def _report(found: Any, shows: Callable[[Any], Iterable[str]] | None, *, verbose: bool) -> Iterator[str]:
    yield from shows(found) if shows else ()
    yield from changed(found, verbose=verbose) if isinstance(found, Result) else ()
