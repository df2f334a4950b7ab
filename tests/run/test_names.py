from __future__ import annotations

import pytest

from offramp.run import legible


@pytest.mark.parametrize(
    ("name", "text"),
    [("a/b.png", "a/b.png"), ("grün 猫", "grün 猫"), ("gr\udcc3\udcbcn", "grün"), ("a\udcffb", "a\\xffb"), ("", "")],
)
def test_a_name_is_the_same_text_under_every_locale(name: str, text: str) -> None:
    assert legible(name) == text
    assert legible(legible(name)) == text
