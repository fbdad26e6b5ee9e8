"""Makes a command of a function that takes an open catalogue and returns what is to be shown."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Command, Group
from retrovue_uow.cli.consent import agreed
from retrovue_uow.cli.output import Listing, changed, print_json, say
from retrovue_uow.errors import ResourceError
from retrovue_uow.model import Result

Opens = Literal["reading", "changing", "making", "nothing"]
CATALOG = click.Option(
    ["--catalog"], default="catalog.db", envvar="RETROVUE_CATALOG", metavar="FILE", help="The catalogue to work on."
)
JSON = click.Option(["--json"], is_flag=True, help="Print JSON, and nothing else, on standard output.")
QUIET = click.Option(["-q", "--quiet"], is_flag=True, help="Print nothing but questions and errors.")
VERBOSE = click.Option(
    ["-v", "--verbose"], is_flag=True, help="Tell row by row what changed, or would; of an ingest, also what was left out."
)
DRY_RUN = click.Option(["--dry-run"], is_flag=True, help="Do the whole work, report it, and keep nothing.")
FORCE = click.Option(["--force"], is_flag=True, help="Do not ask.")
LISTING = (
    click.Option(
        ["--output"], type=click.Choice(["table", "json", "jsonl", "csv", "tsv"]), default="table", help="How to print it."
    ),
    click.Option(["--columns"], metavar="NAME,…", help="Only these, by their names in the JSON."),
    click.Option(["--sort"], metavar="NAME", help="Sort by this column; -NAME: the last first."),
)
LIMIT = click.Option(["--limit", "-n"], type=click.IntRange(min=0), metavar="N", help="Only the first N.")


class Page:
    """What a command shows that is more than one value of the library."""

    @property
    def exit_code(self) -> int:
        """What the command exits with."""
        return 0

    def document(self) -> object:
        """It as JSON."""
        raise NotImplementedError

    def lines(self, *, verbose: bool) -> Iterable[str]:
        """It for people."""
        raise NotImplementedError

    def complain(self) -> None:
        """Print on standard error what is wrong, after all else."""


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
            params=[*parameters, *asking, CATALOG, *(listing if lists else telling), JSON],
            callback=run,
            help=inspect.getdoc(function),
        )
        if group is not None:
            group.add_command(made)
        return made

    return decorated


def _opened(path: str, opens: Opens) -> Catalog:
    """Only `ingest` and `source add` make a catalogue; to everybody else a missing one is a mistyped one."""
    if opens != "making" and not os.path.exists(path):
        raise ResourceError(
            f"there is no catalogue {path!r}: name one with --catalog, or make one with `retrovue-uow ingest FOLDER`"
        )
    return Catalog(path, read_only=opens == "reading")


def _shown(found: Any, shows: Callable[[Any], Iterable[str]] | None, given: Mapping[str, Any]) -> int:
    """Print what a command found or did; its exit code."""
    verbose, page = given.get("verbose", False), found if isinstance(found, Page) else None
    if given["json"]:
        document = {"cancelled": True} if found is None else found if page is None else page.document()
        print_json(document, verbose=verbose)
    elif found is None:
        say(["cancelled"])
    elif not given["quiet"]:
        say(page.lines(verbose=verbose) if page is not None else shows(found) if shows else ())
        if isinstance(found, Result):
            say(changed(found, verbose=verbose))
    sys.stdout.flush()
    if page is not None:
        page.complain()
        return page.exit_code
    return 0
