"""Seconds that `import counterstain` takes in a fresh interpreter: median of five."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys

CODE = (
    "import time; start = time.perf_counter(); import counterstain; "
    "print(time.perf_counter() - start)"
)


def main() -> None:
    seconds = [
        float(subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True).stdout)
        for _ in range(6)
    ][1:]
    print(
        json.dumps(
            {
                "benchmark": "import_time",
                "seconds": round(statistics.median(seconds), 4),
                "must_reach": 0.3,
                "python": platform.python_version(),
            }
        )
    )


if __name__ == "__main__":
    main()
