"""The options and arguments that several commands share, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from retrovue_uow.catalog import Catalog
    from retrovue_uow.cli_ingest import IngestRequest
    from retrovue_uow.model import IngestFilters, Refresh


class RefreshChoice(StrEnum):
    """Values of `--refresh`."""

    files = "files"
    changed = "changed"
    all = "all"
    none = "none"


class UpgradesChoice(StrEnum):
    """Values of `--upgrades`."""

    ask = "ask"
    keep_approval = "keep-approval"


class KindChoice(StrEnum):
    """Values of `--kind`, where it is an asset's."""

    episode = "episode"
    movie = "movie"
    commercial = "commercial"
    bumper = "bumper"
    promo = "promo"
    psa = "psa"
    station_id = "station_id"
    trailer = "trailer"
    filler = "filler"
    other = "other"


class StateChoice(StrEnum):
    """Values of `--state`."""

    new = "new"
    ready = "ready"
    retired = "retired"


class VersionsChoice(StrEnum):
    """Values of `--versions`."""

    best = "best"
    all = "all"


class TitleChoice(StrEnum):
    """Values of `title list --kind`."""

    show = "show"
    movie = "movie"


CatalogFile = Annotated[
    str, typer.Option("--catalog", envvar="RETROVUE_CATALOG", metavar="FILE", help="The catalogue to work on.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do the whole work, report it, and keep nothing.")]
RefreshOption = Annotated[
    RefreshChoice,
    typer.Option(
        "--refresh",
        help="Read again, of the files that are known: those that changed, also those that older enrichers saw, all.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="Leave out files and folders that match; may be given several times."),
]
Under = Annotated[
    str | None,
    typer.Option("--under", metavar="PATH", help="Ingest only what lies below this folder, and look at nothing else."),
]
TitleFilter = Annotated[str | None, typer.Option("--title", help="Ingest only this show or movie.")]
SeasonFilter = Annotated[int | None, typer.Option("--season", help="Ingest only this season of --title.")]
EpisodeFilter = Annotated[int | None, typer.Option("--episode", help="Ingest only this episode of --season.")]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Believe that an empty folder was emptied on purpose.")]
StrictNames = Annotated[
    bool, typer.Option("--strict-names", help="Refuse files whose names tell nothing, rather than ingest them as other.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse broken files, links and names that are not UTF-8, rather than report them.")
]
Settle = Annotated[
    float, typer.Option("--settle", metavar="SECONDS", help="Leave files for next time that changed within so many seconds.")
]
MaxMissing = Annotated[
    float | None,
    typer.Option(
        "--max-missing",
        metavar="PART",
        help="Refuse if more of the assets would be missing than this part, from 0 to 1; of a server 0.5.",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell row by row what changed, or would; of an ingest, also what was left out.")
]
Force = Annotated[bool, typer.Option("--force", help="Do not ask.")]
ExpectAssets = Annotated[
    int | None, typer.Option("--expect-assets", metavar="N", help="Do not ask, and refuse unless exactly N are selected.")
]
TitleArgument = Annotated[str, typer.Argument(metavar="TITLE", help="Name, name with (year), or id of a show or movie.")]
Config = Annotated[str, typer.Option("--config", metavar="JSON", help="Its configuration, a JSON object.")]
SourceArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="Name or id of the source.")]
CollectionArgument = Annotated[str, typer.Argument(metavar="COLLECTION", help="Name or id of the collection.")]
DEFAULT_CATALOG = "catalog.db"
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST_NUMBER = 6


def existing(path: str) -> str:
    """Only `ingest` and `source add` make a catalogue; to everybody else a missing one is a mistyped one."""
    from retrovue_uow.errors import ResourceError

    if not os.path.exists(path):
        raise ResourceError(
            f"there is no catalogue {path!r}: name one with --catalog, or make one with `retrovue-uow ingest FOLDER`"
        )
    return path


def reading(path: str) -> Catalog:
    """The catalogue, opened so that nothing can change it."""
    from retrovue_uow.catalog import Catalog

    return Catalog(existing(path), read_only=True)


def changing(path: str) -> Catalog:
    """The catalogue, opened to be changed."""
    from retrovue_uow.catalog import Catalog

    return Catalog(existing(path))


def filters(
    title: str | None, season: int | None, episode: int | None, exclude: Sequence[str] | None, under: str | None = None
) -> IngestFilters:
    """Which part of a collection the user asked for."""
    from retrovue_uow.media.roots import absolute
    from retrovue_uow.model import IngestFilters

    return IngestFilters(title, season, episode, tuple(exclude or ()), under and absolute(under))


def request(
    filters: IngestFilters,
    refresh: RefreshChoice,
    *,
    dry_run: bool,
    allow_empty: bool,
    strict_names: bool,
    strict: bool,
    settle_s: float,
    max_missing: float | None = None,
) -> IngestRequest:
    """What the user asked of an ingest."""
    from retrovue_uow.cli_ingest import IngestRequest

    asked: Refresh | Literal["none"] = refresh.value
    return IngestRequest(
        filters=filters,
        refresh=None if asked == "none" else asked,
        allow_empty=allow_empty,
        strict_names=strict_names,
        broken="refuse" if strict else "record",
        settle_s=settle_s,
        dry_run=dry_run,
        max_missing=max_missing,
    )


def age(text: str | None) -> timedelta | None:
    """The time span that an option was given, such as `90d`, `12h` or `2w`."""
    from retrovue_uow.errors import ValidationError

    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or len(number) > _LONGEST_NUMBER or unit not in _UNITS:
        raise ValidationError(f"--older-than {text!r} is not an age: write it like 90d, 12h or 2w")
    return int(number) * _UNITS[unit]


def json_object(text: str, option: str) -> dict[str, object]:
    """The JSON object that an option was given."""
    import json

    from retrovue_uow.errors import ValidationError

    try:
        value: object = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:  # its text may hold a secret, and is not told
        raise ValidationError(f'{option} is not JSON ({error}): write it like \'{{"root": "/media"}}\'') from None
    if not isinstance(value, dict):
        raise ValidationError(f'{option} is not a JSON object: write it like \'{{"root": "/media"}}\'')
    return value


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubled = sorted(name for name in found if [each for each, _ in pairs].count(name) > 1)
        raise ValueError(f"it says {doubled} more than once")
    return found
