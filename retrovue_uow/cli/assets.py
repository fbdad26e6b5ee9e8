"""Assets: looking at them, and deciding about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.command import Page, calls, command, option
from retrovue_uow.cli.options import (
    ASSET,
    DESCRIBING,
    EXPECT_ASSETS,
    NAMING,
    OF_COLLECTION,
    asset_named,
    selected,
    selector,
    titles_there,
)
from retrovue_uow.cli.output import Listing, Long, clock, facts, first_rows, listed, moment, shown_title
from retrovue_uow.cli.text import plain
from retrovue_uow.errors import ValidationError, amount
from retrovue_uow.model import ASSET_KINDS, Asset, Json, Marker, as_json
from retrovue_uow.results import CurationResult, Explanation

asset = Group("asset", help="The media files that the catalogue knows.")
_ASSETS = Listing(
    names=tuple(attrs.fields_dict(Asset)),
    headers=("kind", "title", "length", "state", "approved", "file"),
    row=lambda each: (
        each.kind,
        Long(shown_title(each)),
        clock(each.duration_ms),
        "missing" if each.missing_since else each.state,
        "yes" if each.approved else "",
        Long(each.file_path),
    ),
    empty="there are no such assets",
)


def _facts(asset: Asset, collection: str, markers: Sequence[Marker], metadata: Mapping[str, Json]) -> Iterable[str]:
    """All about one asset."""
    picture = f"{asset.width}x{asset.height}" if asset.width and asset.height else None
    return facts(
        {
            "file": plain(asset.file_path),
            "key": plain(asset.canonical_key) if asset.canonical_key != asset.file_path else None,
            "id": asset.id,
            "collection": collection,
            "kind": asset.kind,
            "title": shown_title(asset),
            "episode title": asset.episode_title,
            "state": asset.state,
            "approved": "yes" if asset.approved else "no",
            "missing since": asset.missing_since and moment(asset.missing_since),
            "length": clock(asset.duration_ms),
            "bytes": asset.size,
            "format": " ".join(filter(None, (asset.container, asset.video_codec, asset.audio_codec, picture))),
            "markers": "\n".join(map(_shown_marker, markers)),
            **{domain: json.dumps(told, indent=2, ensure_ascii=False) for domain, told in metadata.items()},
        }
    )


def _shown_marker(marker: Marker) -> str:
    return " ".join(filter(None, (marker.kind, clock(marker.start_ms), clock(marker.end_ms), plain(marker.name or ""))))


def _explanation(explanation: Explanation) -> Iterable[str]:
    """Why an asset is what it is, or a file none, sentence by sentence."""
    found = explanation.asset
    if found is None:
        return facts({"an asset": "no", "because": "\n".join(map(plain, explanation.reasons))})
    reasons = explanation.reasons or ("it is ready, approved and there",)
    return facts(
        {
            "file": plain(found.file_path),
            "id": found.id,
            "kind": found.kind,
            "title": shown_title(found),
            "state": found.state,
            "may be scheduled": "yes" if explanation.is_schedulable else "no",
            "because": "\n".join(map(plain, reasons)),
            "versions": "\n".join(map(plain, explanation.versions)),
            "findings": "\n".join(plain(f"{each.severity}: {each.message}") for each in explanation.findings),
            "history": "\n".join(map(plain, explanation.history)),
        }
    )


def _decided(result: CurationResult, *, done: str) -> Iterator[str]:
    """The report of a verb, which `done` names."""
    would = "would be " if result.dry_run else ""
    same = f", {result.unchanged} already" if result.unchanged else ""
    lost = f", {result.approvals_withdrawn} had been approved" if result.withdrawals else ""
    yield f"{result.changed} of {amount(result.selected, 'asset')} {would}{done}{same}{lost}"
    yield from _assigned(result) if result.assets else listed(result.paths)


def _assigned(result: CurationResult) -> Iterator[str]:
    """Files by the names that were read, and what each becomes."""
    rows = [
        (Long(each.canonical_key.rpartition("/")[2]), each.kind, Long(shown_title(each)), Long(each.episode_title or ""))
        for each in result.assets
    ]
    return first_rows(("file", "becomes", "title", "episode title"), rows)


@command(asset, "list", OF_COLLECTION, *DESCRIBING, lists=_ASSETS)
def list_(catalog: Catalog, **described: Any) -> list[Asset]:
    """List assets by their path."""
    return catalog.select(selector(**described))


@command(asset, "show", ASSET)
def show(catalog: Catalog, asset: str) -> Page:
    """Show all about one asset, with its markers and metadata."""
    found = asset_named(catalog, asset)
    markers, metadata = catalog.markers(found.id), catalog.metadata(found.id)
    document = {**attrs.asdict(found), "markers": as_json(markers), "metadata": metadata}
    collection = catalog.collection(found.collection_id).name
    return Page(document, lambda _: _facts(found, collection, markers, metadata))


calls(asset, "explain", "explain", "Say what keeps an asset off the air, or a file from being one.", ASSET, shows=_explanation)


def _decide(
    catalog: Catalog,
    verb: Callable[..., CurationResult],
    *,
    doing: str,
    agreed: Any,
    assets: Sequence[str],
    expect_assets: int | None,
    **described: Any,
) -> Any:
    """What every verb has in common. Whoever knows the number is not asked."""
    chosen = selected(catalog, assets, selector(**described))
    return agreed(
        lambda seen, *, dry_run: verb(chosen, expect_assets=expect_assets if seen is None else seen.selected, dry_run=dry_run),
        lambda seen: f"{doing} changes {seen.changed} of {seen.selected} selected",
        is_sure=expect_assets is not None,
        details=_assigned,
    )


def _add_decision(name: str, verb: str, doing: str, done: str, help_: str) -> None:
    """A command for a verb that needs nothing but assets."""

    def decide(catalog: Catalog, **asked: Any) -> Any:
        return _decide(catalog, getattr(catalog, verb), doing=doing, **asked)

    decide.__doc__ = help_
    command(asset, name, *NAMING, EXPECT_ASSETS, opens="changing", agrees=True, shows=partial(_decided, done=done))(decide)


for _decision in (
    ("approve", "approve", "approving", "approved", "Let assets go on the air. They must be ready."),
    ("withdraw", "withdraw_approval", "withdrawing approval", "no longer approved", "Withdraw the approval of assets."),
    ("retire", "retire", "retiring", "retired", "Take assets out of use. They stay in the catalogue."),
    (
        *("unassign", "unassign", "taking back what was assigned", "no longer assigned"),
        "Let files speak for themselves again, from the next ingest on.",
    ),
    ("prefer", "prefer", "preferring", "preferred", "Let assets air rather than other files that show the same."),
    (*("unprefer", "unprefer", "taking back a preference", "no longer preferred"), "Take back that assets were preferred."),
    ("reinstate", "reinstate", "reinstating", "reinstated", "Take retired assets back into use."),
):
    _add_decision(*_decision)


@command(
    asset,
    "assign",
    *NAMING,
    option("--to-kind", f"What it is: {', '.join(ASSET_KINDS)}.", type=click.Choice(ASSET_KINDS), metavar="KIND"),
    option("--to-title", "Its show or movie.", metavar="NAME", shell_complete=titles_there),
    option("--to-year", "First year of that.", type=int, metavar="YEAR"),
    option("--to-season", "Its season; 0 for a special.", type=int, metavar="N"),
    option("--to-episode", "An episode that it holds; may be repeated.", type=int, multiple=True, metavar="N"),
    option("--to-episode-title", "What that episode is called.", metavar="NAME"),
    option(
        "--from-name",
        "Read it from the names of the files, without folder and ending: 'Astro Boy - {episode} - {episode_title}'. "
        "Fields: {title} {year} {season} {episode} {episode_title}; {*} for anything.",
        metavar="PATTERN",
    ),
    EXPECT_ASSETS,
    opens="changing",
    agrees=True,
    shows=partial(_decided, done="assigned"),
)
def assign(
    catalog: Catalog,
    to_kind: str | None,
    to_title: str | None,
    to_year: int | None,
    to_season: int | None,
    to_episode: Sequence[int],
    to_episode_title: str | None,
    from_name: str | None,
    **asked: Any,
) -> Any:
    """Say what assets are, where that was read wrongly or not at all. What you say outranks the file."""
    said: dict[str, Any] = {"kind": to_kind, "title": to_title, "year": to_year}
    if from_name is None:
        said |= {"season_number": to_season, "episode_numbers": to_episode or None, "episode_title": to_episode_title}
        return _decide(catalog, partial(catalog.assign, **said), doing="assigning", **asked)
    if to_episode or to_episode_title:
        raise ValidationError("with --from-name, {episode} and {episode_title} in the pattern say what --to-episode… would")
    said |= {"pattern": from_name, "season": to_season}
    return _decide(catalog, partial(catalog.assign_by_name, **said), doing="assigning", **asked)
