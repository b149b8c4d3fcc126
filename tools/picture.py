"""The README's picture: a command's real output as an SVG that suits light and dark pages.

python -m tools.picture docs/explain.svg expand examples/registries.yaml --explain
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from html import escape, unescape
from pathlib import Path
from unittest.mock import patch

from macro.commands.cli import main

WIDTH, LINE, MARGIN = 8.4, 20, 20  # of a letter at 14 pixels, of a line, around the text

# A card of its own, so that text and ground contrast on any page.
_STYLE = """\
  .card { fill: #f6f8fa; stroke: #d0d7de }
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328 }
  .prompt { fill: #59636e }
  .bold { font-weight: bold }
  .cyan { fill: #1b7c83 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #151b23; stroke: #3d444d }
    text { fill: #f0f6fc }
    .prompt { fill: #9198a1 }
    .cyan { fill: #39c5cf }
  }"""

_LOOKS = {"1": "bold", "36": "cyan"}
_LOOK = re.compile(r"\x1b\[(\d+)m(.*?)\x1b\[0m")


class _Terminal(io.TextIOWrapper):
    """A terminal that keeps what it shows."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8")

    def isatty(self) -> bool:
        return True


def picture(arguments: list[str]) -> str:
    """The command and what it prints on a terminal, as SVG. Raises ValueError if it fails."""
    terminal = _Terminal()
    shown = {"TERM": "xterm", "NO_COLOR": ""}
    with contextlib.redirect_stdout(terminal), patch.dict(os.environ, shown):
        code = main(arguments)
    if code:
        raise ValueError(f"the command ended with {code}")
    terminal.seek(0)
    command = f"$ private-image {' '.join(arguments)}"
    lines = [f'<tspan class="prompt">{escape(command)}</tspan>']
    lines += [_marked_up(line) for line in terminal.read().splitlines()]
    longest = max(len(unescape(re.sub(r"<[^>]*>", "", line))) for line in lines)
    width = round(longest * WIDTH + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + LINE * (number + 0.75):g}" xml:space="preserve">'
        f"{line}</text>"
        for number, line in enumerate(lines)
        if line
    ]
    size = f'width="{width}" height="{height}"'
    frame = f'x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'{head} role="img">',
            f"<title>{escape(command)}</title>",
            f"<style>\n{_STYLE}\n</style>",
            f'<rect class="card" {frame}/>',
            *rows,
            "</svg>\n",
        ]
    )


def _marked_up(line: str) -> str:
    """A line of a terminal, with its looks as classes."""
    return _LOOK.sub(
        lambda found: f'<tspan class="{_LOOKS[found[1]]}">{found[2]}</tspan>',
        escape(line, quote=False),
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(sys.argv[2:]), "utf-8")
