"""What this screen asks its site to change of the cluster's members: the plan first, then the outcome as it is.

Rules that hold here:
- What came of it is a sentence on the notice board. Of an event whose outcome is not known that is said; it is told
  once it is known, as that of any event of this site.
"""

from __future__ import annotations

from engine.contract.answers import Outcome, OutcomeWord
from engine.contract.errors import BadAnswer, EngineLost, NoEngine, RequestFailed, RequestRefused
from engine.contract.members import ChangePlan
from engine.contract.requests import ChangeKind, ChangeMembers, PlanChange
from tui import members
from tui.rows import Role, Row, row
from tui.site import wording
from tui.site.model import SiteModel
from tui.site.notices import CHANGE, Mood, Notice, NoticeBoard

TIMEOUT_S = 10.0


class Changes:
    def __init__(self, model: SiteModel, board: NoticeBoard) -> None:
        self._model = model
        self._board = board

    async def plan(self, kind: ChangeKind, site: str, address: str | None) -> ChangePlan | None:
        """What it would do. None: it cannot be done, and why is told."""
        self._board.asked()
        try:
            plan = await self._model.link.ask(PlanChange(kind=kind, site=site, address=address))
        except RequestFailed as failed:
            self._tell(wording.refused(str(failed)), Mood.BAD)
            return None
        if plan.refused is not None:
            self._tell(wording.refused(plan.refused), Mood.BAD)
            return None
        return plan

    async def submit(self, plan: ChangePlan) -> None:
        """Whoever says yes to a plan has seen what is unsafe in it."""
        self._board.asked()
        what = f"{plan.kind} {plan.site}"
        self._board.begin(CHANGE, lambda: row(("… ", Role.NOTE), f"{what}: waits for a majority"))
        asked = ChangeMembers(
            kind=ChangeKind(plan.kind),
            site=plan.site,
            address=plan.address,
            force=plan.unsafe is not None,
            timeout_s=TIMEOUT_S,
            acknowledge=True,
        )
        ids: list[str] = []
        try:
            outcome = await self._model.link.submit(asked, ids.append)
        except RequestRefused as refused:
            said, mood = wording.refused(str(refused)), Mood.BAD
        except NoEngine as failed:
            said, mood = row(("✗ ", Role.BAD), ("not sent", Role.BAD), f": {failed}"), Mood.BAD
        except (EngineLost, BadAnswer) as lost:
            said, mood = _told(what, plan, Outcome.unknown(str(lost), next(iter(ids), None))), Mood.BAD
        else:
            self._model.known_outcome(outcome)
            mood = Mood.GOOD if outcome.outcome == OutcomeWord.CREATED else Mood.BAD
            said = _told(what, plan, outcome)
        finally:
            self._board.end(CHANGE)
        self._tell(said, mood)

    def _tell(self, said: Row, mood: Mood) -> None:
        self._board.add(Notice(said, mood, about=CHANGE, ends=frozenset({CHANGE})))


def _told(what: str, plan: ChangePlan, outcome: Outcome) -> Row:
    event = "" if outcome.id is None else f" ({outcome.id})"
    match outcome.outcome:
        case OutcomeWord.CREATED:
            created = f"created at slot {outcome.slot}"
            return row(("✓ ", Role.GOOD), (created, Role.GOOD), f": {what}: {members.done(plan, outcome)}")
        case OutcomeWord.NOT_CREATED:
            return row(("✗ ", Role.BAD), ("not created", Role.BAD), f": {what} has no effect: {outcome.reason}")
        case _:
            return row(
                ("? ", Role.WARN),
                ("outcome unknown", Role.WARN),
                f": {what}{event}: {outcome.reason}. It may still be chosen: pane 5 shows how {plan.site} stands",
            )
