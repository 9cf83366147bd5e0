"""The table of what may become of a call (CALL-4)."""

from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.call import LIFETIME, OUTCOMES, OVERDUE, STOPPED_CODE, TRANSITIONS, State

ENDS = {state for state, onward in TRANSITIONS.items() if not onward}


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_what_time_does_is_a_legal_move() -> None:
    assert LIFETIME.keys() == OVERDUE.keys() == set(State) - ENDS
    for state, then in OVERDUE.items():
        assert then in TRANSITIONS[state]


def test_what_has_ended_says_why() -> None:
    assert ENDS - {State.DENIED} <= STOPPED_CODE.keys()


@given(st.data())
def test_no_walk_runs_without_approval_or_twice(data: st.DataObject) -> None:
    """Walk the table at random: redeemed is reached once at most, only from approved, and ends end."""
    walk = [State.PENDING]
    while onward := sorted(TRANSITIONS[walk[-1]]):
        walk.append(data.draw(st.sampled_from(onward)))
    assert walk[-1] in ENDS
    assert walk.count(State.REDEEMED) <= 1
    if State.REDEEMED in walk:
        assert walk[walk.index(State.REDEEMED) - 1] is State.APPROVED
    if walk[-1] in OUTCOMES:
        assert walk[-2] is State.REDEEMED
