"""What every rule has in common: it is named in its error, and its verdict can be read in the log."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from retrovue_uow.errors import RetroVueError, ValidationError
from retrovue_uow.log import logger

P = ParamSpec("P")
R = TypeVar("R")


def rule(validate: Callable[P, R]) -> Callable[P, R]:
    """Log the verdict of a `validate_…` function, and put its name into the `ValidationError` that it raises."""

    @wraps(validate)
    def judged(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            found = validate(*args, **kwargs)
        except RetroVueError as error:
            if isinstance(error, ValidationError) and error.rule is None:
                error.rule = validate.__name__
            logger.debug("rule_broken", rule=validate.__name__, reason=str(error))
            raise
        logger.debug("rule_holds", rule=validate.__name__)
        return found

    return judged
