"""What is sealed opens with its key alone, and only whole."""

from __future__ import annotations

import numpy as np

from engines.tuning.sealing import seal, unseal

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def test_what_was_sealed_comes_back():
    for data in (b"", b"x", bytes(10_000), np.random.default_rng(0).bytes(4099)):
        assert unseal(seal(data, KEY), KEY) == data
        assert unseal(seal(data, KEY, named=b"a"), KEY, named=b"a") == data


def test_another_key_or_name_opens_nothing():
    sealed = seal(b"a likeness", KEY, named=b"faces")
    assert unseal(sealed, OTHER, named=b"faces") is None
    assert unseal(sealed, KEY, named=b"cats") is None


def test_every_changed_bit_and_every_cut_is_noticed():
    sealed = seal(b"a likeness", KEY)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        assert unseal(bytes(changed), KEY) is None
        assert unseal(sealed[:position], KEY) is None
    assert unseal(sealed + b"x", KEY) is None


def test_nothing_of_the_data_shows():
    # Noise has 8 bits an octet: each of 256 values comes about equally often, however regular the data is.
    sealed = seal(bytes(100_000), KEY)
    counts = np.bincount(np.frombuffer(sealed, np.uint8), minlength=256)
    chi_squared = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
    assert 160 < chi_squared < 370  # five deviations around 255


def test_two_results_of_one_picture_share_no_mask():
    one, other = (np.frombuffer(seal(bytes(1000), KEY), np.uint8) for _ in range(2))
    assert (one == other).mean() < 0.05
