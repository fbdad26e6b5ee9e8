"""Mutation testing: no mutant of the unit of work or the store survives without a written reason. Takes an hour or two.

    python tests/mutation.py             # every mutant that has no result yet, then the verdict
    python tests/mutation.py survivors   # those that survived without a reason, again, by all tests
    python tests/mutation.py verdict     # only the verdict on the results at hand
    python tests/mutation.py 'retrovue_uow.uow.unit.*'            # one module, anew
    python tests/mutation.py survivors 'retrovue_uow.uow.unit.*'  # its survivors

The mutants are mutmut's (extra `proof`, configuration in setup.cfg), and lie in the folder `mutants`. What survived is compared
with `surviving_mutants.toml`: the verdict names each survivor without a reason there, and each reason whose mutant is no more.
A mutant is named there by module, function and what is exchanged, so that lines may move and be formatted anew.
"""

from __future__ import annotations

import ast
import gc
import io
import os
import re
import signal
import sys
import tokenize
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from itertools import accumulate
from math import ceil, inf
from pathlib import Path
from typing import Any

import libcst as cst
import mutmut.__main__
from mutmut.configuration import config
from mutmut.mutation import file_mutation
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.workers.isolation import ForkServerRunner

ROOT = Path(__file__).parents[1]
REASONS = Path(__file__).with_name("surviving_mutants.toml")
BUDGET_S = 8
"""What the tests of one mutant may take at most, at the first time."""
UNRUNNABLE = 255
SETUP_S = 0.05
"""What the fixtures of a test take, about: mutmut times its body alone."""
TRANSPARENT = {"cache", "cached_property", "contextmanager", "property"}
"""Decorators below which a function can be exchanged while it is called."""
WINGS = ("retrovue_uow.uow.", "retrovue_uow.store.")
OWN_TESTS = ("tests/uow/", "tests/store/", "tests/contract/test_forks.py")
SHOWN = 30
"""How many characters of what is exchanged a name quotes."""


def decorators(function: cst.FunctionDef) -> set[str]:
    """The names of a function's decorators; those with a dot or arguments have none."""
    return {each.decorator.value if isinstance(each.decorator, cst.Name) else "" for each in function.decorators}


def mutate_decorated_functions() -> None:
    """Make mutmut, which leaves decorated functions alone, mutate those whose decorators are transparent."""
    skips, arrange = MutationVisitor._skip_node_and_children, file_mutation.function_trampoline_arrangement

    def skips_but_transparent(self: MutationVisitor, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and node.decorators and decorators(node) <= TRANSPARENT:
            return False
        return bool(skips(self, node))

    def arranged(function: cst.FunctionDef, *arguments: Any, **keywords: Any) -> Any:
        before, (trampoline, *variants), after, names = arrange(function, *arguments, **keywords)
        if decorators(function) <= TRANSPARENT:
            variants = [variant.with_changes(decorators=[]) for variant in variants]  # all functions
        return before, [trampoline, *variants], after, names

    MutationVisitor._skip_node_and_children = skips_but_transparent
    file_mutation.function_trampoline_arrangement = arranged


def killers(mutant: str) -> Path:
    """The file that lists the tests which have killed mutants of the same function."""
    return ROOT / "mutants" / "killers" / mutant.partition("__mutmut_")[0]


def ask_quick_tests(budget_s: float) -> None:
    """Make the fork server ask first the tests that have killed mutants of the same function, most of them first.

    Then the wings' own tests, then others, the quick ones before the slow, within a budget. The first one that fails is the
    end of a mutant.

    Whom a test beyond the budget would have killed survives, and is asked again by all tests as one of the survivors. A test
    with a backslash in its identifier is never asked: pytest does not find it by name once it has collected the tests before.
    """
    submit = ForkServerRunner.submit

    def submitted(self: ForkServerRunner, mutant_name: str, tests: list[str], limit: int, estimated_s: float) -> None:
        durations = state().duration_by_test
        known = [test for test in tests if "\\" not in test]
        path = killers(mutant_name)
        killed = Counter(path.read_text().splitlines() if path.exists() else ())
        ordered = sorted(known, key=lambda test: (-killed[test], not test.startswith(OWN_TESTS), durations[test]))
        ends = accumulate(durations[test] + SETUP_S for test in ordered)
        asked = [test for test, end in zip(ordered, ends, strict=True) if end < budget_s] or ordered[:1]
        time_s = sum(durations[test] + SETUP_S for test in asked)
        submit(self, mutant_name, asked, ceil((time_s + config().timeout_constant) * config().timeout_multiplier * 2), time_s)

    ForkServerRunner.submit = submitted
    ForkServerRunner.run_clean_tests = lambda self, tests: 0  # the run that timed them was clean


def ask_about_what_children_run(*, always: bool) -> None:
    """Make mutmut ask the wings' own tests about functions that no test meets itself, but perhaps in a child of it.

    Where `always`, about all others, too.
    """
    known_mutants = mutmut.__main__.collect_source_file_mutation_data

    def mutants(**keywords: Any) -> Any:
        tests = {test for test in state().duration_by_test if test.startswith(OWN_TESTS)}
        found = known_mutants(**keywords)
        for _, name, _ in found[0]:
            asked = state().tests_by_mangled_function_name[name.partition("__mutmut_")[0]]
            asked.update(tests if always or not asked else ())
        return found

    mutmut.__main__.collect_source_file_mutation_data = mutants


class Observer:
    """A plugin of pytest: each test finds the caches empty, as if it were the first; who has killed a mutant is noted."""

    def __init__(self, mutant: str | None) -> None:
        self._mutant = mutant

    def pytest_runtest_setup(self) -> None:
        forget_what_is_cached()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and self._mutant is not None:
            path = killers(self._mutant)
            path.parent.mkdir(exist_ok=True)
            with path.open("a") as file:
                file.write(report.nodeid + "\n")


def observe_tests() -> None:
    """Let an `Observer` look on as tests run, and SIGINT interrupt them, which mutmut and a shell's `&` have ignored."""
    run_tests, execute = PytestRunner.run_tests, PytestRunner.execute_pytest

    def ran(self: PytestRunner, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        gc.freeze()  # pytest collects garbage again and again, and what was there before is none
        import pytest  # nothing of pytest's may be loaded before the fork server

        self.mutant = mutant_name
        try:
            return int(run_tests(self, mutant_name=mutant_name, tests=tests))
        except (pytest.PytestUnraisableExceptionWarning, ExceptionGroup):
            return 1  # warnings are errors, and such came when pytest was about to end

    def executed(self: PytestRunner, params: list[str], *, plugins: Iterable[Any] = ()) -> int:
        return int(execute(self, params, plugins=[*plugins, Observer(getattr(self, "mutant", None))]))

    PytestRunner.run_tests, PytestRunner.execute_pytest = ran, executed
    signal.signal(signal.SIGINT, signal.default_int_handler)


def forget_what_is_cached() -> None:
    """Empty the caches of the mutated modules."""
    for name, module in list(sys.modules.items()):
        if name.startswith(WINGS):
            for member in vars(module).values():
                if hasattr(member, "cache_clear"):
                    member.cache_clear()


def is_noise(before: str, after: str) -> bool:
    """Whether all that changes in its lines is what can make no difference, or none that is promised:

    the case of letters in a statement, outside quoted text, which is the same to SQLite; `False` into `None`; the name of the
    file in the text of an error; `strict` of a `zip` whose parts are equally long.
    """
    is_case_of_sql = (
        re.search(
            r"(execute|executemany|_rows|insert|_update|_delete)\(|^\"(SELECT|INSERT|UPDATE|DELETE) |\" (AND|OR) \"\.join\(",
            before,
        )
        and re.findall("'[^']*'", before) == re.findall("'[^']*'", after)
        and before.casefold() == after.casefold()
    )
    is_none_for_false = before.replace("False", "None") == after.replace("False", "None")
    is_name_in_error = re.sub(r"translated\(error, [^()]+(\([^()]*\))?\)", "translated(error, None)", before) == after
    is_loose_zip = before.replace("strict=True", "") == re.sub(r"strict=(None|False)", "", after)
    return before != after and bool(is_case_of_sql or is_none_for_false or is_name_in_error or is_loose_zip)


def results() -> dict[str, str]:
    """What became of each mutant; one whose tests could not be run (255, which mutmut takes for a timeout) has no result."""
    found = {}
    for path in walk_mutatable_files():
        mutated = SourceFileMutationData(path=path)
        mutated.load()
        for name, code in mutated.exit_code_by_key.items():
            found[name] = status_by_exit_code[None if code == UNRUNNABLE else code]
    return found


@cache
def reasons() -> set[str]:
    """The mutants that may survive, by name."""
    return {mutant for group in tomllib.loads(REASONS.read_text())["reason"] for mutant in group["mutants"]}


def survivors() -> dict[str, str]:
    """The mutants that no test has killed, those included about which none was asked, and without noise: names by mutmut's."""
    survived = [name for name, status in results().items() if status in {"survived", "no tests"}]
    return {name: known_as(name) for name in survived if not is_noise(*changed_lines(name))}


def changed_lines(name: str) -> tuple[str, str]:
    """The lines that a mutant changes, before and after."""
    changed = get_diff_for_mutant(name).splitlines()[3:]
    before, after = (" ".join(line[1:].strip() for line in changed if line.startswith(sign)) for sign in "-+")
    return before, after


def known_as(name: str) -> str:
    """A mutant by module, function and what is exchanged; and where that happens more than once there, which of them."""
    module, _, function = name.partition("__mutmut_")[0].rpartition(".")
    where = module.removeprefix("retrovue_uow.") + ":" + function.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
    own, number = exchanges(module)[name.rpartition(".")[2]]
    return f"{where}: {own}" + (f" #{number}" if number > 1 else "")


@cache
def exchanges(module: str) -> dict[str, tuple[str, int]]:
    """What each mutant of a module exchanges, and how many before it, and with it, exchange the same in its function."""
    tree = ast.parse((ROOT / "mutants" / module.replace(".", "/")).with_suffix(".py").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    known = {node.name: tokens(node) for node in functions if "__mutmut_" in node.name}
    found: dict[str, tuple[str, int]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for name, mutated in known.items():
        function = name.rpartition("__mutmut_")[0]
        own = exchanged(known[f"{function}__mutmut_orig"], mutated)
        times[function, own] += 1
        found[name] = own, times[function, own]
    return found


def tokens(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """A function without its name and decorators, token by token."""
    function.name, function.decorator_list = "_", []
    found = tokenize.generate_tokens(io.StringIO(ast.unparse(function)).readline)
    return [token.string for token in found if token.string.strip() or token.type == tokenize.NEWLINE]


def agreeing(one: list[str], other: list[str]) -> int:
    """How many tokens are the same before the first that differs."""
    return next((n for n, (own, its) in enumerate(zip(one, other, strict=False)) if own != its), min(len(one), len(other)))


def exchanged(before: list[str], after: list[str]) -> str:
    """What differs between two functions: the tokens from first to last, if they are short, and what they are assigned to."""
    start = agreeing(before, after)
    end = agreeing(before[start:][::-1], after[start:][::-1])
    gone, come = (" ".join(each[start : len(each) - end]) for each in (before, after))
    gone, come = (text if len(text) <= SHOWN else "…" for text in (gone, come))
    text = f"{gone} → {come}" if gone and come else f"{come} added" if come else f"{gone} removed"
    line = "".join(before[:start]).rpartition("\n")[2]
    assigned = re.match(r"([\w.]+)(:[^=]*)?=(?!=)", line)
    return f"{assigned[1]} = {text}" if assigned else text


def verdict() -> int:
    """Print the figures of each module, and what is amiss. Returns the exit status."""
    became = results()
    modules: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, status in became.items():
        modules[name.split(".x")[0].removeprefix("retrovue_uow.")][status] += 1
    for module, counts in sorted(modules.items()):
        print(f"{module:24}{sum(counts.values()):5}  " + ", ".join(f"{n} {status}" for status, n in counts.most_common()))
    survived = survivors()
    unexplained = {name: known for name, known in survived.items() if known not in reasons()}
    for name, known in sorted(unexplained.items()):
        print(f"survived without a reason: {name}\n    {known}\n    {' → '.join(changed_lines(name))}")
    for known in sorted(reasons() - set(survived.values())):
        print(f"a reason for what has not survived: {known}")
    untried = sum(counts["not checked"] for counts in modules.values())
    print(f"without a reason: {len(unexplained)}, not tried yet: {untried}")
    return 1 if unexplained or untried else 0


def main(asked: list[str]) -> int:
    """Run the mutants that are asked for, and judge."""
    os.chdir(ROOT)
    sys.path[0] = str(ROOT / "mutants")
    os.environ["PYTHONPATH"] = sys.path[0]  # what the tests start is mutated, too
    mutate_decorated_functions()
    again = asked[:1] == ["survivors"]
    ask_quick_tests(inf if again else BUDGET_S)
    ask_about_what_children_run(always=again)
    observe_tests()
    if again:
        patterns = asked[1:] or ["*"]
        unexplained = [name for name, known in survivors().items() if known not in reasons()]
        asked = [name for name in unexplained if any(fnmatchcase(name, each) for each in patterns)] or ["verdict"]
    if asked != ["verdict"]:
        mutmut.__main__._run(asked, max_children=1)
    return verdict()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
