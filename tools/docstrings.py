"""Prints how many of the public functions and methods explain what they return, floor by floor."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "offramp"
SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Reference):$", re.MULTILINE)
NOTHING = ("None", "NoReturn", "Never")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_names(source: Path = SOURCE) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Each public name below a folder with where it is defined: what a module without underscore gives or re-exports.

    Args:
        source: Folder of the package.

    Yields:
        The dotted name without that of the package, and the definition.
    """
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        prefix = ".".join(part for part in parts if part != "__init__")
        for name, node in _given(path):
            yield f"{prefix}.{name}", node


def _given(path: Path) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            known = {one.name: one for one in _definitions(path.parent / f"{node.module}.py")}
            yield from ((one.name, known[one.name]) for one in node.names if one.asname == one.name in known)


def _definitions(path: Path) -> Iterator[Function | ast.ClassDef]:
    if path.exists():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        yield from (node for node in body if isinstance(node, Function | ast.ClassDef))


def gaps(source: Path = SOURCE) -> Iterator[str]:
    """What the docstrings of public functions, classes and methods do not explain.

    A method that a protocol of the same package asks for is explained there, once.

    Args:
        source: Folder of the package.

    Yields:
        One sentence per gap, which begins with the dotted name.
    """
    known = list(public_names(source))
    promised: dict[str, set[str]] = defaultdict(set)
    for name, node in known:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases):
            promised[name.rpartition(".")[0]] |= {one.name for one in node.body if isinstance(one, Function)}
    for name, node in known:
        if isinstance(node, ast.ClassDef):
            is_protocol = any(ast.unparse(base) == "Protocol" for base in node.bases)
            yield from _gaps_of_class(name, node, set() if is_protocol else promised[name.rpartition(".")[0]])
        else:
            yield from _gaps_of_function(name, node)


def _gaps_of_function(name: str, node: Function) -> Iterator[str]:
    found = sections(node)
    yield from _unexplained(name, parameters(node), found.get("Args", ""), "Args")
    if gives_something(node) and not is_property(node) and not found.keys() & {"Returns", "Yields"}:
        yield f"{name} does not say what it Returns"


def _gaps_of_class(name: str, node: ast.ClassDef, promised: Collection[str]) -> Iterator[str]:
    found, methods = sections(node), [one for one in node.body if isinstance(one, Function)]
    explained = found.get("Args", "") + found.get("Attributes", "")
    made = next((parameters(one) for one in methods if one.name == "__init__"), fields(node))
    yield from _unexplained(name, made, explained, "Args or Attributes")
    for method in methods:
        if not method.name.startswith("_") and method.name not in promised:
            yield from _gaps_of_function(f"{name}.{method.name}", method)


def _unexplained(name: str, wanted: list[str], text: str, where: str) -> Iterator[str]:
    explained = re.findall(r"^    \*{0,2}(\w+):", text, re.MULTILINE)
    yield from (f"{name} does not explain {one} in its {where}" for one in wanted if one not in explained)


def sections(node: Function | ast.ClassDef) -> dict[str, str]:
    """The text of each section of a docstring, by title.

    Args:
        node: What is documented.

    Returns:
        Titles such as "Args", each with what stands below it.
    """
    pieces = SECTION.split(ast.get_docstring(node) or "")
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def parameters(node: Function) -> list[str]:
    """The names of a function's parameters.

    Args:
        node: The function.

    Returns:
        All names in order, but for `self` and `cls`.
    """
    given = node.args
    starred = [one for one in (given.vararg, given.kwarg) if one is not None]
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]
    return [one.arg for one in named if one.arg not in ("self", "cls")]


def fields(node: ast.ClassDef) -> list[str]:
    """The names of a class's own fields, as a dataclass or a protocol lists them.

    Args:
        node: The class.

    Returns:
        Annotated names without leading underscore, class variables left out.
    """
    annotated = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    own = [one for one in annotated if "ClassVar" not in ast.unparse(one.annotation)]
    return [one.target.id for one in own if isinstance(one.target, ast.Name) and not one.target.id.startswith("_")]


def gives_something(node: Function) -> bool:
    """Whether a function returns a value.

    Args:
        node: The function, with an annotated result.

    Returns:
        False for None and for what never returns.
    """
    return node.returns is not None and ast.unparse(node.returns) not in NOTHING


def is_property(node: Function) -> bool:
    """Whether a method is read like an attribute.

    Args:
        node: The method.

    Returns:
        True for a property.
    """
    return any(ast.unparse(one).endswith(("property", "setter")) for one in node.decorator_list)


def functions(source: Path = SOURCE) -> Iterator[tuple[str, Function]]:
    """Every function and method whose name has no leading underscore, and that returns something.

    Args:
        source: Folder of the package.

    Yields:
        The floor, and the function.
    """
    for path in sorted(source.rglob("*.py")):
        floor = path.relative_to(source).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function) and not node.name.startswith("_"):
                yield floor, node


def main() -> None:
    """Count and print."""
    asked: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for floor, node in functions():
        if gives_something(node) and not is_property(node):
            asked[floor] += 1
            said[floor] += bool(sections(node).keys() & {"Returns", "Yields"})
    for floor in asked:
        print(f"{said[floor]:6d} of {asked[floor]:4d}  {floor}")
    print(f"{said.total():6d} of {asked.total():4d}  in all say what they return")


if __name__ == "__main__":
    main()
