"""Options of an inversion from clients that can send anything: good ones reach the engine, bad ones are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from editor_app.handlers.inverting import MAX_SECONDS, checked_options, json_object, within_limit
from engines import api

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
