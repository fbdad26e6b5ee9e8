"""The outside world: importers, enrichers, file names, sidecars, probing. Never sees the database."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrovue_uow.media import numbering as numbering
    from retrovue_uow.media import titles as titles
    from retrovue_uow.media import walk as walk

else:

    def __getattr__(name: str) -> ModuleType:
        """`walk`, with all that reads file names and sidecars, imported by the first ingest, or what else reads file names."""
        if name not in ("numbering", "titles", "walk"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with import_module("retrovue_uow.errors").loading(f"{__name__}.{name}"):
            return import_module(f"{__name__}.{name}")
