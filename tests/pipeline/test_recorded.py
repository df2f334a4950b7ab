from __future__ import annotations

import pytest

from offramp.pipeline._recorded import RECORDED, name_recorded


@pytest.mark.parametrize(("argument", "recorded"), [*RECORDED.items(), ("target.margin", "margin"), ("seed", "seed")])
def test_an_argument_has_a_name_in_the_record(argument: str, recorded: str) -> None:
    assert name_recorded(argument) == recorded
