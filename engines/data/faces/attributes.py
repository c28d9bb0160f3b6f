"""The attributes and where their boundaries lie.

Factors are drawn away from these boundaries (:mod:`engines.data.faces.sampling`): what cannot be told at 128 px must not
be a label.
"""

from __future__ import annotations

from engines.data.faces.portrait import Portrait

__all__ = ["ATTRIBUTES", "BROWN_HAIRS", "GRAY_HAIRS", "OLD_AGE_YEARS", "RECEDING", "attributes"]

ATTRIBUTES = (
    "Male", "Young", "Smiling", "Mouth_Open", "Eyes_Closed", "Eyeglasses", "Sunglasses", "Beard", "Mustache", "Bald",
    "Black_Hair", "Blond_Hair", "Brown_Hair", "Red_Hair", "Gray_Hair", "Long_Hair", "Wavy_Hair", "Bangs",
    "Receding_Hairline", "Pale_Skin", "Dark_Skin", "Lipstick", "Big_Nose", "Chubby",
)  # fmt: skip
"""Names after CelebA where it has the same attribute."""

OLD_AGE_YEARS = 46
RECEDING = 0.5
BROWN_HAIRS = ("brown", "lightbrown", "auburn")
GRAY_HAIRS = ("gray", "white")


def attributes(portrait: Portrait) -> dict[str, bool]:
    """The labels of a portrait, in the order of ATTRIBUTES.

    A bald head has no hair attributes; Eyeglasses includes Sunglasses; Beard is any of stubble, short, full and goatee.
    """
    hair = not portrait.bald
    return {
        "Male": portrait.gender > 0.5,
        "Young": portrait.age < OLD_AGE_YEARS,
        "Smiling": portrait.smile > 0.35,
        "Mouth_Open": portrait.mouth_open > 0.3,
        "Eyes_Closed": portrait.eyes_closed > 0.5,
        "Eyeglasses": portrait.glasses,
        "Sunglasses": portrait.glasses and portrait.sunglasses,
        "Beard": portrait.beard != "none",
        "Mustache": portrait.mustache,
        "Bald": portrait.bald,
        "Black_Hair": hair and portrait.hair_color == "black",
        "Blond_Hair": hair and portrait.hair_color == "blond",
        "Brown_Hair": hair and portrait.hair_color in BROWN_HAIRS,
        "Red_Hair": hair and portrait.hair_color == "red",
        "Gray_Hair": hair and portrait.hair_color in GRAY_HAIRS,
        "Long_Hair": hair and portrait.long,
        "Wavy_Hair": hair and portrait.wavy,
        "Bangs": hair and portrait.bangs,
        "Receding_Hairline": hair and portrait.recede > RECEDING,
        "Pale_Skin": portrait.melanin < 0.15,
        "Dark_Skin": portrait.melanin > 0.52,
        "Lipstick": portrait.lipstick,
        "Big_Nose": portrait.nose_size > 0.5,
        "Chubby": portrait.weight > 0.45,
    }
