"""JSON as it comes out of the file, which may be damaged although every column checks what goes in."""

from __future__ import annotations

import json
from typing import TypeVar

from retrovue_uow.errors import ResourceError

T = TypeVar("T")


def from_json(text: object, kind: type[T], *, column: str) -> T:
    """The value, of that kind. Raises `ResourceError` that names the column where the text holds none."""
    try:
        value: object = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise ResourceError(f"{column} holds no JSON ({error}): the catalogue is damaged, restore a backup") from error
    if not isinstance(value, kind):
        raise ResourceError(f"{column} holds other JSON than it must: the catalogue is damaged, restore a backup")
    return value
