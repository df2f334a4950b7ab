from __future__ import annotations

import pytest

from offramp import attach
from offramp.graph import find_routes
from offramp.report._route_name import LONGEST, name_route

CASCADE = """
    q1: x -> dummy, n2
    n1: x  | fc 3
    n2: x  | fc 4
    q2: n2 -> n3, n4
    n3: n2 | fc 3
    n4: n2 | fc 3
    answer: n4 or n3 or n1
"""
PARALLEL = """
    q1: x -> n1, dummy
    q2: x -> n2, dummy
    n1: x | fc 3
    n2: x | fc 3
    n3: n1=0 + n2=0 | fc 3
"""


@pytest.mark.parametrize(
    ("table", "names"),
    [(CASCADE, ["n1", "n2, n3", "n2, n4"]), (PARALLEL, ["n1, n2", "n1", "n2", "nothing opened"])],
)
def test_a_route_is_called_by_what_it_opens_or_who_answers(table: str, names: list[str]) -> None:
    graph = attach.d2nn(table, (4,))
    assert [name_route(graph, route) for route in find_routes(graph)] == names


def test_of_many_nodes_the_first_and_the_last_are_named() -> None:
    table = "\n".join(f"q{at}: x -> a_long_name_{at}, dummy\na_long_name_{at}: x | fc 3" for at in range(4))
    added = " + ".join(f"a_long_name_{at}=0" for at in range(4))
    name = name_route(attach.d2nn(f"{table}\nend: {added} | fc 3", (4,)), (0, 0, 0, 0))
    assert name == "a_long_name_0, ... a_long_name_3"
    assert len(name) <= LONGEST
