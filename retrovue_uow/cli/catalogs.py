"""What concerns the catalogue as a whole: bringing a folder in, verifying and copying it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.command import FILE, Page, argument, command, flag
from retrovue_uow.cli.ingesting import ingest_folder
from retrovue_uow.cli.options import INGESTING, request
from retrovue_uow.cli.output import Long, grid, moment
from retrovue_uow.cli.reports import next_steps
from retrovue_uow.errors import amount
from retrovue_uow.results import CatalogStatus, CheckReport, CollectionStatus


@command(
    None,
    "ingest",
    argument("folder", "The folder that holds the media files.", type=FILE),
    *INGESTING,
    flag("--no-probe", "Do not let ffprobe measure the files of a new folder."),
    opens="nothing",
    tries=True,
)
def ingest(path: str, folder: str, no_probe: bool, dry_run: bool, **asked: Any) -> Page:
    """Bring a folder's media files into the catalogue. The catalogue is made if it is not there."""
    return ingest_folder(path, folder, request(**asked), dry_run=dry_run, probe=not no_probe)


def _status(status: CatalogStatus) -> Iterator[str]:
    """The whole catalogue on one screen."""
    rows = [
        (Long(each.name), each.assets, each.new, each.ready, each.retired, each.approved, each.missing, _when(each))
        for each in status.collections
    ]
    headers = ("collection", "assets", "new", "ready", "retired", "approved", "missing", "last ingest")
    yield from grid(headers, rows) if rows else ["there are no collections yet: `ingest FOLDER` makes one"]
    names = Counter(each.name for each in status.collections)
    waiting = [
        step
        for each in status.collections
        for step in next_steps(each.name if names[each.name] == 1 else each.id, attrs.asdict(each), f"{each.name}: ")
    ]
    yield from ("", "next:", *waiting) if waiting else ()
    yield ""
    broken = f"{amount(status.violations, 'violation')}: `check` names each" if status.violations else "no row breaks a rule"
    yield f"{broken}; {amount(status.undo_units, 'unit')} can be undone ({-(-status.undo_bytes // 1000):,} kB)"


def _when(found: CollectionStatus) -> str:
    return "disabled" if not found.enabled else "never" if found.ingested_at is None else moment(found.ingested_at)


@command(None, "status", shows=_status)
def status(catalog: Catalog) -> CatalogStatus:
    """Show the whole catalogue on one screen, and what waits for you."""
    return catalog.status()


def _checked(report: CheckReport) -> Iterator[str]:
    """What is wrong with the catalogue, and what is worth a mention."""
    if report.is_sound:
        yield "the catalogue is sound"
    if found := (*report.violations, *report.mentions):
        rows = [(each.rule, f"{each.subject} {each.id}", each.detail) for each in found]
        yield from grid(("rule", "row", "what to know" if report.is_sound else "what is wrong"), rows)


@command(None, "check")
def check(catalog: Catalog) -> Page:
    """Verify all that SQLite and the rules can verify. Exits with 1 if something is wrong."""
    report = catalog.check()
    return Page(report, lambda _: _checked(report), exit_code=0 if report.is_sound else 1)


@command(None, "backup", argument("file", "The new file.", type=FILE), shows=lambda copy: [f"copied to {copy['backup']}"])
def backup(catalog: Catalog, file: str) -> dict[str, str]:
    """Copy the catalogue into a new file. The copy is whole and consistent, also while others write."""
    catalog.backup(file)
    return {"backup": os.path.abspath(file)}
