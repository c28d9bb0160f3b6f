"""Options of an inversion from clients that can send anything: good ones reach the engine, bad ones are named."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest

from editor_app.handlers.inverting import MAX_SECONDS, checked_options, json_object, within_limit
from editor_app.methods import METHODS
from engines import api
from tests.ui import pictures

GOOD = {
    "seconds": 2.5,
    "steps": 3.0,
    "evaluations": 400,
    "space": "w+",
    "encoder_start": False,
    "transform": "both",
    "mask": [10, 20.5, 30, 40],
    "outside_weight": 0,
}


def test_options_become_arguments_of_the_engine():
    checked = checked_options(GOOD)
    assert checked == {**GOOD, "mask": (10.0, 20.5, 30.0, 40.0)}
    assert isinstance(checked["steps"], int)
    assert checked_options(json.dumps(GOOD)) == checked
    assert checked_options({"mask": "auto"}) == {"mask": "auto"}


def test_every_option_of_the_engine_can_be_given():
    """Those of api.invert but what the page and the endpoints decide or ask for apart."""
    offered = set(inspect.signature(api.invert).parameters) - {"pack", "source", "method", "face", "seed", "cancel"}
    with pytest.raises(api.OptionError) as caught:
        checked_options({"magic": 1})
    assert set(re.findall(r"\w+", str(caught.value).partition("known are")[2])) == offered


@pytest.mark.parametrize("method", METHODS)
def test_a_method_uses_the_options_that_the_page_says(tiny_pack: api.Pack, method: str):
    """Results note in their settings, and in their mask, what decided them."""
    picture = api.Picture(pictures.without_face(), "ramp")
    options = {"evaluations": 12, "mask": (60, 20, 200, 200)}
    inversion = api.finish(api.invert(tiny_pack, picture, method=method, face=None, **options))
    noted = set(inversion.settings) | ({"mask"} if inversion.mask else set())
    page = {"seconds", "space", "encoder_start", "transform", "mask", "outside_weight"}
    # The iterated encoder could be told to stop early; it is over before anyone would.
    assert noted & page - ({"seconds"} if method == "iterated-encoder" else set()) == METHODS[method].uses


@pytest.mark.parametrize("nothing", [None, "", {}, "{}", {"seconds": None, "mask": None}])
def test_no_option_is_the_methods_own_choice(nothing: object):
    assert checked_options(nothing) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", 0),
        ("seconds", -1),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
        ("seconds", MAX_SECONDS + 1),
        ("seconds", 10**400),
        ("seconds", "3"),
        ("seconds", True),
        ("steps", 0),
        ("steps", 1.5),
        ("steps", 10**9),
        ("evaluations", [1]),
        ("evaluations", 10**12),
        ("space", 3),
        ("encoder_start", "yes"),
        ("encoder_start", 1),
        ("transform", {"a": 1}),
        ("mask", "everything"),
        ("mask", [1, 2, 3]),
        ("mask", [1, 2, 3, "4"]),
        ("mask", [1, 2, 3, float("nan")]),
        ("mask", {"x0": 1}),
        ("outside_weight", "half"),
        ("outside_weight", [0.3]),
        ("cancel", True),
        ("method", "encoder"),
    ],
)
def test_a_wrong_option_is_named(name: str, value: Any):
    with pytest.raises(api.OptionError, match=f"options: .*{name}"):
        checked_options({name: value})


@pytest.mark.parametrize("value", [3, [], [1], "{broken", "7", "[" * 100_000, True])
def test_what_is_no_object_is_refused_with_an_example(value: object):
    with pytest.raises(api.OptionError, match=r"options: expected a JSON object such as \{"):
        json_object("options", value, '{"seconds": 10}')


def test_past_the_limit_an_inversion_is_asked_to_stop():
    cancel = api.CancelToken()
    records = (api.InversionProgress("Searching", step, None, float(step)) for step in range(6))
    seen = [(record.step, cancel.cancelled) for record in within_limit(records, cancel, limit_sec=3.0)]
    assert seen == [(0, False), (1, False), (2, False), (3, False), (4, True), (5, True)]
