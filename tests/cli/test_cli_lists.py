"""Every list in every format, as narrow as it must be; the catalogue on one screen; and what the shell completes."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import EPISODES, Command, Run, make_files
from extending import PLAYLOG

from retrovue_uow import AssetSelector, Catalog, __version__

LISTS = [
    ("source", "list"),
    ("source", "discover", "rooted"),
    ("collection", "list"),
    ("collection", "exclude", "list", "shows"),
    ("enricher", "list"),
    ("asset", "list"),
    ("title", "list"),
    ("extension", "list"),
    ("history",),
]
Rows = list[dict[str, object]]
READERS: dict[str, Callable[[str], Rows]] = {
    "json": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
    "csv": lambda text: [dict(row) for row in csv.DictReader(text.splitlines())],
    "tsv": lambda text: [dict(row) for row in csv.DictReader(text.splitlines(), delimiter="\t")],
}


@pytest.fixture
def stocked(run: Run, ingested: Path) -> Path:
    """Something for each list."""
    with Catalog("catalog.db", extensions=[PLAYLOG]) as catalog:
        catalog.exclude("shows", "Samples")
        catalog.add_source("rooted", config={"root": str(ingested)})
    assert run("source", "discover", "rooted").exit_code == 0
    return ingested


@pytest.mark.parametrize("output", READERS)
@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_every_list_has_the_same_rows_and_columns_in_every_format(
    run: Run, stocked: Path, arguments: tuple[str, ...], output: str
) -> None:
    wanted = json.loads(run(*arguments, "--json").stdout)

    result = run(*arguments, "--output", output)

    assert (result.exit_code, result.stderr) == (0, "")
    found = READERS[output](result.stdout)
    assert len(found) == len(wanted) > 0
    if output in ("json", "jsonl"):
        assert found == wanted
    elif isinstance(wanted[0], dict):
        assert [[*row] for row in found] == [[*row] for row in wanted]
        assert [row.get("name") for row in found] == [row.get("name") for row in wanted]
    assert len(run(*arguments, "--output", "table", "--limit", "1").stdout.splitlines()[2].split()) > 0


@pytest.mark.parametrize("columns", ["60", "80", "200"])
@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_every_table_fits_and_loses_no_column(
    run: Run, stocked: Path, arguments: tuple[str, ...], columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = run(*arguments).stdout.splitlines()[0].split()
    monkeypatch.setenv("COLUMNS", columns)

    lines = run(*arguments).stdout.splitlines()

    top = lines[: next(number for number, line in enumerate(lines) if set(line) == {"─"})]
    assert " ".join(top).split() == headers
    assert max(map(len, lines)) <= int(columns)


def test_a_list_is_cut_sorted_and_reduced_to_the_columns_that_are_asked_for(run: Run, ingested: Path) -> None:
    told = json.loads(run("asset", "list", "--columns", "kind, title", "--sort", "-kind", "--limit", "2", "--json").stdout)
    table = run("asset", "list", "--columns", "kind,id", "--sort", "title", "-n", "1").stdout.splitlines()

    assert told == [{"kind": "other", "title": None}, {"kind": "movie", "title": "Tron"}]
    assert table[0].split() == ["kind", "id"]
    assert [line.split()[0] for line in table[2:]] == ["episode"]
    assert re.search("no column is called 'knid': did you mean 'kind'", run("asset", "list", "--sort", "knid").stderr)
    assert run("title", "list", "--columns", "what").exit_code == 1


def test_a_list_is_sorted_by_column_after_column_and_episodes_by_number(run: Run, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "more", ["Bones S01E10.mkv", "Bones S01E02-E03.mkv", "Bones S02E01.mkv", "Able S01E01.mkv"])
    run("ingest", folder, "--no-probe")

    told = run(
        "asset", "list", "--sort", "title, -season_number,episode_numbers", "--columns", "episode_numbers", "--json"
    ).stdout
    by_lists = run("collection", "list", "--sort", "path_mappings")

    assert [each["episode_numbers"] for each in json.loads(told)] == [[1], [1], [2, 3], [10]]
    assert by_lists.exit_code == 0, by_lists.stderr


def test_one_long_name_does_not_widen_the_lines_of_the_others(run: Run, tmp_path: Path) -> None:
    names = [f"Movies/Film {number} (1980).mkv" for number in range(20)]
    run("ingest", make_files(tmp_path / "films", [*names, f"Movies/{'Very ' * 30}Long (1980).mkv"]), "--no-probe")

    lines = run("asset", "list", "--columns", "title,kind").stdout.splitlines()

    assert sorted(map(len, lines))[-2] < 60
    assert max(map(len, lines)) > 150


def test_identifiers_are_shortened_to_an_end_that_names_them(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = re.findall(r"…(\w{8})\b", run("history").stdout)

    assert len(shown) > 1
    assert [run("history", "show", each).exit_code for each in shown] == [0] * len(shown)
    (asset,) = json.loads(run("asset", "list", "--kind", "movie", "--json").stdout)
    assert json.loads(run("asset", "show", asset["id"][-8:], "--json").stdout)["title"] == "Tron"


def test_the_catalogue_is_shown_on_one_screen_with_what_waits(run: Run, ingested: Path) -> None:
    assert "\n  shows: 6 of unknown length: install ffmpeg, and `ingest` their folder, or `enricher" in run("status").stdout
    with Catalog("catalog.db") as catalog, catalog.session() as db:
        db.execute("UPDATE asset SET duration_ms = 60000, state = 'ready'")
    with Catalog("catalog.db") as catalog:
        catalog.approve(AssetSelector(title="Tron"))
        status = catalog.status()

    shown, told = run("status").stdout, json.loads(run("status", "--json").stdout)

    (row,) = [line.split() for line in shown.splitlines() if line.startswith("shows ")]
    assert row[:7] == ["shows", "6", "0", "6", "0", "1", "0"]
    assert (
        "\n  shows: 1 unclassified: `asset assign --collection shows --unclassified …`\n  shows: 5 ready: `asset approve"
        in shown
    )
    assert "no row breaks a rule; 4 units can be undone" in shown
    assert (told["collections"][0]["to_approve"], told["violations"]) == (5, 0)
    assert (status.collections[0].approved, status.collections[0].unclassified, status.undo_units) == (1, 1, 4)


def test_the_version_is_told_and_is_that_of_the_distribution(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"retrovue-uow {__version__}\n"
    assert version("retrovue_uow") == __version__


def test_quiet_prints_nothing_but_errors(run: Run, shows: Path) -> None:
    assert run("ingest", shows, "--no-probe", "-q").output == ""
    assert run("check", "--quiet").output == ""
    assert run("collection", "show", "shwos", "-q").stderr.endswith("did you mean 'shows'?\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["ingst"], "Did you mean 'ingest'?"), (["asset", "lst"], "Did you mean 'list'?"), (["status", "--jsn"], "'--json'?")],
)
def test_a_misspelt_command_or_option_is_answered_by_the_nearest(run: Run, arguments: list[str], told: str) -> None:
    assert told in run(*arguments).stderr


def test_an_option_that_is_like_none_gets_no_far_fetched_suggestion(run: Run) -> None:
    assert "No such option '--brokn' (see" in run("collection", "ingest", "shows", "--brokn").stderr
    assert "Did you mean '--broken'?" in run("asset", "list", "--brokn").stderr


def test_colours_are_as_the_environment_wants_them(command: Command, ingested: Path) -> None:
    assert "\x1b[1m" in command("title", "list", CLICOLOR_FORCE="1").stdout
    assert "\x1b" not in command("title", "list", CLICOLOR_FORCE="1", NO_COLOR="1").stdout


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("inge", ["ingest"]),
        ("collection show s", ["shows"]),
        ("title rename tr", [r"Tron\ \(1982\)"]),
        ("enricher detach shows ff", ["ffprobe"]),
        ("asset list --kind ep", ["episode"]),
        ("asset list --catalog nope.db --title s", []),
    ],
)
def test_the_shell_completes_commands_and_the_catalogue_s_own_names(
    here: Path, ingested: Path, typed: str, completed: list[str]
) -> None:
    words = ["retrovue-uow", *typed.split()]
    programs = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = [
        'eval "$(_RETROVUE_UOW_COMPLETE=bash_source retrovue-uow)"',
        f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}",
        "_retrovue_uow_completion retrovue-uow",
        """printf '%s\\n' "${COMPREPLY[@]}" """,
    ]

    done = subprocess.run(["bash", "-c", "\n".join(script)], env=programs, capture_output=True, text=True, check=False)

    assert done.stdout.split("\n") == [*(completed or [""]), ""]


SHELLS = {
    "bash": ("bash --rcfile .bashrc -i", ".bashrc", "PS1='ready\\n'"),
    "zsh": ("zsh -i", ".zshrc", "PS1=$'ready\\n'; autoload -Uz compinit; compinit -u -D"),
    "fish": ("fish -i", "fish/config.fish", "function fish_prompt; echo ready; echo '>'; end"),
}
"""By name: how to start it, and what is in which file besides the line of docs/how-to.md."""
BEGUN = {
    "Night:": "Night: Größe",
    "'Night: ": "Night: Größe",
    "kids": "Kids, Cartoons",
    "Bob": 'Bob\'s "Best" & more',
    "'Bob": 'Bob\'s "Best" & more',
    '"Eve': "Evening $how",
    "x=": "x=a\\b",
    "e1\t1": "e1: 1",
}
"""By what is typed before Tab is pressed: the collection that is meant."""


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_shell_completes_is_what_arrives(here: Path, ingested: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    command, place, setup = SHELLS[shell]
    with Catalog("catalog.db") as catalog:
        catalog.add_source("other")
        for name in {*BEGUN.values(), "e1: 2"}:
            catalog.add_collection("other", name)
    Path(place).parent.mkdir(exist_ok=True)
    source = f"_RETROVUE_UOW_COMPLETE={shell}_source retrovue-uow"
    Path(place).write_text(f"{setup}\n{source} | source\n" if shell == "fish" else f'{setup}\neval "$({source})"\n')
    lines = [f"retrovue-uow collection show {begun}\t --json >{number}" for number, begun in enumerate(BEGUN)]
    lines += ["retrovue-uow asset list --title=Sp\t --json >title", "retrovue-uow backup --catalog cat\t copy", "exit\r"]
    places = dict.fromkeys(("HOME", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"), str(here))
    terminal = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        ["timeout", "60", "script", "-qec", command, "typescript"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **places, **terminal},
    ) as typing:
        assert typing.stdout is not None
        assert any(b"ready" in line for line in typing.stdout)
        typing.communicate("; ".join(lines).encode())

    shown = [json.loads(Path(str(number)).read_bytes() or "{}") for number in range(len(BEGUN))]
    assert [each.get("name") for each in shown] == list(BEGUN.values())
    assert len(json.loads(Path("title").read_bytes())) == len(EPISODES)
    assert Path("copy").exists()
