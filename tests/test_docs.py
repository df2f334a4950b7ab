"""The pages keep what they promise: links lead somewhere, examples give what they show."""

from __future__ import annotations

import doctest
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
EXAMPLE = re.compile(r"^```(?:python|pycon)\n(>>> .*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^ *```python run\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if RUN.search(page.read_text())], ids=name_of)
def test_the_blocks_that_a_page_marks_as_run_do_run(page: Path) -> None:
    exec(compile("\n".join(textwrap.dedent(block) for block in RUN.findall(page.read_text())), str(page), "exec"), {})


@pytest.mark.parametrize("page", [page for page in PAGES if EXAMPLE.search(page.read_text())], ids=name_of)
def test_the_examples_of_a_page_give_what_they_show(page: Path) -> None:
    text = "\n".join(EXAMPLE.findall(page.read_text()))
    example = doctest.DocTestParser().get_doctest(text, {}, name_of(page), str(page), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert "".join(said) == ""
