"""How commands fail: one sentence, never a traceback, and an exit code that says whose turn it is."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from commandline import FILES, Command, Run, make_files
from harness import ends

from retrovue_uow import Catalog
from retrovue_uow.cli.app import CommandLine
from retrovue_uow.media.enrichment import DEFAULT_WORKERS
from retrovue_uow.testing import snapshot

AT_ONCE = min(DEFAULT_WORKERS, len(FILES))


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest",),
        ("ingst", "x"),
        ("ingest", "x", "--season", "one"),
        ("ingest", "x", "--refresh", "some"),
        ("ingest", "x", "--nonsense"),
        ("asset", "list", "--kind", "film"),
        ("collection", "wipe"),
        ("source",),
        (),
        ("--log-json",),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_1(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert result.output.strip()


def test_a_usage_error_is_one_line_that_names_the_help(command: Command) -> None:
    assert command("ingest").stderr == "error: Missing argument 'FOLDER' (see `retrovue-uow ingest --help`)\n"


@pytest.mark.parametrize("config", ["{", "[1]", "7", "root=/x", '{"rooot": "/x"}', '{"root": "relative"}'])
def test_a_configuration_that_makes_no_sense_is_refused(run: Run, config: str) -> None:
    result = run("source", "add", "disk", "--config", config)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_some_collections_of_a_source_failing_is_partial(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db") as catalog:
        catalog.add_collection("filesystem", "gone", path_mappings={"/gone": "/gone"})

    shown = run("source", "ingest", "filesystem")
    result = run("source", "ingest", "filesystem", "--json")

    assert (shown.exit_code, result.exit_code) == (2, 2)
    assert "shows" in shown.stdout
    assert "error: collection 'gone': folder '/gone' is missing" in shown.stderr
    assert [each["collection"]["name"] for each in json.loads(result.stdout)["failures"]] == ["gone"]


def test_all_collections_of_a_source_failing_counts_as_the_first_cause(run: Run, ingested: Path) -> None:
    shutil.rmtree(ingested)
    unavailable = run("source", "ingest", "filesystem")
    run("collection", "unmap", "shows", ingested)
    with Catalog("catalog.db") as catalog:
        catalog.wipe_collection("shows")
        catalog.unmap_path("shows", str(ingested))
    invalid = run("source", "ingest", "filesystem")

    assert (unavailable.exit_code, invalid.exit_code) == (3, 1)


def test_an_unavailable_folder_exits_with_3_and_leaves_everything(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db")
    ingested.rename(ingested.with_name("unplugged"))

    result = run("collection", "ingest", "shows")

    assert result.exit_code == 3
    assert result.stderr == f"error: folder {str(ingested)!r} is missing: is its disk mounted?\n"
    assert snapshot("catalog.db") == before


def test_a_collection_in_use_is_a_conflict_and_exits_with_1(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db") as holder, holder.prepare_ingest("shows"):
        result = run("collection", "ingest", "shows")

    assert result.exit_code == 1
    assert f"process {os.getpid()}" in result.stderr


@pytest.mark.parametrize("content", [b"just some text, no database at all", b""])
def test_a_catalogue_that_is_none_is_left_alone(run: Run, here: Path, content: bytes) -> None:
    (here / "catalog.db").write_bytes(content)

    result = run("asset", "list")

    assert result.exit_code == 3
    assert (here / "catalog.db").read_bytes() == content


def test_debug_shows_the_traceback_before_the_sentence(command: Command) -> None:
    plain, debugged = command("ingest", "nowhere"), command("--debug", "ingest", "nowhere")

    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr
    assert debugged.stderr.endswith(plain.stderr)
    assert plain.returncode == debugged.returncode == 3


def test_an_unexpected_exception_is_a_sentence_too() -> None:
    crashing = CommandLine("crashing", invoke_without_command=True, callback=lambda: 1 // 0)

    result = CliRunner().invoke(crashing)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ZeroDivisionError")
    assert "--debug" in result.stderr


@contextmanager
def probing(shows: Path, tmp_path: Path, *prefix: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """An ingest that waits for as many programs that call themselves ffprobe as it starts at once, and their pids."""
    probe, pids = tmp_path / "bin" / "ffprobe", tmp_path / "pids"
    probe.parent.mkdir()
    pids.mkdir()
    probe.write_text(f'#!/bin/sh\n[ "$1" = -version ] && exit 0\ntouch "{pids}/$$"\nexec sleep 60\n')
    probe.chmod(0o755)
    environment = {**os.environ, "PATH": f"{probe.parent}:{os.environ['PATH']}"}
    command = [*prefix, sys.executable, "-m", "retrovue_uow", "ingest", str(shows)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        deadline = time.monotonic() + 30
        while len(list(pids.iterdir())) < AT_ONCE and time.monotonic() < deadline:
            time.sleep(0.02)
        started = [int(pid.name) for pid in pids.iterdir()]
        try:
            yield process, started
        finally:
            process.kill()
            for pid in started:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_ending_signal_rolls_back_leaves_no_ffprobe_and_exits_with_128_and_its_number(
    here: Path, shows: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with probing(shows, tmp_path) as (process, started):
        process.send_signal(number)
        complaint = process.communicate(timeout=30)[1]

        assert process.returncode == 128 + number
        assert "interrupted" in complaint
        assert "Traceback" not in complaint
        assert snapshot("catalog.db")["asset"] == []
        assert len(started) == AT_ONCE
        assert all(ends(pid) for pid in started)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not there")
def test_kill_9_leaves_no_ffprobe_where_setpriv_is_there(here: Path, shows: Path, tmp_path: Path) -> None:
    with probing(shows, tmp_path) as (process, started):
        process.kill()
        process.wait(30)

        assert len(started) == AT_ONCE
        assert all(ends(pid) for pid in started)


def test_below_nohup_a_lost_terminal_ends_nothing(here: Path, shows: Path, tmp_path: Path) -> None:
    with probing(shows, tmp_path, "nohup") as (process, started):
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)  # what comes after it ends it

        assert process.wait(30) == 128 + signal.SIGTERM
        assert all(ends(pid) for pid in started)


def test_the_log_is_json_lines_with_start_phases_and_outcome(command: Command, here: Path, shows: Path) -> None:
    result = command("--log-json", "log.jsonl", "ingest", shows, "--no-probe")
    command("--log-json", "log.jsonl", "collection", "show", "nothing")
    command("--log-json", "log.jsonl", "collection", "remove", "nothing")

    records = [json.loads(line)["record"] for line in (here / "log.jsonl").read_text().splitlines()]
    events = [(record["message"], record["extra"].get("operation"), record["extra"].get("phase")) for record in records]
    assert ("operation_started", "collection_ingest", None) in events
    for phase in ("preflight", "preparation", "execution", "postvalidation"):
        assert ("phase_finished", "collection_ingest", phase) in events
    assert ("operation_finished", "collection_ingest", None) in events
    assert ("operation_failed", "collection_remove", "preflight") in events
    assert result.stderr == ""


def test_without_the_option_nothing_is_logged(command: Command, shows: Path) -> None:
    assert command("ingest", shows, "--no-probe").stderr == ""


def test_a_log_that_cannot_be_written_is_refused_before_anything_is_done(command: Command, here: Path, shows: Path) -> None:
    result = command("--log-json", "nowhere/log.jsonl", "ingest", shows)

    assert result.returncode == 3
    assert "log 'nowhere/log.jsonl' cannot be written" in result.stderr
    assert list(here.iterdir()) == []


def test_a_terminal_that_is_not_utf8_is_no_reason_to_fail(command: Command, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "Größe", ["Amélie (2001).mkv"])

    result = command("ingest", folder, "--no-probe", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert result.returncode == 0
    assert r"Am\xe9lie" in result.stdout


def test_where_names_are_not_read_as_utf8_none_is_taken_for_missing(command: Command, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "films", ["Amélie (2001).mkv"])
    assert command("ingest", folder, "--no-probe").returncode == 0

    result = command("ingest", folder, LC_ALL="C", PYTHONUTF8="0")

    assert result.returncode == 3
    assert result.stderr == "error: file names are read as ascii here, not as UTF-8: set PYTHONUTF8=1, or a UTF-8 locale\n"
    with Catalog("catalog.db") as catalog:
        assert [asset.missing_since for asset in catalog.assets()] == [None]


@pytest.mark.parametrize("module", ["click"])
def test_without_the_extra_one_sentence_says_what_to_install(command: Command, tmp_path: Path, module: str) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError(name={module!r})")

    result = command("source", "list", PYTHONPATH=str(hidden))

    assert result.returncode == 1
    assert result.stderr == "retrovue-uow needs its command line extra: pip install 'retrovue_uow[cli]'\n"


@pytest.mark.parametrize("noun", [(), ("source",), ("collection",), ("enricher",), ("asset",), ("title",)], ids=str)
def test_the_help_says_in_one_whole_sentence_what_each_command_does_and_each_has_its_own(
    run: Run, noun: tuple[str, ...]
) -> None:
    result = run(*noun, "--help")

    commands = result.stdout.partition("Commands:")[2].strip().splitlines()
    assert result.exit_code == 0
    assert commands
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []
    assert [line for line in commands if run(*noun, line.split()[0], "--help").exit_code != 0] == []


@pytest.mark.parametrize(
    ("shell", "status", "told"),
    [
        ("ulimit -n 5; {}", 3, "error: .*too many files open.*\n"),
        ("{} > /dev/full", 3, "error: the output cannot be written .*: is its disk full\\? What was done stays done\n"),
        ("{} >&-", 0, ""),
        ("{} --limit x 2>&-", 1, ""),
        ("{} --limit x 2>/dev/full", 1, ""),
    ],
)
def test_an_output_or_limit_that_stands_in_the_way_is_a_sentence_and_a_code(
    ingested: Path, shell: str, status: int, told: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", shell.format(f"{sys.executable} -m retrovue_uow asset list")],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == status
    assert re.fullmatch(told, done.stderr)


def many(ingested: Path) -> list[str]:
    """A command that prints more than a pipe or terminal holds."""
    make_files(ingested, [f"{'long ' * 40}{number}.mkv" for number in range(1000)])
    with Catalog("catalog.db") as catalog:
        catalog.ingest_collection("shows")
    return [sys.executable, "-m", "retrovue_uow", "asset", "list"]


def test_a_reader_that_has_had_enough_ends_it_in_silence(ingested: Path) -> None:
    with subprocess.Popen(many(ingested), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        complaint = process.stderr.read()

    assert (process.returncode, complaint) == (128 + signal.SIGPIPE, b"")


def test_a_terminal_that_goes_away_is_a_sentence_and_a_code(ingested: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(many(ingested), stdout=theirs, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stderr is not None
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
        complaint = process.stderr.read()

    assert process.returncode == 3
    assert b"is its reader or terminal gone?" in complaint
    assert complaint.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ingest", "--title"), "see `retrovue-uow ingest --help`"),
        (("asset", "list", "--kind", "movies"), "see `retrovue-uow asset list --help`"),
    ],
)
def test_a_wrong_option_points_to_its_command_in_plain_words(command: Command, arguments: tuple[str, ...], told: str) -> None:
    done = command(*arguments)

    assert done.returncode == 1
    assert told in done.stderr
    assert "Value error" not in done.stderr


def test_into_a_pipe_no_line_is_filled_up(command: Command, ingested: Path) -> None:
    lines = command("asset", "list").stdout.splitlines()

    assert lines
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (".hidden/Dark - S01E09.mkv", "'.hidden' is hidden"),
        ("Dark - S01E09.mkv.part", "its ending '.part' is that of an unfinished download"),
        ("notes.iso", "its ending '.iso' is no media file's"),
        ("Dark - S09E09.mkv", "no ingest of collection 'shows' has met it"),
    ],
)
def test_what_is_asked_of_a_file_that_is_no_asset_says_why(command: Command, ingested: Path, name: str, told: str) -> None:
    file = ingested / "new" / name
    file.parent.mkdir(parents=True)
    file.touch()

    explained, shown = command("asset", "explain", str(file)), command("asset", "show", str(file))

    assert (explained.returncode, shown.returncode) == (0, 1)
    assert told in " ".join(explained.stdout.split())
    assert told in shown.stderr


def test_with_standard_input_closed_nobody_is_asked(ingested: Path) -> None:
    closed = ["sh", "-c", 'exec "$0" -m retrovue_uow undo <&-', sys.executable]

    ended = subprocess.run(closed, capture_output=True, text=True, check=False)

    assert (ended.returncode, "no terminal to ask at: say --force" in ended.stderr) == (1, True), ended.stderr


def test_a_disk_that_is_full_in_the_middle_of_a_change_is_told_with_what_is_left_of_it(here: Path, ingested: Path) -> None:
    command = [sys.executable, "-m", "retrovue_uow", "asset", "retire", "--path", "*", "--force"]
    full = subprocess.run(
        ["bash", "-c", 'ulimit -f 33; exec "$@"', "bash", *command], capture_output=True, text=True, check=False
    )

    assert full.stderr.startswith("error: nothing was changed: database"), full.stderr
    assert full.returncode == 3
