"""Tells the story on a terminal: a line for each step, with what was decided, and whether it came out as told."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deputize.testing.agent import ToolResult

_LEAST_WIDTH = 120  # where nobody says how wide it is
_COLORS = {"refused": "yellow", "found": "yellow", "broken": "red", "missed": "red"}
_INDENT = 5  # columns before what is asked


class StoryBroken(Exception):
    """A step raised an error, so that the next ones make no sense."""


class Step:
    """One step while it is played. What came of it is "done", unless `came` says otherwise."""

    def __init__(self, moves: Callable[[str | None], list[str]]) -> None:
        """Made by `Teller.step`."""
        self._moves = moves
        self.decision = "done"
        self.reason = ""
        self.quoted = ""

    def came(self, decision: str, reason: str = "") -> None:
        """Say what was decided, in one word, and why."""
        self.decision, self.reason = decision, reason

    def quote(self, told: str) -> None:
        """Let it be read, too, what somebody was told."""
        self.quoted = told

    def came_of(self, result: ToolResult) -> None:
        """Say what came of a tool call: the reason code of a refusal, or the states that the record has of the call."""
        meta = result.value.get("_meta", {}) if isinstance(result.value, dict) else {}
        if result.refused:
            self.came("refused", str(result.code))
        else:
            self.came("allowed", " → ".join(self._moves(meta.get("correlationId"))))


class Teller:
    """Tells the story, and counts who decided what.

    `balance` returns the cents in the account, None if there is no account; `moves` returns the states of a call.
    """

    def __init__(self, balance: Callable[[], int | None], moves: Callable[[str | None], list[str]]) -> None:
        """Begin the story."""
        # Its own, since the auditor's commands have standard output to themselves while the spinner turns.
        self.console = Console(file=sys.stdout, highlight=False)
        if not self.console.is_terminal:
            self.console.width = max(self.console.width, _LEAST_WIDTH)
        self.failures: list[str] = []
        self.steps = 0
        self._balance = balance
        self._moves = moves
        self._deciders: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self.console.print()
        self.console.rule(Text(title, style="bold"), align="left", style="dim")

    def refused(self, asked: str, code: str, by: str) -> AbstractContextManager[Step]:
        """Play a step that is to be refused, for this reason."""
        return self.step(asked, "refused", code, by)

    def allowed(self, asked: str, way: str, by: str, sends: int = 0) -> AbstractContextManager[Step]:
        """Play a step that is to be allowed, in this way."""
        return self.step(asked, "allowed", way, by, sends)

    @contextmanager
    def step(
        self, asked: str, decision: str, reason: str = "", by: str = "", sends: int = 0
    ) -> Iterator[Step]:
        """Play one step, and print its line: what is asked, and what is to be decided, why, and by whom.

        `sends` is how many cents are to leave the account: the balance has to fall by that, and no more.

        Raises:
            StoryBroken: the step raised an error.
        """
        self.steps += 1
        before = self._balance()
        step = Step(self._moves)
        with self.console.status(Text(asked, style="dim")):
            try:
                yield step
            except Exception as error:  # whatever it is: it is told, and ends the story
                step.came("broken", f"{type(error).__name__}: {error}")
        after = self._balance()
        complaints = []
        if (step.decision, step.reason) != (decision, reason):
            complaints.append(f"told: {decision} {reason}".rstrip())
        if before is not None and after != before - sends:
            complaints.append(f"told: {_euros(before - sends)} in the account")
        self._print(asked, step, after, complaints)
        if by:
            self._deciders[by][step.decision, step.reason] += 1
        if step.decision == "broken":
            raise StoryBroken(asked)

    def _print(self, asked: str, step: Step, balance: int | None, complaints: Sequence[str]) -> None:
        self.failures += [f"{self.steps}. {asked}: {'; '.join(complaints)}"] if complaints else []
        mark = Text("✗", "bold red") if complaints else Text("✓", "green")
        reason = Text(step.reason)
        if complaints:
            reason.append(f" ({'; '.join(complaints)})", "bold red")
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(width=1)
        line.add_column(width=2, justify="right", style="dim")
        line.add_column(ratio=50)
        line.add_column(width=7, style=_COLORS.get(step.decision, "green"))
        line.add_column(ratio=43)
        line.add_column(width=12, justify="right")
        line.add_row(mark, str(self.steps), asked, step.decision, reason, _euros(balance))
        self.console.print(line)
        if step.quoted:
            self.console.print(Padding(Text(step.quoted, style="dim"), (0, 0, 0, _INDENT)))

    def deciders(self) -> None:
        """Print the closing table: who decided what."""
        table = Table("who decided", "steps", "yes", "no, and why")
        for decider, decisions in self._deciders.items():
            refused = {reason: count for (word, reason), count in decisions.items() if word == "refused"}
            why = [f"{reason} ×{count}" if count > 1 else reason for reason, count in refused.items()]
            allowed = decisions.total() - sum(refused.values())
            table.add_row(decider, str(decisions.total()), str(allowed or ""), ", ".join(why))
        self.console.print(table)

    def entries(self, entries: Iterable[dict[str, Any]]) -> None:
        """Print entries of the record: index, kind, and what it tells of."""
        table = Table("entry", "kind", "of", "reason")
        for entry in entries:
            of = (
                entry.get("call_id")
                or entry.get("grant_id")
                or entry.get("credential_id")
                or entry.get("sub")
            )
            table.add_row(str(entry["i"]), entry["kind"], Text(str(of or "")), entry.get("code", ""))
        self.console.print(table)

    def say(self, text: str, style: str = "") -> None:
        """Print a line as it is."""
        self.console.print(Text(text, style))


def _euros(cents: int | None) -> str:
    return "no account" if cents is None else f"{cents // 100:,}.{cents % 100:02} EUR"
