"""Portraits as records: sampling, labels, counterfactuals, reshoots, JSON."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.data.faces import ATTRIBUTES, OUT_OF_DISTRIBUTION, Portrait, attributes, counterfactual, reshoot, sample
from engines.data.faces.portrait import IDENTITY_FIELDS

HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Red_Hair", "Gray_Hair")
HAIR = (*HAIR_COLOURS, "Long_Hair", "Wavy_Hair", "Bangs", "Receding_Hairline")
EXCLUSIVE = (
    {frozenset(pair) for pair in itertools.combinations(HAIR_COLOURS, 2)}
    | {frozenset(("Bald", name)) for name in HAIR}
    | {frozenset(("Bangs", "Receding_Hairline")), frozenset(("Pale_Skin", "Dark_Skin"))}
)
"""Pairs that one head cannot show at once."""


def test_every_pair_of_compatible_values_occurs(portraits):
    """A map between two attributes needs people with and without either; only logic may forbid a combination."""
    labels = np.array([list(attributes(portrait).values()) for portrait in portraits])
    missing = []
    for (i, first), (j, second) in itertools.combinations(enumerate(ATTRIBUTES), 2):
        for a, b in itertools.product((False, True), repeat=2):
            impossible = (a and b and frozenset((first, second)) in EXCLUSIVE) or (
                (first, a, second, b) == ("Eyeglasses", False, "Sunglasses", True)
            )
            count = ((labels[:, i] == a) & (labels[:, j] == b)).sum()
            if (count == 0) != impossible:
                missing.append((first, a, second, b, count))
    assert not missing


def test_factors_keep_away_from_label_boundaries(portraits):
    """What a picture cannot show must not decide a label."""
    for name, low, high in (
        ("age", 40, 52),
        ("gender", 0.3, 0.7),
        ("smile", 0.15, 0.6),
        ("mouth_open", 0.05, 0.55),
        ("eyes_closed", 0.05, 0.9),
        ("melanin", 0.081, 0.209),
        ("melanin", 0.431, 0.609),
        ("nose_size", 0.05, 0.75),
        ("weight", 0.16, 0.69),
        ("recede", 0.16, 0.84),
    ):
        values = np.array([getattr(portrait, name) for portrait in portraits])
        assert not ((values > low) & (values < high)).any(), name
        assert (values <= low).any() and (values >= high).any(), name


def test_labels_agree_with_factors(portraits):
    """Checked against the factors in other words than the code's."""
    for portrait in portraits[:2000]:
        labels = attributes(portrait)
        assert tuple(labels) == ATTRIBUTES
        assert labels["Sunglasses"] <= labels["Eyeglasses"]
        assert sum(labels[name] for name in HAIR_COLOURS) == (0 if labels["Bald"] else 1)
        assert labels["Young"] == (portrait.age <= 40)
        assert labels["Beard"] == (portrait.beard in ("stubble", "short", "full", "goatee"))
        assert labels["Smiling"] == (portrait.smile >= 0.6)
        assert labels["Male"] == (round(portrait.gender) == 1)
        if labels["Wavy_Hair"] and not labels["Long_Hair"]:
            assert portrait.short_style in ("short", "back", "forward", "afro")
        if labels["Bangs"] and not labels["Long_Hair"]:
            assert portrait.short_style in ("short", "back", "forward")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_counterfactual_flips_that_label_and_only_what_it_excludes(name, portraits):
    follows = {frozenset((name, other)) for other in ATTRIBUTES} & EXCLUSIVE
    for portrait in portraits[:150]:
        before = attributes(portrait)
        after = attributes(counterfactual(portrait, name, not before[name]))
        assert after[name] != before[name]
        for other in ATTRIBUTES:
            if other == name or before[other] == after[other]:
                continue
            grew_hair = before["Bald"] and other in ("Bald", *HAIR)
            glasses = {name, other} == {"Eyeglasses", "Sunglasses"}
            assert frozenset((name, other)) in follows or grew_hair or glasses, (name, other)


def test_counterfactual_of_what_already_holds_is_the_same_record(portraits):
    for portrait in portraits[:20]:
        for name, value in attributes(portrait).items():
            assert counterfactual(portrait, name, value) is portrait


def test_unknown_attribute_is_refused(portraits):
    with pytest.raises(OptionError, match="no attribute 'Hat'"):
        counterfactual(portraits[0], "Hat", True)


def test_json_restores_the_record_exactly(portraits):
    for portrait in portraits[:200]:
        assert Portrait.from_json(portrait.to_json()) == portrait


@pytest.mark.parametrize("line", ["", "{}", "[1]", '{"seed": 1}'])
def test_a_line_that_is_no_portrait_is_refused(line):
    with pytest.raises(OptionError, match="portrait"):
        Portrait.from_json(line)


def test_a_seed_decides_the_portrait():
    assert sample(5) == sample([5]) == sample(5)
    assert sample([5, 1]) != sample([5, 2])


def test_reshoot_keeps_the_person_and_changes_the_day(portraits):
    for index, portrait in enumerate(portraits[:100]):
        again = reshoot(portrait, [5, index])
        assert all(getattr(again, name) == getattr(portrait, name) for name in IDENTITY_FIELDS)
        assert again.yaw != portrait.yaw and again.bg_seed != portrait.bg_seed and again.light_az != portrait.light_az
        assert again == reshoot(portrait, [5, index])
        assert not (again.bangs and again.recede > 0.5)


def test_reshoot_changes_hair_and_beard_sometimes(portraits):
    pairs = [(portrait, reshoot(portrait, [5, index])) for index, portrait in enumerate(portraits[:200])]
    same_hair = np.mean([first.hair_seed == second.hair_seed for first, second in pairs])
    same_beard = np.mean([first.beard_seed == second.beard_seed for first, second in pairs])
    assert 0.4 < same_hair < 0.8 and 0.5 < same_beard < 0.9


def test_hats_and_earrings_only_where_asked_for(portraits):
    assert {portrait.ood for portrait in portraits} == {"none"}
    assert sample(1, ood=OUT_OF_DISTRIBUTION[0]).ood == "beanie"


def test_accessories_out_of_distribution_change_nothing_else():
    plain = sample(1)
    assert replace(sample(1, ood="cap"), ood="none") == plain


def test_alternatives_cover_every_counterfactual():
    names = {name for name, _ in sample(0).alt}
    assert {"smile", "recede", "nose", "dark", "pale", "medium", "heavy", "normal"} <= names
    assert all(getattr(sample(0), field.name) is not None for field in fields(Portrait))
