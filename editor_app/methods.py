"""What the page knows of each inversion method: its name, what to expect of it, and which options it looks at."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GROUPS", "METHODS", "Method", "offered"]

OTHERS = "others"
GROUPS = {"quick": "One look", "search": "Search for the code", "tune": "Tune the generator", OTHERS: "Others"}
"""Group -> heading in the list, in its order."""

_BUDGET = frozenset({"seconds"})
_MASK = frozenset({"mask", "outside_weight"})
_TUNE = _BUDGET | _MASK | {"transform"}
_SEARCH = _BUDGET | _MASK | {"space", "encoder_start", "transform"}


@dataclass(frozen=True)
class Method:
    """A row of the list "Inversion method"."""

    name: str
    hint: str
    """What it does, and how long that takes."""
    group: str
    uses: frozenset[str] = frozenset()
    """Options of api.invert that change its result; the page switches the others off."""


METHODS = {
    "encoder": Method("Encoder", "One look at the picture. A tenth of a second.", "quick"),
    "iterated-encoder": Method("Iterated encoder", "Looks again at what it got wrong. About a second.", "quick"),
    "encoder-refine": Method(
        "Encoder + refine", "Improves the encoder's answer and stays where edits work. Six seconds.", "search", _BUDGET
    ),
    "adam": Method("Adam", "Follows the gradient freely: closer, but edits hold less well. Ten seconds.", "search", _SEARCH),
    "lbfgs": Method("L-BFGS", "Follows the gradient with long, well-chosen steps. Ten seconds.", "search", _SEARCH),
    "cma": Method("CMA", "Evolves a crowd of guesses, without gradients: rough. Ten seconds.", "search", _SEARCH),
    "cma-adam": Method(
        "CMA + Adam", "Evolves a crowd of guesses, then follows the gradient. Fifteen seconds.", "search", _SEARCH
    ),
    "basin-cma": Method(
        "BasinCMA", "Evolves a crowd whose every guess follows the gradient: thorough. Half a minute.", "search", _SEARCH
    ),
    "fine-tune": Method("Fine-tune", "Tunes the generator for this picture. Half a minute.", "tune", _TUNE),
    "clone": Method("Clone", "Near-perfect likeness: tunes the generator for this picture. Under a minute.", "tune", _TUNE),
}
"""Method id -> row, from quick to slow."""


def offered(methods: tuple[str, ...]) -> dict[str, Method]:
    """A pack's methods from quick to slow; one that has no row here comes last, under its id."""
    known = {name: method for name, method in METHODS.items() if name in methods}
    return known | {name: Method(name, "", OTHERS) for name in methods if name not in METHODS}
