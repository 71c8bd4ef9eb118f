"""python -m tests.simulation"""

import sys
from pathlib import Path

from tests.simulation.runner import main

ROOT = Path(__file__).resolve().parents[2]

sys.path[:0] = [str(ROOT / "producer_service"), str(ROOT / "consumer_service")]
sys.exit(main())
