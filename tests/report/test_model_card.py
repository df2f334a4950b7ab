from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from offramp.report import model_card
from records import as_run


def test_the_card_is_the_golden_one(result: dict[str, Any], golden: Callable[[str, str], None]) -> None:
    golden("model_card.md", model_card(as_run(result)))


def test_its_python_is_python(result: dict[str, Any]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", model_card(as_run(result)), flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        ast.parse(block)
