from __future__ import annotations

import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, features

from engines.core.errors import Cancelled, ImageReadError
from engines.core.progress import CancelToken
from engines.imaging import decoder_limits, read
from engines.imaging._kinds import picture_format
from engines.imaging.decoder import decode
from engines.imaging.read import read_picture
from tests.imaging.files import (
    P3_TO_XYZ,
    SRGB_TO_XYZ,
    encoded,
    gif_with_comment,
    gif_with_frame,
    linear_grey_profile,
    linear_rgb_profile,
    png_header,
    png_with,
    srgb_encoded,
    tags_of_one_value,
    tiff_with_tiles,
)
from tests.imaging.memory import own_peak_bytes

ORIENTATION = 0x0112
LOSSLESS = [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})]
LOSSY = ["JPEG", "MPO", "WEBP", pytest.param("AVIF", marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF"))]


def noise(height: int = 9, width: int = 7, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, channels), dtype=np.uint8)


def gradient(height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([3 * x, 4 * y, x + y], axis=-1).astype(np.uint8)


# ---- what can be read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_give_the_exact_pixels(kind, options):
    pixels = noise()
    picture = read_picture(encoded(pixels, kind, **options))
    assert picture.pixels.dtype == np.uint8
    assert np.array_equal(picture.pixels, pixels)
    assert picture.notes == ()


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_come_close(kind):
    pixels = gradient()
    assert np.abs(read_picture(encoded(pixels, kind, quality=95)).pixels.astype(int) - pixels).mean() < 4


def test_the_kind_is_told_by_content_and_not_by_name(tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(encoded(noise(), "PNG"))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, noise())
    assert picture.name == "holiday.jpg"
    assert np.array_equal(read_picture(str(path)).pixels, picture.pixels)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5000), (5000, 1)])
def test_tiny_and_thin_pictures_are_pictures(height, width):
    assert np.array_equal(read_picture(encoded(noise(height, width), "PNG")).pixels, noise(height, width))


@pytest.mark.parametrize(
    ("orientation", "upright"),
    # The stored picture's row 0 and column 0 are, in the scene: EXIF 2.32, table of tag 274.
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: a.swapaxes(0, 1)[:, ::-1]),
        (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda a: a.swapaxes(0, 1)[::-1]),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_camera_orientation_is_turned_upright_once(orientation, upright, kind):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = read_picture(encoded(noise(), kind, exif=exif, **options))
    assert np.array_equal(picture.pixels, upright(noise()))


def test_damaged_exif_data_does_not_cost_the_picture():
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert read_picture(encoded(gradient(), "JPEG", exif=exif)).pixels.shape == (48, 64, 3)


def test_sixteen_bit_grey_is_scaled_and_not_clipped():
    values = np.array([[0, 128, 129, 257, 32768, 65278, 65535]], np.uint16)
    expected = np.round(values / 257).astype(np.uint8)
    for kind in ("PNG", "TIFF"):
        pixels = read_picture(encoded(values, kind)).pixels
        assert np.array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


def test_floats_between_zero_and_one_are_shown_as_they_are():
    values = np.array([[0, 0.25, 1]], np.float32)
    assert read_picture(encoded(values, "TIFF")).pixels[0, :, 0].tolist() == [0, 64, 255]
    assert read_picture(encoded(np.ones((1, 2), np.float32), "TIFF")).pixels[0, :, 0].tolist() == [255, 255]


def test_grey_without_an_agreed_white_is_stretched():
    picture = read_picture(encoded(np.array([[-51, np.nan, 153]], np.float32), "TIFF"))
    assert picture.pixels[0, :, 0].tolist() == [0, 64, 255]
    assert "stretched" in picture.notes[0]
    constant = read_picture(encoded(np.full((2, 2), 7.0, np.float32), "TIFF"))
    assert constant.pixels.max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_simple_modes_equal_their_rgb_conversion(mode):
    image = Image.fromarray(noise()).convert(mode)
    assert np.array_equal(read_picture(encoded(image, "PNG")).pixels, np.asarray(image.convert("RGB")))


def test_print_colours_follow_the_plain_formula():
    """Without a profile light is what the inks let through: R = (255 - C)(255 - K) / 255."""
    inks = noise(channels=4)
    picture = read_picture(encoded(Image.fromarray(inks, "CMYK"), "TIFF"))
    passed = 255.0 - inks
    expected = passed[..., :3] * passed[..., 3:] / 255
    assert np.abs(picture.pixels - expected).max() <= 1
    assert "CMYK" in picture.notes[0]


def test_adobe_jpegs_with_inverted_inks_are_not_negatives():
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    ink = Image.new("CMYK", (16, 16), (0, 0, 0, 255))
    for image, level in ((paper, 255), (ink, 0)):
        data = encoded(image, "JPEG", quality=95)
        assert b"Adobe" in data
        assert np.abs(read_picture(data).pixels.astype(int) - level).max() <= 2


# ---- transparency and animation --------------------------------------------------------------------------------------


def test_transparency_is_laid_on_white():
    pixels = noise(channels=4)
    picture = read_picture(encoded(pixels, "PNG"))
    alpha = pixels[..., 3:] / 255
    assert np.abs(picture.pixels - (pixels[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1
    assert picture.notes == ("Transparent parts are shown on white.",)


def test_an_opaque_alpha_channel_changes_nothing():
    pixels = np.concatenate([noise(), np.full((9, 7, 1), 255, np.uint8)], axis=2)
    picture = read_picture(encoded(pixels, "PNG"))
    assert np.array_equal(picture.pixels, noise())
    assert picture.notes == ()


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (4, 2), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 1), 1)
    for kind in ("PNG", "GIF"):
        pixels = read_picture(encoded(image, kind, transparency=0)).pixels
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels[1, 1].tolist() == [200, 100, 50]


def test_grey_with_alpha_and_grey_with_a_transparent_level():
    grey = Image.merge("LA", [Image.new("L", (3, 3), 100), Image.new("L", (3, 3), 0)])
    assert read_picture(encoded(grey, "PNG")).pixels.min() == 255
    keyed = Image.new("L", (3, 3), 100)
    assert read_picture(encoded(keyed, "PNG", transparency=100)).pixels.min() == 255
    assert read_picture(encoded(keyed, "PNG", transparency=99)).pixels.max() == 100


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_several_is_shown_and_said(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = read_picture(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert (picture.pixels == (255, 0, 0)).all()
    assert picture.notes == (f"The first {'page' if kind == 'TIFF' else 'frame of an animation'} is shown.",)


def test_the_main_picture_of_a_camera_file_of_several_is_read():
    other = Image.new("RGB", (64, 48), "blue")
    data = encoded(Image.fromarray(gradient()), "MPO", save_all=True, append_images=[other], quality=95)
    assert np.abs(read_picture(data).pixels.astype(int) - gradient()).mean() < 4


def test_damage_behind_the_first_frame_does_not_matter():
    frames = [Image.fromarray(np.roll(gradient(), shift, axis=1)) for shift in (0, 9, 20)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    single = len(encoded(frames[0], "GIF"))
    assert read_picture(data[: single + 60]).pixels.shape == (48, 64, 3)


# ---- colour profiles -------------------------------------------------------------------------------------------------


def test_wide_gamut_colours_are_converted_by_the_primaries():
    """Linear Display P3 to sRGB is one matrix and the sRGB curve."""
    levels = np.array([[[128, 128, 128], [200, 120, 100], [90, 110, 100], [255, 255, 255], [0, 0, 0]]], np.uint8)
    picture = read_picture(encoded(levels, "PNG", icc_profile=linear_rgb_profile(P3_TO_XYZ)))
    linear = levels / 255 @ (np.linalg.inv(SRGB_TO_XYZ) @ P3_TO_XYZ).T
    assert np.abs(picture.pixels - srgb_encoded(linear)).max() <= 2


def test_a_grey_profile_is_followed():
    # From 20 on: near black the colour engine draws the steep curve with straight pieces.
    levels = np.arange(20, 256, 5, dtype=np.uint8)[None]
    pixels = read_picture(encoded(levels, "PNG", icc_profile=linear_grey_profile())).pixels
    assert np.abs(pixels[..., 0] - srgb_encoded(levels / 255)).max() <= 2
    assert (pixels == pixels[..., :1]).all()


def test_profiles_apply_below_transparency_and_to_palettes():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([128, 128, 128, 10, 10, 10])
    image.putpixel((1, 0), 1)
    pixels = read_picture(encoded(image, "PNG", icc_profile=linear_rgb_profile(SRGB_TO_XYZ), transparency=1)).pixels
    assert np.abs(pixels[0, 0] - srgb_encoded(np.array(128 / 255))).max() <= 2
    assert pixels[0, 1].tolist() == [255, 255, 255]


def test_an_srgb_profile_leaves_every_bit():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(read_picture(encoded(noise(), "PNG", icc_profile=profile)).pixels, noise())


@pytest.mark.parametrize("profile", [b"x", b"\0" * 500, linear_rgb_profile(P3_TO_XYZ)[:200], linear_grey_profile()])
def test_a_profile_that_is_damaged_or_of_another_space_is_left_aside(profile):
    assert np.array_equal(read_picture(encoded(noise(), "PNG", icc_profile=profile)).pixels, noise())


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"PK\x03\x04rest", "a ZIP archive or an office document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?><!-- c -->\n<svg/>", "an SVG drawing"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"BM is how this text begins", "a text file"),
        ("Grüße\n".encode(), "a text file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photo"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "a video"),
        (b"\x00\x01\x02\x03\x04", "data of an unknown kind"),
    ],
)
def test_other_files_are_called_by_their_name(data, kind):
    with pytest.raises(ImageReadError, match=f"^The file is {kind}, not a JPEG, PNG, WebP.*save it as one of these"):
        read_picture(data)


def test_an_empty_file_is_refused_with_its_name(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageReadError, match=r"^a\.png is empty \(0 bytes\)"):
        read_picture(tmp_path / "a.png")


def test_paths_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(ImageReadError, match=r"There is no file .*nothing\.png"):
        read_picture(tmp_path / "nothing.png")
    with pytest.raises(ImageReadError, match="is a folder"):
        read_picture(tmp_path)
    with pytest.raises(ImageReadError, match=r"could not be opened|no file"):
        read_picture("nul\0character")
    with pytest.raises(ImageReadError, match=r"could not be opened|no file"):
        read_picture("x" * 5000)
    with pytest.raises(ImageReadError) as caught:
        read_picture(tmp_path / "two\nlines.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_files_cut_short_are_refused_and_say_so(kind, share):
    data = encoded(noise(60, 80), kind)
    with pytest.raises(ImageReadError, match=r"ends too early|cut off|unknown kind"):
        read_picture(data[: max(1, int(share * len(data)))])


def test_sizes_are_refused_by_the_header():
    for data in (png_header(20_000, 20_000), tiff_with_tiles(20_000, 64)):
        started = time.process_time()  # of this process
        with pytest.raises(ImageReadError, match=r"20,000 x 20,000 pixels \(400 megapixels\).*at most 40 megapixels"):
            decode(data, picture_format(data), "The file")
        assert time.process_time() - started < 0.5
    with pytest.raises(ImageReadError, match=r"2,147,483,647 x 2,147,483,647"):
        read_picture(png_header(2**31 - 1, 2**31 - 1))


def test_headers_that_lie_are_refused():
    with pytest.raises(ImageReadError, match="megapixels"):
        read_picture(gif_with_frame(60_000, 60_000))
    with pytest.raises(ImageReadError, match="65,536 x 65,536"):
        read_picture(tiff_with_tiles(100, 65_536))
    with pytest.raises(ImageReadError, match="PNG file"):
        read_picture(png_header(5_000, 5_000))


def test_large_files_are_refused_unread(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(10 * read.MAX_BYTES)
    for source in (path, b"\x89PNG\r\n\x1a\n" + bytes(read.MAX_BYTES)):
        with pytest.raises(ImageReadError, match="larger than 25 MB"):
            read_picture(source)


def test_a_jpeg_of_endless_passes_is_refused():
    data = encoded(Image.new("RGB", (3000, 3000)), "JPEG", progressive=True)
    assert read_picture(data).pixels.shape == (3000, 3000, 3)
    with pytest.raises(ImageReadError, match="passes"):
        read_picture(data + b"\xff\xda\x00\x02" * 300)


def test_texts_and_profiles_that_unpack_to_bombs_are_left_aside():
    bomb = zlib.compress(bytes(30_000_000))
    for kind, start in ((b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\x01\0\0\0"), (b"iCCP", b"profile\0\0")):
        assert np.array_equal(read_picture(png_with(encoded(noise(), "PNG"), kind, start + bomb)).pixels, noise())


def test_tags_that_share_their_value_are_not_copied_once_each():
    """Copied, they would be 3 GB: 1,000 times 3 MB."""
    bomb = tags_of_one_value(1000, 3_000_000)
    with own_peak_bytes() as peak, pytest.raises(ImageReadError, match="begins like a TIFF file but is damaged"):
        read_picture(bomb)
    assert peak() < 100e6
    label_only = (png_with(encoded(noise(), "PNG"), b"eXIf", bomb), encoded(noise(), "WEBP", lossless=True, exif=bomb))
    for data in label_only:
        with own_peak_bytes() as peak:
            assert np.array_equal(read_picture(data).pixels, noise())
        assert peak() < 100e6


def test_a_cancelled_picture_is_not_read():
    cancel = CancelToken()
    assert read_picture(encoded(noise(), "PNG"), cancel=cancel).pixels.shape == (9, 7, 3)
    cancel.cancel()
    with pytest.raises(Cancelled):
        read_picture(encoded(noise(), "PNG"), cancel=cancel)
    later = CancelToken()
    timer = threading.Timer(0.2, later.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        read_picture(gif_with_comment(3_000_000), cancel=later)
    timer.join()


def test_reading_leaves_the_library_as_it_was():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    read_picture(encoded(noise(), "PNG"))
    with pytest.raises(ImageReadError):
        read_picture(png_header(20_000, 20_000))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def _mutated(data: bytes, rng: np.random.Generator, how: int) -> bytes:
    changed = bytearray(data)
    if how == 0:
        return bytes(changed[: rng.integers(0, len(changed))])
    if how == 3:
        return bytes(changed[: rng.integers(0, len(changed))] + changed[rng.integers(0, len(changed)) :])
    # Anywhere, or in the header, where sizes and offsets are.
    end = len(changed) if how == 1 else min(len(changed), 120)
    for _ in range(rng.integers(1, 8)):
        changed[rng.integers(0, end)] = rng.integers(0, 256) if how == 1 else rng.choice([0, 1, 127, 128, 255])
    return bytes(changed)


def test_any_bytes_give_a_picture_or_a_sentence(monkeypatch):
    monkeypatch.setattr(decoder_limits, "CPU_SEC", 2)
    image = Image.fromarray(noise(30, 24))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    files = [encoded(image, kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "MPO")]
    files += [encoded(image, "AVIF")] if features.check("avif") else []
    files += [
        encoded(image, "JPEG", progressive=True, exif=exif, icc_profile=linear_rgb_profile(P3_TO_XYZ)),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image.convert("RGBA"), "PNG", icc_profile=linear_rgb_profile(P3_TO_XYZ)),
        encoded(image.quantize(16), "PNG", transparency=3),
        encoded(np.asarray(image.convert("L")).astype(np.uint16) * 257, "PNG"),
        encoded(image, "GIF", save_all=True, append_images=[image.rotate(180)]),
        encoded(image, "WEBP", save_all=True, append_images=[image.rotate(180)], lossless=True),
        *(encoded(image, "TIFF", compression=name) for name in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")),
    ]
    read_count = refused = 0
    for number, data in enumerate(files):
        for i in range(40):
            mutated = _mutated(data, np.random.default_rng([number, i]), i % 4)
            try:
                pixels = read_picture(mutated).pixels
                assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size
                read_count += 1
            except ImageReadError as error:
                assert str(error).endswith(".") and "\n" not in str(error)
                assert not any(words in str(error) for words in ("far longer", "more memory", "broke off"))
                refused += 1
    assert read_count > 50 and refused > 200


def test_random_bytes_behind_every_signature_are_refused():
    rng = np.random.default_rng(0)
    signatures = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"II*\0", b"MM\0*"]
    for signature in [*signatures, b"\0\0\0\x14ftypavif", b"BM" + bytes(12) + b"\x28\0\0\0"]:
        for _ in range(10):
            with pytest.raises(ImageReadError, match=r"\.$"):
                read_picture(signature + rng.bytes(300))
