"""The hot path: one edit state to one frame, many times a second.

    w' = w + sum_k |alpha_k| scale_k H_k(w),   picture = G(w'),   then the pack's predictors look at the rounded picture

Maps with a hidden layer hold where codes of the encoder lie: they are asked about E(G(w)) instead, H_k(E(G(w))).

The maps are those of the state's family; further edits follow one after the other where the state has steps, and the steps of
an ordered attribute too: at which level it stands is read once per inversion, from the unedited picture. What is changed of
the object as a whole comes in part before the attributes (truncation, then class), in part after them (shift and zoom).

A pure function of its arguments. What does not depend on the strengths is computed once per inversion.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from engines.core.cache import BoundedCache
from engines.editing.compose import composed
from engines.editing.painting import with_style_shifts
from engines.generators.weight_differences import bytes_of, tuned
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.result import Inversion
from engines.packs.load import Pack
from engines.packs.user_edits import UserEdit, fitting_edits, open_networks
from engines.session import objects
from engines.session.applied import applied_edits
from engines.session.state import EditState, Frame

__all__ = ["classes_of", "painted", "render"]


@dataclass(frozen=True, eq=False)
class _Unedited:
    """What is known of an inversion before any slider moves."""

    tuned_generator: nn.Module | None
    """The pack's generator with the inversion's own weights; None for an inversion that has none."""
    w_plus: Tensor
    """[1, L, D], where the pack's weights are."""
    encoded: Tensor | None
    """[1, L, D], what the encoder gives of the reconstruction; None where the pack's own maps do not ask for it."""
    seen: Seen
    """What the predictors say of the reconstruction."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the pack's predictors say about one picture."""

    attributes: Mapping[str, float]
    """Attribute id -> probability."""
    identity: Tensor | None
    """Unit embedding [1, E]; None where the pack has no identity network."""
    classes: Mapping[str, float] = field(default_factory=dict)
    """Class id -> probability; empty where the pack has no class predictor."""


_CODES_BYTES = 1 << 20
"""What an inversion counts for beside its tuned weights: far more than it needs, so that no more than 256 are kept."""
_unedited: BoundedCache[_Unedited] = BoundedCache(256 * _CODES_BYTES)


def render(pack: Pack, inversion: Inversion, state: EditState) -> Frame:
    """The frame of a valid state. The unedited state gives `inversion.reconstruction`, bit for bit."""
    started = time.perf_counter()
    own = tuple(fitting_edits(pack.manifest, pack.user).values())
    before = _before(pack, inversion, own)
    if state.edited:
        image = _edited(pack, inversion, before, state)
        seen = _judged(pack, image, own)
    else:
        image, seen = inversion.reconstruction, before.seen
    return Frame(
        state=state,
        image=image,
        attributes=seen.attributes,
        identity_similarity=_similarity(before.seen.identity, seen.identity, same=not state.edited),
        render_ms=(time.perf_counter() - started) * 1000,
        classes=seen.classes,
    )


def painted(pack: Pack, inversion: Inversion, state: EditState) -> np.ndarray:
    """The picture of :func:`render` alone, of an edited state: uint8 [R, R, 3], read-only."""
    own = tuple(fitting_edits(pack.manifest, pack.user).values())
    return _edited(pack, inversion, _before(pack, inversion, own), state)


def _before(pack: Pack, inversion: Inversion, own: Sequence[UserEdit]) -> _Unedited:
    key = (pack.weights_hash, str(pack.device), inversion.id, tuple(edit.sha256 for edit in own))
    return _unedited.get(key, lambda: (_prepare(pack, inversion, own), _CODES_BYTES + bytes_of(inversion.weight_differences)))


def _prepare(pack: Pack, inversion: Inversion, own: Sequence[UserEdit]) -> _Unedited:
    w_plus = torch.from_numpy(inversion.w_plus.copy())[None].to(pack.device)
    differences = inversion.weight_differences
    generator = tuned(pack.generator, differences) if differences else None
    return _Unedited(generator, w_plus, _encoded(pack, inversion), _judged(pack, inversion.reconstruction, own))


def _encoded(pack: Pack, inversion: Inversion) -> Tensor | None:
    if not (pack.has("edit_maps") and pack.edit_maps.reads_encoded):
        return None
    with torch.inference_mode():
        return pack.encoder(to_tensor(np.array(inversion.reconstruction)).to(pack.device))


def _edited(pack: Pack, inversion: Inversion, before: _Unedited, state: EditState) -> np.ndarray:
    """The edited picture, uint8 [R, R, 3], read-only."""
    edits = applied_edits(pack, state, before.seen.attributes)
    generator = before.tuned_generator or pack.generator
    # Entered in every call, for it is kept per thread, and only around the arithmetic: weights that were read inside could
    # never take part in a gradient.
    with torch.inference_mode():
        w_plus = objects.retyped(pack, inversion, before.w_plus, before.seen.classes, state.object_edit)
        encoded = None if before.encoded is None else before.encoded + (w_plus - before.w_plus)
        edited = composed(w_plus, edits, encoded)
        painter = with_style_shifts(generator, edited.style_shifts)
        w_plus = objects.moved(pack, edited.w_plus, state.object_edit)
        image = to_uint8(painter.synthesis(w_plus, noise_mode="const"))[0]
    image.flags.writeable = False
    return image


def _similarity(before: Tensor | None, after: Tensor | None, *, same: bool) -> float | None:
    """Cosine of two unit embeddings, exactly 1 for the same picture; None where there are none."""
    if before is None or after is None:
        return None
    return 1.0 if same else float((after * before).sum())


def _judged(pack: Pack, image: np.ndarray, own: Sequence[UserEdit]) -> Seen:
    """What the predictors say about a picture as the user sees it.

    Attributes of users' own edits, which the image predictor does not know, are read by the edits' latent classifiers from the
    code that the encoder gives of the picture.
    """
    predictor, identity = pack.attribute_predictor, pack.identity if pack.has("identity") else None
    with torch.inference_mode():
        seen = to_tensor(np.array(image)).to(pack.device)
        probabilities = dict(zip(predictor.attributes, predictor.probabilities(seen)[0].tolist(), strict=True))
        if own:
            code = pack.encoder(seen)
            for edit in own:
                probabilities[edit.id] = float(open_networks(edit, pack.device).classifier.probabilities(code))
        embedding = None if identity is None else identity(seen)
    return Seen(probabilities, embedding, classes_of(pack, image))


def classes_of(pack: Pack, image: np.ndarray) -> dict[str, float]:
    """Class id -> calibrated probability in a picture uint8 [R, R, 3]; empty where the pack has no class predictor."""
    if not pack.has("class_predictor"):
        return {}
    with torch.inference_mode():
        return pack.class_predictor.class_table(to_tensor(np.array(image)).to(pack.device))
