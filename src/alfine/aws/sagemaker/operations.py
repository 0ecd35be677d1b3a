"""The table of SageMaker's operations: from the name of each to a function of the request, which was validated before.

Each function works through the service, or renders what the store's queries and jobs/describe.py return. Messages that clients look for
are AWS's own. Differences from AWS are listed in docs/reference/aws-compatibility.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from alfine.aws.sagemaker import algorithms, search, tags, training_jobs, tuning_jobs
from alfine.aws.sagemaker.backend import Function

OPERATIONS: Mapping[str, Function] = {
    **tuning_jobs.OPERATIONS,
    **training_jobs.OPERATIONS,
    **algorithms.OPERATIONS,
    **tags.OPERATIONS,
    **search.OPERATIONS,
}
