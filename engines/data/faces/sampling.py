"""Drawing portraits: who it is, what they do, how they are photographed.

The order of the random draws is part of the data sets' definition (picture i of a split is a seed, not a file): a new draw
goes to the end of its group only together with new seeds.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from engines.data.faces.ageing import head_age, wrinkles
from engines.data.faces.attributes import BROWN_HAIRS, GRAY_HAIRS, OLD_AGE_YEARS, RECEDING
from engines.data.faces.draws import Draws, Seed, generator
from engines.data.faces.portrait import FACIAL_HAIR_FIELDS, HAIRSTYLE_FIELDS, IDENTITY_FIELDS, Portrait
from engines.data.faces.styles import COMBED, fitting_style
from engines.data.faces.targets import ASYMMETRIES, HEAD_SHAPES, LOCAL_NAMES, SPREAD

__all__ = ["OUT_OF_DISTRIBUTION", "reshoot", "sample"]

OUT_OF_DISTRIBUTION = ("beanie", "cap", "headscarf", "earrings")
"""Accessories that only the out-of-distribution set wears."""

_SHORT_STYLES = ("buzz", "short", "back", "forward", "afro", "bun")


@dataclass(frozen=True)
class _Person:
    """What everything else depends on."""

    male: bool
    gender: float
    young: bool
    age: float
    race: np.ndarray

    @property
    def old(self) -> float:
        """0 for the young, .25..1 above fifty."""
        return 0.0 if self.young else float(np.clip((self.age - 42) / 34, 0.25, 1))


def sample(seed: Seed, *, ood: str = "none", like: Portrait | None = None) -> Portrait:
    """Draws one portrait.

    `seed` is a seed, a list of seeds or a generator. `ood` names an accessory of OUT_OF_DISTRIBUTION. With `like`, the
    identity is that portrait's and everything that depends on it (beard, make-up, ...) is drawn for that person.
    """
    draw = Draws(generator(seed))
    person = _draw_person(draw, like)
    values: dict[str, Any] = {"ood": ood}
    values |= _draw_body(draw, person)
    values |= _draw_hair_colour_and_style(draw, person, like)
    values |= _draw_beard_and_face(draw, person)
    values |= _draw_details(draw, person, values)
    if like is not None:
        values |= {name: getattr(like, name) for name in IDENTITY_FIELDS}
        values["short_style"] = fitting_style(
            values["short_style"], **{name: values[name] for name in ("long", "wavy", "bangs", "recede")}
        )
    return Portrait(**{field.name: _rounded(values[field.name]) for field in fields(Portrait)})


def reshoot(portrait: Portrait, seed: Seed) -> Portrait:
    """The same person on another day.

    New expression, pose, light, background, camera, clothes and accessories; hair style and beard change sometimes.
    """
    rng = generator(seed)
    keep_hair, keep_beard = rng.random() < 0.6, rng.random() < 0.7
    again = sample(rng, ood=portrait.ood, like=portrait)
    kept = (HAIRSTYLE_FIELDS if keep_hair else ()) + (FACIAL_HAIR_FIELDS if keep_beard else ())
    return replace(again, **{name: getattr(portrait, name) for name in kept})


def _draw_person(draw: Draws, like: Portrait | None) -> _Person:
    male = draw.chance(0.5)
    gender = draw.normal_in(0.95, 0.05, 0, 1) if male else draw.normal_in(0.05, 0.05, 0, 1)
    young = draw.chance(0.6)
    # Nobody between 40 and 52: the label Young must be visible.
    age = 18 + 22 * float(draw.rng.beta(1.3, 1.0)) if young else 52 + 28 * float(draw.rng.beta(1.1, 1.4))
    race = draw.rng.dirichlet([0.55, 0.55, 0.7])
    if like is not None:
        return _Person(like.gender > 0.5, like.gender, like.age < OLD_AGE_YEARS, like.age, np.array(like.race))
    return _Person(male, gender, young, age, race)


def _draw_body(draw: Draws, person: _Person) -> dict[str, Any]:
    weight = draw.between(0.70, 1.0) if draw.chance(0.15) else draw.normal_in(-0.22, 0.30, -0.95, 0.15)
    local = {name: draw.normal_in(0, SPREAD[name], -2 * SPREAD[name], 2 * SPREAD[name]) for name in LOCAL_NAMES}
    male = person.male
    shape_weights = [0.24, 0.20, 0.06 if male else 0.02, 0.08, 0.08, 0.12, 0.08, 0.14 if male else 0.18]
    shape = draw.choice(HEAD_SHAPES, shape_weights)
    for name in HEAD_SHAPES:
        local[name] = draw.between(0.03, 0.30) if name == shape else 0.0
    local["age_local"] = head_age(person.age) + local["age_local"]
    local["laugh_lines"] = abs(local["laugh_lines"]) * (0.3 if person.young else 1.0)
    nose_size = draw.between(0.8, 1.1) if draw.chance(0.2) else 0.0
    race = person.race
    melanin = float(np.clip(0.74 * race[0] + 0.27 * race[1] + 0.10 * race[2] + draw.rng.normal(0, 0.075), 0.0, 0.97))
    jitter = draw.between(0, 1)
    melanin = _outside_gap(_outside_gap(melanin, 0.08, 0.21, jitter), 0.43, 0.61, jitter)
    return {
        "gender": person.gender, "age": person.age, "race": tuple(float(share) for share in race), "weight": weight,
        "local": tuple(local[name] for name in LOCAL_NAMES), "nose_size": nose_size, "melanin": melanin,
    }  # fmt: skip


def _draw_hair_colour_and_style(draw: Draws, person: _Person, like: Portrait | None) -> dict[str, Any]:
    male, old, race = person.male, person.old, person.race
    dark_share = min(0.96, 0.30 + 0.75 * (race[0] + race[1]))
    if draw.chance(0.05 if person.young else 0.62):
        colour = draw.choice(GRAY_HAIRS, [0.7, 0.3])
    elif draw.chance(dark_share * 0.72):
        colour = "black"
    else:
        blond = 0.08 + 0.38 * race[2]
        weights = np.array([0.36, 0.20, 0.10, blond, 0.17]) / (0.83 + blond)
        colour = draw.choice([*BROWN_HAIRS, "blond", "red"], list(weights))
    bald = draw.chance((0.05 + 0.18 * old) if male else 0.025)
    receding = draw.chance(0.12 + 0.26 * old) if male else draw.chance(0.05)
    recede = draw.between(0.85, 1.15) if receding else draw.between(0, 0.15)
    if like is not None:
        colour, recede = like.hair_color, like.recede
        receding = recede > RECEDING
    long = draw.chance(0.10 if male else 0.68)
    style_weights = [0.20, 0.38, 0.18, 0.16, 0.06, 0.02] if male else [0.06, 0.28, 0.12, 0.12, 0.10, 0.32]
    style = draw.choice(_SHORT_STYLES, style_weights)
    if race[0] > 0.55 and draw.chance(0.45):
        style = draw.choice(["buzz", "afro"], [0.5, 0.5])
    wavy, bangs = draw.chance(0.38 + 0.2 * race[0]), draw.chance(0.18 if male else 0.28)
    if not long:
        wavy = (wavy and style in COMBED) or style == "afro"
        bangs = bangs and style in COMBED
    bangs = bangs and not receding
    if receding and style in ("forward", "afro"):
        style = "back"
        wavy = wavy or not long
    return {
        "hair_color": colour, "bald": bald, "recede": recede, "long": long, "short_style": style, "wavy": wavy, "bangs": bangs,
    }  # fmt: skip


def _draw_beard_and_face(draw: Draws, person: _Person) -> dict[str, Any]:
    male, old = person.male, person.old
    beard = draw.choice(["stubble", "short", "full", "goatee"], [0.26, 0.32, 0.27, 0.15])
    has_beard = draw.chance((0.50 - 0.1 * old) if male else 0.03)
    if has_beard:
        mustache = draw.chance(0.85 if beard != "stubble" else 0.35)
    else:
        mustache = draw.chance(0.12 if male else 0.02)
    lipstick = draw.chance((0.04 if male else 0.42) * (1 - 0.3 * old))
    glasses = draw.chance(0.15 + 0.16 * old)
    sunglasses = glasses and draw.chance(0.27)
    if draw.chance(0.45):
        smile = draw.between(0.62, 1.0)
    else:
        smile = draw.between(0, 0.14) if draw.chance(0.6) else 0.0
    mouth_open = draw.between(0.6, 1.0) if draw.chance(0.22) else 0.0
    teeth = draw.between(0.5, 1.0) if (smile > 0.4 and draw.chance(0.65)) else 0.0
    closed = draw.between(0.94, 1.0) if draw.chance(0.08) else 0.0
    dark_eyes = min(0.95, 0.12 + 0.85 * (person.race[0] + person.race[1]))
    if draw.chance(dark_eyes):
        eyes = "darkbrown"
    else:
        eyes = draw.choice(["brown", "blue", "green", "hazel", "gray"], [0.28, 0.34, 0.13, 0.16, 0.09])
    return {
        "beard": beard if has_beard else "none", "possible_beard": beard, "mustache": mustache, "lipstick": lipstick,
        "glasses": glasses, "sunglasses": sunglasses, "smile": smile, "mouth_open": mouth_open, "teeth_smile": teeth,
        "eyes_closed": closed, "eye_color": eyes,
    }  # fmt: skip


def _draw_details(draw: Draws, person: _Person, chosen: dict[str, Any]) -> dict[str, Any]:
    """Everything that hangs on nothing else; `chosen` holds what was drawn before."""
    hue = draw.between(0.02, 0.14) if draw.chance(0.4) else draw.between(0, 1)
    saturation = float(min(0.5, draw.rng.beta(1.1, 6.0)))
    value = float(np.clip(draw.rng.beta(1.5, 1.5), 0.08, 0.95))
    cloth_saturation, cloth_value = float(draw.rng.beta(1.2, 2.2)), float(np.clip(draw.rng.beta(1.1, 1.3), 0.08, 0.95))
    side = draw.choice([-1, 1])
    dark_frame = draw.chance(0.65)
    key = draw.between(0.75, 1.15)
    hard_light = draw.chance(0.22)
    return {
        "seed": draw.new_seed(),
        "muscle": draw.between(0, 0.4),
        "asym": tuple(draw.normal_in(0, 0.2, -0.45, 0.45) for _ in ASYMMETRIES),
        **_expression(draw, chosen["smile"]),
        **_skin(draw, person, chosen),
        **_hair_details(draw, person, chosen["hair_color"], side),
        **_glasses_details(draw, dark_frame),
        **_clothes(draw, person, cloth_saturation, cloth_value),
        **_camera(draw),
        **_light_and_film(draw, side, key, hard_light, (hue, saturation, value)),
        "alt": _alternatives(draw, chosen["possible_beard"]),
    }


def _expression(draw: Draws, smile: float) -> dict[str, Any]:
    return {
        "smile_asym": draw.normal(0, 1),
        "squint": draw.between(0, 1),
        "brow_up": draw.between(0.3, 1) if draw.chance(0.12) else 0.0,
        "frown": draw.between(0.2, 0.9) if (draw.chance(0.10) and smile < 0.4) else 0.0,
        "sad": draw.between(0, 0.8) if (smile < 0.2 and draw.chance(0.2)) else 0.0,
        "gaze": (draw.normal(0, 0.06), draw.normal(-0.01, 0.035)),
        "eye_contact": draw.between(0.5, 1.0),
    }


def _skin(draw: Draws, person: _Person, chosen: dict[str, Any]) -> dict[str, Any]:
    rng = draw.rng
    lipsticks = [(168, 22, 36), (190, 42, 66), (146, 28, 48), (182, 50, 58), (112, 16, 42)]
    return {
        "redness": float(rng.beta(2, 2.5)),
        "undereye": float(np.clip(rng.beta(1.5, 3) * 0.7 + 0.35 * person.old, 0, 1)),
        "skin_uneven": draw.between(0.4, 1.3),
        "oily": draw.between(0.4, 1.2),
        "pores": draw.between(0.5, 1.2),
        "freckles": draw.between(0.5, 1) if (chosen["melanin"] < 0.3 and draw.chance(0.15)) else 0.0,
        "moles": tuple(
            (draw.between(-0.5, 0.5), draw.between(6.4, 7.9), draw.between(0.008, 0.014)) for _ in range(int(rng.poisson(0.6)))
        ),
        "wrinkles": wrinkles(person.age, draw.between(0, 1)),
        "skin_seed": int(rng.integers(1000)),
        "makeup": draw.between(0.5, 1.0) if chosen["lipstick"] else 0.0,
        "lip_color": draw.choice(lipsticks),
        "eyeshadow": draw.choice([(120, 80, 70), (90, 70, 90), (140, 96, 70), (70, 60, 60)]),
        "iris_size": draw.between(0.94, 1.06),
        "pupil": draw.between(0.8, 1.3),
        "brow_thick": draw.normal_in(0.42, 0.16, 0.08, 1),
        "brow_dark": draw.between(0.5, 1.0),
        "brow_arch": draw.normal(-0.3 if person.male else 0.5, 0.6),
    }


def _hair_details(draw: Draws, person: _Person, colour: str, side: int) -> dict[str, Any]:
    fringe = (0.35 + draw.between(0, 0.65)) if (person.male and draw.chance(0.6)) else 0.0
    values = {
        "bald_fringe": fringe,
        "length": draw.between(0, 1),
        "volume": draw.between(0.1, 1),
        "mess": draw.between(0, 1),
        "part": draw.choice([0.0, side * draw.between(0.15, 0.38)], [0.4, 0.6]),
        "tuck": float(draw.chance(0.35)),
        "widow": max(0.0, draw.normal(0, 0.6)),
        "thin_hair": float(person.old * draw.between(0, 1)),
        "wave_amp": draw.between(0.075, 0.115),
        "wave_freq": draw.between(7.5, 12),
        "bang_sweep": draw.normal(0, 0.35),
        "hair_shade": draw.between(0.85, 1.18),
    }
    if colour in GRAY_HAIRS:
        values["gray_mix"] = 0.0
    else:
        values["gray_mix"] = draw.between(0, 0.03) if person.young else draw.between(0, 0.18)
    values["hair_gloss"] = draw.between(0.5, 1.3)
    values["hair_seed"] = draw.new_seed()
    values["beard_len"] = draw.between(0, 1)
    values["beard_line"] = draw.normal(0, 0.6)
    values["beard_seed"] = draw.new_seed()
    return values


def _glasses_details(draw: Draws, dark_frame: bool) -> dict[str, Any]:
    bright_frames = [(120, 70, 40), (150, 130, 90), (140, 140, 145), (70, 30, 30), (40, 50, 90)]
    return {
        "glasses_shape": draw.choice(["round", "rect", "square", "oval"]),
        "glasses_frame": draw.choice(["thin", "medium", "thick"], [0.3, 0.38, 0.32]),
        "glasses_size": draw.between(0.92, 1.08),
        "frame_color": tuple(int(x) for x in draw.rng.integers(8, 40, 3)) if dark_frame else draw.choice(bright_frames),
        "lens_color": draw.choice([(20, 20, 24), (50, 36, 26), (26, 36, 32)]),
        "ood_color": _colour(draw.between(0, 1), draw.between(0.2, 0.8), draw.between(0.25, 0.85)),
    }


def _clothes(draw: Draws, person: _Person, saturation: float, value: float) -> dict[str, Any]:
    neck_weights = [0.34, 0.2, 0.12, 0.08, 0.26] if person.male else [0.34, 0.2, 0.2, 0.08, 0.18]
    return {
        "neck": draw.choice(["crew", "v", "scoop", "turtle", "shirt"], neck_weights),
        "cloth_color": _colour(draw.between(0, 1), saturation, value),
        "cloth_pattern": draw.choice(["plain", "stripes"], [0.82, 0.18]),
        "cloth_seed": draw.new_seed(),
    }


def _camera(draw: Draws) -> dict[str, Any]:
    return {
        "yaw": draw.normal_in(0, 10, -22, 22),
        "pitch": draw.normal_in(0, 5, -10, 10),
        "roll": draw.normal_in(0, 2.5, -6, 6),
        "cam_dist": draw.between(9, 16),
        "zoom": draw.between(0.97, 1.05),
        "shift_x": draw.normal(0, 0.006),
        "shift_y": draw.normal(0, 0.006),
    }


def _light_and_film(draw: Draws, side: int, key: float, hard: bool, background: tuple) -> dict[str, Any]:
    return {
        "light_az": float(np.radians(side * draw.between(5, 65))),
        "light_el": float(np.radians(draw.between(12, 55))),
        "light_int": key * 1.15,
        "light_size": draw.between(0.02, 0.06) if hard else draw.between(0.07, 0.28),
        "warm": draw.normal_in(0.35, 0.6, -0.8, 1.6),
        "ambient": draw.between(0.13, 0.22) if hard else draw.between(0.20, 0.42),
        "fill": draw.between(0, 0.18),
        "exposure": draw.between(0.92, 1.18),
        "contrast": draw.between(-0.3, 0.9),
        "cast": tuple(draw.normal_in(0, 0.03, -0.06, 0.06) for _ in range(3)),
        "focus": draw.between(0.4, 1.0) if draw.chance(0.4) else 0.0,
        "bg_seed": draw.new_seed(),
        "bg_kind": draw.choice(["plain", "soft", "bokeh", "blocks"], [0.2, 0.28, 0.25, 0.27]),
        "bg_color": tuple(float(x) for x in colorsys.hsv_to_rgb(background[0] % 1, *background[1:])),
        "bg_gain": draw.between(0.8, 1.15),
        "vignette": draw.between(0, 0.35),
        "blur": draw.between(0.15, 0.42),
        "grain": draw.between(0.002, 0.007),
    }


def _alternatives(draw: Draws, beard: str) -> tuple:
    return (
        ("smile", draw.between(0.7, 1.0)),
        ("teeth", draw.between(0.5, 1.0) if draw.chance(0.65) else 0.0),
        ("mouth_open", draw.between(0.65, 0.95)),
        ("beard", beard),
        ("young_age", draw.between(20, 36)),
        ("old_age", draw.between(58, 76)),
        ("makeup", draw.between(0.5, 1.0)),
        ("gray", draw.choice(GRAY_HAIRS, [0.7, 0.3])),
        ("brown", draw.choice(BROWN_HAIRS, [0.6, 0.25, 0.15])),
        ("recede", draw.between(0.9, 1.15)),
        ("heavy", draw.between(0.75, 1.0)),
        ("normal", draw.between(-0.4, 0.12)),
        ("nose", draw.between(0.85, 1.1)),
        ("dark", draw.between(0.64, 0.85)),
        ("pale", draw.between(0.01, 0.07)),
        ("medium", draw.between(0.23, 0.38)),
    )


def _outside_gap(value: float, low: float, high: float, jitter: float) -> float:
    """Pushes `value` out of (low, high) to the nearer side; `jitter` in 0..1 spreads what was pushed over half a gap."""
    if not low < value < high:
        return value
    reach = 0.5 * (high - low) * jitter
    return max(low - reach, 0.3 * low) if value < 0.5 * (low + high) else high + reach


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = (int(255 * float(x)) for x in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return tuple(_rounded(item) for item in value) if isinstance(value, tuple) else value
