"""The facade: packs, pictures, inversion, edits, reports. It is all that scripts need, and the page uses nothing else.

Commands also use the parts that lie below it: they train, evaluate and render data.

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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from engines.core.machine import machine
from engines.core.progress import CancelToken, Progress, ProgressCallback
from engines.core.text import printable
from engines.editing.families import DEFAULT_FAMILY
from engines.imaging.faces import Face, face_detector
from engines.imaging.read import Picture, read_picture
from engines.inversion.objects import found_box
from engines.inversion.options import GlobalLoss, InversionOptions, PixelLoss, Space, TransformSearch
from engines.inversion.result import Inversion, InversionProgress
from engines.packs.load import Pack
from engines.packs.manifest import list_manifests
from engines.packs.registry import open_pack as open_installed_pack
from engines.packs.user_edit_files import remove_user_edit
from engines.packs.user_edits import LEAST as LEAST_EXAMPLES
from engines.packs.user_edits import UserEdit, all_user_edits, fitting_edits, user_key
from engines.session import live
from engines.session.aligned import AlignedPicture, FaceChoice, MaskChoice, align, align_to_choice
from engines.session.catalogue import AttributeInfo, ClassInfo, FamilyInfo, PackInfo, SteeringInfo, info_of, list_packs
from engines.session.edit_checks import check_edits
from engines.session.export import BLENDS, Blend, exported, framed_crop, usual_blend
from engines.session.ground import GROUND_GROUP, without_ground
from engines.session.inverting import POOR, check_belongs, check_method, inverted
from engines.session.object_edit import AS_IT_IS, ObjectEdit
from engines.session.readings import AttributeReading, ClassReading, class_readings, reading
from engines.session.regions import within_regions
from engines.session.same_photo import check_same_photo
from engines.session.sampling import sample
from engines.session.state import EditState, EditStep, Frame
from engines.tuning.store import TunedEntry, tuned_store

if TYPE_CHECKING:
    from engines.user_edits.pictures import LabelledPictures

__all__ = [
    "BLENDS",
    "DEFAULT_FAMILY",
    "DEFAULT_METHOD",
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
    "machine",
    "open_pack",
    "pack_info",
    "printable",
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
TURNED = "The picture was turned: a face was found that way."


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


def read_image(source: str | Path | bytes, *, cancel: CancelToken | None = None) -> Picture:
    """Reads a picture from a path or from bytes, upright and in RGB. Raises ImageReadError with a sentence, and Cancelled."""
    return read_picture(source, cancel=cancel)


def find_faces(picture: Picture, *, cancel: CancelToken | None = None) -> list[Face]:
    """Faces in the picture, the largest and surest first; `Face.box` is (x0, y0, x1, y1) in pixels. May be empty.

    Raises Cancelled.
    """
    return face_detector().detect(picture.pixels, cancel=cancel)


def turned_to_face(picture: Picture, faces: Sequence[Face], *, cancel: CancelToken | None = None) -> Picture | None:
    """A picture on its side or on its head, turned so that a face in it is upright; None where it stands well or shows none.

    faces: what :func:`find_faces` has found in it as it is. `Picture.notes` of the turned one ends with TURNED.
    Raises Cancelled.
    """
    pixels = face_detector().turned(picture.pixels, faces, cancel=cancel)
    return None if pixels is None else dataclasses.replace(picture, pixels=pixels, notes=(*picture.notes, TURNED))


def classes_of(pack: Pack, aligned: AlignedPicture) -> dict[str, float]:
    """Class id -> calibrated probability of the object in a picture; empty for a pack without class predictor."""
    return live.classes_of(pack, aligned.crop)


# ---- inversion --------------------------------------------------------------------------------------------------


def invert(
    pack: Pack,
    source: Picture | AlignedPicture,
    *,
    method: str = DEFAULT_METHOD,
    face: FaceChoice = "largest",
    seconds: float | None = None,
    steps: int | None = None,
    evaluations: int | None = None,
    seed: int = 0,
    space: Space | None = None,
    encoder_start: bool = True,
    class_search: bool = True,
    transform: TransformSearch = "none",
    mask: MaskChoice = None,
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
    picture = source if isinstance(source, AlignedPicture) else align_to_choice(pack, source, face, mask)
    return inverted(pack, picture, method, options, mask, cancel or CancelToken())


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
        check_belongs(pack, inversion, str(path))
    return inversion


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
    from engines.training.lw_map import LwOptions
    from engines.training.lw_recipe import Recipe
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


def render(
    pack: Pack,
    inversion: Inversion,
    alphas: Mapping[str, float],
    *,
    layers: tuple[int, int] | None = None,
    family: str = DEFAULT_FAMILY,
    steps: Sequence[EditStep] = (),
    object_edit: ObjectEdit = AS_IT_IS,
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
    check_belongs(pack, inversion, "this inversion")
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
    if blend == "detail":
        return exported(picture.pixels, inversion, within_regions(pack, inversion, frame), blend)
    if (state := without_ground(pack.manifest, frame.state)) != frame.state:
        frame = live.render(pack, inversion, state)
    # Any edit may move the object's outline.
    object_box = None if inversion.mask is None else found_box(pack, frame.image)
    return exported(picture.pixels, inversion, frame.image, blend, object_box=object_box)


# ---- inside -----------------------------------------------------------------------------------------------------


def _state(
    pack: Pack,
    inversion: Inversion,
    alphas: Mapping[str, float] | None = None,
    layers: tuple[int, int] | None = None,
    family: str = DEFAULT_FAMILY,
    steps: Sequence[EditStep] = (),
    object_edit: ObjectEdit = AS_IT_IS,
    as_needed: bool = False,
) -> EditState:
    tuned_id = inversion.id if inversion.weight_differences else None
    strengths = tuple((alphas or {}).items())
    return EditState(pack.id, inversion.id, strengths, layers, tuned_id, family, tuple(steps), object_edit, as_needed)
