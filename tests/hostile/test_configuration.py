"""Configurations that are no JSON, or JSON that nobody should have to read: refused, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from commandline import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow import Catalog, Collection, ConfigurationError, ContractError, RetroVueError, ValidationError
from retrovue_uow.testing import FakeImporter, snapshot

pytestmark = pytest.mark.proof(
    "Hostile input brings out the library's own errors, in time, and changes nothing",
    how="names that are no UTF-8, NFO files that bite, reports of ffprobe without sense or end, odd configurations and "
    "mappings, damaged, forged and strange catalogue files; by Hypothesis, any bytes as names and any JSON as a configuration",
)


def nested(depth: int, *, in_lists: bool = False) -> dict[str, Any]:
    value: Any = {}
    for _ in range(depth - 1):
        value = [value] if in_lists else {"a": value}
    return {"a": value}


class Half(Mapping[str, object]):
    """A mapping that fails while it is read."""

    def __getitem__(self, name: str) -> object:
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter("ab")

    def __len__(self) -> int:
        return 2


CYCLE: dict[str, Any] = {}
CYCLE["a"] = [CYCLE]
REFUSED: dict[str, Any] = {
    "nan": {"a": float("nan")},
    "infinity": {"a": [float("-inf")]},
    "digits": {"a": 10**5000},
    "deep": nested(101),
    "deep_lists": nested(101, in_lists=True),
    "very_deep": nested(50_000),
    "cycle": CYCLE,
    "number_as_name": {1: "a"},
    "number_as_inner_name": {"a": [{1: "a", "1": "b"}]},
    "none_as_name": {None: "a"},
    "surrogate": {"a": "\ud800"},
    "surrogate_in_name": {"\udfff": 1},
    "bytes": {"a": b"abc"},
    "no_bytes": {"a": b""},
    "set": {"a": set()},
    "pairs": {"a": iter([("b", 1)])},
    "object": {"a": object()},
    "list": [],
    "text": "{}",
    "none": None,
    "pairs_alone": [("a", 1)],
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_json_object_is_refused(catalog: Catalog, collection: Collection, case: str) -> None:
    before = snapshot(catalog)

    with pytest.raises(ConfigurationError, match="must be a JSON object") as caught:
        catalog.add_source("odd", "fake", REFUSED[case])
    with pytest.raises(ConfigurationError, match="must be a JSON object"):
        catalog.attach_enricher("Shows", "other", config=REFUSED[case])

    assert isinstance(caught.value.cause, ValidationError)
    assert len(str(caught.value)) < 1000
    assert snapshot(catalog) == before


@pytest.mark.parametrize(
    "config",
    [
        {"a": 10**30, "b": -(10**300), "c": 1e308, "d": 5e-324},
        {"": "", "\0": "\0\x1b[2J", "a\u202eb": "\u200b", "𝄞": ["é", "e\u0301"]},
        nested(99),
        {"a": ("tuple", {"b": ()})},
        {"$.a": 1, "a'b\"c": "'); DROP TABLE source; --"},
    ],
)
def test_odd_json_comes_back_as_it_was(catalog: Catalog, config: dict[str, Any]) -> None:
    catalog.add_source("odd", "fake", config)

    (source,) = catalog.sources()
    assert source.config == json.loads(json.dumps(config))
    assert catalog.check().is_sound


TEXTS = st.text(st.characters(), max_size=8)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(TEXTS, st.sampled_from(["token", "url"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(settings.get_profile("few"))
@given(config=st.dictionaries(TEXTS, VALUES, max_size=4))
def test_any_configuration_is_kept_whole_or_refused(importer: FakeImporter, figures: Proof, config: dict[str, Any]) -> None:
    figures.add({"drawn by Hypothesis": 1})
    with Catalog(":memory:", importers={"fake": importer}) as catalog:
        try:
            added = catalog.add_source("odd", "fake", config)
        except RetroVueError:
            assert catalog.sources() == []
            return

        (source,) = catalog.sources()
        assert source == added
        assert source.config == json.loads(json.dumps(config))
        assert "***" in repr(source) or repr(dict(source.config)) in repr(source)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"root": "/a", "root": "/b"}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "\\ud800"}',
        "{'a': 1}",
        "\ufeff{}",
        "{}\x00",
    ],
    ids=range(16),
)
def test_the_command_line_refuses_it_in_a_sentence(run: Run, text: str) -> None:
    result = run("source", "add", "odd", "--config", text)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr) < 1000
    assert "unexpected" not in result.stderr
    assert run("source", "list").stdout in ("", "there are no sources yet\n")


@pytest.mark.parametrize(
    ("source_path", "local_path"),
    [
        ("/m", "relative"),
        ("/m", ""),
        ("/m", "/a/../b"),
        ("/m", "/a/.."),
        ("/m", "/.."),
        ("/m", "/a\0b"),
        ("/m", "/a\ud800"),
        ("/m\ud800", "/a"),
        ("/m\0", "/a"),
        ("", "/a"),
        ("/m/../../etc", "/a"),
        ("/m", b"/a"),
        (b"/m", "/a"),
        (None, "/a"),
        ("/m", None),
        ("/m", 7),
        ("file:///m/%2e%2e/x", "/a"),
        ("file:///m/%00", "/a"),
    ],
)
def test_path_mappings_that_escape_are_refused(
    catalog: Catalog, collection: Collection, source_path: Any, local_path: Any
) -> None:
    before = snapshot(catalog)

    with pytest.raises((ConfigurationError, ContractError)):
        catalog.map_path("Shows", source_path, local_path)
    with pytest.raises(ConfigurationError):
        catalog.add_collection("station", "Odd", path_mappings={source_path: local_path})

    assert snapshot(catalog) == before


def test_a_broken_mapping_is_an_error_of_the_library(catalog: Catalog) -> None:
    with pytest.raises(ConfigurationError):
        catalog.add_source("odd", "fake", Half())


def test_arguments_too_deep_for_the_journal_are_an_error_of_the_library(catalog: Catalog) -> None:
    name: Any = nested(50_000)

    with pytest.raises(ContractError, match="must be JSON"):
        catalog.add_source(name, "fake")
