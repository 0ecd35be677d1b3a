"""The local mode of the SageMaker SDK 2 with alfine as its tuner: see alfine.api.local_mode."""

from alfine.api.local_mode import *  # noqa: F403
