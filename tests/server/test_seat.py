"""What is remembered of a session beside its record: tokens above all."""

from adsum.contract.limits import Limits
from adsum.server.courier import Courier
from adsum.server.member import Liveness
from adsum.server.messages import SelectionState
from adsum.server.rates import Bucket
from adsum.server.seat import Line, Seat, hash_token, open_line
from adsum.server.selection import Selection
from tests.server.builders import ADA, BOB, session

FIRST, SECOND, THIRD, FOURTH = (bytes([number]) * 32 for number in (1, 2, 3, 4))
LIMITS = Limits()


def take_seat() -> Seat:
    """Make a seat whose client was welcomed with FIRST."""
    correspondent = Courier(LIMITS, 0).enrol(bytes(16), ADA, 0.0)
    return Seat(session("ada"), hash_token(FIRST), correspondent, Bucket.full(1, 1, 0.0))


def attach(seat: Seat, *, is_live: bool = True) -> Line:
    """Give a seat a stream."""
    line = open_line(1, seat, LIMITS, 0.0)
    line.is_live = is_live
    seat.line = line
    return line


def test_only_the_token_of_the_welcome_is_accepted() -> None:
    seat = take_seat()
    assert seat.accepts(FIRST)
    assert not seat.accepts(SECOND)
    assert not seat.accepts(b"")
    assert not seat.accepts(FIRST[:31])
    assert not seat.accepts(seat.token)


def test_each_resume_brings_another_token() -> None:
    seat = take_seat()
    seat.rotate(FIRST, SECOND)
    seat.confirm()
    assert seat.accepts(SECOND)
    assert not seat.accepts(FIRST)


def test_token_stays_good_while_the_welcome_with_the_next_may_be_lost() -> None:
    seat = take_seat()
    seat.rotate(FIRST, SECOND)
    assert seat.accepts(FIRST)
    assert seat.accepts(SECOND)


def test_welcomes_lost_again_and_again_leave_the_token_good_that_the_client_has() -> None:
    seat = take_seat()
    for lost in (SECOND, THIRD, FOURTH):
        seat.rotate(FIRST, lost)
        assert seat.accepts(FIRST)
    # Of those that may have arrived only the newest counts.
    assert seat.accepts(FOURTH)
    assert not seat.accepts(SECOND)
    assert not seat.accepts(THIRD)


def test_older_tokens_stay_burnt() -> None:
    seat = take_seat()
    seat.rotate(FIRST, SECOND)
    seat.confirm()
    seat.rotate(SECOND, THIRD)
    assert not seat.accepts(FIRST)
    assert seat.accepts(SECOND)
    seat.confirm()
    assert [seat.accepts(token) for token in (FIRST, SECOND, THIRD)] == [False, False, True]


def test_newer_token_burns_the_one_before_though_nothing_was_heard() -> None:
    seat = take_seat()
    seat.rotate(FIRST, SECOND)
    seat.rotate(SECOND, THIRD)
    assert not seat.accepts(FIRST)


def test_what_is_kept_is_not_the_token() -> None:
    seat = take_seat()
    seat.rotate(FIRST, SECOND)
    assert FIRST not in (seat.token, seat.previous_token)
    assert SECOND not in (seat.token, seat.previous_token)


def test_selection_outlives_the_stream_and_must_be_told_again() -> None:
    seat = take_seat()
    attach(seat).outbox.selection = Selection(BOB, 3, SelectionState.AVAILABLE)
    seat.detach()
    assert seat.line is None
    assert seat.selection == Selection(BOB, 3, told=None)


def test_selection_that_was_dropped_is_not_kept() -> None:
    seat = take_seat()
    seat.selection = Selection(BOB, 3, told=None)
    attach(seat)
    seat.detach()
    assert seat.selection is None


def test_stream_that_never_was_live_takes_no_selection_with_it() -> None:
    seat = take_seat()
    seat.selection = Selection(BOB, 3, told=None)
    attach(seat, is_live=False)
    seat.detach()
    assert seat.selection == Selection(BOB, 3, told=None)


def test_detaching_twice_is_harmless() -> None:
    seat = take_seat()
    attach(seat).outbox.selection = Selection(BOB, 3, SelectionState.AVAILABLE)
    seat.detach()
    seat.detach()
    assert seat.selection is not None


def test_only_an_online_session_with_a_live_stream_is_reachable() -> None:
    seat = take_seat()
    assert not seat.is_reachable
    line = attach(seat, is_live=False)
    assert not seat.is_reachable
    line.is_live = True
    assert seat.is_reachable
    seat.session = session("ada", liveness=Liveness.SUSPECT)
    assert not seat.is_reachable


def test_line_shows_the_signs_of_life_that_it_has_seen() -> None:
    line = open_line(1, None, LIMITS, 50.0)
    assert (line.signs.heard_at, line.signs.writing_since, line.signs.unechoed_since) == (50.0, None, None)
    line.heard_at, line.writing_since, line.unechoed_since = 60.0, 61.0, 62.0
    assert (line.signs.heard_at, line.signs.writing_since, line.signs.unechoed_since) == (60.0, 61.0, 62.0)


def test_line_is_seen_by_who_it_is_not_by_what_it_holds() -> None:
    # Lines and seats are keys of deadlines.
    assert open_line(1, None, LIMITS, 0.0) != open_line(1, None, LIMITS, 0.0)
