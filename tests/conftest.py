from __future__ import annotations

from hypothesis import HealthCheck, settings

# the same examples in every run, and no clock: machines that run the tests are shared
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
