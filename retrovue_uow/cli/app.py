"""The commands by name, and how the command line ends where something fails.

A command's module is imported when it is wanted, so that `--help`, `--version` and a mistyped name answer at once.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from retrovue_uow import __version__

NAME = "retrovue-uow"
COMPLETE = "_RETROVUE_UOW_COMPLETE"
COMMANDS = {
    "ingest": ("catalogs", "Bring a folder's media files into the catalogue."),
    "status": ("catalogs", "Show the whole catalogue on one screen, and what waits for you."),
    "check": ("catalogs", "Verify all that SQLite and the rules can verify."),
    "backup": ("catalogs", "Copy the catalogue into a new file."),
    "undo": ("histories", "Take back what a unit of work changed."),
    "source": ("sources", "Where collections come from."),
    "collection": ("collections", "The parts of a source that are ingested and wiped as a whole."),
    "enricher": ("enrichers", "What finds out more about the files of a collection."),
    "asset": ("assets", "The media files that the catalogue knows."),
    "title": ("titles", "The shows and movies that the assets belong to."),
    "extension": ("extensions", "The station's own tables, rules and views in the catalogue."),
    "history": ("histories", "What was done to the catalogue, the newest first."),
}
"""By name: the module that has it under that name, and its sentence in the help of the whole."""


class Command(click.Command):
    """One command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read its options; each error says of which command, which click leaves out where an option lacks its value."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            if isinstance(error, click.NoSuchOption) and error.possibilities:  # likeness is not the dashes that all begin with
                name, near = error.option_name.lstrip("-"), error.possibilities
                near[:] = [each for each in near if get_close_matches(name, [each.lstrip("-")])]
            raise


class Group(click.Group):
    """Commands that belong together, in the order in which they were added, each with a whole sentence in their help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)

    def sentence(self, name: str) -> str:
        """What a command does."""
        return str(self.commands[name].help).partition(". ")[0].rstrip(".") + "."

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.sentence(name)) for name in self.commands])


class CommandLine(Group):
    """All commands; whatever fails in one ends as one sentence on standard error and an exit code."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, whose module is imported now."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"retrovue_uow.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        return found

    def sentence(self, name: str) -> str:
        """What a command does, without its module."""
        return COMMANDS[name][1]

    def main(self, args: Sequence[str] | None = None, *_: object, **__: object) -> Any:  # as click has it
        """Run the command line, and exit."""
        arguments = list(sys.argv[1:] if args is None else args)
        if instruction := os.environ.get(COMPLETE):
            sys.exit(import_module("retrovue_uow.cli.options").completed(self, instruction))
        try:
            with self.make_context(NAME, [*arguments]) as context:
                status = self.invoke(context)
            sys.stdout.flush()  # what cannot be written is told here, not by the interpreter at its end
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  told in a sentence, and with --debug whole
            if "--debug" in arguments:
                traceback.print_exception(error)
            status = _ended(error)
        sys.exit(status)


def _ended(error: BaseException) -> int:
    """Tell what went wrong; the exit code says whose turn it is."""
    if isinstance(error, OSError) and error.filename is None:
        with suppress(OSError):  # else the interpreter complains once more of an output that cannot be written
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sentence, status = _told(error)
    with suppress(OSError):  # of a terminal that went away
        sys.stderr.write(sentence)
        sys.stderr.flush()
    return status


def _told(error: BaseException) -> tuple[str, int]:
    match error:
        case click.exceptions.Exit():
            return "", error.exit_code
        case KeyboardInterrupt():
            number = int(error.args[0]) if error.args else signal.SIGINT
            told = "interrupted: what was under way was rolled back, what had been finished before it stays"
            return "\n" + _fitted(told), 128 + number
        case click.exceptions.NoArgsIsHelpError():
            return f"{error.format_message()}\n", 1
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else NAME
            message = " ".join(error.format_message().split())  # click lists choices in lines of their own
            if isinstance(error, click.NoSuchOption) and command == NAME:
                message = message.rstrip(".") + ": the options of a command stand behind it"
            return _fitted(f"error: {message.rstrip('.')} (see `{command} --help`)"), 1
        case BrokenPipeError():  # as if the signal had ended it, like any program that `head` has had enough of
            return "", 128 + signal.SIGPIPE
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return f"error: too many files are open ({error.strerror}): raise the limit with `ulimit -n`\n", 3
    from retrovue_uow.cli.failures import exit_code, sentence

    return _fitted(f"error: {sentence(error)}"), exit_code(error)


def _fitted(text: str) -> str:
    from retrovue_uow.cli.text import fitted

    return "".join(f"{line}\n" for line in fitted([text], sys.stderr))


@click.group(
    cls=CommandLine,
    commands=dict.fromkeys(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@click.option(
    "--log-json", type=click.Path(readable=False), metavar="FILE", help="Append the library's log to FILE, as JSON lines."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context, log_json: str | None, debug: bool) -> None:
    """Keep a retro-TV station's media catalogue in one SQLite file, changed by whole, validated operations only."""
    if log_json is not None:
        from retrovue_uow.cli.failures import log_to

        context.call_on_close(log_to(log_json))
