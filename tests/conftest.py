"""What every test shares.

Rules that hold here:
- Tests are packages by folder (`tests.core.test_acceptor`); what several share is imported by name, as
  `from tests.strategies import packets`.
- Hypothesis has no deadline (two cores are shared by all); on CI its examples are the same on every run.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
