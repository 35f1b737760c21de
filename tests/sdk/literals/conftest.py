"""Makes the classes under test importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
