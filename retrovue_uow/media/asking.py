"""Asking importers and enrichers: whether they can work, what they have; however they behave."""

from __future__ import annotations

from collections.abc import Callable

from retrovue_uow.errors import ResourceError, RetroVueError, ValidationError
from retrovue_uow.media.interfaces import Importer
from retrovue_uow.media.secrets import withheld
from retrovue_uow.media.time_limit import call_within
from retrovue_uow.model import FoundCollection, Json, Source

CHECK_TIMEOUT_S = 60.0


def require(owner: str, check: Callable[[], None], *, config: Json, timeout_s: float = CHECK_TIMEOUT_S) -> None:
    """Raise what `check` of `owner` (such as `"importer 'plex'"`) raises, as an error of this library.

    It tells no secret of `config`, the owner's configuration.
    """
    with withheld(config):
        try:
            call_within(timeout_s, check)
        except RetroVueError:
            raise
        except TimeoutError as error:
            raise ResourceError(f"{owner} gave no answer within {timeout_s:g} s: is what it asks asleep or gone?") from error
        except Exception as error:
            raise ResourceError(f"{owner} is not available: {error!r}") from error


def reported_collections(importer: Importer, source: Source) -> list[FoundCollection]:
    """What the importer of a source says that the source has."""
    with withheld(source.config):
        return _reported(importer, source.name)


def _reported(importer: Importer, source_name: str) -> list[FoundCollection]:
    try:
        reported = list(importer.collections())
    except RetroVueError:
        raise
    except Exception as error:
        raise ResourceError(f"the importer of source {source_name!r} could not list its collections: {error!r}") from error
    for found in reported:
        if not isinstance(found, FoundCollection):
            raise ValidationError(f"the importer of source {source_name!r} reported {found!r}, not a FoundCollection: mend it")
    return reported
