"""Makes `reference.md` from the signatures and docstrings of the public names: run it when one of them has changed.

It reads the source text and imports nothing of the library, so that every Python gives the same page.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference.md"
PACKAGE = "retrovue_uow"
WIDTH = 100
BAR = r"\|"
GROUPS = {
    "Opening": ("close",),
    "Sessions": ("session", "operation"),
    "Configuration": ("configure",),
    "Ingest": ("ingest", "process", "wipe", "forget"),
    "Curation": ("curate",),
    "History": ("undo", "history", "unit", "changes", "last_ingest"),
    "Reading": (),
    "Safety": ("check", "backup"),
}
"""Where a method of `Catalog` belongs: by its own name or, where it is an operation, its module's; all others read."""
FRAMES = ("Operation",)
"""Classes that are not public names, but that public methods hand out."""
MACHINERY = {"leave", "abandon", "apply", "hand_over_claims"}
"""Public methods of those that only the library itself calls."""
INTRODUCTION = """\
<!-- Made by docs/generate_reference.py from the docstrings: change those, and run it. -->

# Reference

Every public name of `retrovue_uow`: what can be imported from the package itself, and the methods of what that gives.
Recipes are in [how-to.md](how-to.md), the guarantees in [unit-of-work.md](unit-of-work.md). What an open `Catalog` does not do
itself, such as running SQL, its `catalog.database` does, a [`Database`](#database).
"""

Function: TypeAlias = ast.FunctionDef


class Definition(NamedTuple):
    """A name's statement in the module that defines it, and the text that documents it."""

    module: str
    node: ast.stmt
    doc: str

    def text(self, node: ast.AST | None) -> str:
        """`node` as its author wrote it, in one line; public names as users import them."""
        segment = None if node is None else ast.get_source_segment(source(self.module), node)
        line = " ".join((segment or "").split()).replace(f"{PACKAGE}.", "")
        return re.sub(r",? ([)\]])", r"\1", re.sub(r"([(\[]) ", r"\1", line))

    @property
    def function(self) -> Function:
        """Its statement, which is a function's."""
        assert isinstance(self.node, ast.FunctionDef)  # noqa: S101  whoever asks has looked
        return self.node

    @property
    def body(self) -> list[ast.stmt]:
        """The statements of a class; nothing for anything else."""
        return self.node.body if isinstance(self.node, ast.ClassDef) else []

    @property
    def bases(self) -> list[str]:
        """The names of a class's bases."""
        return [self.text(base) for base in self.node.bases] if isinstance(self.node, ast.ClassDef) else []

    @property
    def decorators(self) -> list[str]:
        """The decorators of a class or function, without their arguments."""
        found = self.node.decorator_list if isinstance(self.node, ast.ClassDef | ast.FunctionDef) else []
        return [self.text(each).split("(")[0] for each in found]


def reference() -> str:
    """The whole page."""
    public = {name: defined(PACKAGE, name) for name in public_names()}
    errors = {name: found for name, found in public.items() if is_error(found)}
    classes = {name: found for name, found in public.items() if name not in errors and name != "Catalog"}
    frames = {name: defined(f"{PACKAGE}.operations.open_catalog", name) for name in FRAMES}
    sections = [
        INTRODUCTION,
        contents(),
        catalog_section(public["Catalog"]),
        section("Values", (value(name, found) for name, found in classes.items() if is_value(found))),
        section("Functions", (function(name, found) for name, found in classes.items() if is_function(found))),
        section("What you can write", (whole_class(name, found) for name, found in classes.items() if is_protocol(found))),
        section("Under way", (whole_class(name, found) for name, found in {**classes, **frames}.items() if is_other(found))),
        section("Errors", [error_tree(errors), *(error(name, found) for name, found in errors.items())]),
        section("Types that signatures name", [aliases([*public.values(), *frames.values(), *operations(public["Catalog"])])]),
    ]
    return "\n".join(sections)


def contents() -> str:
    """Links to the sections."""
    titles = (*GROUPS, "Values", "Functions", "What you can write", "Under way", "Errors", "Types that signatures name")
    links = [f"- [{title}](#{title.lower().replace(' ', '-')})" for title in titles]
    return "\n".join([*links, ""])


def section(title: str, parts: Iterable[str]) -> str:
    """A heading and what is below it."""
    return "\n".join([f"## {title}\n", *parts])


# What the source says


@cache
def source(module: str) -> str:
    """The text of a module."""
    return module_file(module).read_text(encoding="utf-8")


def module_file(module: str) -> Path:
    """Where a module is; where it would be, if there is none."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree(module: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(source(module))


def public_names() -> list[str]:
    """What the package exports."""
    names: list[str] = ast.literal_eval(next(value for name, value in assignments(PACKAGE) if name == "__all__"))
    return names


def assignments(module: str) -> Iterator[tuple[str, ast.expr]]:
    """The names that a module assigns at its top level."""
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def defined(module: str, name: str) -> Definition:
    """The definition of a name that a module has, wherever that was imported from."""
    found = looked_up(module, name)
    if found is None:
        raise LookupError(f"{module} has no {name} of this library")
    return found


def looked_up(module: str, name: str) -> Definition | None:
    """The same; None for a name that is not of this library."""
    body = statements(module)
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return Definition(module, node, ast.get_docstring(node) or "")
        if isinstance(node, ast.Assign) and any(isinstance(each, ast.Name) and each.id == name for each in node.targets):
            return Definition(module, node, text_of(following))
        if isinstance(node, ast.ImportFrom) and any((each.asname or each.name) == name for each in node.names):
            return looked_up(node.module, name) if node.module and node.module.startswith(PACKAGE) else None
    return None


def statements(module: str) -> list[ast.stmt]:
    """What a module says at its top level, or only to whoever checks types."""
    body = tree(module).body
    return [each for node in body for each in (node.body if isinstance(node, ast.If) else [node])]


def text_of(node: ast.stmt) -> str:
    """The text that a statement consists of, such as the one that documents an assignment."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return textwrap.dedent(ast.literal_eval(node.value)).strip() if is_text and isinstance(node, ast.Expr) else ""


def members(found: Definition) -> dict[str, Definition]:
    """The public methods and properties of a class and its bases, in the order in which they are written."""
    functions = [node for node in found.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    own = {node.name: Definition(found.module, node, ast.get_docstring(node) or "") for node in functions}
    return {**own, **{name: each for base in bases(found) for name, each in members(base).items() if name not in own}}


def operations(found: Definition) -> list[Definition]:
    """The operations that `Catalog` takes from other modules: `undo = undo.undo`."""
    taken = [node.value for node in found.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)]
    return [defined(f"{PACKAGE}.operations.{found.text(each.value)}", each.attr) for each in taken]


def is_error(found: Definition) -> bool:
    """Whether a class is one of the exception family."""
    return "Exception" in found.bases or any(is_error(base) for base in bases(found))


def bases(found: Definition) -> list[Definition]:
    """The bases of a class that are of this library."""
    return [each for name in found.bases if (each := looked_up(found.module, name)) is not None]


def is_value(found: Definition) -> bool:
    """Whether a class is a frozen value."""
    return "attrs.frozen" in found.decorators


def is_property(found: Definition) -> bool:
    """Whether a member is read like a field."""
    return "property" in found.decorators


def is_function(found: Definition) -> bool:
    """Whether it is a function."""
    return isinstance(found.node, ast.FunctionDef)


def is_protocol(found: Definition) -> bool:
    """Whether a class says what users' own classes must have."""
    return "Protocol" in found.bases


def is_other(found: Definition) -> bool:
    """Whether it is none of these."""
    return not (is_value(found) or is_function(found) or is_protocol(found))


# How signatures are written


def signature(name: str, found: Definition, *, is_bound: bool = True) -> str:
    """A signature in a code block; a bound one goes without its first parameter, which is the object itself."""
    parts = parameters(found)[1 if is_bound else 0 :]
    returns = returned(found)
    line = f"{name}({', '.join(parts)}){returns}"
    if len(line) > WIDTH:
        line = "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){returns}"])
    return f"```py\n{line}\n```\n"


def returned(found: Definition) -> str:
    """What a function returns, if it says so."""
    text = found.text(found.function.returns)
    if "contextmanager" in found.decorators:
        text = text.replace("Iterator[", "AbstractContextManager[", 1)
    return f" -> {text}" if text and found.function.name != "__init__" else ""


def parameters(found: Definition) -> list[str]:
    """Every parameter as it is written, with its type and default."""
    args = found.function.args
    plain = [*args.posonlyargs, *args.args]
    defaults = [*[None] * (len(plain) - len(args.defaults)), *args.defaults]
    parts = [parameter(found, each, default) for each, default in zip(plain, defaults, strict=True)]
    if args.posonlyargs:
        parts.insert(len(args.posonlyargs), "/")
    if args.vararg:
        parts.append(f"*{parameter(found, args.vararg, None)}")
    elif args.kwonlyargs:
        parts.append("*")
    parts += [parameter(found, each, default) for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return [*parts, f"**{parameter(found, args.kwarg, None)}"] if args.kwarg else parts


def parameter(found: Definition, arg: ast.arg, default: ast.expr | None) -> str:
    """One parameter."""
    typed = f"{arg.arg}: {found.text(arg.annotation)}" if arg.annotation else arg.arg
    return typed if default is None else f"{typed} = {found.text(default)}"


# How docstrings are written


def described(doc: str, *, without: str = "") -> str:
    """A docstring as Markdown; `without` is the heading of a part that is shown elsewhere."""
    parts = [rendered_part(heading, lines) for heading, lines in parts_of(doc) if not heading or heading != without]
    return "\n".join(part for part in parts if part.strip())


def parts_of(doc: str) -> Iterator[tuple[str, list[str]]]:
    """The parts of a docstring: running text under the heading '', and what is indented below a heading."""
    heading, lines = "", list[str]()
    in_fence = False
    for line in doc.splitlines():
        if heading and line and not line.startswith(" "):
            yield heading, textwrap.dedent("\n".join(lines)).strip().splitlines()
            heading, lines = "", []
        in_fence ^= line.startswith("```")
        if not heading and not in_fence and re.fullmatch(r"[A-Z][\w -]*::?", line):
            yield "", lines
            heading, lines = line.rstrip(":"), []
        else:
            lines.append(line)
    yield heading, textwrap.dedent("\n".join(lines)).strip().splitlines()


def rendered_part(heading: str, lines: Sequence[str]) -> str:
    """One part of a docstring."""
    if not heading:
        return running_text(lines)
    body = listed(entries(lines)) if heading in {"Args", "Attributes", "Raises"} else running_text(lines)
    return f"**{heading}**\n\n{body}"


def running_text(lines: Sequence[str]) -> str:
    """Paragraphs, bullets and examples. An example is not marked as one of those that the tests run."""
    text = re.sub(r"^```python$", "```py", "\n".join(lines).strip(), flags=re.MULTILINE)
    text = re.sub(r"^(?:>>> .*\n?)(?:.+\n?)*", lambda block: f"```pycon\n{block[0].rstrip()}\n```\n", text, flags=re.MULTILINE)
    return re.sub(r"^(Atomicity|Raises): ", r"**\1.** ", text, flags=re.MULTILINE) + "\n"


def entries(lines: Sequence[str]) -> dict[str, str]:
    """What is said of each name: `name: text`, continued on indented lines."""
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if line and not line.startswith(" "):
            name, _, rest = line.partition(":")
            found[name] = rest.strip()
        else:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def listed(said: dict[str, str]) -> str:
    """What is said of each name, as bullets."""
    return "".join(f"- `{name}`: {text}\n" for name, text in said.items())


# The sections


def catalog_section(found: Definition) -> str:
    """`Catalog`, its methods in groups."""
    grouped: dict[str, list[str]] = {group: [] for group in GROUPS}
    grouped["Opening"].append("\n".join(["### `Catalog`\n", constructor("Catalog", found), described(found.doc)]))
    for each in operations(found):
        grouped[group_of(each.module.rpartition(".")[2], default="Ingest")].append(member(each.function.name, each))
    for name, each in members(found).items():
        grouped[group_of(name, default="Reading")].append(member(name, each))
    return "\n".join(section(group, methods) for group, methods in grouped.items())


def group_of(key: str, *, default: str) -> str:
    """The group of a method of that name, or of an operation's module."""
    return next((group for group, keys in GROUPS.items() if key in keys), default)


def constructor(name: str, found: Definition) -> str:
    """How a class is called, if it says so itself."""
    initialisers = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    return signature(name, Definition(found.module, initialisers[0], "")) if initialisers else ""


def member(name: str, found: Definition, *, level: int = 3) -> str:
    """A method or property."""
    code = f"```py\n{name}{returned(found)}\n```\n" if is_property(found) else signature(name, found)
    return "\n".join([f"{'#' * level} `{name}`\n", code, described(found.doc)])


def function(name: str, found: Definition) -> str:
    """A function of the package."""
    return "\n".join([f"### `{name}`\n", signature(name, found, is_bound=False), described(found.doc)])


def value(name: str, found: Definition) -> str:
    """A frozen value: what it is, its fields and properties."""
    properties = {key: each.doc for key, each in members(found).items() if is_property(each)}
    parts = [f"### `{name}`\n", described(found.doc, without="Attributes"), field_table(found), listed(properties)]
    return "\n".join(part for part in parts if part)


def field_table(found: Definition) -> str:
    """The fields of a value, its own first."""
    rows = [row for each in (found, *bases(found)) for row in field_rows(each)]
    return "\n".join(["| field | type | default | |", "|---|---|---|---|", *rows, ""])


def field_rows(found: Definition) -> Iterator[str]:
    """A row for each public field that a class declares itself."""
    said = dict(entry for heading, lines in parts_of(found.doc) if heading == "Attributes" for entry in entries(lines).items())
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
            default = f"`{text}`" if (text := default_of(found, node.value)) else ""
            cells = (f"`{node.target.id}`", f"`{found.text(node.annotation)}`", default, said.get(node.target.id, ""))
            yield f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"


def default_of(found: Definition, given: ast.expr | None) -> str:
    """A field's default, be it inside `attrs.field`; empty where it has none."""
    if not isinstance(given, ast.Call) or found.text(given.func) != "attrs.field":
        return found.text(given)
    arguments = {keyword.arg: found.text(keyword.value) for keyword in given.keywords}
    factory = arguments.get("factory")
    return {"dict": "{}", "list": "[]"}.get(factory, f"{factory}()") if factory else arguments.get("default", "")


def whole_class(name: str, found: Definition) -> str:
    """A class with its methods and properties."""
    methods = [member(key, each, level=4) for key, each in members(found).items() if key not in MACHINERY]
    code = "" if name in FRAMES else constructor(name, found)
    return "\n".join([f"### `{name}`\n", *([code] if code else []), described(found.doc), *methods])


def error_tree(errors: dict[str, Definition]) -> str:
    """The exception family, each below what it is a kind of."""

    def branch(name: str, depth: int) -> Iterator[str]:
        yield f"{'    ' * depth}{name}"
        for below in errors:
            if name in errors[below].bases:
                yield from branch(below, depth + 1)

    roots = [name for name, found in errors.items() if not bases(found)]
    return "\n".join(["```text", *(line for root in roots for line in branch(root, 0)), "```\n"])


def error(name: str, found: Definition) -> str:
    """An exception."""
    return "\n".join([f"### `{name}`\n", described(found.doc)])


def aliases(users: Iterable[Definition]) -> str:
    """The types that the signatures of `users` name and that are no classes, and those that these name."""
    found: dict[str, Definition] = {}
    pending = list(users)
    while pending:
        user = pending.pop()
        named = ((name, looked_up(user.module, name)) for name in names_in_types(user))
        new = {name: each for name, each in named if each and is_alias(each) and name not in found}
        found |= new
        pending += new.values()
    return "\n".join(alias(name, found[name]) for name in sorted(found))


def names_in_types(found: Definition) -> set[str]:
    """The names in the types of a definition's parameters, results and fields."""
    types: list[ast.AST | None] = [found.node.value] if isinstance(found.node, ast.Assign) else []
    for node in ast.walk(found.node):
        types.append(getattr(node, "annotation", None))
        types.append(getattr(node, "returns", None))
    return {node.id for each in types if each for node in ast.walk(each) if isinstance(node, ast.Name)}


def is_alias(found: Definition) -> bool:
    """Whether a name stands for a type; type variables stand for none."""
    return isinstance(found.node, ast.Assign) and not isinstance(found.node.value, ast.Call)


def alias(name: str, found: Definition) -> str:
    """A name for a type."""
    assert isinstance(found.node, ast.Assign)  # noqa: S101  `is_alias`
    code = f"```py\n{name} = {found.text(found.node.value)}\n```\n"
    return "\n".join([f"### `{name}`\n", code, *([running_text(found.doc.splitlines())] if found.doc else [])])


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
