"""What lies beside media and what tools say of it: NFO files and a program that only calls itself ffprobe."""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from loguru import logger

from retrovue_uow import BrokenFileError, Catalog, ConfigurationError, IngestError, ResourceError
from retrovue_uow.media import probing
from retrovue_uow.testing import snapshot

FILE = "Show/Season 01/Show - S01E01.mkv"
MOVIE = "<movie><title>{}</title></movie>"
pytestmark = pytest.mark.proof("Hostile input brings out the library's own errors, in time, and changes nothing")


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Catalog]:
    """A catalogue of one file, not ingested yet, whose NFO files are read; media lies in `media`."""
    folder = tmp_path / "media"
    (folder / FILE).parent.mkdir(parents=True)
    (folder / FILE).write_bytes(b"media")
    with Catalog(tmp_path / "catalog.db") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "C", path_mappings={str(folder): str(folder)})
        catalog.attach_enricher("C", "filename", priority=1)
        catalog.attach_enricher("C", "nfo", priority=2)
        yield catalog


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What was found out about the files, as the log tells it."""
    told: list[str] = []

    def listen(message: object) -> None:
        record = message.record  # type: ignore[attr-defined]  # loguru's own kind of str
        if record["message"] == "file_has_a_finding":
            told.append(record["extra"]["message"])

    sink = logger.add(listen)
    logger.enable("retrovue_uow")
    yield told
    logger.disable("retrovue_uow")
    logger.remove(sink)


def nested(element: str, depth: int) -> str:
    return f"<{element}>" * depth + f"</{element}>" * depth


BOMB = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(f"<!ENTITY a{n} '{'&a' * 10};'>" for n in range(10)) + "]><movie/>"
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><movie><title>&a;</title></movie>'
HOSTILE_NFOS: dict[str, Callable[[], bytes]] = {
    "bomb": lambda: BOMB.encode(),
    "bomb_utf16": lambda: BOMB.encode("utf-16"),
    "bomb_utf16_without_mark": lambda: BOMB.encode("utf-16-le"),
    "bomb_utf32": lambda: BOMB.encode("utf-32"),
    "external": lambda: EXTERNAL.encode(),
    "external_dtd": lambda: b'<!DOCTYPE movie SYSTEM "http://192.0.2.1/x.dtd"><movie/>',
    "parameter_entity": lambda: b'<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]><movie/>',
    "split_doctype": lambda: b"<movie/>" + b" " * 5000 + b"<!\n\tdoctype x []>",
    "undeclared_entity": lambda: b"<movie><title>&#0;</title></movie>",
    "character_beyond": lambda: b"<movie><title>&#x110000;</title></movie>",
    "surrogate_reference": lambda: b"<movie><title>&#xd800;</title></movie>",
    "nul": lambda: b"<movie><title>a\0b</title></movie>",
    "deep": lambda: f"<movie>{nested('a', 100_000)}</movie>".encode(),
    "deep_roots": lambda: nested("xbmcmultiepisode", 20_000).encode(),
    "truncated": lambda: b"<movie><title>Half of it</ti",
    "truncated_attribute": lambda: b'<movie a="',
    "truncated_cdata": lambda: b"<movie><![CDATA[",
    "truncated_utf16": lambda: MOVIE.format("x").encode("utf-16")[:-1],
    "wrong_mark": lambda: codecs.BOM_UTF8 + MOVIE.format("é").encode("latin-1"),
    "huge": lambda: b"<movie>" + b" " * (50 * 2**20) + b"</movie>",
    "huge_attribute": lambda: b'<movie a="' + b"x" * 2**20 + b'"/>',
    "duplicate_attributes": lambda: b'<movie a="1" a="2"/>',
    "unbound_prefix": lambda: b"<movie><x:y/></movie>",
    "two_kinds": lambda: b"<movie/><episodedetails/>",
    "seasons": lambda: (
        b"<episodedetails><season>1</season></episodedetails><episodedetails><season>2</season></episodedetails>"
    ),
    "number": lambda: b"<episodedetails><season>" + b"9" * 100_000 + b"</season></episodedetails>",
    "minus": lambda: b"<episodedetails><episode>-1</episode></episodedetails>",
    "long_title": lambda: MOVIE.format("x" * 1001).encode(),
}


LEGIBLE = {"nul": "ab", "truncated_utf16": "x", "wrong_mark": "é"}
"""The titles that stand in some of them, whole."""


@pytest.mark.parametrize("name", HOSTILE_NFOS)
def test_a_hostile_nfo_keeps_nothing_out_is_warned_of_by_name_and_what_it_does_not_say_the_file_name_says(
    station: Catalog, tmp_path: Path, name: str, told: list[str]
) -> None:
    nfo = (tmp_path / "media" / FILE).with_suffix(".nfo")
    nfo.write_bytes(HOSTILE_NFOS[name]())

    assert station.ingest_collection("C").created == 1

    (asset,) = station.assets()
    assert (asset.kind, asset.title) == (("movie", LEGIBLE[name]) if name in LEGIBLE else ("episode", "Show"))
    assert asset.episode_numbers == (() if name in LEGIBLE else (1,))
    assert told
    assert all(warning.startswith(f"NFO file {str(nfo)!r} ") and len(warning) < 4000 for warning in told)
    assert "root:" not in repr(snapshot(station).tables) + repr(told)
    assert station.check().is_sound


def test_a_bad_nfo_of_a_show_is_warned_of_once(station: Catalog, tmp_path: Path, told: list[str]) -> None:
    folder = (tmp_path / "media" / FILE).parent
    for number in range(2, 30):
        (folder / f"Show - S01E{number:02}.mkv").write_bytes(b"media")
    (folder.parent / "tvshow.nfo").write_text("<tvshow><title>The Show</title><plot>")

    assert station.ingest_collection("C").created == 29

    assert {asset.title for asset in station.assets()} == {"The Show"}
    assert [warning[: warning.index(" is ")] for warning in told] == [f"NFO file {str(folder.parent / 'tvshow.nfo')!r}"]


TOLERATED_NFOS: dict[str, bytes] = {
    "empty": b"",
    "nul_alone": b"\0" * 1000,
    "noise": bytes(range(256)) * 100,
    "many_roots": b"<movie/>" * 10_000,
    "many_children": b"<movie>" + b"<genre>x</genre>" * 50_000 + b"</movie>",
    "comment": b"<!-- " + b"-" * 0 + b"x" * 500_000 + b" --><movie/>",
    "instruction": b"<?php system('x') ?><movie/>",
    "stylesheet": b'<?xml-stylesheet href="file:///etc/passwd"?><movie/>',
    "include": b'<movie xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></movie>',
    "declared_otherwise": b'<?xml version="1.0" encoding="utf-7"?><movie/>',
    "declared_as_code": b'<?xml version="1.0" encoding="rot13"?><movie/>',
    "declared_as_zip": b'<?xml version="1.0" encoding="zlib_codec"?><movie>\xff</movie>',
    "ampersands": b"<movie>" + b"&" * 100_000 + b"</movie>",
    "markup_in_title": "<movie><title>&lt;b&gt;\u202e&#27;x</title></movie>".replace("&#27;", "").encode(),
}


@pytest.mark.parametrize("content", TOLERATED_NFOS.values(), ids=TOLERATED_NFOS)
def test_an_odd_nfo_that_tells_nothing_harmful_is_no_obstacle(station: Catalog, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "media" / FILE).with_suffix(".nfo").write_bytes(content)

    assert station.ingest_collection("C").created == 1

    assert "root:" not in repr(snapshot(station).tables)
    assert station.check().is_sound


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)], ids=["fifo", "folder", "zeros"]
)
def test_an_nfo_that_is_no_file_keeps_nobody_waiting(station: Catalog, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make((tmp_path / "media" / FILE).with_suffix(".nfo"))

    try:
        assert station.ingest_collection("C").created == 1
    except IngestError as error:
        assert FILE.removesuffix(".mkv") in str(error)  # noqa: PT017  either will do


ODD_TIMES: list[object] = [-1, 10**30, "inf", None, [], "5", 5, 5.0]


def report(**more: object) -> str:
    return json.dumps({"format": {"duration": "60.0", "format_name": "matroska"}, **more})


LONG = "x" * (3 * 2**20)
DEEP = 100_000
PRINTED_BAD: dict[str, str] = {
    "nothing": "",
    "truncated": report()[:-5],
    "not_json": "Segmentation fault",
    "nan": '{"format": {"duration": NaN}}',
    "infinity": '{"format": {"duration": Infinity}}',
    "negative": '{"format": {"duration": -1}}',
    "zero": '{"format": {"duration": "0.0"}}',
    "huge": '{"format": {"duration": 1000000000000000000000000000000}}',
    "huge_text": '{"format": {"duration": "1e400"}}',
    "digits": '{"format": {"duration": ' + "9" * 5000 + "}}",
    "deep": '{"a":' * DEEP,
    "deep_lists": '{"format": ' + "[" * DEEP + "]" * DEEP + "}",
    "list": "[]",
    "null": "null",
    "types": '{"format": [1], "streams": {"a": 1}, "chapters": 7}',
    "more_types": '{"format": {"duration": {"a": [1]}}, "streams": [null, 1, "x", [{}]]}',
    "bytes": "\\xff\\xfe",
    "two_documents": report() * 2,
}
PRINTED_ODD: dict[str, str] = {
    "tags": report(format={"duration": "60", "tags": {"title": LONG, "\0": "\0", "\ud800": "\udfff"}}),
    "names": report(format={"duration": "60", "format_name": LONG}),
    "codecs": report(streams=[{"codec_type": "video", "codec_name": LONG, "width": 10**30, "height": -5}]),
    "control": report(format={"duration": "60", "tags": {"\x1b[2J": "\x1b]0;x\x07"}}),
    "chapter_names": report(chapters=[{"start_time": 1, "end_time": 2, "tags": {"title": LONG}}]),
    "many_chapters": report(chapters=[{"start_time": n / 1000, "end_time": "NaN"} for n in range(5000)]),
    "chapters": report(chapters=[{"start_time": start, "end_time": -1} for start in ODD_TIMES]),
    "double": '{"format": {"duration": 1}, "format": {"duration": 60}}',
    "sizes": report(streams=[{"codec_type": "video", "width": 0.5, "height": True, "disposition": "cover"}] * 1000),
    "nested_tags": report(format={"duration": 60, "tags": {"a": {"b": [{}] * 10}, "c": 7}}),
}


@pytest.fixture
def prints(tmp_path: Path, station: Catalog, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets a script of the given body (Python) stand in for ffprobe."""
    script = tmp_path / "ffprobe"

    def attach(body: str, *, timeout_s: float = 20) -> None:
        script.write_text(f"#!{sys.executable} -S\nimport os, sys\nif '-version' in sys.argv:\n    sys.exit()\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setenv("RETROVUE_FFPROBE", str(script))
        station.attach_enricher("C", "ffprobe", config={"timeout_s": timeout_s})

    return attach


def printing(tmp_path: Path, text: str) -> str:
    (tmp_path / "report").write_bytes(text.encode("utf-8", "surrogatepass"))
    return f"sys.stdout.buffer.write(open({str(tmp_path / 'report')!r}, 'rb').read())"


def assert_fails_by_name(station: Catalog) -> None:
    """The ingest fails for want of a report, names the file briefly, and changes nothing."""
    before = snapshot(station)

    with pytest.raises(IngestError) as caught:
        station.ingest_collection("C")

    assert isinstance(caught.value.cause, BrokenFileError | ResourceError)
    assert FILE in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert snapshot(station) == before


@pytest.mark.parametrize("text", PRINTED_BAD.values(), ids=PRINTED_BAD)
def test_a_senseless_report_fails_the_ingest_by_name(
    station: Catalog, tmp_path: Path, prints: Callable[[str], None], text: str
) -> None:
    prints(printing(tmp_path, text))
    assert_fails_by_name(station)


@pytest.mark.parametrize("text", PRINTED_ODD.values(), ids=PRINTED_ODD)
def test_odd_facts_in_a_report_count_as_unknown(
    station: Catalog, tmp_path: Path, prints: Callable[[str], None], text: str
) -> None:
    prints(printing(tmp_path, text))

    assert station.ingest_collection("C").created == 1

    (asset,) = station.assets("C")
    assert asset.duration_ms == 60_000
    assert len(repr(station.metadata(asset.id))) < 50_000
    assert station.check().is_sound


BEHAVIOUR: dict[str, str] = {
    "exit_code": "sys.exit(1)",
    "complaint": "sys.stderr.write('\\x1b[2J' + 'x' * 10**6); sys.exit(1)",
    "killed": "os.kill(os.getpid(), 9)",
    "hang": "import time; time.sleep(60)",
    "hang_with_closed_output": "os.close(1); os.close(2); import time; time.sleep(60)",
    "hang_without_end": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
    "child_keeps_the_pipe": "import time\nif os.fork() == 0: time.sleep(60)",
}
ENDLESS: dict[str, str] = {
    "output": "while True: sys.stdout.write('x' * 2**20)",
    "complaint": "while True: sys.stderr.write('x' * 2**20)",
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_a_program_that_prints_without_end_is_ended_before_memory_is_full(
    station: Catalog, prints: Callable[[str], None], body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "MAX_OUTPUT", 2**22)
    prints(body)

    with pytest.raises(IngestError, match="prints more than 4194304 bytes on") as caught:
        station.ingest_collection("C")

    assert FILE in str(caught.value)


@pytest.mark.parametrize("body", BEHAVIOUR.values(), ids=BEHAVIOUR)
def test_a_program_that_misbehaves_is_ended_and_named(station: Catalog, prints: Callable[..., None], body: str) -> None:
    prints(body, timeout_s=0.6)
    assert_fails_by_name(station)


def test_a_catalogue_names_no_program_neither_anew_nor_from_an_old_configuration(station: Catalog, tmp_path: Path) -> None:
    named = {"executable": str(tmp_path / "program")}
    both_ways = r"environment variable RETROVUE_FFPROBE or as Catalog\(ffprobe=…\)"
    with pytest.raises(ConfigurationError, match=both_ways):
        station.attach_enricher("C", "ffprobe", config=named)
    station.attach_enricher("C", "ffprobe")
    old = apsw.Connection(station.database.path)
    old.execute("UPDATE collection_enricher SET config = ? WHERE type = 'ffprobe'", (json.dumps(named),))
    old.close()

    with pytest.raises(IngestError, match=both_ways):
        station.ingest_collection("C", dry_run=True)
    with pytest.raises(IngestError, match=both_ways):
        station.ingest_collection("C")

    assert snapshot(station)["asset"] == []


def test_the_caller_of_a_catalogue_names_the_program(tmp_path: Path) -> None:
    script, folder = tmp_path / "program", tmp_path / "C"
    script.write_text(f"#!/bin/sh\necho '{report(format={'duration': '60'})}'\n")
    script.chmod(0o755)
    folder.mkdir()
    (folder / "a.mkv").write_bytes(b"media")

    with Catalog(tmp_path / "named.db", ffprobe=script) as catalog:
        catalog.add_source("s", "filesystem")
        catalog.add_collection("s", "C", path_mappings={str(folder): str(folder)})
        catalog.attach_enricher("C", "ffprobe")
        catalog.ingest_collection("C")

        assert [asset.duration_ms for asset in catalog.assets()] == [60_000]
