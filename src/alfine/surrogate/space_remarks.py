"""Remarks on a search space: the form of the findings of space_diagnosis.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alfine.core.range_protocol import Range
from alfine.core.ranges import Continuous, Integer

AT_EDGE, NO_INFLUENCE, NOTHING_MATTERS, FEW = "AtEdge", "NoInfluence", "NothingMatters", "FewCombinations"
"""The kinds of findings, as clients see them."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Remark:
    """A finding about the search space.

    Attributes:
        kind: AT_EDGE, NO_INFLUENCE, NOTHING_MATTERS or FEW.
        sentence: The finding, for people.
        after: Number of results that it rests on.
        hyperparameter: The hyperparameter that it is about; None where it is about the whole space.
        definition: The training job definition, where there are several.
        evidence: The numbers behind the sentence.
        ranges: Proposed ranges, by hyperparameter.
        fixed: Hyperparameters that may as well be fixed, with the value of the best configuration.
    """

    kind: str
    sentence: str
    after: int
    hyperparameter: str | None = None
    definition: str | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Remark {self.kind}: {self.sentence}>"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as clients see it."""
        named = {"HyperParameter": self.hyperparameter, "TrainingJobDefinitionName": self.definition}
        ends = {
            name: {"MinValue": wider.to_text(wider.low), "MaxValue": wider.to_text(wider.high)}
            for name, wider in self.ranges.items()
            if isinstance(wider, Continuous | Integer)
        }
        return {
            "Kind": self.kind,
            **{key: value for key, value in named.items() if value is not None},
            "Sentence": self.sentence,
            "After": self.after,
            "Evidence": dict(self.evidence),
            **({"Ranges": ends} if ends else {}),
            **({"Fixed": dict(self.fixed)} if self.fixed else {}),
        }
