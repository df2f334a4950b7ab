from __future__ import annotations

from collections import namedtuple
from typing import Any

import pytest

from offramp.build._answer import find_logits
from offramp.errors import CaptureError

Output = namedtuple("Output", "loss logits")


@pytest.mark.parametrize(
    "answer",
    [
        7,
        (7,),
        [7, 8],
        {"logits": 7},
        {"loss": 1, "logits": 7},
        {"out": 7, "aux": 8},
        Output(1, 7),
        ((7, 8), 9),
        {"logits": (7,)},
    ],
    ids=repr,
)
def test_the_logits_are_found_in(answer: Any) -> None:
    assert find_logits(answer) == 7


@pytest.mark.parametrize("answer", [(), [], {}, ((),)], ids=repr)
def test_an_empty_answer_is_refused(answer: Any) -> None:
    with pytest.raises(CaptureError, match="answered with nothing"):
        find_logits(answer)
