"""D2NNs written as texts: what each line means, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offramp.attach._notation import Line, Read, parse_lines
from offramp.errors import OptionError

X = (Read(name="x"),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("n1: x", Line(name="n1", reads=X, join="concat")),
        ("n1 :x|fc 3", Line(name="n1", reads=X, join="concat", layers="fc 3")),
        ("a/b: x + n2=-1.5", Line(name="a/b", join="sum", reads=(*X, Read(name="n2", fill=-1.5)))),
        ("a: n1 = 0,x", Line(name="a", join="concat", reads=(Read(name="n1", fill=0), *X))),
        ("a: x or or1", Line(name="a", join="first", reads=(*X, Read(name="or1")))),
        ("q: x -> a , dummy", Line(name="q", reads=X, join="concat", targets=("a", "dummy"))),
        ("q: x | fc 8 -> a,b", Line(name="q", reads=X, join="concat", layers="fc 8", targets=("a", "b"))),
    ],
)
def test_a_line_says_what_its_node_reads_computes_and_opens(text: str, line: Line) -> None:
    (found,) = parse_lines(text)
    assert replace(found, layers=found.layers.strip()) == line


def test_a_line_without_a_name_goes_on_with_the_one_before() -> None:
    first, second = parse_lines("\n a: x | fc 3 |\n\n   | relu\n  fc 4 -> b, c\n b: a")
    assert [part.strip() for part in first.layers.split("|") if part.strip()] == ["fc 3", "relu", "fc 4"]
    assert first.targets == ("b", "c")
    assert second.name == "b"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at least one node"),
        ("fc 3", "Begin with its name"),
        ("a: | fc 3", "'a' reads ''"),
        ("a: b c", "'a' reads 'b c'"),
        ("a: b=x", "'a' reads 'b=x'"),
        ("a: b + c, d", "'a' reads 'b . c, d'"),
        ("a: b=0 or c + d", "'a' reads"),
        ("a: b | fc 2 ->", "control edges are written"),
        ("a: b -> c d", "control edges are written"),
        ("a: b -> c=0, d", "control edges are written"),
        ("dummy: b", "no other node is called dummy"),
        ("a: b or c | fc 2", "a select has no layers"),
        ("a: b or c -> d, e", "a select has no layers"),
    ],
)
def test_a_line_that_is_written_wrong_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        parse_lines(text)
