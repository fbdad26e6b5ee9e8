"""What concerns the catalogue as a whole: bringing a folder in, verifying and copying it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import attrs
import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.command import Page, command
from retrovue_uow.cli.ingesting import ingest_folder
from retrovue_uow.cli.options import INGESTING, request
from retrovue_uow.cli.output import Long, grid
from retrovue_uow.cli.reports import Ingested
from retrovue_uow.model import CheckReport


@command(
    None,
    "ingest",
    click.Argument(["folder"], metavar="FOLDER", help="The folder that holds the media files."),
    *INGESTING,
    click.Option(["--no-probe"], is_flag=True, help="Do not let ffprobe measure the files of a new folder."),
    opens="nothing",
    tries=True,
)
def ingest(path: str, folder: str, no_probe: bool, dry_run: bool, **asked: Any) -> Ingested:
    """Bring a folder's media files into the catalogue. The catalogue is made if it is not there."""
    return ingest_folder(path, folder, request(**asked), dry_run=dry_run, probe=not no_probe)


@attrs.frozen
class _Checked(Page):
    """What is wrong with the catalogue, and what is worth a mention."""

    report: CheckReport

    @property
    def exit_code(self) -> int:
        return 0 if self.report.is_sound else 1

    def document(self) -> object:
        return self.report

    def lines(self, *, verbose: bool) -> Iterator[str]:
        report = self.report
        if report.is_sound:
            yield "the catalogue is sound"
        if found := (*report.violations, *report.mentions):
            rows = [(each.rule, f"{each.subject} {each.id}", Long(each.detail)) for each in found]
            yield from grid(("rule", "row", "what to know" if report.is_sound else "what is wrong"), rows)


@command(None, "check")
def check(catalog: Catalog) -> Page:
    """Verify all that SQLite and the rules can verify. Exits with 1 if something is wrong."""
    return _Checked(catalog.check())


@command(
    None,
    "backup",
    click.Argument(["file"], metavar="FILE", help="The new file."),
    shows=lambda copy: [f"copied to {copy['backup']}"],
)
def backup(catalog: Catalog, file: str) -> dict[str, str]:
    """Copy the catalogue into a new file. The copy is whole and consistent, also while others write."""
    catalog.backup(file)
    return {"backup": os.path.abspath(file)}
