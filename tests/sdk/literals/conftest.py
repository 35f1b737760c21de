"""The classes under test lie in a module of their own, which the tests of this folder import."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# No deadline: how long one example takes says nothing on a busy machine.
settings.register_profile("literals", deadline=None, max_examples=50)
settings.load_profile("literals")
