"""A retro-TV station's media catalogue in one SQLite file, changed by whole, validated operations only."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from retrovue_uow.catalog import Catalog
    from retrovue_uow.errors import (
        AfterCommitError,
        AssetProcessingError,
        BrokenFileError,
        BusinessRuleError,
        ConfigurationError,
        ConflictError,
        ConstraintError,
        ContractError,
        CurationError,
        ForgetError,
        Holder,
        IngestError,
        OperationError,
        RelocateError,
        ResourceError,
        RetroVueError,
        TransactionLostError,
        UndoError,
        ValidationError,
        Violation,
        WipeError,
    )
    from retrovue_uow.media.interfaces import Enricher, Importer
    from retrovue_uow.model import (
        Asset,
        AssetDraft,
        AssetSelector,
        AttachedEnricher,
        Changes,
        Collection,
        Extension,
        Finding,
        FoundCollection,
        IngestFilters,
        JournalOperation,
        JournalUnit,
        Marker,
        PathMapping,
        RowChange,
        Sidecar,
        Source,
        Title,
        WipeOptions,
        as_json,
    )
    from retrovue_uow.operations.prepare import PreparedIngest
    from retrovue_uow.results import (
        AssetProcessingResult,
        CatalogStatus,
        CheckReport,
        CollectionStatus,
        CurationResult,
        Explanation,
        ForgetResult,
        IngestFailure,
        IngestResult,
        InstalledExtension,
        RelocateResult,
        Replacement,
        Retitling,
        SourceIngestResult,
        TitleResult,
        UndoResult,
        WipeResult,
        Withdrawal,
    )
    from retrovue_uow.uow.database import Database

__all__ = [
    "AfterCommitError",
    "Asset",
    "AssetDraft",
    "AssetProcessingError",
    "AssetProcessingResult",
    "AssetSelector",
    "AttachedEnricher",
    "BrokenFileError",
    "BusinessRuleError",
    "Catalog",
    "CatalogStatus",
    "Changes",
    "CheckReport",
    "Collection",
    "CollectionStatus",
    "ConfigurationError",
    "ConflictError",
    "ConstraintError",
    "ContractError",
    "CurationError",
    "CurationResult",
    "Database",
    "Enricher",
    "Explanation",
    "Extension",
    "Finding",
    "ForgetError",
    "ForgetResult",
    "FoundCollection",
    "Holder",
    "Importer",
    "IngestError",
    "IngestFailure",
    "IngestFilters",
    "IngestResult",
    "InstalledExtension",
    "JournalOperation",
    "JournalUnit",
    "Marker",
    "OperationError",
    "PathMapping",
    "PreparedIngest",
    "RelocateError",
    "RelocateResult",
    "Replacement",
    "ResourceError",
    "Retitling",
    "RetroVueError",
    "RowChange",
    "Sidecar",
    "Source",
    "SourceIngestResult",
    "Title",
    "TitleResult",
    "TransactionLostError",
    "UndoError",
    "UndoResult",
    "ValidationError",
    "Violation",
    "WipeError",
    "WipeOptions",
    "WipeResult",
    "Withdrawal",
    "as_json",
]

_HOMES = {
    "Catalog": "catalog",
    "CatalogStatus": "results",
    "CheckReport": "results",
    "CollectionStatus": "results",
    "Database": "uow.database",
    "Enricher": "media.interfaces",
    "Explanation": "results",
    "Holder": "errors",
    "Importer": "media.interfaces",
    "IngestFailure": "results",
    "InstalledExtension": "results",
    "PreparedIngest": "operations.prepare",
    "Replacement": "results",
    "Retitling": "results",
    "Violation": "errors",
    "Withdrawal": "results",
}
"""Modules by public name; of errors it is `errors`, of what is called a result `results`, of everything else `model`."""


if not TYPE_CHECKING:  # which would take every misspelt name for one of these

    def __getattr__(name: str) -> object:
        """The public name, imported when it is first asked for (PEP 562): nobody waits for what is not used."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES.get(name, "errors" if name.endswith("Error") else "results" if name.endswith("Result") else "model")
        with import_module(f"{__name__}.errors").loading(f"{__name__}.{name}"):
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
