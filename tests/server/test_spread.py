"""Numbers that differ from each other, from a seed."""

from hypothesis import given
from hypothesis import strategies as st

from adsum.server.spread import Spread


def test_numbers_are_those_of_splitmix64() -> None:
    # Published results for the seed 1234567.
    spread = Spread(1234567)
    assert [spread.number() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers())
def test_numbers_have_64_bits_and_fractions_stay_below_one(seed: int) -> None:
    spread = Spread(seed)
    assert all(0 <= spread.number() < 1 << 64 for _ in range(20))
    assert all(0 <= spread.fraction() < 1 for _ in range(20))


def test_largest_number_is_a_fraction_below_one() -> None:
    # Found by running the generator backwards.
    seed = 0x31628AF67B2131AB
    assert Spread(seed).number() == (1 << 64) - 1
    assert Spread(seed).fraction() < 1


def test_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    one, same, other = ([Spread(seed).number() for _ in range(3)] for seed in (5, 5, 6))
    assert one == same
    assert one != other


def test_numbers_do_not_repeat() -> None:
    spread = Spread(0)
    assert len({spread.number() for _ in range(10_000)}) == 10_000


def test_fractions_are_spread_evenly() -> None:
    spread = Spread(3)
    tenths = [0] * 10
    for _ in range(10_000):
        tenths[int(spread.fraction() * 10)] += 1
    assert all(900 < count < 1100 for count in tenths)
