"""Who belongs to the cluster, and what a change of that would do, as `members` and `members.plan` answer it;
docs/control.md has the same shapes.
"""

from __future__ import annotations

from engine.contract.shape import Shape
from engine.contract.status import Coming, MemberStanding, Quorum


class Member(Shape):
    """A site of the cluster, as this one knows it. `votes`: by the newest list; `wanted_by`: of a learner that is to
    vote, who added it, and promotes it once it has the log; `standing` as in MemberStanding; `heard_s`: since it was
    heard, None for this site, and before it was; `store`: the id of the one on which it runs, as it proved last;
    `address`: where it is reached, `file_address` what the sites file says, `log_address` what the log does, if it says
    anything of that."""

    site: str
    votes: bool
    wanted_by: str | None
    standing: str
    why: str | None
    heard_s: float | None
    chosen_through: int | None
    store: str | None
    address: str | None
    file_address: str | None
    log_address: str | None


class Members(Shape):
    """Who belongs to the cluster, as this site knows it. `quorum`: of the next slot."""

    site: str
    members: tuple[Member, ...]
    quorum: Quorum
    coming: Coming | None

    def standing_of(self, site: str) -> str | None:
        """None of who does not belong to it."""
        return next((each.standing for each in self.members if each.site == site), None)

    def asked_by(self, member: Member) -> str | None:
        """A voter that can have this member readmitted, or promoted: the site that tells, if it can."""
        voters = [each.site for each in self.members if each.standing == MemberStanding.VOTER and each != member]
        return self.site if self.site in voters else next(iter(voters), None)


class ChangePlan(Shape):
    """What a change of the members would do. `now`: what the present list needs, and how many of it are heard; `then`:
    the same of the list after the change. `waits`: after so many slots it is in effect. `refused`: why it cannot be
    done; `unsafe`: why it is refused unless it is forced."""

    kind: str
    site: str
    address: str | None
    store: str | None
    now: Quorum
    then: Quorum
    waits: int
    refused: str | None
    unsafe: str | None
