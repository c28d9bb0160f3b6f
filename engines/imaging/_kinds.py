"""What a file is, by its first bytes: names never lie to the reader because they are not asked."""

from __future__ import annotations

__all__ = ["describe_kind", "picture_format"]

_BMP_HEADER_BYTES = (12, 16, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Rows (offset, bytes, what a person calls it), the first match counts.
_OTHER_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\x00\x00\x01\x00", "a Windows icon"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (4, b"ftyp", "a video"),
    (8, b"AVI ", "a video"),
    (8, b"WAVE", "a sound file"),
    (0, b"ID3", "a sound file"),
    (0, b"OggS", "an Ogg sound or video file"),
    (0, b"fLaC", "a sound file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"SQLite format 3", "a database"),
)


def _ftyp_brands(data: bytes) -> tuple[bytes, ...]:
    """The major and the compatible brands of an ISO media file, none when it is no such file."""
    if data[4:8] != b"ftyp":
        return ()
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return (box[:4], *(box[start : start + 4] for start in range(8, len(box) - 3, 4)))


def picture_format(data: bytes) -> str | None:
    """The format id (``JPEG``, ``PNG``, ``GIF``, ``WEBP``, ``TIFF``, ``BMP``, ``AVIF``) of the bytes, None for anything else.

    MPO, the camera format of several pictures in one file, begins as a JPEG and counts as one.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    # "BM" alone begins many a text.
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return "BMP"
    if any(brand in _AVIF_BRANDS for brand in _ftyp_brands(data)):
        return "AVIF"
    return None


def describe_kind(data: bytes) -> str:
    """What bytes that are no readable picture seem to be, as a noun with its article."""
    start = data[:4096]
    if any(brand in _HEIF_BRANDS for brand in _ftyp_brands(data)):
        return "a HEIC photo"
    for offset, magic, kind in _OTHER_KINDS:
        if start[offset : offset + len(magic)] == magic:
            return kind
    text = _as_text(start)
    if text is None:
        return "data of an unknown kind"
    head = text.lstrip("\ufeff \t\r\n").lower()
    if "<svg" in head:
        return "an SVG drawing"
    if head.startswith(("<!doctype html", "<html")) or "<html" in head or "<body" in head:
        return "a web page"
    if head.startswith("<?xml"):
        return "an XML file"
    return "a text file"


def _as_text(start: bytes) -> str | None:
    """The bytes as text, or None when they hold control characters no text has."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start.decode("utf-16", errors="ignore")
    if any(byte < 9 or 13 < byte < 27 for byte in start):
        return None
    # A character may be cut in two at the end of the sample.
    text = start.decode("utf-8", errors="ignore")
    return text if len(text.encode("utf-8")) >= len(start) - 3 else None
