"""Names of the MakeHuman shape targets that a face is made of, and how far each varies.

A coefficient of 1 is the full MakeHuman target. The spreads are small where faces turned odd (skull, jaw), since some
seventy independent coefficients add up.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ASYMMETRIES", "FACE_UNITS", "HEAD_SHAPES", "LOCAL", "LOCAL_NAMES", "RACES", "SPREAD", "LocalTarget"]

RACES = ("african", "asian", "caucasian")


class LocalTarget(NamedTuple):
    """A pair of target files in `folder`; "@" in a stem stands for the l- and the r- file, which are added."""

    folder: str
    minus: str | None
    plus: str


def _pair(folder: str, stem: str, minus: str = "decr", plus: str = "incr") -> LocalTarget:
    return LocalTarget(folder, f"{stem}-{minus}", f"{stem}-{plus}")


def _single(folder: str, file: str) -> LocalTarget:
    return LocalTarget(folder, None, file)


LOCAL: dict[str, LocalTarget] = {
    "head_width": _pair("head", "head-scale-horiz"),
    "head_height": _pair("head", "head-scale-vert"),
    "head_depth": _pair("head", "head-scale-depth"),
    "head_fat": _pair("head", "head-fat"),
    "head_angle": _pair("head", "head-angle", "in", "out"),
    "head_back": _pair("head", "head-back-scale-depth"),
    "head_oval": _single("head", "head-oval"),
    "head_round": _single("head", "head-round"),
    "head_square": _single("head", "head-square"),
    "head_rect": _single("head", "head-rectangular"),
    "head_triangular": _single("head", "head-triangular"),
    "head_invtri": _single("head", "head-invertedtriangular"),
    "head_diamond": _single("head", "head-diamond"),
    "fore_height": _pair("forehead", "forehead-scale-vert"),
    "fore_temple": _pair("forehead", "forehead-temple"),
    "fore_nubian": _pair("forehead", "forehead-nubian"),
    "fore_trans": _pair("forehead", "forehead-trans", "backward", "forward"),
    "brow_angle": _pair("eyebrows", "eyebrows-angle", "down", "up"),
    "brow_y": _pair("eyebrows", "eyebrows-trans", "down", "up"),
    "brow_z": _pair("eyebrows", "eyebrows-trans", "backward", "forward"),
    "nose_width": _pair("nose", "nose-scale-horiz"),
    "nose_length": _pair("nose", "nose-scale-vert"),
    "nose_depth": _pair("nose", "nose-scale-depth"),
    "nose_hump": _pair("nose", "nose-hump"),
    "nose_curve": _pair("nose", "nose-curve", "concave", "convex"),
    "nose_point": _pair("nose", "nose-point", "down", "up"),
    "nose_tip_width": _pair("nose", "nose-point-width"),
    "nose_volume": _pair("nose", "nose-volume"),
    "nose_flare": _pair("nose", "nose-flaring"),
    "nose_bridge1": _pair("nose", "nose-width1"),
    "nose_bridge2": _pair("nose", "nose-width2"),
    "nose_base": _pair("nose", "nose-base", "down", "up"),
    "nose_greek": _pair("nose", "nose-greek"),
    "nose_septum": _pair("nose", "nose-septumangle"),
    "nose_y": _pair("nose", "nose-trans", "down", "up"),
    "mouth_width": _pair("mouth", "mouth-scale-horiz"),
    "mouth_y": _pair("mouth", "mouth-trans", "down", "up"),
    "mouth_angles": _pair("mouth", "mouth-angles", "down", "up"),
    "lip_up_vol": _pair("mouth", "mouth-upperlip-volume"),
    "lip_low_vol": _pair("mouth", "mouth-lowerlip-volume"),
    "lip_up_h": _pair("mouth", "mouth-upperlip-height"),
    "lip_low_h": _pair("mouth", "mouth-lowerlip-height"),
    "cupid": _pair("mouth", "mouth-cupidsbow"),
    "mouth_depth": _pair("mouth", "mouth-scale-depth"),
    "laugh_lines": _pair("mouth", "mouth-laugh-lines", "out", "in"),
    "philtrum": _pair("mouth", "mouth-philtrum-volume"),
    "chin_width": _pair("chin", "chin-width"),
    "chin_height": _pair("chin", "chin-height"),
    "chin_prominent": _pair("chin", "chin-prominent"),
    "chin_bones": _pair("chin", "chin-bones"),
    "chin_jaw": _pair("chin", "chin-jaw-drop"),
    "chin_cleft": _pair("chin", "chin-cleft"),
    "chin_prog": _pair("chin", "chin-prognathism"),
    "chin_tri": _single("chin", "chin-triangle"),
    "cheek_bones": _pair("cheek", "@-cheek-bones"),
    "cheek_volume": _pair("cheek", "@-cheek-volume"),
    "cheek_inner": _pair("cheek", "@-cheek-inner"),
    "cheek_y": _pair("cheek", "@-cheek-trans", "down", "up"),
    "eye_size": _pair("eyes", "@-eye-scale"),
    "eye_y": _pair("eyes", "@-eye-trans", "down", "up"),
    "eye_x": _pair("eyes", "@-eye-trans", "in", "out"),
    "eye_h1": _pair("eyes", "@-eye-height1"),
    "eye_h2": _pair("eyes", "@-eye-height2"),
    "eye_h3": _pair("eyes", "@-eye-height3"),
    "eye_corner1": _pair("eyes", "@-eye-corner1", "down", "up"),
    "eye_corner2": _pair("eyes", "@-eye-corner2", "down", "up"),
    "eye_epicanthus": _pair("eyes", "@-eye-epicanthus", "in", "out"),
    "eye_fold": _pair("eyes", "@-eye-eyefold", "down", "up"),
    "eye_foldangle": _pair("eyes", "@-eye-eyefold-angle", "down", "up"),
    "eye_bag": _pair("eyes", "@-eye-bag"),
    "ear_size": _pair("ears", "@-ear-scale"),
    "ear_wing": _pair("ears", "@-ear-wing"),
    "ear_lobe": _pair("ears", "@-ear-lobe"),
    "ear_rot": _pair("ears", "@-ear-rot", "backward", "forward"),
    "neck_width": _pair("neck", "neck-scale-horiz"),
    "neck_depth": _pair("neck", "neck-scale-depth"),
    "neck_double": _pair("neck", "neck-double"),
    "neck_height": _pair("neck", "neck-scale-vert"),
    "age_local": _pair("head", "head-age"),
}
LOCAL_NAMES = tuple(LOCAL)

HEAD_SHAPES = (
    "head_oval", "head_round", "head_square", "head_rect", "head_triangular", "head_invtri", "head_diamond", "chin_tri",
)  # fmt: skip
"""Whole-head targets; everybody gets a little of one."""

SPREAD: dict[str, float] = dict.fromkeys(LOCAL, 0.28) | {
    "age_local": 0.05,
    "neck_double": 0.06,
    "head_fat": 0.1,
    "head_height": 0.12,
    "head_angle": 0.12,
    "fore_trans": 0.12,
    "neck_width": 0.12,
    "neck_height": 0.12,
    "head_width": 0.15,
    "head_depth": 0.15,
    "head_back": 0.15,
    "fore_nubian": 0.15,
    "laugh_lines": 0.15,
    "eye_epicanthus": 0.15,
    "nose_width": 0.18,
    "nose_volume": 0.18,
    "fore_height": 0.2,
    "fore_temple": 0.2,
    "brow_z": 0.2,
    "nose_tip_width": 0.2,
    "nose_flare": 0.2,
    "nose_greek": 0.2,
    "mouth_depth": 0.2,
    "chin_width": 0.2,
    "chin_height": 0.2,
    "chin_bones": 0.2,
    "chin_jaw": 0.2,
    "chin_prog": 0.2,
    "cheek_volume": 0.2,
    "eye_y": 0.2,
    "eye_bag": 0.2,
    "nose_depth": 0.22,
    "philtrum": 0.25,
    "eye_size": 0.25,
    "eye_x": 0.25,
    "nose_curve": 0.3,
    "chin_cleft": 0.3,
    "chin_tri": 0.3,
    "nose_hump": 0.35,
    "nose_point": 0.35,
    "mouth_width": 0.35,
    "lip_up_vol": 0.35,
    "lip_low_vol": 0.35,
    "cheek_bones": 0.35,
    "ear_wing": 0.35,
}
"""Standard deviation of each local coefficient; draws are cut at two of them."""

ASYMMETRIES = (
    "asym-brown-1",
    "asym-cheek-1",
    "asym-eye-1",
    "asym-eye-4",
    "asym-jaw-1",
    "asym-mouth-1",
    "asym-mouth-2",
    "asym-nose-1",
    "asym-nose-3",
)

FACE_UNITS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight", "jawOpen", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "noseSneerLeft", "noseSneerRight", "mouthShrugLower", "mouthRollLower",
)  # fmt: skip
