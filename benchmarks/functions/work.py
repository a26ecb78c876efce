"""The work of a function before its result: CLOUD_WORK is `nothing`, `wait` or `compute`."""

import os
import time

WAIT_SECONDS = 0.5


def work():
    kind = os.environ["CLOUD_WORK"]
    if kind == "wait":
        time.sleep(WAIT_SECONDS)
    elif kind == "compute":
        total = 0
        for number in range(4_000_000):
            total += number & 3
