"""The edit state: equal where the pictures are."""

from __future__ import annotations

import json
import math

import pytest

from engines.core.errors import OptionError
from engines.session.state import EditState, EditStep, unknown_name


def test_order_and_zeros_do_not_make_another_state():
    one = EditState("faces", "abc", (("Smiling", 1), ("Beard", -0.5), ("Male", 0.0)))
    other = EditState("faces", "abc", (("Beard", -0.5), ("Smiling", 1.0)))
    assert one == other
    assert hash(one) == hash(other)
    assert json.dumps(one.canonical()) == json.dumps(other.canonical())
    assert one.alphas == (("Beard", -0.5), ("Smiling", 1.0))


def test_minus_zero_is_zero():
    assert EditState("faces", "abc", (("Male", -0.0),)) == EditState("faces", "abc")
    assert not EditState("faces", "abc", (("Male", -0.0),)).edited


def test_everything_that_changes_the_picture_makes_another_state():
    states = {
        EditState("faces", "abc"),
        EditState("other", "abc"),
        EditState("faces", "abd"),
        EditState("faces", "abc", (("Male", 1.0),)),
        EditState("faces", "abc", (("Male", 1.0),), (0, 4)),
        EditState("faces", "abc", (("Male", 1.0),), None, "tuned"),
    }
    assert len(states) == 6
    assert len({json.dumps(state.canonical()) for state in states}) == 6


def test_some_of_the_edits_in_their_order():
    steps = (EditStep("Male", 1.0), EditStep("Smiling", 0.5, (0, 4)), EditStep("Male", -2.0, family="LT"))
    state = EditState("faces", "abc", (("Smiling", 1.0), ("Beard", -0.5)), (2, 6), family="LT*", steps=steps)
    assert state.attributes == ("Beard", "Smiling", "Male", "Smiling", "Male")
    assert state.with_edits(range(5)) == state
    some = state.with_edits([4, 1, 2])
    assert some.alphas == (("Smiling", 1.0),) and (some.layers, some.family) == ((2, 6), "LT*")
    assert some.steps == (state.steps[0], state.steps[2])
    full = some.in_full()
    assert full.alphas == (("Smiling", 1.0),) and [step.alpha for step in full.steps] == [1.0, -1.0]
    assert full == full.in_full() and full.layers == some.layers
    # The family of edits that are none is the usual; that of a step stays.
    assert [step.family for step in state.with_edits([2, 4]).steps] == ["LT*", "LT"]


@pytest.mark.parametrize("alpha", [math.nan, math.inf, -math.inf])
def test_strengths_are_numbers(alpha):
    with pytest.raises(OptionError, match="Male"):
        EditState("faces", "abc", (("Male", alpha),))


def test_an_attribute_is_set_once():
    with pytest.raises(OptionError, match="twice"):
        EditState("faces", "abc", (("Male", 1.0), ("Male", 2.0)))


def test_unknown_names_get_the_close_ones_whatever_their_case():
    known = ["Eyeglasses", "Eyes_Closed", "Male", "Gray_Hair"]
    assert "did you mean Eyeglasses" in str(unknown_name("attribute", "eyeglases", known))
    assert "Gray_Hair" in str(unknown_name("attribute", "GRAYHAIR", known))
    assert "known are Eyeglasses, Eyes_Closed, Male, Gray_Hair" in str(unknown_name("attribute", "zzz", known))
