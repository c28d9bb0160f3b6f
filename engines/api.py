"""The facade: packs, pictures, inversion, edits, reports. Scripts, the page and the command line use nothing else.

    from engines import api
    pack = api.open_pack("faces")
    inversion = api.finish(api.invert(pack, api.read_image("photo.jpg")))
    frame = api.render(pack, inversion, {"Eyeglasses": 1.0})
    pixels = api.export(pack, inversion, frame, api.read_image("photo.jpg"))

Pictures are uint8 RGB [H, W, 3]. All functions may be called from several threads at once. Errors whose text is
meant for people derive from :class:`LweError`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from engines.core.device import resolve_device
from engines.core.errors import (
    Cancelled,
    ImageReadError,
    InversionFileError,
    LweError,
    NoFaceError,
    OptionError,
    PackError,
    PackNotFoundError,
)
from engines.core.progress import CancelToken, Progress, ProgressCallback
from engines.editing.families import DEFAULT_FAMILY
from engines.imaging.align import Alignment
from engines.imaging.faces import Face, face_detector
from engines.imaging.read import Picture, read_picture
from engines.imaging.squares import Square, middle_square, square_holding
from engines.inversion.deciding_options import unused_options
from engines.inversion.measure import generator_hash
from engines.inversion.objects import found_box
from engines.inversion.options import GlobalLoss, InversionOptions, PixelLoss, Space, TransformSearch
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.inversion.result import Inversion, InversionProgress
from engines.inversion.whereabouts import SURE, Whereabouts, whereabouts
from engines.packs.aligning import aligned_crop
from engines.packs.load import Pack
from engines.packs.manifest import list_manifests
from engines.packs.registry import open_pack as open_installed_pack
from engines.packs.user_edit_files import remove_user_edit
from engines.packs.user_edits import LEAST as LEAST_EXAMPLES
from engines.packs.user_edits import UserEdit, all_user_edits, fitting_edits, user_key
from engines.session import live, objects
from engines.session.catalogue import AttributeInfo, ClassInfo, FamilyInfo, PackInfo, SteeringInfo, info_of, list_packs
from engines.session.export import BLENDS, Blend, exported, framed_crop, usual_blend
from engines.session.ground import GROUND_GROUP, without_ground
from engines.session.object_edit import ObjectEdit
from engines.session.readings import AttributeReading, ClassReading, class_readings, reading
from engines.session.regions import edited_region
from engines.session.same_photo import check_same_photo
from engines.session.sampling import sample
from engines.session.state import EditState, EditStep, Frame, unknown_name
from engines.tuning.kept import invert_once
from engines.tuning.methods import METHODS, TUNING_METHODS
from engines.tuning.store import TunedEntry, tuned_store

if TYPE_CHECKING:
    from engines.user_edits.pictures import LabelledPictures

__all__ = [
    "BLENDS",
    "DEFAULT_FAMILY",
    "GROUND_GROUP",
    "LEAST_EXAMPLES",
    "POOR",
    "TURNED",
    "AlignedPicture",
    "AttributeInfo",
    "AttributeReading",
    "Blend",
    "CancelToken",
    "Cancelled",
    "ClassInfo",
    "ClassReading",
    "EditState",
    "EditStep",
    "Face",
    "FamilyInfo",
    "Frame",
    "ImageReadError",
    "Inversion",
    "InversionFileError",
    "InversionProgress",
    "LweError",
    "NoFaceError",
    "ObjectEdit",
    "OptionError",
    "Pack",
    "PackError",
    "PackInfo",
    "PackNotFoundError",
    "Picture",
    "Progress",
    "ProgressCallback",
    "SteeringInfo",
    "TunedEntry",
    "UserEdit",
    "align",
    "check_edits",
    "check_method",
    "check_training",
    "classes_of",
    "clear_tuned",
    "export",
    "find_faces",
    "finish",
    "forget_tuned",
    "framed_crop",
    "invert",
    "keeps_tuned",
    "labelled_groups",
    "labelled_uploads",
    "list_packs",
    "load_inversion",
    "open_pack",
    "pack_info",
    "read_image",
    "remove_edit",
    "render",
    "report",
    "report_classes",
    "surprise",
    "train_edit",
    "tuned_entries",
    "turned_to_face",
    "user_edits",
    "usual_blend",
]

DEFAULT_METHOD = "encoder-refine"
SMALL_FACE_SHARE = 0.7
"""A crop that has fewer picture pixels a side than this share of its own is said to be small."""
POOR = "The reconstruction is poor"
"""How the warning begins that another method may help against."""
POOR_FACTOR = 3.0
"""A reconstruction is said to be poor when its error is so many times the median of the encoder on held-out pictures."""
TURNED = "The picture was turned: a face was found that way."
_AS_IT_IS = ObjectEdit()


@dataclass(frozen=True, eq=False)
class AlignedPicture:
    """A picture brought into the position that the pack's networks know."""

    crop: np.ndarray
    """uint8 RGB [R, R, 3], R the pack's resolution."""
    alignment: Alignment
    """Where the crop lies in the picture."""
    picture_px: tuple[int, int]
    """Width and height of the picture."""
    warnings: tuple[str, ...] = ()
    object_box: tuple[float, float, float, float] | None = None
    """The detected object (x0, y0, x1, y1) in picture pixels: what ``mask="auto"`` takes."""


# ---- packs ------------------------------------------------------------------------------------------------------


def open_pack(pack_id: str = "faces", *, device: str = "cpu", user: str | None = None) -> Pack:
    """The pack of that id; weights are read when first needed and shared. Raises PackNotFoundError naming those there are.

    device: cpu, cuda, or auto (cuda where there is one). user: a secret of 16 to 128 letters, digits and dashes, whose holder's
    own edits belong to the pack too; None has those of the program's owner alone.
    """
    pack = open_installed_pack(pack_id, device=resolve_device(device))
    return pack if user is None else pack.for_user(user_key(user))


def pack_info(pack: Pack) -> PackInfo:
    """The public facts of an open pack: attributes with the range of their strengths, methods, sizes.

    With the edits that users have trained, as they are now (`own` of an attribute).
    """
    return info_of(pack.manifest, pack.user)


# ---- pictures ---------------------------------------------------------------------------------------------------


def read_image(source: str | Path | bytes) -> Picture:
    """Reads a picture from a path or from bytes, upright and in RGB. Raises ImageReadError with a sentence."""
    return read_picture(source)


def find_faces(picture: Picture) -> list[Face]:
    """Faces in the picture, the largest and surest first; `Face.box` is (x0, y0, x1, y1) in pixels. May be empty."""
    return face_detector().detect(picture.pixels)


def turned_to_face(picture: Picture, faces: Sequence[Face]) -> Picture | None:
    """A picture on its side or on its head, turned so that a face in it is upright; None where it stands well or shows none.

    faces: what :func:`find_faces` has found in it as it is. `Picture.notes` of the turned one ends with TURNED.
    """
    pixels = face_detector().turned(picture.pixels, faces)
    return None if pixels is None else dataclasses.replace(picture, pixels=pixels, notes=(*picture.notes, TURNED))


def align(
    pack: Pack, picture: Picture, face: Face | None, around: tuple[float, float, float, float] | None = None
) -> AlignedPicture:
    """Cuts the face out in the position that the pack's networks know.

    face: None for the square that holds the object, where the pack can find objects; for other packs the middle square.
    around: a rectangle of the picture that a pack without faces has to take in; the square lies around it where it does not
        fit into the one with the object.
    """
    found, square = _square(pack, picture, around) if face is None else (None, None)
    side = pack.manifest.resolution
    crop, alignment = aligned_crop(pack.manifest, picture.pixels, face, square)
    warnings = ()
    coarse = alignment.picture_px_per_crop_px
    if coarse < SMALL_FACE_SHARE:
        px = round(side * coarse)
        what = "picture" if face is None else "face"
        warnings = (
            f"The {what} is small: {px} pixel{'s' if px > 1 else ''} a side, enlarged to {side}. Take a larger or sharper one.",
        )
    if found is not None and around is None and found.agreement < SURE:
        warnings += ("No object was found for sure: draw a rectangle around it.",)
    height, width = picture.pixels.shape[:2]
    if face is not None:
        box = tuple(float(side) for side in face.box)
    elif found is not None and found.box is not None and square == found.square:
        box = found.box
    else:
        box = _object_in_picture(pack, crop, alignment)
    return AlignedPicture(crop, alignment, (width, height), warnings, box)


def _square(
    pack: Pack, picture: Picture, around: tuple[float, float, float, float] | None
) -> tuple[Whereabouts | None, Square | None]:
    """Where the object lies, for a pack that can tell, and the square to take; None for the one in the middle."""
    size = (picture.pixels.shape[1], picture.pixels.shape[0])
    side = pack.manifest.resolution
    found = whereabouts(pack, picture.pixels, side) if pack.has("box_detector") else None
    square = None if found is None else found.square
    if around is None or pack.manifest.alignment.kind != "none":
        return found, square
    around = _rectangle(around, size)
    return found, square_holding(around, square or middle_square(size), size, least_px=side) or square


def classes_of(pack: Pack, aligned: AlignedPicture) -> dict[str, float]:
    """Class id -> calibrated probability of the object in a picture; empty for a pack without class predictor."""
    return live.classes_of(pack, aligned.crop)


def _object_in_picture(pack: Pack, crop: np.ndarray, alignment: Alignment) -> tuple[float, float, float, float] | None:
    """What the pack's box detector finds in the crop, in picture pixels; None where the pack has none."""
    box = found_box(pack, crop)
    if box is None:
        return None
    low, high = alignment.to_picture(np.array([box[:2], box[2:]]))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


# ---- inversion --------------------------------------------------------------------------------------------------


def invert(
    pack: Pack,
    source: Picture | AlignedPicture,
    *,
    method: str = DEFAULT_METHOD,
    face: Literal["largest"] | int | None = "largest",
    seconds: float | None = None,
    steps: int | None = None,
    evaluations: int | None = None,
    seed: int = 0,
    space: Space | None = None,
    encoder_start: bool = True,
    class_search: bool = True,
    transform: TransformSearch = "none",
    mask: Literal["auto"] | tuple[float, float, float, float] | None = None,
    outside_weight: float = 0.3,
    pixel_loss: PixelLoss = "l1",
    global_loss: GlobalLoss = "frozen",
    cancel: CancelToken | None = None,
) -> Iterator[InversionProgress]:
    """Finds codes for a picture; yields progress, and last a record whose `result` is the Inversion.

    method: one of `pack_info(pack).methods`.
    face: which of :func:`find_faces`; "largest" falls back to the middle of the picture, with a warning, where no face is
        found; None takes the middle. Packs without faces take what :func:`align` does. Not looked at for a picture that is
        aligned already.
    seconds, steps, evaluations: the budget of methods that optimise, whichever ends first; None for all is the method's
        default. Without `seconds` the result does not depend on the clock.
    space, encoder_start, class_search, transform, outside_weight, pixel_loss, global_loss: see :class:`InversionOptions`.
    mask: the object's rectangle (x0, y0, x1, y1) in pixels of the picture; "auto" takes the detected one, None everything.
        Options that a method has no use for change nothing; the result then says so in its warnings.
    cancel: looked at between any two steps. What has been found until then is the result, with the warning "cancelled";
        where nothing has, Cancelled is raised.
    Options are checked and the face is found by the call (OptionError, NoFaceError); the rest is done by iterating.
    """
    check_method(pack, method)
    options = InversionOptions(
        seconds=seconds,
        steps=steps,
        evaluations=evaluations,
        seed=seed,
        space=space,
        encoder_start=encoder_start,
        class_search=class_search,
        transform=transform,
        outside_weight=outside_weight,
        pixel_loss=pixel_loss,
        global_loss=global_loss,
    )
    spaces = pack.manifest.latent.spaces
    if space is not None and space not in spaces:
        raise OptionError(f"space={space!r}: the pack {pack.id} has {', '.join(spaces)}.")
    aligned = source if isinstance(source, AlignedPicture) else _aligned(pack, source, face, mask)
    options = dataclasses.replace(options, mask=_mask_in_crop(aligned, mask))
    aligned = dataclasses.replace(aligned, warnings=(*aligned.warnings, *_without_effect(aligned, method, options, mask)))
    return _inverted(pack, aligned, method, options, cancel or CancelToken())


def finish(progress: Iterator[InversionProgress]) -> Inversion:
    """Runs an inversion to its end and returns the result."""
    result = None
    for record in progress:
        result = record.result
    if result is None:
        raise ValueError("the iterator ended without a result; give finish a fresh one from invert")
    return result


def surprise(pack: Pack, seed: int, truncation: float = 0.7, classes: str | Mapping[str, float] | None = None) -> Inversion:
    """A person who does not exist: a sample of the generator, editable like an inverted photo. One seed, one person.

    classes: of a class-conditional pack, the id of one of `pack_info(pack).classes`, or a mixture of them by weights; None
    for the class that the seed has. Raises OptionError for a class that is not there.
    """
    return sample(pack, seed, truncation, classes)


def load_inversion(path: str | Path, pack: Pack | None = None) -> Inversion:
    """Reads what ``Inversion.save`` wrote; with `pack` also checks that it belongs to it. Raises InversionFileError."""
    inversion = Inversion.load(path)
    if pack is not None:
        _check_belongs(pack, inversion, str(path))
    return inversion


def check_method(pack: Pack, method: str) -> None:
    """Raises OptionError, listing those there are, unless the pack can do the inversion method."""
    offered = pack.manifest.methods
    if method in METHOD_COMPONENTS and method not in offered:
        missing = ", ".join(kind for kind in METHOD_COMPONENTS[method] if not pack.has(kind))
        raise OptionError(f"method {method!r} needs what the pack {pack.id} lacks ({missing}); it can do {', '.join(offered)}.")
    if method not in offered:
        raise unknown_name("method", method, offered)


# ---- the store of tuned generators ------------------------------------------------------------------------------


def tuned_entries() -> list[TunedEntry]:
    """What is kept on disk of generators that were tuned to pictures, those used last first."""
    return tuned_store().entries()


def clear_tuned(older_than_days: float | None = None) -> list[TunedEntry]:
    """Forgets what is kept, or what was not used for so many days; returns the entries that went."""
    if older_than_days is not None and not older_than_days >= 0:
        raise OptionError(f"older_than_days={older_than_days}: give 0 or more days.")
    return tuned_store().clear(older_than_days)


def keeps_tuned(source: AlignedPicture | Inversion) -> bool:
    """Whether anything is kept of this picture's crop, whatever the method and its options."""
    return tuned_store().keeps(source.crop)


def forget_tuned(source: AlignedPicture | Inversion) -> list[TunedEntry]:
    """Forgets what is kept of this picture's crop alone; returns the entries that went."""
    return tuned_store().forget(source.crop)


# ---- edits that users train -------------------------------------------------------------------------------------


def labelled_groups(having: Sequence[tuple[Path, str]], lacking: Sequence[tuple[Path, str]]) -> LabelledPictures:
    """Pictures that have a new attribute, and pictures that lack it, each as (path, name for errors)."""
    from engines.user_edits.pictures import from_groups

    return from_groups(having, lacking)


def labelled_uploads(
    pack: Pack, table: bytes, files: Mapping[str, Path], *, name: str, attribute: str | None = None
) -> LabelledPictures:
    """Pictures by their names, labelled by the bytes of a table ``file,A1,...`` called `name`.

    attribute: the column to learn; None is the only one that the pack does not know. Raises OptionError for what is no table
    and for labels of files that are not there.
    """
    from engines.data.label_table import parse_label_table
    from engines.user_edits.pictures import chosen_attribute, from_uploads

    labels = parse_label_table(table, name)
    known = pack.attribute_predictor.attributes
    return from_uploads(labels, files, chosen_attribute(labels.attributes, attribute, known), known)


def check_training(pack: Pack, pictures: LabelledPictures, name: str) -> None:
    """Raises OptionError for what :func:`train_edit` would refuse before it opens a picture: the name, too few pictures."""
    from engines.packs.user_edit_files import check_new_id, id_for
    from engines.training.user_edit import check_counts

    check_new_id(pack, id_for(name), name)
    check_counts(pictures.has, "the pictures")


def train_edit(
    pack: Pack,
    pictures: LabelledPictures,
    name: str,
    *,
    aligned: bool = False,
    steps: int | None = None,
    seed: int = 0,
    run: Path | None = None,
    progress: ProgressCallback = lambda record: None,
    cancel: CancelToken | None = None,
) -> UserEdit:
    """Trains an edit of a new attribute from labelled pictures and keeps it for the user that the pack is open for.

    From then on it is one of `pack_info(pack).attributes`, under an id made of its `name`, in all programs that have the data
    folder. aligned: the pictures are crops already, as ``data`` and ``invert`` write them. steps: of each of its two maps; None
    is the usual number. run: folder for what lets it be gone on with; None is one in the data folder. cancel: looked at between
    steps; Cancelled is raised. Raises OptionError for a name that is taken and for too few pictures that can be used.
    """
    from engines.training.lw import Recipe
    from engines.training.lw_map import LwOptions
    from engines.training.user_edit import Training
    from engines.user_edits.train import NewEdit, train_from_pictures

    def told(record: Progress) -> None:
        if cancel is not None:
            cancel.raise_if_cancelled()
        progress(record)

    recipe = Recipe(LwOptions() if steps is None else LwOptions(steps=steps))
    new = NewEdit(name, training=Training(recipe), seed=seed, run=run)
    # Trainings run on the CPU, wherever the pack is open: the same seed then gives the same edit.
    trained = open_installed_pack(pack.id, pack.folder.parent).for_user(pack.user)
    return train_from_pictures(trained, pictures, new, aligned=aligned, progress=told)[0]


def user_edits(pack_id: str | None = None) -> list[tuple[UserEdit, str]]:
    """All edits that users have trained, of one pack or of all, each with a sentence why it cannot be used, or ""."""
    packs = [manifest for manifest in list_manifests() if pack_id in (None, manifest.id)]
    if pack_id is not None and not packs:
        open_installed_pack(pack_id)
    return [(edit, edit.problem(manifest)) for manifest in packs for edit in all_user_edits(manifest.id)]


def remove_edit(pack: Pack, edit_id: str) -> UserEdit:
    """Removes an edit of the user that the pack is open for; returns what it was. Raises OptionError where there is none."""
    return remove_user_edit(pack.id, edit_id, pack.user)


# ---- edits ------------------------------------------------------------------------------------------------------


def check_edits(
    pack: Pack,
    alphas: Mapping[str, float],
    *,
    layers: tuple[int, int] | None = None,
    family: str = DEFAULT_FAMILY,
    steps: Sequence[EditStep] = (),
    object_edit: ObjectEdit = _AS_IT_IS,
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
    objects.check_object_edit(pack, object_edit)


def render(
    pack: Pack,
    inversion: Inversion,
    alphas: Mapping[str, float],
    *,
    layers: tuple[int, int] | None = None,
    family: str = DEFAULT_FAMILY,
    steps: Sequence[EditStep] = (),
    object_edit: ObjectEdit = _AS_IT_IS,
    as_needed: bool = False,
) -> Frame:
    """The edited picture with what the predictors say about it. Pure: the same arguments give the same bytes.

    alphas: attribute id -> strength; positive adds, negative removes, 0 leaves as it is. With all zero the picture is
    `inversion.reconstruction`, bit for bit. layers: (first, end), the style layers ``first <= l < end`` that may change.
    family: name of one of `pack_info(pack).families`, which edits. steps: edits that follow, one after the other in their
    order, each with layers (and, if it says so, a family) of its own; `layers` is not for them.
    object_edit: what becomes of the object as a whole: truncation and class before these edits, shift and zoom after them.
    as_needed: edits go as far as the picture calls for: what is there already is hardly added to, what is not there is not
        removed (:mod:`engines.session.need`). Without, every strength is applied in full, whatever the picture shows.
    Raises OptionError (see :func:`check_edits`), and InversionFileError for an inversion of another pack.
    """
    _check_belongs(pack, inversion, "this inversion")
    check_edits(pack, alphas, layers=layers, family=family, steps=steps, object_edit=object_edit)
    return live.render(pack, inversion, _state(pack, inversion, alphas, layers, family, steps, object_edit, as_needed))


def report(pack: Pack, inversion: Inversion, frame: Frame) -> list[AttributeReading]:
    """What changed, attribute by attribute, in the pack's order."""
    before = live.render(pack, inversion, _state(pack, inversion)).attributes
    own = [edit.attribute for edit in fitting_edits(pack.manifest, pack.user).values()]
    # An edit that was trained or removed since the frame was painted has no answer on one of the sides.
    both = [attribute for attribute in own if attribute.id in before and attribute.id in frame.attributes]
    return [reading(attribute, before, frame.attributes) for attribute in (*pack.manifest.attributes, *both)]


def report_classes(pack: Pack, inversion: Inversion, frame: Frame) -> list[ClassReading]:
    """Of which class the object was and is, in the pack's order; empty for a pack without class predictor."""
    before = live.render(pack, inversion, _state(pack, inversion)).classes
    return class_readings(pack.manifest.classes, before, frame.classes)


def export(
    pack: Pack,
    inversion: Inversion,
    frame: Frame,
    picture: Picture | None,
    *,
    paste_back: bool = True,
    blend: Blend | None = None,
) -> np.ndarray:
    """The picture to keep, uint8 RGB [H, W, 3]: the edit pasted into the whole photo, or (no photo, no paste) the square.

    blend: detail adds what the edit changes, where its attributes show, and keeps all else of the photo; poisson sets the
        generator's picture into it without a seam, inside the inversion's mask and fading around it; mixed does so and keeps
        the photo's gradients where they are steeper. Both leave out edits of the background: the ground stays the photo's.
        None is :func:`usual_blend`'s.
    Raises OptionError for another blend, and when the photo is not the one that the inversion was made from.
    """
    if picture is None or inversion.alignment is None or not paste_back:
        return frame.image
    check_same_photo(picture, inversion)
    blend = usual_blend(inversion) if blend is None else blend
    object_box = None
    if blend != "detail":
        if (state := without_ground(pack.manifest, frame.state)) != frame.state:
            frame = live.render(pack, inversion, state)
        # Any edit may move the object's outline.
        object_box = None if inversion.mask is None else found_box(pack, frame.image)
    region = edited_region(pack.manifest, frame.state)
    return exported(picture.pixels, inversion, frame.image, blend, object_box=object_box, region=region)


# ---- inside -----------------------------------------------------------------------------------------------------


def _state(
    pack: Pack,
    inversion: Inversion,
    alphas: Mapping[str, float] | None = None,
    layers: tuple[int, int] | None = None,
    family: str = DEFAULT_FAMILY,
    steps: Sequence[EditStep] = (),
    object_edit: ObjectEdit = _AS_IT_IS,
    as_needed: bool = False,
) -> EditState:
    tuned_id = inversion.id if inversion.weight_differences else None
    strengths = tuple((alphas or {}).items())
    return EditState(pack.id, inversion.id, strengths, layers, tuned_id, family, tuple(steps), object_edit, as_needed)


def _check_edit(pack: Pack, name: str, alpha: float, family: str) -> None:
    own = {edit.id: edit.attribute for edit in fitting_edits(pack.manifest, pack.user).values()}
    attributes = {attribute.id: attribute for attribute in pack.manifest.attributes} | own
    if name not in attributes:
        _check_outdated(pack, name)
        raise unknown_name("attribute", name, attributes)
    low, high = attributes[name].alpha_min, attributes[name].alpha_max
    if not low <= alpha <= high:
        raise OptionError(f"{name}={alpha:g}: the strength must lie between {low:g} and {high:g}.")
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
    if layers is not None and not 0 <= layers[0] < layers[1] <= count:
        raise OptionError(f"layers={tuple(layers)}: give (first, end) with 0 <= first < end <= {count}.")


def _aligned(
    pack: Pack,
    picture: Picture,
    face: Literal["largest"] | int | None,
    mask: Literal["auto"] | tuple[float, float, float, float] | None,
) -> AlignedPicture:
    """The aligned picture for a choice of face."""
    if face is None or pack.manifest.alignment.kind == "none":
        return align(pack, picture, None, None if mask == "auto" else mask)
    faces = find_faces(picture)
    if face == "largest":
        if faces:
            return align(pack, picture, faces[0])
        aligned = align(pack, picture, None)
        warning = "No face was found; the middle of the picture was taken."
        return dataclasses.replace(aligned, warnings=(warning, *aligned.warnings))
    if not isinstance(face, int) or isinstance(face, bool) or face < 0:
        raise OptionError(f"face={face!r}: expected largest, None for the whole picture, or a number from 0 on.")
    if face >= len(faces):
        found = f"{len(faces)} face{'s' if len(faces) > 1 else ''}, numbered from 0" if faces else "no face"
        raise NoFaceError(f"{picture.name}: face {face} was asked for, but there is {found}.")
    return align(pack, picture, faces[face])


def _inverted(
    pack: Pack,
    aligned: AlignedPicture,
    method: str,
    options: InversionOptions,
    cancel: CancelToken,
) -> Iterator[InversionProgress]:
    """The method's records; the result also knows how the crop lies in its picture, and all warnings."""
    alignment = {**aligned.alignment.to_json(), "picture_px": list(aligned.picture_px)}
    for record in _records(pack, aligned.crop, method, options, cancel):
        if record.result is not None:
            warnings = (*aligned.warnings, *record.result.warnings, *_poor(pack, record.result))
            record = dataclasses.replace(
                record, result=dataclasses.replace(record.result, alignment=alignment, warnings=warnings)
            )
        yield record


def _records(
    pack: Pack, crop: np.ndarray, method: str, options: InversionOptions, cancel: CancelToken
) -> Iterator[InversionProgress]:
    """What a method yields; those that tune the generator keep their results for the next visit."""
    if method in TUNING_METHODS:
        return invert_once(pack, crop, options, cancel, method=method, store=tuned_store())
    return METHODS[method](pack, crop, options, cancel)


def _mask_in_crop(
    aligned: AlignedPicture, mask: Literal["auto"] | tuple[float, float, float, float] | None
) -> tuple[float, float, float, float] | None:
    """The rectangle around a mask, given in pixels of the picture, in pixels of the crop."""
    if mask is None or (mask == "auto" and aligned.object_box is None):
        return None
    # A detected box may reach beyond the picture.
    x0, y0, x1, y1 = aligned.object_box if mask == "auto" else _rectangle(mask, aligned.picture_px)
    corners = aligned.alignment.to_crop(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    side = aligned.crop.shape[0]
    low, high = np.clip(corners.min(axis=0), 0, side), np.clip(corners.max(axis=0), 0, side)
    if (high - low).min() <= 0:
        raise OptionError(f"mask={mask}: the rectangle lies outside the part of the picture that is edited.")
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _rectangle(mask: Sequence[float], picture_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """A rectangle that was given, as numbers. Raises OptionError unless there is some of the picture in it."""
    try:
        rectangle = tuple(float(side) for side in mask)
    except (TypeError, ValueError):
        raise OptionError(f"mask={mask!r}: give auto, or four numbers x0, y0, x1, y1.") from None
    if len(rectangle) != 4 or not all(math.isfinite(side) for side in rectangle):
        raise OptionError(f"mask={mask}: four numbers x0, y0, x1, y1 are needed.")
    x0, y0, x1, y1 = rectangle
    width, height = picture_px
    if x1 <= x0 or y1 <= y0:
        raise OptionError(f"mask={mask}: the rectangle has no area; x0 < x1 and y0 < y1 are needed.")
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise OptionError(f"mask={mask}: the rectangle lies outside the picture of {width} x {height} pixels.")
    return rectangle


def _without_effect(
    aligned: AlignedPicture,
    method: str,
    options: InversionOptions,
    mask: Literal["auto"] | tuple[float, float, float, float] | None,
) -> tuple[str, ...]:
    """Warnings of what was asked for and changes nothing."""
    # What was detected is no wish of the user's.
    unused = [name for name in unused_options(method, options) if name != "mask" or mask != "auto"]
    warnings = (f"The method {method} has no use for {', '.join(unused)}; the result is the same without.",) if unused else ()
    if mask == "auto" and aligned.object_box is None:
        warnings = (*warnings, "mask=auto: nothing was found in the picture, so all of it counts the same.")
    return warnings


def _poor(pack: Pack, inversion: Inversion) -> tuple[str, ...]:
    """A warning when the error is far above what the encoder makes of held-out pictures, as its training measured it."""
    usual = pack.manifest.components["encoder"].provenance.metrics.get("held_out_mse_median")
    if usual is None or inversion.mse <= POOR_FACTOR * usual:
        return ()
    return (
        f"{POOR}: its error is {inversion.mse:.3f}, {inversion.mse / usual:.0f} times the {usual:.3f} "
        "of pictures like those the pack was trained on. Edits may not look like the original.",
    )


def _check_belongs(pack: Pack, inversion: Inversion, name: str) -> None:
    """Raises InversionFileError for codes of another pack, or of other weights of it."""
    if inversion.pack_id != pack.id:
        raise InversionFileError(f"{name} belongs to the pack {inversion.pack_id}, not to {pack.id}: name that pack.")
    if inversion.pack_hash != generator_hash(pack):
        raise InversionFileError(f"{name} was made with other weights of the pack {pack.id}: make it again (invert).")
