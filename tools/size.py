"""Prints code lines per floor and the longest modules: blank lines, comments and docstrings do not count."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "offramp"
QUIET = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstring_lines(tree: ast.Module) -> set[int]:
    """Line numbers that belong to docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def code_lines(text: str) -> int:
    """Number of lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in QUIET:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(text)))


def main() -> None:
    """Counts and prints."""
    counts = {path.relative_to(SOURCE): code_lines(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}
    floors: Counter[str] = Counter()
    for path, lines in counts.items():
        floors[path.parts[0]] += lines
    for floor, lines in floors.most_common():
        print(f"{lines:6d}  {floor}")
    print(f"{sum(floors.values()):6d}  in all; longest modules:")
    for path, lines in sorted(counts.items(), key=lambda item: -item[1])[:5]:
        print(f"{lines:6d}  {path}")


if __name__ == "__main__":
    main()
