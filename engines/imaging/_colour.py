"""From every way a file may hold colour to the one the program works in: 8-bit sRGB without transparency."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

__all__ = ["to_srgb"]

_MAX_PROFILE_BYTES = 8 * 2**20
# Two profiles whose colours differ by no more than this many levels are the same for us, and pixels stay untouched.
_SAME_COLOUR_LEVELS = 2


def to_srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """A loaded picture of any mode as 8-bit ``RGB`` in sRGB, transparency on white.

    Appends to `notes` a sentence for whatever was done that a person would want to know.
    """
    profile = _embedded_profile(image, notes)
    if image.mode.startswith("I") or image.mode == "F":
        image = _deep_grey(image, notes)
    alpha = _alpha(image)
    if image.mode not in ("L", "CMYK", "RGB"):
        # Palettes are stored in the profile's RGB; "RGBa" and "La" hold colours multiplied by alpha.
        premultiplied = {"RGBa": "RGBA", "La": "LA"}.get(image.mode)
        image = image.convert(premultiplied) if premultiplied else image
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    rgb = _managed(image, profile, notes)
    if alpha is None or alpha.getextrema()[0] == 255:  # no pixel is transparent
        return rgb
    notes.append("Transparent parts are shown on white.")
    white = Image.new("RGB", rgb.size, (255, 255, 255))
    white.paste(rgb, mask=alpha)
    return white


def _alpha(image: Image.Image) -> Image.Image | None:
    """Opacity as an ``L`` picture, None for a picture that cannot be transparent."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return image.getchannel(image.getbands()[-1])
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA").getchannel("A")
    return None


def _deep_grey(image: Image.Image, notes: list[str]) -> Image.Image:
    """Grey of more than 8 bits to ``L``: 16-bit values v give round(v / 257), floats in [0, 1] give round(255 v).

    What has no agreed white (32-bit integers, other floats) is stretched from its darkest to its lightest value.
    """
    values = np.asarray(image.convert("I") if image.mode.startswith("I;16") else image)
    if image.mode == "F":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    black, white = float(values.min()), float(values.max())
    if image.mode != "F" and black >= 0 and white <= 65535:  # Older Pillow reads 16-bit PNG as 32-bit integers.
        black, white = 0.0, 65535.0
    elif image.mode == "F" and black >= 0 and white <= 1:
        black, white = 0.0, 1.0
    else:
        notes.append("The brightness was stretched from the darkest to the lightest value.")
    # float64 holds every 32-bit value; in place, because there may be 40 million of them.
    levels = values.astype(np.float64)
    levels -= black
    levels *= 255 / ((white - black) or 1)
    return Image.fromarray(np.rint(levels, out=levels).astype(np.uint8))


def _embedded_profile(image: Image.Image, notes: list[str]) -> ImageCms.ImageCmsProfile | None:
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        if len(data) > _MAX_PROFILE_BYTES:
            raise ValueError("profile too large")
        return ImageCms.ImageCmsProfile(io.BytesIO(data))
    except Exception:  # The profile is the sender's; without it the colours are merely approximate.
        notes.append("The embedded colour profile is damaged and was not used.")
        return None


def _managed(image: Image.Image, profile: ImageCms.ImageCmsProfile | None, notes: list[str]) -> Image.Image:
    """``L``, ``CMYK`` or ``RGB`` to sRGB ``RGB`` by the embedded profile, or by the plain formulas where none fits the mode."""
    if profile is not None:
        space = profile.profile.xcolor_space.strip()
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if space == {"L": "GRAY"}.get(image.mode, image.mode):
            try:
                transform = ImageCms.buildTransform(
                    profile,
                    ImageCms.createProfile("sRGB"),
                    image.mode,
                    "RGB",
                    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                    flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
                )
                if _changes_colour(transform, image.mode):
                    return ImageCms.applyTransform(image, transform)
            except ImageCms.PyCMSError:
                notes.append("The embedded colour profile is damaged and was not used.")
    if image.mode == "CMYK":
        notes.append("Print colours (CMYK) were converted to screen colours approximately.")
    return image if image.mode == "RGB" else image.convert("RGB")


def _changes_colour(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether the transform moves any of a lattice of 9 x 9 x 9 colours visibly; the many versions of sRGB do not."""
    if mode == "CMYK":
        return True
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    if mode == "L":
        before = np.repeat(levels[None, :, None], 3, axis=2)
        lattice = Image.fromarray(levels[None])
    else:
        before = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
        lattice = Image.fromarray(before)
    after = np.asarray(ImageCms.applyTransform(lattice, transform))
    return int(np.abs(after.astype(int) - before).max()) > _SAME_COLOUR_LEVELS
