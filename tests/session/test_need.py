"""Edits that go as far as the picture calls for."""

import numpy as np
import pytest

from engines import api
from engines.session.need import MORE, needed
from engines.session.state import EditState, EditStep

_PEOPLE = 12


def test_what_is_called_for_gets_all_of_the_strength():
    for alpha in (0.3, 1.0, 2.0):
        assert needed(alpha, 0.0) == needed(alpha, 0.5) == alpha
        assert needed(-alpha, 1.0) == needed(-alpha, 0.5) == -alpha


def test_nothing_is_taken_away_that_is_not_there_and_little_added_to_what_is():
    assert needed(-1.0, 0.0) == 0 and needed(0.0, 0.3) == 0
    assert needed(2.0, 1.0) == 2 * MORE


def test_between_it_changes_without_jumps_and_in_one_direction():
    shares = np.linspace(0, 1, 201)
    adding, removing = (np.array([needed(alpha, share) for share in shares]) for alpha in (1.0, -1.0))
    assert np.all(np.diff(adding) <= 1e-7) and np.all(np.diff(removing) <= 1e-7)
    assert max(np.abs(np.diff(adding)).max(), np.abs(np.diff(removing)).max()) < 0.02


@pytest.fixture(scope="module")
def faces():
    pack = api.open_pack("faces")
    return pack, [api.surprise(pack, seed) for seed in range(_PEOPLE)]


def test_a_face_stays_where_there_is_nothing_to_remove(faces):
    """Sunglasses off a face without, a beard off a smooth chin: the picture stays, where the plain edit repaints it."""
    pack, people = faces
    for attribute in ("Sunglasses", "Beard"):
        without = [person for person in people if api.render(pack, person, {}).attributes[attribute] < 0.02]
        assert len(without) >= 4
        for person in without:
            before = person.reconstruction.astype(int)
            full, fitting = (
                np.abs(api.render(pack, person, {attribute: -1.0}, as_needed=wanted).image - before).mean()
                for wanted in (False, True)
            )
            assert full > 5 and fitting < 0.1


def test_where_an_edit_is_called_for_nothing_is_lost(faces):
    pack, people = faces
    for person in people:
        seen = api.render(pack, person, {}).attributes
        for attribute, alpha in (("Smiling", 1.0), ("Eyeglasses", 1.0), ("Smiling", -1.0)):
            if (seen[attribute] < 0.5) == (alpha > 0):
                plain, fitting = (api.render(pack, person, {attribute: alpha}, as_needed=wanted) for wanted in (False, True))
                assert plain.image.tobytes() == fitting.image.tobytes()


def test_steps_know_of_the_picture_until_an_edit_has_changed_it(faces):
    """Glasses that were put on come off again; those that never were do not."""
    pack, people = faces
    person = next(person for person in people if api.render(pack, person, {}).attributes["Eyeglasses"] < 0.02)
    on, off = EditStep("Eyeglasses", 1.0), EditStep("Eyeglasses", -1.0)
    never = api.render(pack, person, {}, steps=[off], as_needed=True)
    assert never.image.tobytes() == person.reconstruction.tobytes()
    both = [api.render(pack, person, {}, steps=[on, off], as_needed=wanted).image for wanted in (False, True)]
    assert both[0].tobytes() == both[1].tobytes()


def test_a_state_says_it_only_where_it_paints_something_else():
    assert EditState("faces", "a", as_needed=True) == EditState("faces", "a")
    state = EditState("faces", "a", (("Beard", 1.0),), as_needed=True)
    assert state.canonical()["as_needed"] is True and state != EditState("faces", "a", (("Beard", 1.0),))
    assert "as_needed" not in EditState("faces", "a", (("Beard", 1.0),)).canonical()
