"""The commands that read assets and titles."""

from __future__ import annotations

from typing import Annotated

import typer

from retrovue_uow.cli_options import DEFAULT_CATALOG, AsJson, CatalogFile, KindChoice, StateChoice, TitleChoice, reading

asset_app = typer.Typer(no_args_is_help=True, help="The media files that the catalogue knows.")
title_app = typer.Typer(no_args_is_help=True, help="The shows and movies that the assets belong to.")


@asset_app.command("list")
def asset_list(
    collection: Annotated[str | None, typer.Argument(metavar="[COLLECTION]", help="Only those of this collection.")] = None,
    kind: Annotated[KindChoice | None, typer.Option("--kind", help="Only those of this kind.")] = None,
    state: Annotated[StateChoice | None, typer.Option("--state", help="Only those in this state.")] = None,
    missing: Annotated[
        bool | None, typer.Option("--missing/--present", help="Only those that the last full ingest did not see, or did.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Only those of this show or movie.")] = None,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """List assets by their path."""
    from retrovue_uow.cli_output import assets_table, show

    with reading(catalog) as opened:
        found = opened.assets(
            collection, kind=kind.value if kind else None, state=state.value if state else None, missing=missing, title=title
        )
    show(found, assets_table, json=as_json)


@asset_app.command("show")
def asset_show(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="Its id, or the path of its file.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Show all about one asset, with its markers and metadata."""
    from retrovue_uow.cli_ingest import asset_page
    from retrovue_uow.cli_output import asset_facts, print_json, stdout

    with reading(catalog) as opened:
        page = asset_page(opened, asset)
    if as_json:
        print_json(page.document())
    else:
        stdout().print(asset_facts(page))


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
