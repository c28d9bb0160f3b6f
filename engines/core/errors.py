"""Errors meant for people: one sentence that says what was expected, what came, and what to do.

Everything derived from :class:`LweError` is caused by input (a file, an option, a missing extra) and is shown
to the user as it stands; any other exception is a fault of the program.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "ImageReadError",
    "InversionFileError",
    "LweError",
    "MissingExtraError",
    "NoFaceError",
    "OptionError",
    "PackError",
    "PackFieldError",
    "PackFileMissingError",
    "PackHashError",
    "PackNotFoundError",
    "PackShapeError",
    "PackVersionError",
    "RunError",
    "shown",
]


class LweError(Exception):
    """Base of every error whose text may be shown to a user."""


class OptionError(LweError):
    """An option or argument has a value that cannot be used."""


class ImageReadError(LweError):
    """An uploaded or named file is not a picture that can be read."""


class NoFaceError(LweError):
    """No face was found where one is needed."""


class InversionFileError(LweError):
    """An ``inversion.safetensors`` file is damaged or belongs to another pack."""


class MissingExtraError(LweError):
    """An optional dependency is not installed; the text names the command that installs it."""


class RunError(LweError):
    """A training run cannot start or resume from what lies in its folder."""


class Cancelled(LweError):
    """The user cancelled the work; nothing half-written stays behind."""


class PackError(LweError):
    """Base of everything that can be wrong with a pack."""


class PackNotFoundError(PackError):
    """No pack of that id."""


class PackFileMissingError(PackError):
    """The manifest names a file that is not there."""


class PackHashError(PackError):
    """A file's sha256 is not the manifest's."""


class PackFieldError(PackError):
    """The manifest has an unknown, missing or ill-typed field."""


class PackShapeError(PackError):
    """A weight has another name or shape than its configuration says."""


class PackVersionError(PackError):
    """The pack was written by a newer version."""


def shown(value: object) -> str:
    """A value as errors show it: not endlessly, and whatever it is (numbers of thousands of digits have no text)."""
    try:
        return str(value)[:80]
    except ValueError:
        return "a number too long to show"
