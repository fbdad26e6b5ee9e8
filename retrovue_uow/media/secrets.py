"""References to secrets, resolved for those who need the true values, and errors that do not tell them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from retrovue_uow.errors import ResourceError, RetroVueError
from retrovue_uow.model import Json
from retrovue_uow.redaction import REFERENCE, SHORTEST_SECRET, masked, secrets_of


def resolved(config: Json, owner: str) -> Json:
    """The configuration with the values of the environment variables that it refers to (`env:NAME`), at any depth.

    Raises:
        ResourceError: A variable is not set; `owner` is what the message names.
    """
    return {name: _resolved(value, owner) for name, value in config.items()}


def _resolved(value: object, owner: str) -> object:
    if isinstance(value, str):
        return _looked_up(value, owner)
    if isinstance(value, Mapping):
        return {name: _resolved(each, owner) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(each, owner) for each in value]
    return value


def _looked_up(text: str, owner: str) -> str:
    reference = REFERENCE.fullmatch(text)
    if reference is None:
        return text
    try:
        return os.environ[reference[1]]
    except KeyError as error:
        raise ResourceError(
            f"environment variable {reference[1]!r}, which the configuration of {owner} refers to, is not set: set it"
        ) from error


@contextmanager
def withheld(config: Json) -> Iterator[None]:
    """Let no library error out of the block whose text, or that of an error behind it, tells a secret of `config`.

    Such an error leaves as another one of its class, with the secrets masked and without the errors behind it. What
    was quoted in some other form than the usual ones cannot be found.
    """
    try:
        yield
    except RetroVueError as error:
        secrets = secrets_of(config) | frozenset(_referred(config))
        if not secrets or not any(masked(text, secrets) != text for text in _texts(error)):
            raise
        retelling = retold(error, masked(str(error), secrets))
    else:
        return
    raise retelling from None


def _referred(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _referred(each)
    elif isinstance(value, str) and (reference := REFERENCE.fullmatch(value)):
        true_value = os.environ.get(reference[1], "")
        yield from (true_value,) if len(true_value) >= SHORTEST_SECRET else ()


def _texts(error: BaseException | None) -> Iterator[str]:
    """The error's text and those of all errors behind it, notes and arguments included."""
    seen: set[int] = set()
    behind = [error]
    while behind:
        each = behind.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield from (str(each), repr(each), *map(str, getattr(each, "__notes__", ())))
        behind += [each.__cause__, each.__context__]


def retold(error: RetroVueError, text: str) -> RetroVueError:
    """The same error, of the same class and with the same attributes, in other words."""
    other = type(error).__new__(type(error), text)
    vars(other).update({name: value for name, value in vars(error).items() if name != "__notes__"})
    return other
