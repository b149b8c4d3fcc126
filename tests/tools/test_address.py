"""What a release shows on the package index leads to the repository."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from tools.address import absolute_links, name_address

ROOT = Path(__file__).parents[2]
ADDRESS = "https://git.example.com/team/private-image"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_every_link_of_the_readme_leads_to_a_file_there(tree: Path) -> None:
    name_address(tree, ADDRESS)
    text = (tree / "README.md").read_text("utf-8")
    assert re.findall(r"\]\((?!https://)[^)]*\)", text) == []
    own = re.findall(rf"\]\({re.escape(ADDRESS)}/(?:blob|raw)/main/([^)#]*)", text)
    assert len(own) > 20
    assert [name for name in own if not (ROOT / name).exists()] == []


def test_the_package_names_its_pages(tree: Path) -> None:
    before = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    name_address(tree, ADDRESS)
    after = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    urls = after["project"].pop("urls")
    assert urls["Homepage"] == ADDRESS
    assert all(url.startswith(ADDRESS) for url in urls.values())
    assert after == before


def test_it_is_done_once(tree: Path) -> None:
    name_address(tree, ADDRESS)
    with pytest.raises(ValueError, match="already"):
        name_address(tree, ADDRESS)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[a](docs/a.md#b)", f"[a]({ADDRESS}/blob/main/docs/a.md#b)"),
        ("![a](docs/a.svg)", f"![a]({ADDRESS}/raw/main/docs/a.svg)"),
        ("[a](https://example.org/a)", "[a](https://example.org/a)"),
        ("[a](#b)", "[a](#b)"),
    ],
)
def test_links(markdown: str, expected: str) -> None:
    assert absolute_links(markdown, ADDRESS) == expected
