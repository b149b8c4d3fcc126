"""Names the repository's address in what the package index shows: the project's URLs, and the
README's links, which lead to files of the repository.

python -m tools.address https://github.com/OWNER/REPOSITORY
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def project_urls(pyproject: str, address: str) -> str:
    """The text of pyproject.toml with the project's URLs. Raises ValueError if it has some."""
    if "[project.urls]" in pyproject:
        raise ValueError("pyproject.toml has the project's URLs already")
    urls = f"""\
[project.urls]
Homepage = "{address}"
Documentation = "{address}/tree/main/docs"
Changelog = "{address}/blob/main/CHANGELOG.md"
Issues = "{address}/issues"

"""
    return pyproject.replace("[project.scripts]\n", f"{urls}[project.scripts]\n", 1)


def absolute_links(readme: str, address: str) -> str:
    """A text in Markdown with its relative links made absolute. A picture is linked as it is, a
    file by its page."""
    link = re.compile(r"(!?)(\[[^\]]*\]\()(?!https:|#)")
    return link.sub(
        lambda found: f"{found[0]}{address}/{'raw' if found[1] else 'blob'}/main/", readme
    )


def name_address(root: Path, address: str) -> None:
    """Rewrites pyproject.toml and README.md below `root`."""
    for name, rewritten in (("pyproject.toml", project_urls), ("README.md", absolute_links)):
        file = root / name
        file.write_text(rewritten(file.read_text("utf-8"), address), "utf-8")


if __name__ == "__main__":
    name_address(ROOT, sys.argv[1])
