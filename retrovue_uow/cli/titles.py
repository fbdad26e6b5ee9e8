"""Titles: the shows and movies that the assets belong to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.command import calls, command, option
from retrovue_uow.cli.options import INTO, TITLE, TITLE_KIND
from retrovue_uow.cli.output import Listing, Long
from retrovue_uow.cli.text import plain
from retrovue_uow.errors import amount
from retrovue_uow.model import Title, printed_title
from retrovue_uow.results import TitleResult

title = Group("title", help="The shows and movies that the assets belong to.")
_TITLES = Listing(
    names=tuple(attrs.fields_dict(Title)),
    headers=("kind", "title", "year", "seasons", "episodes", "files"),
    row=lambda each: (each.kind, Long(each.name), each.year, each.seasons or None, each.episodes or None, each.assets),
    empty="there are no titles yet",
)


def _report(result: TitleResult) -> Iterator[str]:
    """What a title is called now, and what was merged into it."""
    found = result.title
    called = printed_title(found.name, found.year)
    would = "would be" if result.dry_run else "is"
    if result.merged is None:
        yield plain(f"the {found.kind} {would} called {called}")
    else:
        parts = {"season": found.seasons, "episode": found.episodes, "file": found.assets}
        merged = printed_title(result.merged.name, result.merged.year)
        told = ", ".join(amount(count, noun) for noun, count in parts.items() if count)
        yield plain(f"{found.kind} {merged} {would} merged into {called}: {told or 'no files'}")


calls(title, "list", "titles", "List shows and movies by name.", TITLE_KIND, lists=_TITLES)


@command(
    title,
    "rename",
    TITLE,
    option("--name", "The new name."),
    option("--year", "The first year; 0: not known.", type=int),
    opens="changing",
    tries=True,
    shows=_report,
)
def rename(catalog: Catalog, title: str, name: str | None, year: int | None, dry_run: bool) -> TitleResult:
    """Call a show or movie otherwise. Files that name it as before still belong to it."""
    return catalog.rename_title(title, name=name, year=year, dry_run=dry_run)


@command(title, "merge", TITLE, INTO, opens="changing", agrees=True, shows=_report)
def merge(catalog: Catalog, title: str, into: str, agreed: Any) -> Any:
    """Let two spellings of one show or movie be one. Seasons and episodes are joined."""
    return agreed(
        lambda _, *, dry_run: catalog.merge_titles(title, into=into, dry_run=dry_run),
        lambda seen: f"merging {title!r} into {printed_title(seen.title.name, seen.title.year)!r} joins all that they have",
    )
