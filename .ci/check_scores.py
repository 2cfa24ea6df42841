"""Fail if the demo's pipeline is clearly worse than it has been: a broken training must
not pass unseen.
"""

import json
import sys
from pathlib import Path

FLOORS = {
    "cascade_extraction_f": 0.55,
    "cascade_coarse_f": 0.35,
    "cascade_fine_f": 0.16,
}
scores = json.loads(Path(sys.argv[1]).read_text("utf8"))["all"]
low = [
    f"{k} = {scores[k]:.3f}, below {floor}"
    for k, floor in FLOORS.items()
    if scores[k] < floor
]
sys.exit("; ".join(low) if low else 0)
