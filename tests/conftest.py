"""For the whole suite."""

import os
import signal

from hypothesis import HealthCheck, settings

# The same examples on every run, so that a commit that passed passes; ALFINE_FUZZ draws others (and more of them). A machine that
# is busy is no failure.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="ALFINE_FUZZ" not in os.environ,
    database=None,
)
settings.load_profile("suite")

# What a shell starts in the background ignores Ctrl-C, and so would the processes in which tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
