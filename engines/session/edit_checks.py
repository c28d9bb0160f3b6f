"""What edits are refused before anything is painted: names that are not there, strengths and layers out of range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real

from engines.core.errors import OptionError, shown
from engines.editing.families import DEFAULT_FAMILY
from engines.packs.load import Pack
from engines.packs.user_edits import all_user_edits, fitting_edits
from engines.session.object_edit import AS_IT_IS, ObjectEdit
from engines.session.objects import check_object_edit
from engines.session.state import EditStep, unknown_name

__all__ = ["check_edits"]


def check_edits(
    pack: Pack,
    alphas: Mapping[str, float],
    *,
    layers: tuple[int, int] | None = None,
    family: str = DEFAULT_FAMILY,
    steps: Sequence[EditStep] = (),
    object_edit: ObjectEdit = AS_IT_IS,
) -> None:
    """Raises OptionError for what is not there (an attribute, family, layers, a class) or a strength outside its range."""
    pack.check_family(family)
    for name, alpha in alphas.items():
        _check_edit(pack, name, alpha, family)
    _check_layers(pack, layers)
    for step in steps:
        pack.check_family(step.family or family)
        _check_edit(pack, step.attribute, step.alpha, step.family or family)
        _check_layers(pack, step.layers)
    check_object_edit(pack, object_edit)


def _check_edit(pack: Pack, name: str, alpha: float, family: str) -> None:
    own = {edit.id: edit.attribute for edit in fitting_edits(pack.manifest, pack.user).values()}
    attributes = {attribute.id: attribute for attribute in pack.manifest.attributes} | own
    if name not in attributes:
        _check_outdated(pack, name)
        raise unknown_name("attribute", name, attributes)
    low, high = attributes[name].alpha_min, attributes[name].alpha_max
    if isinstance(alpha, bool) or not isinstance(alpha, Real):
        raise OptionError(f"{name}={shown(alpha)!r}: the strength must be a number.")
    if not low <= alpha <= high:
        text = f"{alpha:g}" if isinstance(alpha, float) else shown(alpha)
        raise OptionError(f"{name}={text}: the strength must lie between {low:g} and {high:g}.")
    if name in own:
        return
    known = pack.manifest.editable_by(pack.family(family).attributes) if family != DEFAULT_FAMILY else attributes
    if name not in known:
        raise OptionError(f"{name}: the family {family} of pack {pack.id} edits {', '.join(known)} only.")


def _check_outdated(pack: Pack, name: str) -> None:
    """Raises OptionError that says why an edit of this name, which there is, cannot be used."""
    for edit in all_user_edits(pack.id):
        if edit.id == name and edit.user in (None, pack.user) and (problem := edit.problem(pack.manifest)):
            raise OptionError(problem)


def _check_layers(pack: Pack, layers: tuple[int, int] | None) -> None:
    count = pack.manifest.latent.layers
    if layers is None:
        return
    both = isinstance(layers, Sequence) and len(layers) == 2 and all(isinstance(layer, Integral) for layer in layers)
    if not both or not 0 <= layers[0] < layers[1] <= count:
        raise OptionError(f"layers={shown(layers)}: give (first, end) with 0 <= first < end <= {count}.")
