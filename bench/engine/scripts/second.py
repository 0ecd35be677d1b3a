"""A training script that takes a second: of waiting, not computing, so that neighbours on the machine change it little."""

import time

time.sleep(1)

# The first line is for a regex (alfine, Optuna, Ray, the bare loop), the second for Syne Tune, which otherwise needs an import.
print("objective=1.0")
print(
    f'[tune-metric]: {{"objective": 1.0, "st_worker_timestamp": {time.time()}, "st_worker_time": 0.0, "st_worker_iter": 0}}'
)
