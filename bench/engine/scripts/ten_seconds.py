"""A training script for the kill -9 case: says who it is, runs ten seconds, says that it got to its end."""

import os
import sys
import time
from pathlib import Path

marks = Path(sys.argv[sys.argv.index("--marks") + 1])
(marks / f"started-{os.getpid()}").touch()
for epoch in range(20):
    time.sleep(0.5)
    print(f"epoch={epoch}", flush=True)
(marks / f"ended-{os.getpid()}").touch()
print("objective=1.0", flush=True)
stamp = f'"st_worker_timestamp": {time.time()}, "st_worker_time": 10.0, "st_worker_iter": 0'
print(f'[tune-metric]: {{"objective": 1.0, {stamp}}}', flush=True)
