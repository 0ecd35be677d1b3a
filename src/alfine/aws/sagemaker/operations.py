"""SageMaker's operations: a table from the name to a function of the checked request, one file a resource.

Each function asks the service or the store's queries and puts the rows into AWS's shapes. Texts that clients look for are
AWS's own; what differs from AWS is said in docs/reference/aws-compatibility.md.
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
