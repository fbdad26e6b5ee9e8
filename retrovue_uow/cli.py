"""The command line `retrovue-uow`: its commands and options.

Commands import what they need when they run, and groups of commands are imported when one of theirs is wanted, so that `--help`
and a mistyped option answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from retrovue_uow.cli_journal import undo
from retrovue_uow.cli_options import (
    DEFAULT_CATALOG,
    AllowEmpty,
    AsJson,
    CatalogFile,
    DryRun,
    EpisodeFilter,
    Exclude,
    RefreshChoice,
    RefreshOption,
    SeasonFilter,
    Settle,
    Strict,
    StrictNames,
    TitleFilter,
    Under,
    Verbose,
    filters,
    reading,
    request,
)

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer exports only this subclass of its parser's error, whose home has moved between its versions."""


class SentenceGroup(TyperGroup):
    """The whole command line; whatever fails in it ends as one sentence on standard error and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # as Typer has it
    ) -> Any:
        """Run the command line; a usage error is invalid input like any other, so its code is 1 too."""
        try:
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except _UsageError as error:
            _report_usage(error)
            status = 1
        except OSError as error:  # of the help of the whole, which is printed before anything is invoked
            status = _report(error, debug=False)
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer's own context, wherever its base lives
        """Run a command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # what cannot be written is told here, not by the interpreter at its end
        except (_UsageError, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt as error:
            sys.stderr.write("\ninterrupted: what was under way was rolled back, what had been finished before it stays\n")
            number = error.args[0] if error.args else signal.SIGINT
            raise typer.Exit(128 + number) from error
        except Exception as error:
            raise typer.Exit(_report(error, debug=ctx.params.get("debug", False))) from error
        return result


def _report_usage(error: Exception) -> None:
    message = getattr(error, "format_message", error.__str__)()
    # The parser itself does not know its command, which is found where it was called from.
    callers = [frame.f_locals.get("ctx") for frame, _ in traceback.walk_tb(error.__traceback__)]
    context = getattr(error, "ctx", None) or next((each for each in reversed(callers) if each), None)
    command = context.command_path if context else "retrovue-uow"
    if type(error).__name__ == "NoArgsIsHelpError":  # which has printed the help, or holds it as its message
        typer.echo(message, err=True, nl=bool(message))
        return
    message = message.replace("Value error, ", "").rstrip(".")  # as the library says that newer versions of Typer validate with
    typer.echo(f"error: {message} (see `{command} --help`)", err=True)


def _report(error: Exception, *, debug: bool) -> int:
    from retrovue_uow.cli_errors import exit_code, sentence

    if debug:
        traceback.print_exception(error)
    sys.stderr.write(f"error: {sentence(error)}\n")
    return exit_code(error)


_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,  # rich takes longer to draw a frame around the help than all the rest takes
}
_GROUPS = {
    "source": ("cli_config", "Where collections come from."),
    "collection": ("cli_config", "The parts of a source that are ingested and wiped as a whole."),
    "enricher": ("cli_config", "What finds out more about the files of a collection."),
    "asset": ("cli_assets", "The media files that the catalogue knows."),
    "title": ("cli_assets", "The shows and movies that the assets belong to."),
    "history": ("cli_journal", "What was done to the catalogue, the newest first."),
}
"""By name: the module that has its commands, as `<name>_app`, and its help."""


class LateGroup(TyperGroup):
    """A group by name and sentence alone; its commands are imported when one of them, or the help of the group, is wanted."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # as Typer has it
        """The context of the whole group, which thereby takes over."""
        module, sentence = _GROUPS[str(self.name)]
        commands = getattr(import_module(f"retrovue_uow.{module}"), f"{self.name}_app")
        alone = typer.Typer(**_PLAIN)
        alone.add_typer(commands, name=self.name, help=sentence)
        root: Any = typer.main.get_command(alone)  # Typer's own class of groups has no public home
        return root.commands[self.name].make_context(info_name, args, parent=parent, **extra)


app = typer.Typer(cls=SentenceGroup, no_args_is_help=True, **_PLAIN)
for _name, (_, _sentence) in _GROUPS.items():
    app.add_typer(typer.Typer(cls=LateGroup), name=_name, help=_sentence)


@app.callback()
def global_options(
    ctx: typer.Context,
    log_json: Annotated[
        str | None, typer.Option("--log-json", metavar="FILE", help="Append the library's log to FILE, as JSON lines.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Keep a retro-TV station's media catalogue in one SQLite file, changed by whole, validated operations only."""
    if log_json is not None:
        from retrovue_uow.cli_log import log_to

        ctx.call_on_close(log_to(log_json))


@app.command("ingest")
def ingest_folder(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder that holds the media files.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    dry_run: DryRun = False,
    refresh: RefreshOption = RefreshChoice.files,
    exclude: Exclude = None,
    under: Under = None,
    title: TitleFilter = None,
    season: SeasonFilter = None,
    episode: EpisodeFilter = None,
    allow_empty: AllowEmpty = False,
    strict_names: StrictNames = False,
    strict: Strict = False,
    settle: Settle = 0,
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Do not let ffprobe measure the files of a new folder.")] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Bring a folder's media files into the catalogue. The catalogue is made if it is not there."""
    from retrovue_uow import cli_ingest, cli_report

    asked = request(
        filters(title, season, episode, exclude, under),
        refresh,
        dry_run=dry_run,
        allow_empty=allow_empty,
        strict_names=strict_names,
        strict=strict,
        settle_s=settle,
    )
    ingested = cli_ingest.ingest_folder(catalog, folder, asked, probe=not no_probe)
    cli_report.show_ingested(ingested, json=as_json, verbose=verbose)


@app.command("check")
def check(catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Verify all that SQLite and the rules can verify. Exits with 1 if something is wrong."""
    from retrovue_uow.cli_output import show, violations_table

    with reading(catalog) as opened:
        report = opened.check()
    show(report, violations_table, json=as_json)
    if not report.is_sound:
        raise typer.Exit(1)


@app.command("backup")
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The new file.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Copy the catalogue into a new file. The copy is whole and consistent, also while others write."""
    from retrovue_uow.cli_output import show

    with reading(catalog) as opened:
        opened.backup(file)
    show({"backup": os.path.abspath(file)}, lambda copy: f"copied to {copy['backup']}", json=as_json)


app.command("undo")(undo)
