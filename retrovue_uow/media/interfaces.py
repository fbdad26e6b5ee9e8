"""The protocols of importers and enrichers: the two ways in which the outside world reaches the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from retrovue_uow.model import AssetDraft, Collection, FoundCollection, IngestFilters, Json, PathMapping


class Importer(Protocol):
    """Finds drafts in a source. Made once per operation from the source's `config`; never sees the database.

    An importer may also have these:

    - `timeout_s`: seconds that `check` and `collections` may take, and `discover` from one draft to the next; 60 where it is
      not there. They are called in threads of their own, and abandoned when they are late.
    - `max_missing`: the part of a collection's assets, from 0 to 1, that the source may no longer name before an ingest
      refuses to believe it; 1 where it is not there. A server that lost its library is no proof that files are gone.
    - `file_drafts(collection, mappings, filters, skip)`: asked in place of `discover`: the same drafts.
      `skip(reason, path)` is called for what can be no asset, which the result lists under `skipped`.
    - `file_runs(mappings, filters, skip=…)`: the files that `discover` finds, as `retrovue_uow.media.walk.Run`s. Then it is
      asked in place of `discover`: no draft is made of a file that is as the catalogue knows it. `skip(reason, path, error)`
      is called for what can be no asset, and raises the error or notes the path; with None as the error, for what is passed
      over, and notes that. No time limit holds for it.
    """

    def check(self) -> None:
        """Raise `ResourceError` unless the source can be reached and lets us in."""

    def collections(self) -> Iterable[FoundCollection]:
        """The collections that the source has."""

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterable[AssetDraft]:
        """A draft per media file of `collection`, below `mappings`, without those that `filters` exclude.

        `filters.title` and the two below it, and `filters.under`, a local folder below a mapping, may be used to yield less;
        the ingest filters again in any case.
        """


class Enricher(Protocol):
    """Adds knowledge in its own domain to a draft and leaves the others alone. Called from several threads at once.

    An enricher may also have these attributes:

    - `version`: text; a new one makes the assets that the old one saw count as changed. Stating one also promises that
      equal inputs give equal results until it changes. While an enricher is being written, leave it out.
    - `cached_by`: `"file"` if its results depend on the file alone, known by path, size and mtime. Then that is all that
      `enrich` is shown, what it finds is laid over the draft, and, if it states a `version`, kept beside the catalogue: the
      next ingest does not ask again. `"draft"` and None, taken where the attribute is not there: nothing is kept.
    - `identifies`: False if it never touches kind, title, year, season or episodes (so that a filtered ingest need not
      run it on what the filter drops); taken as True where it is not there.
    - `timeout_s`: seconds that one `enrich` may take; 60 where it is not there.
    - `begin(mappings)`: takes the collection's path mappings, before the first `enrich`.
    - `stop()`: ends at once the calls of `enrich` that are under way, such as a program that one has started. Called once the
      enrichment is over: done, failed or interrupted.
    """

    def check(self) -> None:
        """Raise `ResourceError` unless everything that `enrich` needs is available."""

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        """The draft with more known about it (`attrs.evolve`); both paths stay as they are."""


ImporterFactory = Callable[[Json], Importer]
"""Makes an importer from a source's configuration; raises `ValidationError` where that is wrong."""
EnricherFactory = Callable[[Json], Enricher]
"""Makes an enricher from its configuration; raises `ValidationError` where that is wrong."""
