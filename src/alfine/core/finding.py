"""A finding about a job that is going to be created: what its user may not expect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the job will do, or won't, which its user may not expect.

    Attributes:
        where: The field, criterion or metric that it is about.
        sentence: What will happen.
        fatal: Whether it would waste the whole job.
    """

    where: str
    sentence: str
    fatal: bool = False
