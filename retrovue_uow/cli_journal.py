"""The commands that look back, and take back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from retrovue_uow.cli_options import DEFAULT_CATALOG, AsJson, CatalogFile, DryRun, Force, Verbose, changing, reading

if TYPE_CHECKING:
    from retrovue_uow.model import UndoResult

history_app = typer.Typer(invoke_without_command=True)


@history_app.callback()
def history(
    ctx: typer.Context,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", metavar="N", help="How many units of work to list; 20, or all with --since.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="ID", help="Only what was done after this unit, the oldest first.")
    ] = None,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """List what was done to the catalogue, the newest first; or since a unit of work, the oldest first."""
    from retrovue_uow.cli_history import history_table
    from retrovue_uow.cli_output import show

    if ctx.invoked_subcommand is None:
        with reading(catalog) as opened:
            most = 20 if limit is None and since is None else limit
            table = partial(history_table, when="yet" if since is None else "since")
            show(opened.history(most, since=since), table, json=as_json)


@history_app.command("show")
def history_show(
    unit: Annotated[str, typer.Argument(metavar="ID", help="The unit, as `history` lists it.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Show all about one unit of work: its operations, and what they changed."""
    from retrovue_uow import cli_history

    with reading(catalog) as opened:
        page = cli_history.unit_page(opened, unit)
    cli_history.show_unit(page, json=as_json, verbose=verbose)


def undo(
    unit: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The unit, as `history` lists it; by default the last one not undone.")
    ] = None,
    force: Force = False,
    dry_run: DryRun = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Take back what a unit of work changed. Shows it first, asks for a typed yes, and can itself be undone."""
    from retrovue_uow import cli_history
    from retrovue_uow.cli_changes import show_decided

    with changing(catalog) as opened:
        unit_id = cli_history.last_undoable(opened) if unit is None else unit
        if dry_run:
            result: UndoResult | None = opened.undo(unit_id, dry_run=True)
        else:
            result = cli_history.undo(opened, unit_id, force=force)
    show_decided(result, cli_history.undo_report, json=as_json, verbose=verbose)
