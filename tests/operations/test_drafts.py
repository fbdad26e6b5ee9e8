"""What a draft may not say: each is refused by the name of what is wrong, and nothing is changed."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
from harness import draft, episode

from retrovue_uow import Catalog, Collection, IngestError, IngestFilters, Marker, Sidecar, ValidationError
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "kind 'opera' is not one of": {"kind": "opera"},
    "an episode needs title, season_number and episode_numbers": {"kind": "episode", "title": "Dark", "season_number": 1},
    "a movie needs a title": {"kind": "movie"},
    "sidecars must be a tuple of Sidecar": {"sidecars": [Sidecar("/media/a.nfo", 1, 1)]},
    "tuple of Sidecar": {"sidecars": ("x",)},
    "size must be an integer from": {"size": True},
    "mtime_ns 1.5 is not an integer": {"mtime_ns": 1.5},
    "its mtime lies after the year 2262": {"mtime_ns": 2**63},
    "its mtime lies before the year 1677": {"mtime_ns": -(2**63)},
    "episode_numbers must be a tuple of integers": {"episode_numbers": [1]},
    "episode_numbers (1, 1) names an episode twice": {"episode_numbers": (1, 1)},
    "episode_title ' ' is not a readable text": {"episode_title": " "},
    "markers must be a tuple of Marker": {"markers": [Marker("avail", 1)]},
    "two markers of one kind start at the same time": {"markers": (Marker("avail", 1), Marker("avail", 1, 2))},
    "marker kind 'opera' is not one of": {"markers": (Marker("opera", 1),)},  # type: ignore[arg-type]  # that is the point
    "marker start_ms must be an integer from 0": {"markers": (Marker("avail", -1),)},
    "warnings must be a tuple of texts": {"warnings": ["half of it"]},
    "metadata must map domains to JSON objects": {"metadata": [("editorial", {})]},
    "metadata of domain 'editorial' is not a JSON object": {"metadata": {"editorial": ["studio"]}},
}


@pytest.mark.parametrize(("said", "facts"), IMPOSSIBLE.items(), ids=IMPOSSIBLE)
def test_a_draft_that_says_what_cannot_be_is_refused_by_name(
    catalog: Catalog, collection: Collection, importer: FakeImporter, said: str, facts: dict[str, Any]
) -> None:
    importer.drafts = [episode("Dark", 1, 1), draft("odd.mkv", **facts)]
    before = snapshot(catalog)

    with pytest.raises(IngestError, match=re.escape(said)) as caught:
        catalog.ingest_collection("Shows")

    assert isinstance(caught.value.cause, ValidationError)
    assert "odd.mkv" in str(caught.value)
    assert snapshot(catalog) == before


@pytest.mark.parametrize("facts", [{"kind": "movie"}, {"title": 5}, {"kind": []}], ids=str)
def test_an_odd_draft_is_refused_before_filters_are_held_against_it(
    catalog: Catalog, collection: Collection, importer: FakeImporter, facts: dict[str, Any]
) -> None:
    importer.drafts = [episode("Dark", 1, 1), draft("odd.mkv", **facts)]

    with pytest.raises(IngestError, match=r"draft '/media/odd\.mkv'") as caught:
        catalog.ingest_collection("Shows", IngestFilters("Dark"))

    assert isinstance(caught.value.cause, ValidationError)


def test_what_an_enricher_makes_of_a_file_that_the_filters_leave_out_fails_nothing(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
) -> None:
    enricher.returns = lambda found: attrs.evolve(found, kind="movie") if "odd" in found.file_path else found
    importer.drafts = [episode("Dark", 1, 1), draft("odd.mkv")]

    assert catalog.ingest_collection("Shows", IngestFilters("Dark")).created == 1


def test_what_the_operator_has_assigned_is_judged_in_place_of_what_the_draft_says(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
) -> None:
    importer.drafts = [draft("odd.mkv")]
    catalog.ingest_collection("Shows")
    catalog.assign(catalog.assets()[0], kind="movie", title="Dune")
    enricher.returns = lambda found: attrs.evolve(found, kind="movie")

    assert catalog.ingest_collection("Shows", refresh="all").refreshed == 1
    assert [(asset.kind, asset.title) for asset in catalog.assets()] == [("movie", "Dune")]


def test_a_file_that_is_named_by_a_url_is_refused(catalog: Catalog, collection: Collection, importer: FakeImporter) -> None:
    importer.drafts = [attrs.evolve(draft("odd.mkv"), file_path="file:///media/odd.mkv")]
    before = snapshot(catalog)

    with pytest.raises(IngestError, match=r"file_path 'file:///media/odd\.mkv' must be absolute"):
        catalog.ingest_collection("Shows")

    assert snapshot(catalog) == before
