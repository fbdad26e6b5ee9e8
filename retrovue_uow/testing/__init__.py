"""The proof kit: what a test harness needs to prove that its operations are all or nothing. Also a plugin of pytest.

pytest loads it by itself where this library is installed. It brings the fixtures `catalog`, `media_folder`, `fake_importer`
and `fake_enricher`; a fixture of yours with such a name takes its place. All else is imported from here.
"""

from retrovue_uow.testing.atomic import Report, assert_atomic
from retrovue_uow.testing.fakes import FakeEnricher, FakeImporter, drafts, fake_enricher, fake_importer
from retrovue_uow.testing.plugin import catalog_fixture as catalog_fixture
from retrovue_uow.testing.plugin import clip_fixture as clip_fixture
from retrovue_uow.testing.plugin import fake_enricher_fixture as fake_enricher_fixture
from retrovue_uow.testing.plugin import fake_importer_fixture as fake_importer_fixture
from retrovue_uow.testing.plugin import media_folder_fixture as media_folder_fixture
from retrovue_uow.testing.plugin import pytest_assertrepr_compare as pytest_assertrepr_compare
from retrovue_uow.testing.plugin import pytest_configure as pytest_configure
from retrovue_uow.testing.plugin import pytest_unconfigure as pytest_unconfigure
from retrovue_uow.testing.snapshots import Snapshot, assert_unchanged, snapshot

__all__ = [
    "FakeEnricher",
    "FakeImporter",
    "Report",
    "Snapshot",
    "assert_atomic",
    "assert_unchanged",
    "drafts",
    "fake_enricher",
    "fake_importer",
    "snapshot",
]
