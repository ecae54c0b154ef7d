"""Writes .env.example from the settings model: `python tests/env_example.py > .env.example`."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from rag.settings import Settings, env_names

HEADER = """\
# paperchat's settings. Copy this file to .env in the folder you start paperchat from, or set the same
# names in the environment, which wins. Every line shows the default; an empty value means the default.
"""


def render() -> str:
    """Every setting: its meaning, and the line that sets it to its default."""
    parts = [HEADER]
    for field, name in env_names().items():
        info = Settings.model_fields[field]
        default = "" if info.default in (None, PydanticUndefined) else info.default
        parts.append(f"# {info.description}\n{name}={default}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(render(), end="")


EXAMPLE = Path(__file__).parents[1] / ".env.example"
