"""What is secret in a configuration, and how it is shown instead.

Below everything else, as `model` and `errors` are: values, log lines, the journal and the command line all show
configurations, and each must leave out the same things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

MASK = "***"
REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
"""A value that only names the environment variable which holds the true one; it is no secret itself."""
SHORTEST_SECRET = 4
"""Characters; what is shorter is not looked for in texts, where it would be found in half of all words."""
MAX_DEPTH = 100
"""Levels of a configuration; what lies deeper is not shown."""

_SECRET_WORDS = frozenset(
    {"token", "password", "passwd", "passphrase", "pwd", "secret", "key", "apikey", "authorization", "cookie", "credential"}
)
_NO_SECRETS = frozenset({"canonical_key"})
"""Names of the library's own that only look secret."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_PASSWORD_IN_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:]*:)([^\s/?#]+)(?=@)")
_PARAMETER_IN_URL = re.compile(r"(?<=[?&;])([^\s=&;#?]+)=([^\s&;#]+)")
_CONFIGURED_TABLES = frozenset({"source", "collection_enricher"})


def is_secret_name(name: object) -> bool:
    """Whether what is called so is a secret: a word of the name, in whatever case and style, says so."""
    if not isinstance(name, str) or name in _NO_SECRETS:
        return False
    words = {word.casefold() for word in _WORD.findall(name)}
    return not _SECRET_WORDS.isdisjoint(words | {word.removesuffix("s") for word in words})


def redacted(value: object) -> object:
    """JSON in which no secret is left: neither under a name that looks secret, nor within a URL. References stay."""
    return _redacted(value, MAX_DEPTH)


def _redacted(value: object, depth: int) -> object:
    if isinstance(value, str):
        return redacted_text(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {
            redacted_text(name) if isinstance(name, str) else name: (
                MASK if _is_secret(name, each) else _redacted(each, depth - 1)
            )
            for name, each in value.items()
        }
    return [_redacted(each, depth - 1) for each in value]


def _is_secret(name: object, value: object) -> bool:
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return False
    is_reference = isinstance(value, str) and REFERENCE.fullmatch(value) is not None
    return is_secret_name(name) and not is_reference


def redacted_text(text: str) -> str:
    """`text` without the passwords and secret parameters of the URLs in it."""
    if "://" not in text:
        return text
    return _PARAMETER_IN_URL.sub(_without_value, without_passwords(text))


def without_passwords(text: str) -> str:
    """`text` with the passwords of the URLs in it masked; done twice it is the same."""
    return _PASSWORD_IN_URL.sub(rf"\1{MASK}", text)


def _without_value(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}={MASK}" if is_secret_name(unquote(parameter[1])) else parameter[0]


def shown(config: object) -> str:
    """The `repr` of a configuration, redacted."""
    return repr(redacted(config))


def redacted_row(table: str, values: Mapping[str, object]) -> Mapping[str, object]:
    """Values by column of a row of the catalogue, its configuration redacted where it has one."""
    config = values.get("config")
    if table not in _CONFIGURED_TABLES or config is None:
        return values
    return {**values, "config": _redacted_json(config)}


def _redacted_json(text: object) -> str:
    try:
        return json.dumps(redacted(json.loads(str(text))), ensure_ascii=False)
    except (ValueError, RecursionError):
        return MASK


def secrets_of(config: object) -> frozenset[str]:
    """The texts in a configuration that `redacted` leaves out, as far as they are long enough to be looked for."""
    return frozenset(each for each in _secrets(config, MAX_DEPTH) if len(each) >= SHORTEST_SECRET)


def _secrets(value: object, depth: int, *, is_secret: bool = False) -> Iterator[str]:
    if isinstance(value, str):
        yield from (value,) if is_secret else _secrets_of_text(value)
    elif isinstance(value, Mapping) and depth:
        for name, each in value.items():
            yield from _secrets(each, depth - 1, is_secret=is_secret or _is_secret(name, each))
    elif isinstance(value, list | tuple) and depth:
        for each in value:
            yield from _secrets(each, depth - 1, is_secret=is_secret)
    elif is_secret and not isinstance(value, bool) and value is not None:
        yield str(value)


def _secrets_of_text(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    for _, password in _PASSWORD_IN_URL.findall(text):
        yield from (password, unquote(password))
    for name, value in _PARAMETER_IN_URL.findall(text):
        if is_secret_name(unquote(name)):
            yield from (value, unquote(value))


def masked(text: str, secrets: frozenset[str]) -> str:
    """`text` with every one of the secrets masked, also where Python or JSON has quoted it, however often."""
    if not secrets:
        return text
    longest_first = sorted(secrets, key=len, reverse=True)
    return re.sub("|".join("".join(map(_quoted, secret)) for secret in longest_first), MASK, text)


def _quoted(char: str) -> str:
    """A pattern for the character, as it is or as an escape within any number of quotations."""
    if char in "'\"":
        return rf"\\*{char}"
    if char == "\\":
        return r"\\+"
    if char.isascii() and char.isprintable():
        return re.escape(char)
    escapes = {re.escape(quoted[1:-1]).replace(r"\\", r"\\+") for quoted in (ascii(char), json.dumps(char))}
    return "|".join(("(?:" + re.escape(char), *sorted(escapes))) + ")"
