"""Being asked before a step what it will bring: the question, the answer with its rule, and the score.

Rules that hold here:
- What a run comes to is not told beforehand to somebody who is asked.
- A question is about the step after the frame that is shown; whoever goes elsewhere, or does something, is asked no
  more.
- An answer is told with the rule; then comes the next question about the same step, or the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.keys import Key
from tui.lab import keys, wording
from tui.lab.bench import LEAP_MAX, Bench
from tui.lab.frame import Frame
from tui.lab.looking import LookingScreen
from tui.lab.predict import Question, Score, questions
from tui.rows import BLANK, Role, Row, row, wrapped
from tui.screens.dialogs import TextDialog


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked at a frame: the first of these questions."""

    at: Frame
    questions: tuple[Question, ...]


class PredictingScreen(LookingScreen):
    _predicts = False
    _asked: _Asked | None = None
    _score = Score()

    @property
    def question(self) -> Question | None:
        """What is asked now."""
        asked = self._asked
        return None if asked is None or asked.at is not self.bench.frame else asked.questions[0]

    def action_predict(self) -> None:
        self._stop_playing()
        self._predicts = not self._predicts
        self.bench.tells_plan = not self._predicts
        self._asked = None
        if self._predicts:
            self._score = Score()
            self.remark("before each step that the rules decide, you are asked what will happen: n goes there")
        else:
            self._tell_score()
        self._show()

    def action_step(self) -> None:
        self._stop_playing()
        self._forward()

    def action_next_decision(self) -> None:
        if not self._predicts:
            super().action_next_decision()
            return
        self._stop_playing()
        for _ in range(LEAP_MAX):
            if not self._forward() or self.question is not None:
                return

    def _tick(self) -> None:
        if self._predicts:
            if not self._forward() or self.question is not None:
                self._stop_playing()
                self._show()
        else:
            super()._tick()

    def _forward(self) -> bool:
        """A step, unless something is asked before it; False where nothing comes any more."""
        if self.question is not None:
            self.complain("first answer with a number; esc skips the question")
            return True
        after = self.bench.peek() if self._predicts else None
        found = () if after is None else questions(self.bench.frame, after)
        if found:
            self._asked = _Asked(self.bench.frame, found)
            self.remark("")
            self._show()
            return True
        return self._step()

    def _step(self) -> bool:
        at = self.bench.frame
        self._move(self.bench.step)
        if self.bench.frame is not at:
            return True
        if self._predicts and self._score.asked:
            self._tell_score()
        return False

    def action_answer(self, number: int) -> None:
        question = self.question
        if question is None or self._asked is None:
            self.remark("no question now: n goes on, y stops the questions")
            return
        if number > len(question.options):
            self.complain(f"the answers are 1 to {len(question.options)}")
            return
        self._score = self._score.answered(question, number - 1)
        told = row(("✓ right: ", Role.GOOD), question.because)
        if number - 1 != question.right:
            right = question.options[question.right]
            told = row(("✗ wrong: ", Role.BAD), (right, Role.STRONG), f": {question.because}")
        self._go_on(self._asked)
        self.tell(told)

    def action_quiet(self) -> None:
        if self.question is not None and self._asked is not None:
            self._go_on(self._asked)
        else:
            super().action_quiet()

    def _go_on(self, asked: _Asked) -> None:
        """To the next question, or to the step."""
        rest = asked.questions[1:]
        self._asked = _Asked(asked.at, rest) if rest else None
        if rest:
            self._show()
        else:
            self._step()

    def put_bench(self, bench: Bench) -> None:
        self._asked = None
        bench.tells_plan = not self._predicts
        super().put_bench(bench)

    # What is shown of it.

    def _flags(self) -> list[tuple[str, Role]]:
        if not self._predicts:
            return super()._flags()
        return [(f"predict {self._score.right} of {self._score.asked}", Role.NOTE), *super()._flags()]

    def _why_rows(self, width: int) -> list[Row]:
        question = self.question
        if question is None:
            return super()._why_rows(width)
        options = [
            part
            for number, option in enumerate(question.options, 1)
            for part in ((f"{number}", Role.KEY), (f" {option}   ", Role.STRONG))
        ]
        lines = [
            *wrapped(row(("  ask: ", Role.NOTE), question.words), width, 7),
            *wrapped(row("       ", *options), width, 7),
        ]
        lines = lines[: wording.WHY_LINES]
        return [
            *lines,
            *[BLANK] * (wording.WHY_LINES - len(lines)),
            row((" next: ", Role.DIM), self.bench.next_words()),
        ]

    def _footer_keys(self) -> Sequence[Key]:
        if self.question is None or self._typing:
            return super()._footer_keys()
        return [*keys.ANSWERING, *keys.named("inspect", "help", "app.leave")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of answers mean something else where nothing is asked."""
        if action == ("duplicate" if self._predicts else "answer"):
            return False
        return super().check_action(action, parameters)

    def _tell_score(self) -> None:
        score = self._score
        self.app.push_screen(TextDialog("Your score", lambda width: score_rows(score, width)))


def score_rows(score: Score, width: int) -> list[Row]:
    """How many answers were right, by rule; and what to look at again."""
    if not score.asked:
        return wrapped(row("No questions yet."), width)
    lines = wrapped(row((f"{score.right} of {score.asked} answers are right.", Role.STRONG)), width)
    lines.append(BLANK)
    for each in score.rules:
        role = Role.GOOD if not each.missed else Role.WARN
        lines.append(row((f"  {each.rule}  ", Role.KEY), (f"{each.right} of {each.asked}", role)))
    worst = score.worst()
    if worst:
        lines += [BLANK, *wrapped(row("Look again at:"), width)]
    for each, scenario in worst:
        missed = "once" if each.missed == 1 else f"{each.missed} times"
        lines += wrapped(row((f"  {each.rule}  ", Role.KEY), f"missed {missed}: ", (scenario, Role.STRONG)), width, 6)
    return lines
