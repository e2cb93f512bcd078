"""The one exception of the core: a rule that honest sites cannot break was broken.

Rules that hold here:
- A broken rule is not handled, repaired or retried: the site stops and keeps the evidence (A2, R1).
"""

from __future__ import annotations


class BrokenRule(Exception):
    """`rule` is its number in the protocol; `evidence` says what was seen, whole, for a person to judge."""

    def __init__(self, rule: str, evidence: str) -> None:
        super().__init__(f"rule {rule} is broken: {evidence}")
        self.rule = rule
        self.evidence = evidence
