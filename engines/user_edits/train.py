"""From labelled pictures, or a file of codes, to a finished edit of a user: encoded, trained, measured and written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.progress import Progress, ProgressCallback
from engines.data.label_table import LabelTable
from engines.evaluation.report import Provenance
from engines.evaluation.user_edit import write_user_edit_report
from engines.packs.load import Pack
from engines.packs.user_edit_files import check_new_id, id_for, write_user_edit
from engines.packs.user_edits import UserEdit
from engines.training.lw_recipe import Recipe
from engines.training.runs import Run, run_folder
from engines.training.user_edit import Examples, TrainedEdit, Training, check_counts, train_user_edit
from engines.user_edits.codes_file import CodesFile
from engines.user_edits.encoding import Encoded, encode_pictures
from engines.user_edits.pictures import LabelledPictures, known_labels

__all__ = ["NewEdit", "train_from_codes", "train_from_pictures"]

_CODES = "codes.safetensors"
_SHOWN_SKIPPED = 20


@dataclass(frozen=True)
class NewEdit:
    """What is to be trained, and how."""

    name: str
    """For people."""
    id: str | None = None
    """Attribute id; None is made of the name."""
    training: Training = field(default_factory=lambda: Training(Recipe()))
    seed: int = 0
    minutes: float | None = None
    """What the maps may take; None goes by steps alone."""
    run: Path | None = None
    """Folder of the run; None is one in the data folder."""
    resume: bool = False
    options: Mapping[str, Any] | None = None
    """Options of the command, for the provenance: long name -> value."""

    @property
    def attribute(self) -> str:
        return self.id if self.id is not None else id_for(self.name)


def train_from_pictures(
    pack: Pack, pictures: LabelledPictures, new: NewEdit, *, aligned: bool, progress: ProgressCallback
) -> tuple[UserEdit, Path]:
    """Trains on pictures; those that cannot be used are skipped and told in the report. Returns the edit and the run's folder.

    aligned: see :func:`engines.user_edits.encoding.encode_pictures`. progress: may raise Cancelled to end the work; what was
    done until then stays in the run's folder and is gone on with by `new.resume`.
    Raises OptionError for a name that is taken and for too few pictures.
    """
    check_new_id(pack, new.attribute, new.name)
    check_counts(pictures.has, "the labels")
    run = _open(pack, new, {"pictures": len(pictures), "labels": pictures.digest, "aligned": aligned})
    encoded = encode_pictures(pack, pictures, aligned=aligned, keep=run.folder / _CODES, progress=progress)
    has = pictures.has[encoded.places]
    check_counts(has, _after_skipping(encoded))
    known = {name: column[encoded.places] for name, column in pictures.known.items()}
    examples = _examples(pack, encoded.codes, has, encoded.logits, known, f"encoder codes of {len(has)} pictures of the user")
    edit = _finish(pack, examples, new, run, encoded.skipped, progress)
    (run.folder / _CODES).unlink(missing_ok=True)
    return edit, run.folder


def train_from_codes(
    pack: Pack, file: CodesFile, attribute: str, new: NewEdit, *, progress: ProgressCallback, table: LabelTable | None = None
) -> tuple[UserEdit, Path]:
    """Trains on codes with the file's own labels, or those of a table, one line a code; else like train_from_pictures."""
    check_new_id(pack, new.attribute, new.name)
    if table is None:
        if file.labels is None:
            raise OptionError("--codes: the file has no labels; add --labels with one line a code.")
        table = LabelTable((), file.attributes, file.labels)
    if len(table.labels) != len(file.codes):
        raise OptionError(f"--labels: {len(table.labels)} lines for {len(file.codes)} codes; there has to be one line a code.")
    has = table.column(attribute)
    check_counts(has, "the labels")
    digest = hashlib.sha256(file.codes.numpy().tobytes() + table.labels.tobytes()).hexdigest()[:16]
    run = _open(pack, new, {"codes": len(has), "examples": digest, "attribute": attribute})
    logits = _seen(pack, file.codes, progress)
    known = known_labels(table, attribute, pack.attribute_predictor.attributes)
    examples = _examples(pack, file.codes, has, logits, known, f"{len(has)} codes of the user")
    return _finish(pack, examples, new, run, (), progress), run.folder


def _open(pack: Pack, new: NewEdit, data: dict[str, Any]) -> Run:
    config = {
        "what": "user-edit",
        "pack": pack.id,
        "generator": pack.component_sha256("generator")[:16],
        "encoder": pack.component_sha256("encoder")[:16],
        "id": new.attribute,
        "name": new.name,
        "seed": new.seed,
        "minutes": new.minutes,
        "training": asdict(new.training),
        **data,
    }
    run = Run.open(run_folder(pack.id, f"edit-{new.attribute}", new.run), config, resume=new.resume)
    if not new.resume:
        # What a finished run of other pictures may have left.
        (run.folder / _CODES).unlink(missing_ok=True)
        for name in ("classifier", "maps"):
            (run.folder / name / "checkpoint.pt").unlink(missing_ok=True)
        run.save_checkpoint({})
    return run


def _after_skipping(encoded: Encoded) -> str:
    if not encoded.skipped:
        return "the pictures"
    return f"after {len(encoded.skipped)} pictures were skipped (the first: {encoded.skipped[0][1].rstrip('.')})"


def _examples(
    pack: Pack, codes: Tensor, has: np.ndarray, logits: np.ndarray, known: Mapping[str, np.ndarray], origin: str
) -> Examples:
    """The user's labels of the pack's attributes where there are any, else what the image predictor says."""
    names = pack.attribute_predictor.attributes
    labels = logits > 0
    for name, column in known.items():
        labels[:, names.index(name)] = column
    return Examples(codes, has, names, labels, origin)


@torch.inference_mode()
def _seen(pack: Pack, codes: Tensor, progress: ProgressCallback, batch: int = 24) -> np.ndarray:
    """What the image predictor says of the pictures of codes, logits [N, K]."""
    started, parts = time.monotonic(), []
    for start in range(0, len(codes), batch):
        progress(Progress("Looking at the codes' pictures", start, len(codes), time.monotonic() - started))
        parts.append(pack.attribute_predictor(pack.generator.synthesis(codes[start : start + batch]).clamp(-1, 1)))
    return torch.cat(parts).float().numpy()


def _finish(
    pack: Pack, examples: Examples, new: NewEdit, run: Run, skipped: tuple[tuple[str, str], ...], progress: ProgressCallback
) -> UserEdit:
    """Trains, evaluates and writes the edit, and ends the run."""
    trained = train_user_edit(
        pack, examples, new.attribute, new.training, seed=new.seed, run=run, progress=progress, minutes=new.minutes
    )
    progress(Progress("Evaluating on held-out pictures", 0, 1, run.seconds))
    options = {"name": _quoted(new.name), **(new.options or {})}
    source = Provenance.of("train lw", options, seed=new.seed, pack=pack.id, weights=pack.weights_hash)

    def report(folder: Path) -> dict[str, Any]:
        test = torch.from_numpy(trained.test)
        figures = write_user_edit_report(
            folder,
            pack,
            new.attribute,
            new.name,
            maps=trained.maps,
            classifier=trained.classifier,
            codes=examples.codes[test],
            has=examples.has[trained.test],
            known=examples.known,
            kept=trained.kept,
            provenance=source,
            notes=_notes(examples, trained, skipped),
        )
        progress(Progress("Evaluating on held-out pictures", 1, 1, run.seconds))
        return figures

    edit = write_user_edit(
        pack,
        new.attribute,
        new.name,
        trained.maps,
        trained.classifier,
        provenance={
            "command": source.command,
            "seed": new.seed,
            "data": examples.origin,
            "with": int(examples.has.sum()),
            "without": int((~examples.has).sum()),
            "skipped": len(skipped),
        },
        report=report,
    )
    run.log(**{f"{d}_{key}": value for d in ("add", "remove") for key, value in _plain(edit.figures[d]).items()})
    run.finish()
    return edit


def _notes(examples: Examples, trained: TrainedEdit, skipped: tuple[tuple[str, str], ...]) -> list[str]:
    with_it = int(examples.has.sum())
    scales = " and ".join(f"{trained.figures[d]['scale']:.2f} ({d})" for d in ("add", "remove"))
    notes = [
        f"Trained on {examples.origin}: {with_it} with the attribute, {len(examples.has) - with_it} without; "
        f"{len(trained.test)} of them were held out for this page. Strength 1 is {scales} times the maps' own unit, chosen "
        "where the latent classifier, reading the edited pictures, changes its answer."
    ]
    if skipped:
        lines = "\n".join(f"- {sentence}" for _, sentence in skipped[:_SHOWN_SKIPPED])
        more = f"\n- and {len(skipped) - _SHOWN_SKIPPED} more" if len(skipped) > _SHOWN_SKIPPED else ""
        notes.append(f"{len(skipped)} pictures were skipped:\n\n{lines}{more}")
    return notes


def _plain(figures: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in figures.items() if isinstance(value, (int, float))}


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
