"""Tabs are kept apart, bounded in number, bytes and age, and a newer order ends an older one."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from editor_app.sessions import Opened, Session, Sessions
from engines.api import Picture


class Clock:
    def __init__(self) -> None:
        self.now_sec = 0.0

    def __call__(self) -> float:
        return self.now_sec


def opened(bytes_: int) -> Opened:
    return Opened(Picture(np.zeros((1, bytes_ // 3, 3), np.uint8), "grey"))


def test_a_tab_finds_its_own_record_only():
    sessions = Sessions()
    first, second = sessions.open("first"), sessions.open("second")
    assert sessions.open("first") is first
    assert sessions.find("second") is second is not first


@pytest.mark.parametrize("key", ["missing", None, 7, ["first"], {"a": 1}])
def test_asking_for_an_unknown_key_finds_and_leaves_nothing(key: object):
    sessions = Sessions()
    assert sessions.find(key) is None
    assert len(sessions) == 0


@pytest.mark.parametrize("key", ["", "x" * 65, None, 3])
def test_only_session_hashes_open_a_record(key: object):
    with pytest.raises(ValueError, match="session hash"):
        Sessions().open(key)


def test_the_least_recently_used_of_too_many_is_forgotten_and_its_job_ended():
    sessions = Sessions(max_sessions=2)
    first = sessions.open("first")
    sessions.open("second")
    sessions.find("first")
    sessions.open("third")
    assert sessions.find("second") is None
    assert sessions.find("first") is first
    assert not first.cancel.cancelled


def test_an_idle_tab_is_forgotten():
    clock = Clock()
    sessions = Sessions(max_idle_sec=10, clock=clock)
    idle = sessions.open("idle")
    clock.now_sec = 11
    sessions.open("other")
    assert sessions.find("idle") is None
    assert idle.cancel.cancelled


def test_pictures_together_stay_within_their_bytes():
    sessions = Sessions(max_bytes=1000)
    sessions.open("large").opened = opened(900)
    sessions.open("small").opened = opened(300)
    sessions.open("small")
    assert sessions.find("large") is None
    assert sessions.find("small") is not None


def test_a_tuned_generator_counts_like_a_picture():
    sessions = Sessions(max_bytes=1000)
    sessions.open("tuned").inversion = SimpleNamespace(weight_differences={"weight": np.zeros(900, np.int8)})
    sessions.open("other").opened = opened(300)
    sessions.open("other")
    assert sessions.find("tuned") is None
    assert sessions.find("other") is not None


def test_a_picture_that_is_coming_counts_beside_the_open_one_and_once_where_it_is_the_same():
    session = Session(opened=opened(900))
    session.coming = dataclasses.replace(session.opened, region="whole")
    assert session.held_bytes == 900
    session.coming = opened(600)
    assert session.held_bytes == 1500
    session.give_up()
    assert session.held_bytes == 900


def test_what_is_coming_takes_the_place_of_what_is_open_or_goes_without_a_trace():
    first, second = opened(300), opened(600)
    session = Session(coming=first)
    session.take(inversion := SimpleNamespace(weight_differences={}))
    session.coming = second
    assert (session.picture, session.in_hand) == (first.picture, second)
    session.give_up()
    assert (session.opened, session.inversion, session.in_hand) == (first, inversion, first)
    session.coming = second
    session.take(None)
    assert (session.opened, session.inversion, session.coming) == (second, None, None)


def test_where_nothing_was_open_a_picture_that_came_to_nothing_stays():
    session = Session(coming=(picture := opened(300)))
    session.give_up()
    assert (session.opened, session.coming) == (picture, None)


def test_dropping_a_tab_ends_its_job():
    sessions = Sessions()
    session = sessions.open("tab")
    cancel = session.begin(1)
    sessions.drop("tab")
    sessions.drop("tab")
    assert cancel.cancelled
    assert sessions.find("tab") is None


def test_a_newer_order_cancels_the_older_and_an_older_one_never_starts():
    session = Session()
    first = session.begin(1)
    third = session.begin(3)
    assert first.cancelled
    assert not third.cancelled
    assert session.begin(2) is None
    assert session.begin(3) is None
    assert session.is_current(3)
    assert not session.is_current(1)


def test_a_tab_with_a_job_at_work_is_not_crowded_out():
    """It calls nothing meanwhile, and would be the first to go."""
    clock = Clock()
    sessions = Sessions(max_sessions=2, max_idle_sec=10, clock=clock)
    working = sessions.open("working")
    cancel = working.begin(1)
    sessions.open("second")
    clock.now_sec = 11
    sessions.open("third")
    assert sessions.find("working") is working
    assert not cancel.cancelled
    sessions.open("fourth")
    sessions.job_ended("working", working, 1)
    sessions.open("fifth")
    assert sessions.find("working") is working, "its time counts from the end of its job"
    sessions.open("sixth")
    sessions.open("seventh")
    sessions.open("eighth")
    assert sessions.find("working") is None


def test_the_end_of_an_older_job_leaves_the_newer_at_work():
    session = Session()
    session.begin(1)
    session.begin(2)
    session.end(1)
    assert session.running == 2
    session.end(2)
    assert session.running is None


def test_who_was_crowded_out_is_known_and_who_was_idle_is_not():
    clock = Clock()
    sessions = Sessions(max_sessions=1, max_idle_sec=10, clock=clock)
    sessions.open("first")
    sessions.open("second")
    assert sessions.was_crowded_out("first")
    clock.now_sec = 11
    sessions.open("third")
    assert not sessions.was_crowded_out("second")
    sessions.open("first")
    assert not sessions.was_crowded_out("first")
    assert not sessions.was_crowded_out(["first"])


def test_a_page_that_closes_is_forgotten_a_little_later():
    clock = Clock()
    sessions = Sessions(max_left_sec=90, clock=clock)
    cancel = sessions.open("closed").begin(1)
    sessions.leave("closed")
    sessions.leave("nobody")
    sessions.leave(None)
    clock.now_sec = 89
    sessions.sweep()
    assert len(sessions) == 1
    clock.now_sec = 91
    sessions.sweep()
    assert len(sessions) == 0
    assert cancel.cancelled


@pytest.mark.parametrize("sign", ["find", "open", "stay"])
def test_a_page_that_comes_back_keeps_its_picture(sign: str):
    clock = Clock()
    sessions = Sessions(max_left_sec=90, clock=clock)
    session = sessions.open("back")
    sessions.leave("back")
    clock.now_sec = 60
    getattr(sessions, sign)("back")
    clock.now_sec = 200
    sessions.sweep()
    assert sessions.find("back") is session


def test_a_late_cancel_leaves_the_job_after_it_alone():
    session = Session()
    session.begin(1)
    second = session.begin(2)
    session.stop(1)
    assert not second.cancelled
    session.stop(2)
    assert second.cancelled
