"""The README's picture: a command's real output as an SVG that suits light and dark pages.

python -m tools.picture docs/explain.svg expand examples/conditional-sidecar.yaml --explain
"""

from __future__ import annotations

import contextlib
import io
import sys
from html import escape
from pathlib import Path

from macro.commands.cli import main

PROMPT = ' class="prompt"'
WIDTH, LINE, MARGIN = 8.4, 20, 20  # of a letter at 14 pixels, of a line, around the text

# A card of its own, so that text and ground contrast on any page.
_STYLE = """\
  .card { fill: #f6f8fa; stroke: #d0d7de }
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328 }
  .prompt { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    .card { fill: #151b23; stroke: #3d444d }
    text { fill: #f0f6fc }
    .prompt { fill: #9198a1 }
  }"""


def picture(arguments: list[str]) -> str:
    """The command and what it prints, as SVG. Raises ValueError if the command fails."""
    output = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(output):
        code = main(arguments)
    if code:
        raise ValueError(f"the command ended with {code}")
    output.seek(0)
    lines = [f"$ private-image {' '.join(arguments)}", *output.read().splitlines()]
    width = round(max(len(line) for line in lines) * WIDTH + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + LINE * (number + 0.75):g}" xml:space="preserve"'
        f"{PROMPT if not number else ''}>{escape(line)}</text>"
        for number, line in enumerate(lines)
        if line
    ]
    size = f'width="{width}" height="{height}"'
    frame = f'x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'{head} role="img">',
            f"<title>{escape(lines[0])}</title>",
            f"<style>\n{_STYLE}\n</style>",
            f'<rect class="card" {frame}/>',
            *rows,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(sys.argv[2:]), "utf-8")
