"""The README's picture shows what the command prints today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.picture import picture

ROOT = Path(__file__).parents[2]


def test_the_picture_is_made_from_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made = picture(["expand", "examples/registries.yaml", "--explain"])
    assert made == (ROOT / "docs" / "explain.svg").read_text("utf-8"), (
        "python -m tools.picture docs/explain.svg"
        " expand examples/registries.yaml --explain makes it anew"
    )


def test_the_colours_of_a_terminal_are_there_whatever_this_one_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_COLOR", "1")
    made = picture(["expand", "examples/registries.yaml", "--explain"])
    assert '<tspan class="bold">TaskPrivateImageRole</tspan>  (added' in made
    assert "\x1b" not in made


def test_a_command_that_fails_makes_no_picture() -> None:
    with pytest.raises(ValueError, match="ended with 2"):
        picture(["expand", "no-such-file.yaml"])
