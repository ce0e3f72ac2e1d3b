import random

import pytest

from tests.soak.slope import FEWEST_SAMPLES, theil_sen


def test_straight_line_has_its_slope_and_no_doubt() -> None:
    slope = theil_sen(range(20), [5.0 + 2.0 * x for x in range(20)])
    assert slope is not None
    assert (slope.slope, slope.low, slope.high) == (2.0, 2.0, 2.0)
    assert slope.level == 24.0
    assert not slope.includes_zero


def test_constant_has_no_slope() -> None:
    slope = theil_sen(range(20), [7.0] * 20)
    assert slope is not None
    assert slope.slope == 0.0
    assert slope.includes_zero


def test_noise_without_drift_includes_zero() -> None:
    chance = random.Random(1)
    slope = theil_sen(range(100), [chance.gauss(100.0, 10.0) for _ in range(100)])
    assert slope is not None
    assert slope.includes_zero


def test_drift_stands_out_of_the_noise() -> None:
    chance = random.Random(2)
    slope = theil_sen(range(100), [chance.gauss(100.0 + x, 10.0) for x in range(100)])
    assert slope is not None
    assert slope.low > 0.0
    assert slope.low < 1.0 < slope.high


def test_interval_holds_the_true_slope_nearly_always() -> None:
    chance = random.Random(3)
    inside = 0
    for _ in range(100):
        slope = theil_sen(range(30), [chance.gauss(0.5 * x, 3.0) for x in range(30)])
        assert slope is not None
        inside += slope.low <= 0.5 <= slope.high
    assert inside >= 96


def test_few_wild_samples_change_nothing_much() -> None:
    values = [100.0 + x for x in range(40)]
    values[5] = values[20] = 1e6
    slope = theil_sen(range(40), values)
    assert slope is not None
    assert slope.slope == pytest.approx(1.0, abs=0.1)


def test_too_few_samples_say_nothing() -> None:
    count = FEWEST_SAMPLES - 1
    assert theil_sen(range(count), [1.0] * count) is None


def test_samples_at_one_place_say_nothing() -> None:
    assert theil_sen([1.0] * 20, list(range(20))) is None


def test_scaling_changes_the_unit_of_the_slope_only() -> None:
    slope = theil_sen(range(20), [float(x) for x in range(20)])
    assert slope is not None
    scaled = slope.scaled(3600.0)
    assert (scaled.slope, scaled.low, scaled.level) == (3600.0, 3600.0, slope.level)


def test_slow_wandering_is_not_taken_for_drift() -> None:
    chance = random.Random(4)
    alarms = 0
    for _ in range(100):
        value, values = 0.0, []
        for _ in range(60):
            value = 0.7 * value + chance.gauss(0.0, 1.0)
            values.append(value)
        slope = theil_sen(range(60), values)
        assert slope is not None
        alarms += not slope.includes_zero
    assert alarms <= 6


def test_drift_among_wandering_values_is_seen() -> None:
    chance = random.Random(5)
    value, values = 0.0, []
    for number in range(60):
        value = 0.7 * value + chance.gauss(0.0, 1.0)
        values.append(value + 0.3 * number)
    slope = theil_sen(range(60), values)
    assert slope is not None
    assert slope.low > 0.0
