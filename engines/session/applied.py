"""From the strengths of a state to what families apply: ordered attributes become steps between their levels."""

from __future__ import annotations

from collections.abc import Mapping

from engines.editing.compose import Applied
from engines.editing.levels import passed_steps, present_level
from engines.packs.load import Pack
from engines.packs.user_edits import fitting_edits, open_networks
from engines.session.need import needed
from engines.session.state import EditState

__all__ = ["applied_edits"]


def applied_edits(pack: Pack, state: EditState, probabilities: Mapping[str, float]) -> list[Applied]:
    """The state's edits, first to last. `probabilities`: the image predictor's on the unedited picture, by attribute id.

    Plain attributes of `alphas` are applied together, then users' own edits in the order of their ids, whatever the family,
    then the ordered attributes step by step; an ordered attribute that is set again by a later edit goes on from where it was
    left. Where the state says so, plain attributes get what the picture calls for, by what is known of it: nothing of one that
    an edit before has changed, nor of users' own, whose classifiers may have learned from a handful of pictures.
    """
    ordered = pack.manifest.ordered
    own = fitting_edits(pack.manifest, pack.user)
    places = {name: float(present_level(levels, probabilities)) for name, levels in ordered.items()}
    together = {name: alpha for name, alpha in state.alphas if name not in ordered and name not in own}
    unknown = {*ordered, *own}
    if state.as_needed:
        together = {name: needed(alpha, probabilities[name]) for name, alpha in together.items()}
        unknown |= set(together)
    edits = [Applied(pack.family(state.family), together, state.layers)] if together else []
    single = [(name, alpha, state.layers, state.family) for name, alpha in state.alphas if name in own]
    single += [(name, alpha, state.layers, state.family) for name, alpha in state.alphas if name in ordered]
    single += [(step.attribute, step.alpha, step.layers, step.family) for step in state.steps]
    for name, alpha, layers, family in single:
        passed = [(name, alpha)]
        if name in ordered:
            passed, places[name] = passed_steps(ordered[name], places[name], alpha)
        elif state.as_needed and name not in unknown:
            passed = [(name, needed(alpha, probabilities[name]))]
            unknown.add(name)
        painter = open_networks(own[name], pack.device).maps if name in own else pack.family(family)
        edits += [Applied(painter, {attribute: strength}, layers) for attribute, strength in passed]
    return edits
