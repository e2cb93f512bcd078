"""What a site's screen does about who belongs to the cluster: what and whom, the plan, and whether it is meant.

Rules that hold here:
- What changes everybody's log is confirmed by a key of its own, after its plan was shown.
- What is typed and refused stays, with the reason, to be edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from engine.contract.members import ChangePlan
from engine.contract.requests import ChangeKind
from engine.contract.status import MemberStanding, Status
from tui import members, standing
from tui.hops import Hop
from tui.rows import Part, Role, Row, row
from tui.screens.dialogs import Choice, ChoiceDialog, Confirmation, NameDialog
from tui.screens.faults import FaultsScreen
from tui.screens.reading import AlertOf
from tui.site import wording
from tui.site.changes import Changes

_CHOICES: Final = (
    ("r", ChangeKind.READMIT, "a site whose disk was lost votes again, with its new store"),
    ("a", ChangeKind.ADD, "a site joins the cluster; it votes once it has the log"),
    ("l", ChangeKind.ADD_LEARNER, "a site joins that copies the log and does not vote"),
    ("p", ChangeKind.PROMOTE, "a learner votes"),
    ("d", ChangeKind.REMOVE, "a site leaves the cluster"),
    ("m", ChangeKind.MOVE, "a site has a new address"),
)
_PLACED: Final = (ChangeKind.ADD, ChangeKind.ADD_LEARNER, ChangeKind.MOVE)


class ChangingScreen(FaultsScreen):
    def __init__(self, hop: Hop, cluster: Sequence[Hop], alert: AlertOf) -> None:
        super().__init__(hop, cluster, alert)
        self.changes = Changes(self.model, self.board)

    def action_members(self) -> None:
        status = self.model.status
        if self.lacks_engine("the members cannot be changed") or status is None:
            return
        remedy = standing.remedies(status).get(standing.Trouble.NOT_VOTING)
        if remedy is not None:
            self.hint(f"{status.site} does not vote, and cannot readmit itself: {wording.remedied(status, remedy)}")
            return
        self.action_show("sites")

        def chosen(kind: ChangeKind | None) -> None:
            if kind in _PLACED:
                hint = "a name and HOST:PORT, for example dave 10.0.0.4:7001"
                self.prompt.ask(f"{kind}: which site, and where", hint, partial(self._typed_change, kind), kept_as=kind)
            elif kind is not None:
                self.app.push_screen(MemberDialog(kind, status), partial(named, kind))

        def named(kind: ChangeKind, site: str | None) -> None:
            if site is not None:
                self.run_worker(self._change(kind, site, None), group="change")

        self.app.push_screen(_kinds(status), chosen)

    async def _typed_change(self, kind: ChangeKind, typed: str) -> str | None:
        site, _, address = typed.partition(" ")
        if not site or not address.strip():
            return "write the site's name, a space, and its HOST:PORT"
        self.run_worker(self._change(kind, site, address.strip()), group="change")
        return None

    async def _change(self, kind: ChangeKind, site: str, address: str | None) -> None:
        plan = await self.changes.plan(kind, site, address)
        if plan is None:
            return

        def confirmed(yes: bool | None) -> None:
            if yes:
                self.run_worker(self.changes.submit(plan), group="change")

        self.app.push_screen(change_question(plan), confirmed)


def _kinds(status: Status) -> ChoiceDialog[ChangeKind]:
    choices = [Choice(key, kind, row((f"{kind:<12}", Role.STRONG), words), kind) for key, kind, words in _CHOICES]
    lost = status.new_stores
    said = [row((f"Lost its disk: {', '.join(lost)}", Role.WARN))] if lost else []
    return ChoiceDialog("Change the members", said, choices)


class MemberDialog(NameDialog):
    """It ends with a site; the first one that the change is for is marked."""

    def __init__(self, kind: ChangeKind, status: Status) -> None:
        self._status = status
        sites = status.sites if kind is ChangeKind.REMOVE else [site for site in status.sites if site != status.site]
        super().__init__(f"{kind.capitalize()} which site?", [], sites)
        wanted = {ChangeKind.READMIT: MemberStanding.NEW_STORE, ChangeKind.PROMOTE: MemberStanding.LEARNER}.get(kind)
        found = next((at for at, site in enumerate(sites) if self._standing(site) == wanted), None)
        if found is not None:
            self._at = found

    def about(self, choice: Choice[str]) -> Row:
        return row("  ", members.standing_word(self._standing(choice.value)))

    def _standing(self, site: str) -> str:
        peer = self._status.peers.get(site)
        return self._status.standing if peer is None else peer.standing


def change_question(plan: ChangePlan) -> Confirmation:
    sentences = [row((f"{name:<6}", Role.DIM), words) for name, words in members.plan(plan)]
    if plan.unsafe is not None:
        sentences.append(row((f"Careful: {plan.unsafe}.", Role.BAD)))
    what = f"{plan.kind} {plan.site}"
    yes: Row = (Part(f"{what}{'' if plan.unsafe is None else ' all the same'}: an entry in the log of all sites"),)
    return Confirmation(f"{what.capitalize()}?", sentences, yes)
