"""Brings real sites to where a scenario begins, by nothing but real events, ballots and elections.

Rules that hold here:
- All sites run and vote, nothing is under way, and the log is the same everywhere: the next slot is the scenario's
  first.
- Rounds: where sites have run before, each has one event chosen, so that all have seen the same highest round; then
  who is to have used more rounds uses them up, on prepares that reach nobody; the slot that they were for is used by an
  event that no more than a majority is asked about. So real ballots are the scenario's, all higher by the same.
- A leader is made by an election that the others cannot win; who leads is cut off meanwhile, so that it is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from engine.contract import requests
from engine.contract.answers import Outcome, OutcomeWord
from engine.contract.errors import RequestFailed
from engine.contract.requests import EventKind, Events, GiveUp, Submit, TraceLines
from engine.contract.status import Status
from engine.core.ids import SiteId, quorum_size
from engine.core.settings import Leadership
from engine.core.views import AttemptPhase, ElectionPhase
from engine.sim.scenario.acts import Submit as Submitted
from engine.sim.scenario.schedule import Schedule
from tui.exits import CommandFailed, ExitStatus
from tui.lab.live_names import Names
from tui.lab.live_sites import Sites, Watched

BEGINS_S: Final = 60.0
"""How long sites that run may take to be where the scenario begins, beside what their timers take."""

ROUNDS_MAX: Final = 100
_WAITS_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Opening:
    """`fresh`: the sites have never run before; `stretch`: how much slower their timers are."""

    sites: Sites
    names: Names
    schedule: Schedule
    leader: SiteId | None
    fresh: bool
    stretch: float

    def begin(self) -> None:
        """Raises CommandFailed where the sites do not come to be as the scenario wants them; SiteLost, Interrupted."""
        self._check_rules()
        self._check_leadership()
        if self.leader is not None:
            self._elect(self.leader)
        self._await(self._not_ready, "the sites are not ready")
        if self.leader is None:
            self._level_rounds()
        self._await(self._not_ready, "the sites are not ready")
        self.names.used = max(status.next for status in self._statuses()) - 1
        for site in self.sites.answering:
            newest = next(iter(self.sites.ask(site, Events(limit=1)).lines), None)
            self.names.newest[site.name] = None if newest is None else newest.id
            self.sites.record(site)

    def _check_rules(self) -> None:
        for site in self.sites.answering:
            rules = self.sites.ask(site, requests.Faults()).rules
            if rules:
                raise CommandFailed(
                    ExitStatus.BAD_INPUT,
                    f"{site.local.site} has fault rules of its own, the first is `{rules[0].text}`:"
                    f" take them away with `{site.local.command('faults', 'clear')}`",
                )

    def _check_leadership(self) -> None:
        """An engine has that of the file with which it was started, whatever stands there now."""
        wanted = dict(zip(self.schedule.setup.names, self.schedule.setup.leadership, strict=True))
        for site in self.sites.answering:
            runs_with = self.sites.ask(site, requests.Status()).leadership
            if runs_with != wanted[site.name]:
                raise CommandFailed(
                    ExitStatus.BAD_INPUT,
                    f"the scenario needs leadership {wanted[site.name]}, {site.local.site} runs with {runs_with}:"
                    " start the sites again with that in their file, or leave out --sites",
                )

    # Ready

    def _statuses(self) -> list[Status]:
        return [self.sites.ask(site, requests.Status()) for site in self.sites.answering]

    def _not_ready(self) -> str | None:
        statuses = self._statuses()
        used = max(status.next for status in statuses) - 1
        for status in statuses:
            if not status.voting:
                return f"{status.site} does not vote: {status.voting_why}"
            if status.quorum.reachable != len(statuses):
                return f"{status.site} reaches {status.quorum.reachable} of {len(statuses)}"
            if status.chosen_through != used:
                return f"{status.site} has learned to {status.chosen_through}, slot {used} is used"
            if status.recovering or status.attempts:
                return f"{status.site} is at something"
            if status.unknown:
                return f"{status.site} has events without an outcome"
        if self.leader is not None and (wrong := self._not_followed(self.leader)) is not None:
            return wrong
        return None

    def _not_followed(self, leader: SiteId) -> str | None:
        """Sites that elect nobody follow nobody."""
        for site in self.sites.answering:
            status = self.sites.ask(site, requests.Status())
            if status.leadership == Leadership.ELECTED and status.leader != self.names.real(leader):
                return f"{site.name} follows {status.leader or 'nobody'}, not {leader}"
            if self._is_standing(site):
                return f"{site.name} stands for election"
        return None

    def _is_standing(self, site: Watched) -> bool:
        """A candidate asks on until its patience is over, though another one leads."""
        lines = self.sites.ask(site, TraceLines()).lines
        phases = [line.type for line in lines if line.type in tuple(ElectionPhase)]
        return phases[-1:] == [ElectionPhase.STANDING]

    def _await(self, wrong: Callable[[], str | None], what: str) -> None:
        said = self.sites.until(wrong, BEGINS_S * max(1.0, self.stretch))
        if said is not None:
            raise CommandFailed(ExitStatus.NO_ENGINE, f"{what}: {said}")

    # Elections

    def _elect(self, leader: SiteId) -> None:
        if self._not_followed(leader) is None:
            return
        real = self.names.real(leader)
        with ExitStack() as undo:
            for site in self.sites.answering:
                if site.name != leader:
                    self._put_on(undo, site, f"from={site.local.site} to=* type=prepare drop")
            cut_off: set[str] = set()

            def not_yet() -> str | None:
                statuses = self._statuses()
                for status in statuses:
                    if status.leader == status.site != real and status.site not in cut_off:
                        cut_off.add(status.site)
                        others = ",".join(sorted(set(status.peers)))
                        at = self.sites[self.names.site(status.site)]
                        self._put_on(undo, at, f"partition {status.site} | {others}")
                leads = any(status.site == status.leader == real for status in statuses)
                return None if leads else f"{leader} does not lead yet"

            self._await(not_yet, f"{leader} is not elected")
        self._await(lambda: self._not_followed(leader), f"{leader} is not followed by all")

    def _put_on(self, undo: ExitStack, site: Watched, rule: str) -> None:
        undo.callback(self.sites.remove_rule, site, self.sites.add_rule(site, rule).number)

    # Rounds

    def _level_rounds(self) -> None:
        if not self.fresh:
            first = next(iter(self._submitting()), None)
            # Who wrote the slot before the first one might begin without a prepare (L2).
            for name in sorted(self.sites.watched, key=lambda name: (name != first, name)):
                self._tweet(self.sites[name], "the lab: all see my ballot")
        rounds = {name: used for name, used in self.schedule.rounds if used}
        if not rounds:
            return
        last = max(rounds, key=lambda name: (rounds[name], name))
        for name, used in rounds.items():
            self._use_up(self.sites[name], used - (name == last))
        with ExitStack() as undo:
            others = ",".join(self.names.real(name) for name in self._who_need_not_hear(last))
            if others:
                self._put_on(undo, self.sites[last], f"to={others} type=prepare,accept drop")
            self._tweet(self.sites[last], "the lab: this slot has the promises of the rounds before")

    def _submitting(self) -> list[SiteId]:
        return [line.command.site for line in self.schedule.lines if isinstance(line.command, Submitted)]

    def _who_need_not_hear(self, speaker: SiteId) -> list[SiteId]:
        """All but a majority with the speaker; first of all those whose own rounds count."""
        submitting = self._submitting()
        others = [name for name in self.sites.watched if name != speaker]
        others.sort(key=lambda name: (name in submitting, name))
        return others[quorum_size(len(self.sites.watched)) - 1 :]

    def _tweet(self, site: Watched, text: str) -> None:
        outcome = self._outcome(site, self.sites.begin(site, Submit(kind=EventKind.TWEET, text=text)))
        if outcome.outcome != OutcomeWord.CREATED:
            said = f"{outcome.outcome}: {outcome.reason}"
            raise CommandFailed(ExitStatus.NO_ENGINE, f"a tweet of {site.local.site} is {said}")
        self._await(self._not_ready, "the sites are not ready")

    def _use_up(self, site: Watched, rounds: int) -> None:
        if rounds > ROUNDS_MAX:
            raise CommandFailed(
                ExitStatus.BAD_INPUT, f"{site.name} would have to use up {rounds} rounds: name a lower one"
            )
        with ExitStack() as undo:
            self._put_on(undo, site, f"from={site.local.site} to=* type=prepare drop")
            for _ in range(rounds):
                asked = Submit(kind=EventKind.TWEET, text="the lab: a ballot that nobody hears of", timeout_s=_WAITS_S)
                number = self.sites.begin(site, asked)
                self._await(lambda: self._not_preparing(site), f"{site.name} uses up no round")
                self.sites.ask(site, GiveUp(requests=(number,)))
                outcome = self._outcome(site, number)
                if outcome.outcome != OutcomeWord.NOT_CREATED:
                    said = f"{outcome.outcome}: {outcome.reason}"
                    raise CommandFailed(
                        ExitStatus.NO_ENGINE, f"a tweet of {site.local.site} that left nowhere is {said}"
                    )

    def _not_preparing(self, site: Watched) -> str | None:
        attempts = self.sites.ask(site, requests.Status()).attempts
        return None if any(each.phase == AttemptPhase.PREPARING for each in attempts) else "it prepares nothing"

    def _outcome(self, site: Watched, number: int) -> Outcome:
        self._await(lambda: None if number in site.answers else "no outcome yet", f"an event of {site.local.site}")
        try:
            outcome = site.answers.pop(number).value()
        except RequestFailed as failed:
            raise CommandFailed(ExitStatus.NO_ENGINE, f"{site.local.site} takes no event: {failed}") from None
        assert isinstance(outcome, Outcome), "a submit is answered by an outcome"
        return outcome
