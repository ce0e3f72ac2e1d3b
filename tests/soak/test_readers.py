from typing import cast

from tests.bench.lean import LeanMember
from tests.soak.readers import ForgetfulReader


class _Holder:
    """Holds a list, as a lean member does."""

    def __init__(self, held: int) -> None:
        self.held = held
        self.suspects = self._pending = self._pending_suspects = 0


def _holding(held: int) -> LeanMember:
    return cast("LeanMember", _Holder(held))


def test_bits_of_those_whom_nobody_holds_are_used_again() -> None:
    reader = ForgetfulReader("lobby")
    ann, ben = reader.bit(b"ann"), reader.bit(b"ben")
    reader.forget([_holding(ann)])
    assert reader.known(b"ann") == ann
    assert reader.known(b"ben") == 0
    assert reader.bit(b"cem") == ben


def test_thousands_of_people_who_come_and_go_need_few_bits() -> None:
    reader = ForgetfulReader("lobby")
    staying = reader.bit(b"staying")
    for number in range(5000):
        reader.bit(b"%d" % number)
        if number % 10 == 9:
            reader.forget([_holding(staying)])
    assert max(reader._bits.values()).bit_length() <= 11
