"""The commands that set up sources, collections and enrichers, and those that ingest and wipe them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrovue_uow.cli_options import (
    DEFAULT_CATALOG,
    AllowEmpty,
    AsJson,
    CatalogFile,
    CollectionArgument,
    Config,
    DryRun,
    EpisodeFilter,
    Exclude,
    Force,
    MaxMissing,
    RefreshChoice,
    RefreshOption,
    SeasonFilter,
    Settle,
    SourceArgument,
    Strict,
    StrictNames,
    TitleFilter,
    Under,
    UpgradesChoice,
    Verbose,
    age,
    changing,
    filters,
    json_object,
    reading,
    request,
)

if TYPE_CHECKING:
    from retrovue_uow.model import ForgetResult, WipeResult

source_app = typer.Typer(no_args_is_help=True)
collection_app = typer.Typer(no_args_is_help=True)
enricher_app = typer.Typer(no_args_is_help=True)
exclude_app = typer.Typer(no_args_is_help=True)
collection_app.add_typer(exclude_app, name="exclude", help="What every ingest of a collection leaves out.")
Pattern = Annotated[str, typer.Argument(metavar="GLOB", help="Files and folders to leave out, such as '*.sample.*' or Extras.")]


@source_app.command("add")
def source_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the source.")],
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="The importer type that reads it.")] = "filesystem",
    config: Config = "{}",
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Add a source, to a new catalogue if there is none."""
    from retrovue_uow.catalog import Catalog
    from retrovue_uow.cli_output import show, source_facts

    configuration = json_object(config, "--config")
    with Catalog(catalog) as opened:
        show(opened.add_source(name, type_, configuration), source_facts, json=as_json)


@source_app.command("list")
def source_list(catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """List every source."""
    from retrovue_uow.cli_output import show, sources_table

    with reading(catalog) as opened:
        show(opened.sources(), sources_table, json=as_json)


@source_app.command("discover")
def source_discover(source: SourceArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Ask a source for its collections and add the new ones. They are disabled until you enable them."""
    from retrovue_uow.cli_output import collections_table, show

    with changing(catalog) as opened:
        show(opened.discover_collections(source), collections_table, json=as_json)


@source_app.command("ingest")
def source_ingest(
    source: SourceArgument,
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
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Ingest every enabled collection of a source. Exits with 2 if some of them failed."""
    from retrovue_uow import cli_ingest, cli_output, cli_report
    from retrovue_uow.cli_errors import exit_code_of_outcome

    asked = request(
        filters(title, season, episode, exclude, under),
        refresh,
        dry_run=dry_run,
        allow_empty=allow_empty,
        strict_names=strict_names,
        strict=strict,
        settle_s=settle,
    )
    with changing(catalog) as opened:
        outcome = cli_ingest.ingest_source(opened, source, asked)
    cli_report.show_source(outcome, json=as_json, verbose=verbose)
    for failure in outcome.failures:
        cli_output.complain(cli_report.failed(failure))
    raise typer.Exit(exit_code_of_outcome(outcome))


@source_app.command("remove")
def source_remove(source: SourceArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Remove a source that has no collections."""
    from retrovue_uow.cli_output import show

    with changing(catalog) as opened:
        show(opened.remove_source(source), lambda gone: f"removed source {gone.name}", json=as_json)


@collection_app.command("add")
def collection_add(
    source: SourceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the collection.")],
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="FOLDER", help="A folder with its files, the same for the source; may be repeated."),
    ] = None,
    external_id: Annotated[str | None, typer.Option("--external-id", help="What the source itself calls it.")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep it from being ingested for now.")] = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Add a collection to a source. Attach enrichers to it before you ingest it."""
    from retrovue_uow.cli_output import collection_facts, show
    from retrovue_uow.media.roots import absolute

    mappings = {absolute(each): absolute(each) for each in folder or ()}
    with changing(catalog) as opened:
        added = opened.add_collection(source, name, external_id=external_id, path_mappings=mappings, enabled=not disabled)
    show(added, collection_facts, json=as_json)


@collection_app.command("list")
def collection_list(
    source: Annotated[str | None, typer.Option("--source", help="Only those of this source.")] = None,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """List every collection."""
    from retrovue_uow.cli_output import collections_table, show

    with reading(catalog) as opened:
        show(opened.collections(source), collections_table, json=as_json)


@collection_app.command("show")
def collection_show(collection: CollectionArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Show all about one collection and its last ingest."""
    from retrovue_uow.cli_output import CollectionPage, collection_page, print_json, stdout

    with reading(catalog) as opened:
        found = opened.collection(collection)
        page = CollectionPage(found, opened.last_ingest(found.id))
    if as_json:
        print_json(page.document())
    else:
        stdout().print(collection_page(page))


@collection_app.command("map")
def collection_map(
    collection: CollectionArgument,
    source_path: Annotated[str, typer.Argument(metavar="SOURCE_PATH", help="The folder as the source names it.")],
    local_path: Annotated[str, typer.Argument(metavar="LOCAL_PATH", help="The folder on this machine.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Say where a folder of the source is found on this machine."""
    from retrovue_uow.cli_output import collection_facts, show
    from retrovue_uow.media.roots import absolute

    with changing(catalog) as opened:
        show(opened.map_path(collection, source_path, absolute(local_path)), collection_facts, json=as_json)


@collection_app.command("unmap")
def collection_unmap(
    collection: CollectionArgument,
    source_path: Annotated[str, typer.Argument(metavar="SOURCE_PATH", help="The folder as the source names it.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Remove a path mapping through which no asset came."""
    from retrovue_uow.cli_output import collection_facts, show

    with changing(catalog) as opened:
        show(opened.unmap_path(collection, source_path), collection_facts, json=as_json)


@collection_app.command("set")
def collection_set(
    collection: CollectionArgument,
    upgrades: Annotated[
        UpgradesChoice,
        typer.Option("--upgrades", help="Whether a new file takes over the approval of a missing one that showed the same."),
    ],
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Say whether a better file takes over an approval."""
    from retrovue_uow.cli_output import collection_facts, show

    with changing(catalog) as opened:
        show(opened.set_upgrades(collection, upgrades.value), collection_facts, json=as_json)


@exclude_app.command("add")
def exclude_add(
    collection: CollectionArgument, pattern: Pattern, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False
) -> None:
    """Leave out what matches from every ingest from now on. Known assets stay as they are."""
    from retrovue_uow.cli_output import collection_facts, show

    with changing(catalog) as opened:
        show(opened.exclude(collection, pattern), collection_facts, json=as_json)


@exclude_app.command("list")
def exclude_list(collection: CollectionArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """List what every ingest of a collection leaves out."""
    from retrovue_uow.cli_output import excludes_table, show

    with reading(catalog) as opened:
        show(opened.collection(collection).excludes, excludes_table, json=as_json)


@exclude_app.command("remove")
def exclude_remove(
    collection: CollectionArgument, pattern: Pattern, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False
) -> None:
    """Let the ingests of a collection see again what a pattern left out."""
    from retrovue_uow.cli_output import collection_facts, show

    with changing(catalog) as opened:
        show(opened.unexclude(collection, pattern), collection_facts, json=as_json)


@collection_app.command("ingest")
def collection_ingest(
    collection: CollectionArgument,
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
    max_missing: MaxMissing = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Bring what a collection's source has into the catalogue."""
    from retrovue_uow import cli_ingest, cli_report

    asked = request(
        filters(title, season, episode, exclude, under),
        refresh,
        dry_run=dry_run,
        allow_empty=allow_empty,
        strict_names=strict_names,
        strict=strict,
        settle_s=settle,
        max_missing=max_missing,
    )
    with changing(catalog) as opened:
        cli_report.show_ingested(cli_ingest.ingest(opened, collection, asked), json=as_json, verbose=verbose)


@collection_app.command("rebuild")
def collection_rebuild(
    collection: CollectionArgument,
    force: Force = False,
    dry_run: DryRun = False,
    exclude: Exclude = None,
    allow_empty: AllowEmpty = False,
    strict_names: StrictNames = False,
    strict: Strict = False,
    settle: Settle = 0,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Wipe a collection and ingest it anew, in one unit. One undo takes back both."""
    from retrovue_uow import cli_ingest, cli_report
    from retrovue_uow.cli_changes import cancelled

    asked = request(
        filters(None, None, None, exclude),
        RefreshChoice.files,
        dry_run=dry_run,
        allow_empty=allow_empty,
        strict_names=strict_names,
        strict=strict,
        settle_s=settle,
    )
    with changing(catalog) as opened:
        rebuilt = cli_ingest.rebuild(opened, collection, asked, force=force)
    if rebuilt is None:
        cancelled(json=as_json)
    else:
        cli_report.show_rebuilt(rebuilt, json=as_json, verbose=verbose)


@collection_app.command("wipe")
def collection_wipe(
    collection: CollectionArgument,
    force: Force = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    expect_assets: Annotated[
        int | None, typer.Option("--expect-assets", metavar="N", help="Refuse unless the collection holds exactly N assets.")
    ] = None,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Delete a collection's assets from the catalogue. Asks for a typed yes, and touches no media file."""
    from retrovue_uow import cli_ingest
    from retrovue_uow.cli_changes import show_decided
    from retrovue_uow.cli_report import wipe_report

    with changing(catalog) as opened:
        if dry_run:
            result: WipeResult | None = cli_ingest.wiping(opened, collection, expect_assets=expect_assets, dry_run=True)
        else:
            result = cli_ingest.wipe(opened, collection, expect_assets=expect_assets, force=force)
    show_decided(result, wipe_report, json=as_json, verbose=verbose)


@collection_app.command("forget-missing")
def collection_forget_missing(
    collection: CollectionArgument,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only those missing for longer than 90d, 12h, 2w, …")
    ] = None,
    expect_assets: Annotated[
        int | None, typer.Option("--expect-assets", metavar="N", help="Refuse unless exactly N assets would go.")
    ] = None,
    max_fraction: Annotated[
        float, typer.Option("--max-fraction", metavar="F", help="Refuse if more than this part of the collection would go.")
    ] = 0.1,
    force: Force = False,
    dry_run: DryRun = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Delete those assets that are marked missing. Asks for a typed yes, and touches no media file."""
    from retrovue_uow import cli_ingest
    from retrovue_uow.cli_changes import show_decided
    from retrovue_uow.cli_report import forget_report

    asked = cli_ingest.ForgetRequest(collection, age(older_than), expect_assets, max_fraction)
    with changing(catalog) as opened:
        if dry_run:
            result: ForgetResult | None = cli_ingest.forgetting(opened, asked, dry_run=True)
        else:
            result = cli_ingest.forget(opened, asked, force=force)
    show_decided(result, forget_report, json=as_json, verbose=verbose)


@collection_app.command("relocate")
def collection_relocate(
    collection: CollectionArgument,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The folder that is mapped now; it need not be there any more.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The folder that holds its files now.")],
    min_found: Annotated[
        float, typer.Option("--min-found", metavar="F", help="Refuse unless this part of the files, from 0 to 1, is there.")
    ] = 0.9,
    dry_run: DryRun = False,
    catalog: CatalogFile = DEFAULT_CATALOG,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Map a collection to the folder where its files lie now.

    Its assets keep all that was said of them.
    """
    from retrovue_uow.cli_changes import show_result
    from retrovue_uow.cli_report import relocate_report
    from retrovue_uow.media.roots import absolute

    with changing(catalog) as opened:
        result = opened.relocate_collection(collection, absolute(old), absolute(new), min_found=min_found, dry_run=dry_run)
    show_result(result, relocate_report, json=as_json, verbose=verbose)


@collection_app.command("enable")
def collection_enable(collection: CollectionArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Let a collection be ingested."""
    from retrovue_uow.cli_output import show

    with changing(catalog) as opened:
        show(opened.enable_collection(collection), lambda changed: f"enabled collection {changed.name}", json=as_json)


@collection_app.command("disable")
def collection_disable(collection: CollectionArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Keep a collection from being ingested. Its assets stay."""
    from retrovue_uow.cli_output import show

    with changing(catalog) as opened:
        show(opened.disable_collection(collection), lambda changed: f"disabled collection {changed.name}", json=as_json)


@collection_app.command("remove")
def collection_remove(collection: CollectionArgument, catalog: CatalogFile = DEFAULT_CATALOG, as_json: AsJson = False) -> None:
    """Remove a collection that has no assets."""
    from retrovue_uow.cli_output import show

    with changing(catalog) as opened:
        show(opened.remove_collection(collection), lambda gone: f"removed collection {gone.name}", json=as_json)


@enricher_app.command("list")
def enricher_list(
    collection: Annotated[str | None, typer.Argument(metavar="[COLLECTION]", help="Only those of this collection.")] = None,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """List attached enrichers, and the types that there are. They run in the order shown."""
    from retrovue_uow.cli_output import attached_enrichers, enrichers_table, say, show

    with reading(catalog) as opened:
        chosen = opened.collections() if collection is None else [opened.collection(collection)]
        show(attached_enrichers(chosen), enrichers_table, json=as_json)
        if not as_json:
            say("")
            say(f"types that can be attached: {', '.join(sorted(opened.enrichers))}")


@enricher_app.command("attach")
def enricher_attach(
    collection: CollectionArgument,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The enricher type.")],
    config: Config = "{}",
    priority: Annotated[int, typer.Option("--priority", help="Lower ones run first.")] = 100,
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Let an enricher see every file of a collection from now on. Known files wait for an ingest with --refresh changed."""
    from retrovue_uow.cli_output import collection_facts, show

    configuration = json_object(config, "--config")
    with changing(catalog) as opened:
        show(opened.attach_enricher(collection, type_, config=configuration, priority=priority), collection_facts, json=as_json)


@enricher_app.command("detach")
def enricher_detach(
    collection: CollectionArgument,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The enricher type.")],
    catalog: CatalogFile = DEFAULT_CATALOG,
    as_json: AsJson = False,
) -> None:
    """Take an enricher from a collection. What it found out stays until a refresh."""
    from retrovue_uow.cli_output import collection_facts, show

    with changing(catalog) as opened:
        show(opened.detach_enricher(collection, type_), collection_facts, json=as_json)
