"""Edits of a picture's object as a whole, applied to codes; see :class:`engines.session.object_edit.ObjectEdit`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.editing.transport import normal_transport, transported
from engines.inversion.result import Inversion
from engines.packs.class_codes import class_covariance, class_mean
from engines.packs.components import COMPONENTS
from engines.packs.load import Pack
from engines.packs.samples import label_of
from engines.session.object_edit import ObjectEdit

__all__ = ["ARRIVAL_TRUNCATION", "check_object_edit", "morphed", "moved", "retyped"]

ARRIVAL_TRUNCATION = 0.7
"""Of the class that a morph leads to: codes of pictures lie farther out than samples of their class, and what is carried to the
edge of another one is seen as of that class less often (``evaluate morphs``)."""


def check_object_edit(pack: Pack, edit: ObjectEdit) -> None:
    """Raises OptionError for a class that the pack has not, directions that it lacks, or amounts beyond theirs."""
    if edit.class_id is not None:
        label_of(pack, edit.class_id)
    if not edit.moves:
        return
    if not pack.has("steering"):
        command = f"python -m engines train {COMPONENTS['steering'].made_by} --pack {pack.id}"
        raise OptionError(f"pack {pack.id} has no directions for shift and zoom; make them with: {command}")
    config = pack.manifest.components["steering"].config
    shift_most, zoom_most = config["shift_most"], config["zoom_most"]
    if max(map(abs, edit.shift)) > shift_most:
        raise OptionError(f"shift={edit.shift[0]:g},{edit.shift[1]:g}: use -{shift_most:g} to {shift_most:g} along both axes.")
    if not 1 / zoom_most * (1 - 1e-6) <= edit.zoom <= zoom_most:
        raise OptionError(f"zoom={edit.zoom:g}: use {1 / zoom_most:.3g} to {zoom_most:g}.")


def retyped(pack: Pack, inversion: Inversion, w_plus: Tensor, classes: Mapping[str, float], edit: ObjectEdit) -> Tensor:
    """An inversion's codes [N, L, D] after the edit's truncation, then its class.

    classes: the class predictor's probabilities on the reconstruction.
    """
    if edit.truncation == 1 and edit.class_id is None:
        return w_plus
    label = _own_label(pack, inversion, classes)
    if edit.truncation != 1:
        w_plus = pack.generator.truncate(w_plus, edit.truncation, centre=class_mean(pack, label))
    if edit.class_id is not None:
        w_plus = morphed(pack, label, w_plus, label_of(pack, edit.class_id), edit.class_alpha)
    return w_plus


def morphed(
    pack: Pack, label: Tensor, w_plus: Tensor, target: Tensor, alpha: float = 1.0, *, arrival: float = ARRIVAL_TRUNCATION
) -> Tensor:
    """Codes [N, L, D] of the class or mixture `label` [C], the share `alpha` (0 to 1) of the way to the class `target` [C]."""
    # What is of the class already has no way to go.
    truncation = 1 - (1 - arrival) * (1 - float(label @ target))
    matrix = normal_transport(class_covariance(pack, label), truncation**2 * class_covariance(pack, target))
    return transported(w_plus, alpha, class_mean(pack, label), class_mean(pack, target), matrix)


def moved(pack: Pack, w_plus: Tensor, edit: ObjectEdit) -> Tensor:
    """Codes [N, L, D] after the edit's shift and zoom."""
    return pack.steering.moved(w_plus, edit.shift, edit.zoom) if edit.moves else w_plus


def _own_label(pack: Pack, inversion: Inversion, classes: Mapping[str, float]) -> Tensor:
    """The label [C] of an inversion's object, [0] without classes: that it was sampled with, else what the predictor says."""
    if not pack.manifest.classes:
        return torch.zeros(0)
    return label_of(pack, inversion.settings.get("classes") or classes)
