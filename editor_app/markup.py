"""Text and values inside the HTML templates of Gradio, which are Handlebars and JavaScript template strings as well."""

from __future__ import annotations

import html
from functools import cache
from pathlib import Path

__all__ = ["script", "style", "text"]

STATIC_DIR = Path(__file__).parent / "static"

STYLES = ("base", "layout", "source", "options", "result", "attributes", "objects", "own")
SCRIPTS = ("core", "sliders", "live", "mask", "options", "source", "result", "own", "attributes", "objects")
"""In loading order: each file adds its part to `window.lwe`."""


def text(value: object) -> str:
    """Escaped for HTML and for the two template languages that Gradio runs over it."""
    escaped = html.escape(str(value), quote=True)
    for character in "`$\\{}":
        escaped = escaped.replace(character, f"&#{ord(character)};")
    return escaped


@cache
def style() -> str:
    """The page's style sheet."""
    return "\n".join((STATIC_DIR / "css" / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)


@cache
def script() -> str:
    """The page's scripts as one HTML element for the document's head."""
    parts = "\n".join((STATIC_DIR / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f"<script>\n{parts}\n</script>"
