"""From factors to vertices: identity and expression as weighted sums of MakeHuman targets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from engines.data.faces.clothes import cloth_height
from engines.data.faces.head import Head
from engines.data.faces.mesh import HeadMesh
from engines.data.faces.portrait import Portrait
from engines.data.faces.targets import ASYMMETRIES, LOCAL_NAMES, RACES
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["Shape", "shape_of"]


@dataclass(frozen=True)
class Shape:
    """Vertices [V, 3] before the head is turned."""

    neutral: Array
    """Identity without expression: the crop, glasses and hair follow this one."""
    bare: Array
    """With expression."""
    normals: Array
    """Of `bare`."""
    dressed: Array
    """`bare` with the clothes lifted off the skin."""


def shape_of(head: Head, portrait: Portrait) -> Shape:
    mesh = head.mesh
    neutral = mesh.base + _combine(mesh, _identity(mesh, portrait))
    if portrait.nose_size > 0:
        neutral = _enlarge_nose(head.template, neutral, portrait.nose_size)
    bare = neutral + _combine(mesh, _expression(mesh, portrait))
    # Teeth go behind the lips; the upper row comes down a little, to peep out under the lip.
    teeth = bare[head.teeth] * np.array([0.90, 1, 1], F32) - np.array([0, 0, 0.05], F32)
    teeth[:, 1] -= 0.045 * head.upper_teeth
    bare[head.teeth] = teeth
    normals = head.vertex_normals(bare)
    below_neckline = smooth(-0.01, 0.06, cloth_height(portrait, head.template)) * (head.template[:, 1] < 6.3)
    return Shape(neutral, bare, normals, bare + normals * (0.055 * below_neckline)[:, None])


class _Weights:
    """Target rows with their accumulated weights; targets that do not exist (one-sided pairs) are passed over."""

    def __init__(self, mesh: HeadMesh) -> None:
        self._rows = mesh.target_rows
        self.by_row: dict[int, float] = defaultdict(float)

    def add(self, name: str, weight: float) -> None:
        row = self._rows.get(name)
        if weight and row is not None:
            self.by_row[row] += weight

    def add_signed(self, name: str, weight: float) -> None:
        self.add(name + ("+" if weight > 0 else "-"), abs(weight))


def _combine(mesh: HeadMesh, weights: _Weights) -> Array | float:
    if not weights.by_row:
        return 0.0
    values = np.array(list(weights.by_row.values()), F32)
    return (values @ mesh.targets[list(weights.by_row)]).reshape(-1, 3)


def _identity(mesh: HeadMesh, portrait: Portrait) -> _Weights:
    weights = _Weights(mesh)
    _add_macros(weights, portrait)
    _add_dimorphism(weights, 2 * (portrait.gender - 0.5))
    _add_weight_and_nose(weights, max(0.0, portrait.weight), portrait.nose_size)
    for name, value in zip(LOCAL_NAMES, portrait.local, strict=True):
        weights.add_signed(name, value)
    for name, value in zip(ASYMMETRIES, portrait.asym, strict=True):
        weights.add(name + ("-l" if value > 0 else "-r"), abs(value))
    return weights


def _add_macros(weights: _Weights, portrait: Portrait) -> None:
    """MakeHuman's means over gender, age, race, muscle and weight."""
    old = float(np.interp(portrait.age, [18, 40, 52, 80], [0, 0.08, 0.60, 1.0]))
    heavy = portrait.weight
    by_weight = {"minweight": max(0, -heavy), "averageweight": 1 - abs(heavy), "maxweight": max(0, heavy)}
    male = 0.5 + 1.5 * (portrait.gender - 0.5)  # beyond the MakeHuman means, which are mild
    for gender, gender_share in (("female", 1 - male), ("male", male)):
        for age, age_share in (("young", 1 - old), ("old", old)):
            for race, race_share in zip(RACES, portrait.race, strict=True):
                weights.add(f"{race}-{gender}-{age}", gender_share * age_share * race_share)
            for muscle, muscle_share in (("averagemuscle", 1 - portrait.muscle), ("maxmuscle", portrait.muscle)):
                for kind, share in by_weight.items():
                    weights.add(f"u-{gender}-{age}-{muscle}-{kind}", gender_share * age_share * muscle_share * share)


def _add_dimorphism(weights: _Weights, maleness: float) -> None:
    """What tells men from women beyond the means; `maleness` -1..1. The constants round the skull."""
    for name, value in (
        ("chin_width", 0.40 * maleness - 0.06),
        ("chin_bones", 0.32 * maleness),
        ("brow_z", 0.34 * maleness),
        ("eye_size", 0.16 - 0.20 * maleness),
        ("nose_volume", 0.10 * maleness),
        ("nose_width", 0.06 * maleness),
        ("lip_up_vol", -0.32 * maleness),
        ("lip_low_vol", -0.28 * maleness),
        ("neck_width", 0.34 * maleness),
        ("chin_height", 0.18 * maleness),
        ("brow_y", 0.04 - 0.16 * maleness),
        ("cheek_bones", -0.15 * maleness),
        ("head_fat", -0.10 * maleness),
        ("chin_jaw", 0.12 * maleness),
        ("head_height", -0.12),
        ("fore_height", -0.10),
    ):
        weights.add_signed(name, value)


def _add_weight_and_nose(weights: _Weights, fat: float, nose: float) -> None:
    for name, value in (
        ("head_fat+", 0.95 * fat),
        ("cheek_volume+", 0.55 * fat),
        ("neck_double+", 0.8 * fat),
        ("neck_width+", 0.45 * fat),
        ("chin_width+", 0.15 * fat),
        ("head_round+", 0.25 * fat),
        ("nose_volume+", 1.15 * nose),
        ("nose_width+", 1.15 * nose),
        ("nose_depth+", 0.42 * nose),
        ("nose_tip_width+", 1.0 * nose),
        ("nose_flare+", 0.7 * nose),
        ("nose_length+", 0.42 * nose),
        ("nose_volume-", 0.12),
        ("nose_width-", 0.12),
        ("nose_tip_width-", 0.1),
    ):
        weights.add(name, value)


def _enlarge_nose(template: Array, neutral: Array, size: float) -> Array:
    """Beyond what the targets give: the whole nose scaled about its root."""
    x, y, z = template.T
    share = size * np.exp(-((x / 0.19) ** 2 + ((y - 7.06) / 0.17) ** 2)) * smooth(1.22, 1.42, z)
    root, gain = np.array([0, 7.16, 1.36], F32), np.array([0.25, 0.17, 0.20], F32)
    return neutral + (share[:, None] * (neutral - root) * gain).astype(F32)


def _expression(mesh: HeadMesh, portrait: Portrait) -> _Weights:
    weights = _Weights(mesh)
    smile, teeth, jaw, closed = portrait.smile, portrait.teeth_smile, portrait.mouth_open, portrait.eyes_closed
    squint = portrait.squint
    for side, balance in (("Left", 1 + 0.12 * portrait.smile_asym), ("Right", 1 - 0.12 * portrait.smile_asym)):
        for unit_name, value in (
            ("mouthSmile", 1.25 * smile * balance),
            ("cheekSquint", 0.5 * smile),
            ("mouthDimple", 0.25 * smile),
            ("mouthUpperUp", 0.35 * smile * jaw + 0.70 * smile * teeth),
            ("mouthLowerDown", 0.25 * smile * jaw + 0.55 * smile * teeth * (1 - 0.5 * jaw)),
            ("eyeBlink", 0.97 * closed + (1 - closed) * (0.06 * squint - 0.03 + 0.03 * smile)),
            ("eyeSquint", (0.15 * squint + 0.12 * smile) * (1 - closed)),
            ("browDown", 0.65 * portrait.frown),
            ("browOuterUp", 0.7 * portrait.brow_up),
            ("mouthFrown", 0.35 * portrait.sad),
            ("noseSneer", 0.3 * portrait.frown),
            ("eyeWide", 0.34 * (1 - closed) * (1 - 0.4 * squint)),
        ):
            weights.add(f"fu-{unit_name}{side}", value)
    weights.add("fu-browInnerUp", 0.7 * portrait.brow_up + 0.3 * portrait.sad)
    # A toothy smile keeps the jaw almost closed: Mouth_Open is a label of its own.
    weights.add("fu-jawOpen", 0.56 * jaw + 0.05 * smile * teeth * (1 - jaw))
    return weights
