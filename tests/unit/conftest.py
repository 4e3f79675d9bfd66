"""What holds of all tests without input and output."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Everywhere and every time the same examples, however slow the machine: a test that fails once in many runs says
# nothing about the change that it stands in the way of. `--hypothesis-profile search` looks for others.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("same")
