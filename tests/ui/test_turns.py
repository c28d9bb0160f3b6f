"""Long jobs come in the order of their arrival, know their place, and may leave."""

from __future__ import annotations

import threading

import pytest

from editor_app.turns import TooBusy, Turns
from engines.api import CancelToken


def test_the_first_does_not_wait():
    turns = Turns()
    with turns.join() as turn:
        assert turn.ahead == 0
        assert list(turn.wait(CancelToken())) == []


def test_places_count_those_ahead_and_move_up():
    turns = Turns()
    with turns.join(), turns.join() as second:
        assert second.ahead == 1
        with turns.join() as third:
            assert third.ahead == 2
        with turns.join() as third:
            assert third.ahead == 2
    with turns.join() as again:
        assert again.ahead == 0


def test_a_cancelled_job_stops_waiting_and_those_behind_move_up():
    turns = Turns()
    cancel = CancelToken()
    with turns.join(), turns.join() as second:
        waiting = second.wait(cancel, look_every_sec=0.01)
        assert next(waiting) == 1
        cancel.cancel()
        assert list(waiting) == []


def test_jobs_run_one_at_a_time_in_order():
    turns = Turns()
    order: list[int] = []
    running = threading.Lock()

    def job(number: int, turn) -> None:
        for _ in turn.wait(CancelToken(), look_every_sec=0.05):
            pass
        assert running.acquire(blocking=False), "two jobs at once"
        order.append(number)
        running.release()

    joined = [threading.Event() for _ in range(4)]

    def run(number: int) -> None:
        with turns.join() as turn:
            joined[number].set()
            job(number, turn)

    threads = []
    with turns.join():
        for number in range(4):
            threads.append(threading.Thread(target=run, args=(number,)))
            threads[-1].start()
            assert joined[number].wait(5)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3]


def test_more_than_allowed_are_turned_away():
    turns = Turns(max_waiting=1)
    with turns.join(), turns.join(), pytest.raises(TooBusy), turns.join():
        pass


def test_several_may_go_at_once():
    turns = Turns(max_waiting=1, at_once=2)
    with turns.join() as first, turns.join() as second, turns.join() as third:
        assert (first.ahead, second.ahead, third.ahead) == (0, 0, 1)
        with pytest.raises(TooBusy), turns.join():
            pass
