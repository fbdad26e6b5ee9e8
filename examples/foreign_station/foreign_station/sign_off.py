"""The operation with which this station ends its day."""

from __future__ import annotations

from retrovue_uow import Catalog, Database, OperationError, ValidationError
from retrovue_uow.rules.integrity import validate_database_consistency


class SignOffError(OperationError):
    """The day could not be ended."""


def sign_off(catalog: Catalog, *, last_year: int) -> int:
    """Retire the movies that came after `last_year`, approve all else that is ready. How many assets are approved."""
    with catalog.operation("sign_off", SignOffError, last_year=last_year) as op:
        with op.preflight() as db:
            if not _count(db, "state = 'ready'"):
                raise ValidationError("nothing is ready: ingest something first")
        with op.execution() as db:
            _retire_later_movies(db, last_year)
            db.execute("UPDATE asset SET approved = 1 WHERE state = 'ready'")
            approved = _count(db, "approved = 1")
        with op.postvalidation() as db:
            validate_database_consistency(db)
            if _count(db, "approved = 0 AND state = 'ready'"):
                raise ValidationError("something that is ready was not approved")
        return op.finish(approved)


def _retire_later_movies(db: Database, last_year: int) -> None:
    db.execute(
        """
        UPDATE asset
           SET state = 'retired',
               approved = 0
         WHERE id IN (SELECT movie_asset.asset_id
                        FROM movie_asset
                        JOIN title ON title.id = movie_asset.title_id
                       WHERE title.year > ?)
        """,
        (last_year,),
    )


def _count(db: Database, condition: str) -> int:
    ((count,),) = db.execute(f"SELECT count(*) FROM asset WHERE {condition}")  # noqa: S608  the conditions above
    return int(count)
