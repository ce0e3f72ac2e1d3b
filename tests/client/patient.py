"""How hypothesis runs here: a machine that is busy with other things is slow, not wrong."""

from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
