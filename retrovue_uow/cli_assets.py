"""The commands that look at assets and titles, and those by which the operator decides and corrects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrovue_uow.cli_options import (
    DEFAULT_CATALOG,
    AsJson,
    CatalogFile,
    DryRun,
    ExpectAssets,
    Force,
    KindChoice,
    TitleArgument,
    TitleChoice,
    Verbose,
    changing,
    reading,
)
from retrovue_uow.cli_selecting import Selection, selecting_by_collection, selecting_by_name

if TYPE_CHECKING:
    from retrovue_uow.cli_curation import Verb

asset_app = typer.Typer(no_args_is_help=True)
title_app = typer.Typer(no_args_is_help=True)
AssetArgument = Annotated[str, typer.Argument(metavar="ASSET", help="Its id, or the path of its file.")]


@asset_app.command("list")
@selecting_by_collection
def asset_list(selection: Selection, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """List assets by their path."""
    from retrovue_uow.cli_output import assets_table, show

    with reading(catalog) as opened:
        show(opened.select(selection.selector), assets_table, json=as_json)


@asset_app.command("show")
def asset_show(asset: AssetArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Show all about one asset, with its markers and metadata."""
    from retrovue_uow.cli_ingest import asset_page
    from retrovue_uow.cli_output import asset_facts, print_json, stdout

    with reading(catalog) as opened:
        page = asset_page(opened, asset)
    if as_json:
        print_json(page.document())
    else:
        stdout().print(asset_facts(page))


@asset_app.command("explain")
def asset_explain(asset: AssetArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Say what keeps an asset off the air, or a file from being one."""
    from retrovue_uow.cli_curation import explanation_report
    from retrovue_uow.cli_output import show

    with reading(catalog) as opened:
        show(opened.explain(asset), explanation_report, json=as_json)


def _curate(
    catalog: str,
    selection: Selection,
    verb: str,
    *,
    doing: str,
    done: str,
    expect_assets: int | None,
    force: bool,
    dry_run: bool,
    verbose: bool,
    as_json: bool,
    **said: object,
) -> None:
    """What every verb has in common."""
    from functools import partial

    from retrovue_uow.cli_changes import show_decided
    from retrovue_uow.cli_curation import curate, curation_report

    with changing(catalog) as opened:
        act: Verb = partial(getattr(opened, verb), **said)
        result = curate(act, selection.meant(opened), doing=doing, expect_assets=expect_assets, dry_run=dry_run, force=force)
    show_decided(result, curation_report(done), json=as_json, verbose=verbose)


def _add_decision(name: str, verb: str, *, doing: str, done: str, sentence: str) -> None:
    """A command for a verb that needs nothing but assets."""

    @asset_app.command(name, help=sentence)
    @selecting_by_name
    def decide(
        selection: Selection,
        expect_assets: ExpectAssets = None,
        force: Force = False,
        dry_run: DryRun = False,
        catalog: CatalogFile = DEFAULT_CATALOG,
        verbose: Verbose = False,
        as_json: AsJson = False,
    ) -> None:
        _curate(
            catalog,
            selection,
            verb,
            doing=doing,
            done=done,
            expect_assets=expect_assets,
            force=force,
            dry_run=dry_run,
            verbose=verbose,
            as_json=as_json,
        )


_add_decision(
    "approve", "approve", doing="approving", done="approved", sentence="Let assets go on the air. They must be ready."
)
_add_decision(
    "withdraw",
    "withdraw_approval",
    doing="withdrawing approval",
    done="no longer approved",
    sentence="Withdraw the approval of assets.",
)
_add_decision(
    "retire", "retire", doing="retiring", done="retired", sentence="Take assets out of use. They stay in the catalogue."
)
_add_decision(
    "unassign",
    "unassign",
    doing="taking back what was assigned",
    done="no longer assigned",
    sentence="Let files speak for themselves again, from the next ingest on.",
)
_add_decision(
    "prefer",
    "prefer",
    doing="preferring",
    done="preferred",
    sentence="Let assets air rather than other files that show the same.",
)
_add_decision(
    "unprefer",
    "unprefer",
    doing="taking back a preference",
    done="no longer preferred",
    sentence="Take back that assets were preferred.",
)
_add_decision("reinstate", "reinstate", doing="reinstating", done="reinstated", sentence="Take retired assets back into use.")


@asset_app.command("assign")
@selecting_by_name
def asset_assign(
    selection: Selection,
    to_kind: Annotated[KindChoice | None, typer.Option("--to-kind", help="What it is.")] = None,
    to_title: Annotated[str | None, typer.Option("--to-title", metavar="NAME", help="Its show or movie.")] = None,
    to_year: Annotated[int | None, typer.Option("--to-year", metavar="YEAR", help="First year of that.")] = None,
    to_season: Annotated[int | None, typer.Option("--to-season", metavar="N", help="Its season; 0 for a special.")] = None,
    to_episode: Annotated[
        list[int] | None, typer.Option("--to-episode", metavar="N", help="An episode that it holds; may be repeated.")
    ] = None,
    to_episode_title: Annotated[
        str | None, typer.Option("--to-episode-title", metavar="NAME", help="What that episode is called.")
    ] = None,
    from_name: Annotated[
        str | None,
        typer.Option(
            "--from-name",
            metavar="PATTERN",
            help="Read it from the names of the files, without folder and ending: 'Astro Boy - {episode} - {episode_title}'. "
            "Fields: {title} {year} {season} {episode} {episode_title}; {*} for anything.",
        ),
    ] = None,
    expect_assets: ExpectAssets = None,
    force: Force = False,
    dry_run: DryRun = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Say what assets are, where that was read wrongly or not at all. What you say outranks the file."""
    if from_name is None:
        said: dict[str, object] = {
            "season_number": to_season,
            "episode_numbers": to_episode or None,
            "episode_title": to_episode_title,
        }
    elif to_episode or to_episode_title:
        from retrovue_uow.errors import ValidationError

        raise ValidationError("with --from-name, {episode} and {episode_title} in the pattern say what --to-episode… would")
    else:
        said = {"pattern": from_name, "season": to_season}
    _curate(
        catalog,
        selection,
        "assign" if from_name is None else "assign_by_name",
        doing="assigning",
        done="assigned",
        expect_assets=expect_assets,
        force=force,
        dry_run=dry_run,
        verbose=verbose,
        as_json=as_json,
        kind=to_kind.value if to_kind else None,
        title=to_title,
        year=to_year,
        **said,
    )


@title_app.command("list")
def title_list(
    kind: Annotated[TitleChoice | None, typer.Option("--kind", help="Only those of this kind.")] = None,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """List shows and movies by name."""
    from retrovue_uow.cli_output import show, titles_table

    with reading(catalog) as opened:
        show(opened.titles(kind.value if kind else None), titles_table, json=as_json)


@title_app.command("rename")
def title_rename(
    title: TitleArgument,
    name: Annotated[str | None, typer.Option("--name", help="The new name.")] = None,
    year: Annotated[int | None, typer.Option("--year", help="The first year; 0: not known.")] = None,
    dry_run: DryRun = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Call a show or movie otherwise. Files that name it as before still belong to it."""
    from retrovue_uow.cli_changes import show_result
    from retrovue_uow.cli_curation import title_report

    with changing(catalog) as opened:
        result = opened.rename_title(title, name=name, year=year, dry_run=dry_run)
    show_result(result, title_report, json=as_json, verbose=verbose)


@title_app.command("merge")
def title_merge(
    title: TitleArgument,
    into: Annotated[str, typer.Option("--into", metavar="TITLE", help="The title that stays.")],
    force: Force = False,
    dry_run: DryRun = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Let two spellings of one show or movie be one. Seasons and episodes are joined."""
    from retrovue_uow.cli_changes import show_decided
    from retrovue_uow.cli_curation import merged, title_report

    with changing(catalog) as opened:
        result = merged(opened, title, into=into, dry_run=dry_run, force=force)
    show_decided(result, title_report, json=as_json, verbose=verbose)
