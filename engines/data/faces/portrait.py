"""The record that says everything about one picture."""

from __future__ import annotations

from dataclasses import dataclass

from engines.data.lines import from_line, to_line

__all__ = ["FACIAL_HAIR_FIELDS", "HAIRSTYLE_FIELDS", "IDENTITY_FIELDS", "Portrait"]

Colour = tuple[int, int, int]
"""sRGB, 0..255."""


@dataclass(frozen=True)
class Portrait:
    """Every factor of one rendered portrait. Floats are rounded to four digits when sampled, so the JSON line is exact.

    Amounts are 0..1 unless another range is given; `*_seed` fields choose random detail (which strand, which pore).
    """

    seed: int
    """Seed of sampling noise in the renderer: ray jitter and film grain."""

    # --- Identity: bones and flesh ---
    gender: float
    """0 female .. 1 male; Male is > .5."""
    age: float
    """Years, 18..40 or 52..80; Young is < 46."""
    weight: float
    """-1..1; Chubby is > .45, drawn below .15 or above .70."""
    muscle: float
    race: tuple[float, float, float]
    """Mixture of the African, Asian and Caucasian means of MakeHuman; sums to 1."""
    local: tuple[float, ...]
    """One coefficient per entry of `targets.LOCAL`; 1 is the full MakeHuman target."""
    asym: tuple[float, ...]
    """One signed coefficient per entry of `targets.ASYMMETRIES`."""
    nose_size: float
    """0, or .8..1.1 for a big nose; Big_Nose is > .5."""

    # --- Expression ---
    smile: float
    """Smiling is > .35, drawn below .14 or above .62."""
    teeth_smile: float
    """How far a smile bares the teeth; the jaw stays closed."""
    smile_asym: float
    """Standard normal; lifts one corner more than the other."""
    mouth_open: float
    """Jaw drop; Mouth_Open is > .3, drawn 0 or above .6."""
    eyes_closed: float
    squint: float
    brow_up: float
    frown: float
    sad: float
    gaze: tuple[float, float]
    """Sideways and upward offset of the gaze, radians."""
    eye_contact: float
    """0 looks where the head points, 1 into the camera."""

    # --- Skin ---
    melanin: float
    """0..1; Pale_Skin is < .15, Dark_Skin > .52, with gaps around both."""
    redness: float
    undereye: float
    skin_uneven: float
    oily: float
    pores: float
    freckles: float
    moles: tuple[tuple[float, float, float], ...]
    """(x, y, radius) in template coordinates, dm."""
    wrinkles: float
    skin_seed: int
    makeup: float
    lipstick: bool
    lip_color: Colour
    eyeshadow: Colour
    eye_color: str
    iris_size: float
    """Factor, .94..1.06."""
    pupil: float
    """Factor, .8..1.3."""
    brow_thick: float
    brow_dark: float
    brow_arch: float
    """Standard units; negative is straight."""

    # --- Hair ---
    bald: bool
    bald_fringe: float
    """Below .35 none, above it a ring of short hair remains."""
    long: bool
    wavy: bool
    bangs: bool
    short_style: str
    """buzz, short, back, forward, afro or bun; what is worn while `long` is false."""
    length: float
    volume: float
    mess: float
    part: float
    """Sideways position of the parting, dm."""
    tuck: float
    """1 tucks long hair behind the ears."""
    recede: float
    """Receding_Hairline is > .5, drawn below .15 or above .85."""
    widow: float
    thin_hair: float
    wave_amp: float
    """Amplitude of waves, dm."""
    wave_freq: float
    """Waves in radians per dm along the strand."""
    bang_sweep: float
    hair_color: str
    """A key of `colours.HAIR`."""
    hair_shade: float
    """Factor on the hair colour."""
    gray_mix: float
    """Share of gray strands in hair of another colour."""
    hair_gloss: float
    hair_seed: int
    beard: str
    """none, stubble, short, full or goatee."""
    mustache: bool
    beard_len: float
    beard_line: float
    """Standard normal; raises or lowers the cheek line."""
    beard_seed: int

    # --- Accessories ---
    glasses: bool
    sunglasses: bool
    """Tints the lenses when `glasses` is true."""
    glasses_shape: str
    """round, rect, square or oval."""
    glasses_frame: str
    """thin, medium or thick."""
    glasses_size: float
    """Factor, .92..1.08."""
    frame_color: Colour
    lens_color: Colour
    ood: str
    """none, or an accessory never seen in training: beanie, cap, headscarf, earrings."""
    ood_color: Colour

    # --- Clothes ---
    neck: str
    """crew, v, scoop, turtle or shirt."""
    cloth_color: Colour
    cloth_pattern: str
    """plain or stripes."""
    cloth_seed: int

    # --- Camera (degrees, decimetres) ---
    yaw: float
    pitch: float
    roll: float
    cam_dist: float
    """Distance from the face, 9..16 dm: the look of a 60 to 90 mm lens."""
    zoom: float
    shift_x: float
    shift_y: float
    """Shifts of the crop in parts of its side."""

    # --- Light (radians) and film ---
    light_az: float
    light_el: float
    light_int: float
    light_size: float
    """Angular radius of the key light; below .06 its shadows are hard."""
    warm: float
    ambient: float
    fill: float
    exposure: float
    contrast: float
    cast: tuple[float, float, float]
    """Relative change of the R, G, B exposure."""
    focus: float
    """0 all sharp, 1 everything behind the face soft."""
    bg_seed: int
    bg_kind: str
    """plain, soft, bokeh or blocks."""
    bg_color: tuple[float, float, float]
    """sRGB, 0..1."""
    bg_gain: float
    vignette: float
    blur: float
    """Standard deviation in pixels of a 128 px picture."""
    grain: float

    # --- What a counterfactual changes to, drawn for everybody: (name, value) pairs ---
    alt: tuple[tuple[str, float | str], ...] = ()

    def to_json(self) -> str:
        """One line of JSON from which :meth:`from_json` restores the record exactly."""
        return to_line(self)

    @classmethod
    def from_json(cls, line: str) -> Portrait:
        """Raises OptionError where the line is no portrait."""
        return from_line(cls, line, "A portrait")


IDENTITY_FIELDS = (
    "gender", "age", "weight", "muscle", "race", "local", "asym", "nose_size",
    "melanin", "redness", "undereye", "skin_uneven", "oily", "pores", "freckles", "moles", "wrinkles", "skin_seed",
    "eye_color", "iris_size", "brow_thick", "brow_dark", "brow_arch",
    "bald", "bald_fringe", "recede", "widow", "thin_hair", "hair_color", "hair_shade", "gray_mix",
)  # fmt: skip
"""What stays when the same person is photographed on another day."""

HAIRSTYLE_FIELDS = (
    "long", "wavy", "bangs", "short_style", "length", "volume", "mess", "part", "tuck",
    "wave_amp", "wave_freq", "bang_sweep", "hair_gloss", "hair_seed",
)  # fmt: skip

FACIAL_HAIR_FIELDS = ("beard", "mustache", "beard_len", "beard_line", "beard_seed")
