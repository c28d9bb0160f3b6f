"""Texts from users, made fit to be said."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """A text that fits into a sentence and into JSON: without line breaks, control characters and halves of characters."""
    return "".join(character if character.isprintable() else "?" for character in text)
