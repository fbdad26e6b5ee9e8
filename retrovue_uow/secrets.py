"""What is secret in a configuration: how it is shown instead, where the true values come from, and errors without them.

Below everything else, as `model` and `errors` are: values, log lines, the journal and the command line all show
configurations, and each must leave out the same things.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import unquote

from retrovue_uow.errors import ResourceError, RetroVueError

MASK = "***"
REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
"""A value that only names the environment variable which holds the true one; it is no secret itself."""
SHORTEST_SECRET = 4
"""Characters; what is shorter is not looked for in texts, where it would be found in half of all words."""
MAX_DEPTH = 100
"""Levels of a configuration; what lies deeper is not shown."""

_SECRET_WORDS = (
    *("token", "secret", "pass", "pwd", "auth", "key", "bearer", "session", "cookie", "credential", "jwt", "signature"),
)
"""What a name must contain to be that of a secret, in whatever case and style; `pass` is in password, passwd and passphrase."""
_SECRET_NAMES = frozenset({"sig", "sid"})
_NO_SECRETS = (
    *("key_frame", "keyint", "keyword", "keyboard", "keymap", "keynote", "keystone", "chroma_key"),
    *("canonical_key", "rating_key", "section_key", "sort_key", "primary_key", "foreign_key"),
    *("monkey", "donkey", "turkey", "hockey", "jockey", "whiskey"),
    *("author", "authority", "authorities", "authoring", "authentic"),
    *("compass", "passage", "passenger", "passive", "pass_through", "bypass", "low_pass", "high_pass", "band_pass"),
    *("tokenizer", "tokeniser", "secretary", "secretaries", "secretariat", "obsession", "possession", "asset"),
)
"""Words that are shown although they contain such a word, or make one with the word before (`mapAssets`)."""
_WORD = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+"
_NAME = re.compile(r"[\w-]+")
_NO_SECRET = rf"(?:{'|'.join(_NO_SECRETS)})s?".replace("_", "_?")  # compiled where a name is first asked about: it is long
_NO_SECRET_WORD = rf"(?<![^_]){_NO_SECRET}(?![^_])"
_SHARES = "smb|cifs|nfs|afp|sftp|ssh|file"
_PATH = re.compile(rf"[/\\~]|[A-Za-z]:[\\/]|(?:{_SHARES})://|(?!.*://)[^:=]*[/\\]", re.IGNORECASE | re.DOTALL)
"""How a text begins that is the path of a file, in which words mean nothing: `/media/The Key: Part 1.mkv`."""
_PASSWORD_IN_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:]*:)(?P<secret>[^\s/?#]+)(?=@)")
_IN_URL = (
    _PASSWORD_IN_URL,
    # A password with a slash; a number in front of that is a port, and what a letter stands before is a Windows drive.
    re.compile(r"""://(?![A-Za-z]:[\\/])[^\s/?#:@[]*:(?!\d+[/?#])(?P<secret>[^\s/?#@]*[/?#][^\s"'<>]*)(?=@)"""),
    # A user without a password is a token, but for shares of files.
    re.compile(rf"(?<![a-z0-9+.-])(?!(?:{_SHARES})://)[a-z][a-z0-9+.-]*://(?P<secret>[^\s/?#:]+)(?=@)", re.IGNORECASE),
)
_PARAMETER = re.compile(r"(?<=[?&;])(?P<name>[^\s=&;#?]+)=(?P<secret>[^\s&;#]+)")
_NAMED = re.compile(
    r"""(?:^|(?<=[\s?&;,{(\[<"']))(?P<name>[^\s=:&;,#?/"'{(\[<]+)["']?\s*"""
    r"""(?::\s*(?=(?P<line>[^\r\n]+))|=\s*(?=(?P<secret>"[^"]*"|'[^']*'|[^\s&;#]+)))""",
    re.MULTILINE,
)
"""`name=value`; `Name: value` goes on to the end of the line, as headers do."""
_BEARER = re.compile(r"""\bbearer\s+(?P<secret>[^\s"',;]+)""", re.IGNORECASE)
_CONFIGURED_TABLES = frozenset({"source", "collection_enricher"})


@lru_cache(maxsize=1024)
def is_secret_name(name: object) -> bool:
    """Whether what is called so is a secret: the name contains a word that says so, and no listed one that explains it.

    Looked for in the name's words, as case and signs part them, and in its letters run together, as if they did not.
    """
    if not isinstance(name, str):
        return False
    plain = unicodedata.normalize("NFKC", name)
    words = [word.casefold() for word in re.findall(_WORD, plain)]
    texts = re.sub(_NO_SECRET_WORD, "", "_".join(words)), re.sub(_NO_SECRET, "_", plain.casefold())
    return not _SECRET_NAMES.isdisjoint(words) or any(word in text for word in _SECRET_WORDS for text in texts)


def redacted(value: object) -> object:
    """JSON in which no secret is left: neither under or after a name that looks secret, nor within a text. References stay."""
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
    return [MASK if _is_secret(name, each) else _redacted(each, depth - 1) for name, each in _after_names(value)]


def _after_names(values: Sequence[object]) -> Iterator[tuple[object, object]]:
    """Each value of a list, after what names it: an option (`["--token", "…"]`), or the first of two (`["Cookie", "…"]`)."""
    for before, value in zip((None, *values), values, strict=False):
        is_name = isinstance(before, str) and (before.startswith("-") or len(values) == 2) and _NAME.fullmatch(before)
        yield before if is_name else None, value


def _is_secret(name: object, value: object) -> bool:
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return False
    is_reference = isinstance(value, str) and REFERENCE.fullmatch(value) is not None
    return is_secret_name(name) and not is_reference


def redacted_text(text: str) -> str:
    """`text` without the secrets of URLs, parameters and headers in it."""
    shown, end = "", 0
    for start, stop in sorted(_found(text)):
        if start >= end:
            shown += text[end:start] + MASK
        end = max(end, stop)
    return shown + text[end:]


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Where in a text secrets are; they may overlap."""
    for pattern in _IN_URL if "://" in text else ():
        yield from (found.span("secret") for found in pattern.finditer(text))
    if _PATH.match(text):
        named, start = _PARAMETER, text.find("?")
    else:
        named, start = _NAMED, 0
        yield from (found.span("secret") for found in _BEARER.finditer(text))
    end = 0
    for found in named.finditer(text, start) if start >= 0 else ():
        group = "secret" if found["secret"] else "line"
        if found.start() >= end and _is_secret(unquote(found["name"]), found[group]):
            end = found.end(group)
            yield found.span(group)


def without_passwords(text: str) -> str:
    """A path with the password of its URL masked, and nothing else: it says which file it is. Done twice it is the same."""
    return _PASSWORD_IN_URL.sub(rf"\1{MASK}", text)


def shown(config: object) -> str:
    """The `repr` of a configuration, redacted."""
    return repr(redacted(config))


def redacted_row(table: str, values: Mapping[str, object]) -> Mapping[str, object]:
    """Values by column of a row of the catalogue, its configuration redacted where it has one."""
    config = values.get("config")
    if table not in _CONFIGURED_TABLES or config is None:
        return values
    try:
        safe = json.dumps(redacted(json.loads(str(config))), ensure_ascii=False)
    except (ValueError, RecursionError):
        safe = MASK
    return {**values, "config": safe}


def secrets_of(config: object) -> frozenset[str]:
    """The texts in a configuration that `redacted` leaves out, as far as they are long enough to be looked for."""
    return frozenset(each for each in _secrets(config, MAX_DEPTH) if len(each) >= SHORTEST_SECRET)


def _secrets(value: object, depth: int, *, is_secret: bool = False) -> Iterator[str]:
    if isinstance(value, str):
        found = [value] if is_secret else [value[start:stop] for start, stop in _found(value)]
        for secret in found:
            yield from (secret, unquote(secret), *secret.split()[-1:])  # `Basic …`: the last word alone may be shown
    elif isinstance(value, Mapping | list | tuple) and depth:
        for name, each in value.items() if isinstance(value, Mapping) else _after_names(value):
            yield from _secrets(each, depth - 1, is_secret=is_secret or _is_secret(name, each))
    elif is_secret and not isinstance(value, bool) and value is not None:
        yield str(value)


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


def resolved(config: Mapping[str, object], owner: str) -> Mapping[str, object]:
    """The configuration with the values of the environment variables that it refers to (`env:NAME`), at any depth.

    Raises:
        ResourceError: A variable is not set; `owner` is what the message names.
    """
    return {name: _resolved(value, owner) for name, value in config.items()}


def _resolved(value: object, owner: str) -> object:
    if isinstance(value, Mapping):
        return resolved(value, owner)
    if isinstance(value, list | tuple):
        return [_resolved(each, owner) for each in value]
    reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if reference is None:
        return value
    try:
        return os.environ[reference[1]]
    except KeyError as error:
        raise ResourceError(
            f"environment variable {reference[1]!r}, which the configuration of {owner} refers to, is not set: set it"
        ) from error


@contextmanager
def redacting_errors(config: Mapping[str, object]) -> Iterator[None]:
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
        safe = with_message(error, masked(str(error), secrets))
    else:
        return
    raise safe from None


def _referred(value: object) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
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


def with_message(error: RetroVueError, text: str) -> RetroVueError:
    """The same error, of the same class and with the same attributes, in other words."""
    other = type(error).__new__(type(error), text)
    vars(other).update({name: value for name, value in vars(error).items() if name != "__notes__"})
    return other
