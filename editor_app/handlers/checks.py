"""Shapes of values that come from a client, which can send anything."""

from __future__ import annotations

from typing import Any

__all__ = ["is_number", "is_whole"]

MAX_NUMBER = 2**53
"""Past it JSON's numbers lose their last digit, and Python's need not fit a float."""


def is_number(value: Any) -> bool:
    """Whether it is a finite number of ordinary size; JSON's true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MAX_NUMBER <= value <= MAX_NUMBER


def is_whole(value: Any) -> bool:
    """Whether it is such a number without a fraction; 3.0 is whole."""
    return is_number(value) and value == int(value)
