"""The same portrait with one attribute changed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engines.core.errors import OptionError
from engines.data.faces.ageing import head_age, wrinkles
from engines.data.faces.attributes import ATTRIBUTES, RECEDING, attributes
from engines.data.faces.portrait import Portrait
from engines.data.faces.styles import fitting_style
from engines.data.faces.targets import LOCAL_NAMES

__all__ = ["counterfactual"]

_FULL_HAIRLINE = 0.05
_Change = Callable[[Portrait, bool, dict], Portrait]


def counterfactual(portrait: Portrait, name: str, value: bool) -> Portrait:
    """The portrait with `attributes(...)[name] == value`; returned unchanged where that already holds.

    New values come from the portrait's own `alt` pairs, which keep the same distance from the boundaries as sampling does.
    Other labels follow only where they exclude one another (a bald head has no hair colour, bangs cover a hairline,
    sunglasses are eyeglasses).
    """
    if name not in ATTRIBUTES:
        raise OptionError(f"There is no attribute {name!r}; choose one of {', '.join(ATTRIBUTES)}.")
    on = bool(value)
    if attributes(portrait)[name] == on:
        return portrait
    return _CHANGES[name](portrait, on, dict(portrait.alt))


def _male(portrait: Portrait, on: bool, alt: dict) -> Portrait:
    mirrored = round(1 - portrait.gender, 4)
    return replace(portrait, gender=max(mirrored, 0.85) if on else min(mirrored, 0.15))


def _young(portrait: Portrait, on: bool, alt: dict) -> Portrait:
    age = alt["young_age"] if on else alt["old_age"]
    local = list(portrait.local)
    local[LOCAL_NAMES.index("age_local")] = round(head_age(age), 4)
    local[LOCAL_NAMES.index("laugh_lines")] = 0.0 if on else 0.2
    return replace(portrait, age=age, wrinkles=round(wrinkles(age, 0.5), 4), local=tuple(local))


def _smiling(portrait: Portrait, on: bool, alt: dict) -> Portrait:
    if not on:
        return replace(portrait, smile=0.0, teeth_smile=0.0)
    return replace(portrait, smile=alt["smile"], teeth_smile=alt["teeth"], sad=0.0, frown=0.0)


def _hair_colour(colour: Callable[[dict], str]) -> _Change:
    def change(portrait: Portrait, on: bool, alt: dict) -> Portrait:
        wanted = colour(alt)
        if on:
            return replace(portrait, hair_color=wanted, bald=False, gray_mix=0.0)
        other = "black" if wanted == alt["brown"] else alt["brown"]
        return replace(portrait, hair_color=other, gray_mix=0.0)

    return change


def _hair_shape(**on_values: object) -> _Change:
    """A change of the hair's shape: grows hair on a bald head, and takes a short style that can carry it."""

    def change(portrait: Portrait, on: bool, alt: dict) -> Portrait:
        changed = replace(portrait, **(on_values if on else dict.fromkeys(on_values, False)))
        if on:
            changed = replace(changed, bald=False)
            if "bangs" in on_values and portrait.recede > RECEDING:
                changed = replace(changed, recede=_FULL_HAIRLINE)
        return _with_fitting_style(changed)

    return change


def _receding(portrait: Portrait, on: bool, alt: dict) -> Portrait:
    if on:
        return _with_fitting_style(replace(portrait, recede=alt["recede"], bald=False, bangs=False))
    return _with_fitting_style(replace(portrait, recede=_FULL_HAIRLINE))


def _with_fitting_style(portrait: Portrait) -> Portrait:
    style = fitting_style(
        portrait.short_style, long=portrait.long, wavy=portrait.wavy, bangs=portrait.bangs, recede=portrait.recede
    )
    return replace(portrait, short_style=style)


_CHANGES: dict[str, _Change] = {
    "Male": _male,
    "Young": _young,
    "Smiling": _smiling,
    "Mouth_Open": lambda p, on, alt: replace(p, mouth_open=alt["mouth_open"] if on else 0.0),
    "Eyes_Closed": lambda p, on, alt: replace(p, eyes_closed=1.0 if on else 0.0),
    "Eyeglasses": lambda p, on, alt: replace(p, glasses=on, sunglasses=False),
    "Sunglasses": lambda p, on, alt: replace(p, glasses=True, sunglasses=on),
    "Beard": lambda p, on, alt: replace(p, beard=alt["beard"] if on else "none"),
    "Mustache": lambda p, on, alt: replace(p, mustache=on),
    "Bald": lambda p, on, alt: replace(p, bald=on),
    "Black_Hair": _hair_colour(lambda alt: "black"),
    "Blond_Hair": _hair_colour(lambda alt: "blond"),
    "Brown_Hair": _hair_colour(lambda alt: alt["brown"]),
    "Red_Hair": _hair_colour(lambda alt: "red"),
    "Gray_Hair": _hair_colour(lambda alt: alt["gray"]),
    "Long_Hair": _hair_shape(long=True),
    "Wavy_Hair": _hair_shape(wavy=True),
    "Bangs": _hair_shape(bangs=True),
    "Receding_Hairline": _receding,
    "Pale_Skin": lambda p, on, alt: replace(p, melanin=alt["pale"] if on else alt["medium"]),
    "Dark_Skin": lambda p, on, alt: replace(p, melanin=alt["dark"] if on else alt["medium"]),
    "Lipstick": lambda p, on, alt: replace(p, lipstick=on, makeup=alt["makeup"] if on else 0.0),
    "Big_Nose": lambda p, on, alt: replace(p, nose_size=alt["nose"] if on else 0.0),
    "Chubby": lambda p, on, alt: replace(p, weight=alt["heavy"] if on else alt["normal"]),
}
"""How each attribute is switched on or off, given the portrait's alternatives."""
