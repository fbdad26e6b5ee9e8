"""The proof kit: what a test harness needs to prove that its operations are all or nothing. Also a plugin of pytest.

pytest loads it by itself where this library is installed. It brings the fixtures `retrovue_catalog`, `retrovue_media_folder`,
`retrovue_fake_importer`, `retrovue_fake_enricher` and `retrovue_extended_catalog`. All else is imported from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from retrovue_uow.testing.plugin import catalog_fixture as catalog_fixture
from retrovue_uow.testing.plugin import catalog_short as catalog_short
from retrovue_uow.testing.plugin import clip_fixture as clip_fixture
from retrovue_uow.testing.plugin import extended_catalog_fixture as extended_catalog_fixture
from retrovue_uow.testing.plugin import fake_enricher_fixture as fake_enricher_fixture
from retrovue_uow.testing.plugin import fake_enricher_short as fake_enricher_short
from retrovue_uow.testing.plugin import fake_importer_fixture as fake_importer_fixture
from retrovue_uow.testing.plugin import fake_importer_short as fake_importer_short
from retrovue_uow.testing.plugin import media_folder_fixture as media_folder_fixture
from retrovue_uow.testing.plugin import media_folder_short as media_folder_short
from retrovue_uow.testing.plugin import pytest_addoption as pytest_addoption
from retrovue_uow.testing.plugin import pytest_assertrepr_compare as pytest_assertrepr_compare
from retrovue_uow.testing.plugin import pytest_configure as pytest_configure
from retrovue_uow.testing.plugin import pytest_unconfigure as pytest_unconfigure

if TYPE_CHECKING:
    from retrovue_uow.testing.atomic import Report, assert_atomic
    from retrovue_uow.testing.extensions import assert_extension, extended_catalog
    from retrovue_uow.testing.fakes import FakeEnricher, FakeImporter, drafts, fake_enricher, fake_importer
    from retrovue_uow.testing.snapshots import Snapshot, assert_unchanged, snapshot

__all__ = [
    "FakeEnricher",
    "FakeImporter",
    "Report",
    "Snapshot",
    "assert_atomic",
    "assert_extension",
    "assert_unchanged",
    "drafts",
    "extended_catalog",
    "fake_enricher",
    "fake_importer",
    "snapshot",
]

_HOMES = {
    **dict.fromkeys(("Report", "assert_atomic"), "atomic"),
    **dict.fromkeys(("assert_extension", "extended_catalog"), "extensions"),
    **dict.fromkeys(("FakeEnricher", "FakeImporter", "drafts", "fake_enricher", "fake_importer"), "fakes"),
    **dict.fromkeys(("Snapshot", "assert_unchanged", "snapshot"), "snapshots"),
}
"""Modules by name."""

if not TYPE_CHECKING:  # which would take every misspelt name for one of these

    def __getattr__(name: str) -> object:
        """The name, imported when it is first asked for: pytest loads this plugin in every project of the environment."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value
