"""The options by which every verb selects assets, given to commands that take a `selection`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import attrs
import typer

from retrovue_uow.cli_options import KindChoice, StateChoice, VersionsChoice

if TYPE_CHECKING:
    from retrovue_uow.catalog import Catalog
    from retrovue_uow.model import AssetSelector
    from retrovue_uow.operations.select import Assets

_OPTIONS: dict[str, Any] = {  # Typer reads them as annotations
    "path": Annotated[
        str | None,
        typer.Option("--path", metavar="GLOB", help="Only those whose path, or its end, matches (* ? [abc]): 'Season 01/*'."),
    ],
    "kind": Annotated[KindChoice | None, typer.Option("--kind", help="Only those of this kind.")],
    "state": Annotated[StateChoice | None, typer.Option("--state", help="Only those in this state.")],
    "missing": Annotated[
        bool | None, typer.Option("--missing/--present", help="Only those whose files were not found, or were.")
    ],
    "approved": Annotated[bool | None, typer.Option("--approved/--unapproved", help="Only those that are approved, or not.")],
    "unclassified": Annotated[bool | None, typer.Option("--unclassified", help="Only those that nothing could classify.")],
    "broken": Annotated[bool | None, typer.Option("--broken/--sound", help="Only those whose file is broken, or is not.")],
    "title": Annotated[str | None, typer.Option("--title", help="Only those of this show or movie.")],
    "season": Annotated[int | None, typer.Option("--season", help="Only those of this season of --title.")],
    "episode": Annotated[int | None, typer.Option("--episode", help="Only those of this episode of --season.")],
    "versions": Annotated[
        VersionsChoice | None,
        typer.Option("--versions", help="Only what may be scheduled: of files that show the same the one to air, or all."),
    ],
}
_COLLECTION_ARGUMENT = Annotated[str | None, typer.Argument(metavar="[COLLECTION]", help="Only those of this collection.")]
_COLLECTION_OPTION = Annotated[
    str | None, typer.Option("--collection", metavar="COLLECTION", help="Only those of this collection.")
]
_ASSETS = Annotated[list[str] | None, typer.Argument(metavar="[ASSET]...", help="Assets, by id or path of the file.")]


@attrs.frozen(kw_only=True)
class Selection:
    """Which assets the user asked for: some by name, or all that the options describe."""

    assets: Sequence[str] | None = None
    collection: str | None = None
    path: str | None = None
    kind: KindChoice | None = None
    state: StateChoice | None = None
    missing: bool | None = None
    approved: bool | None = None
    unclassified: bool | None = None
    broken: bool | None = None
    title: str | None = None
    season: int | None = None
    episode: int | None = None
    versions: VersionsChoice | None = None

    @property
    def selector(self) -> AssetSelector:
        """What the options describe."""
        from retrovue_uow.model import AssetSelector

        return AssetSelector(
            collection=self.collection,
            path=self.path,
            kind=self.kind.value if self.kind else None,
            state=self.state.value if self.state else None,
            missing=self.missing,
            approved=self.approved,
            unclassified=self.unclassified or None,
            broken=self.broken,
            title=self.title,
            season=self.season,
            episode=self.episode,
            versions=self.versions.value if self.versions else None,
        )

    def meant(self, catalog: Catalog) -> Assets:
        """What a verb of the catalogue takes. Selecting everything by saying nothing is a slip, and refused."""
        from retrovue_uow.cli_ingest import asset_named
        from retrovue_uow.errors import ValidationError
        from retrovue_uow.model import AssetSelector

        is_described = self.selector != AssetSelector()
        if self.assets and is_described:
            raise ValidationError("name assets, or describe them by options, not both")
        if not self.assets and not is_described:
            raise ValidationError("name assets, or describe them by options: --collection, --path, --title, …")
        return [asset_named(catalog, each).id for each in self.assets] if self.assets else self.selector


def selecting_by_name(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take assets by name or by options."""
    return _expanded(command, {"assets": _ASSETS, "collection": _COLLECTION_OPTION, **_OPTIONS})


def selecting_by_collection(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take a collection and options."""
    return _expanded(command, {"collection": _COLLECTION_ARGUMENT, **_OPTIONS})


def _expanded(command: Callable[..., None], options: dict[str, Any]) -> Callable[..., None]:
    """`command` with the options as parameters in place of its `selection`: Typer reads signatures."""

    def run(**given: Any) -> None:  # what the options are, Typer has seen to
        selection = Selection(**{name: given.pop(name) for name in options})
        command(selection=selection, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(kind=keyword, annotation=hints[parameter.name])
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != "selection"
    ]
    added = [inspect.Parameter(name, keyword, default=None, annotation=hint) for name, hint in options.items()]
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*added, *own)}
    run.__signature__ = inspect.Signature([*added, *own])  # type: ignore[attr-defined]  # what `inspect.signature` honours
    return run
