"""The last act: nine ways to lie about the record for who has its data and its keys, and how each is found.

She who finds them has nothing but the record's key and what she kept of it. Twice the bank itself comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import lies
from .auditor import Told
from .lies import Trial
from .telling import Teller

AUDITOR, ITSELF = "the auditor", "the bank itself"


@dataclass(frozen=True, slots=True)
class Lie:
    """One of the nine: what is done, what is told of it, who finds it, the exit code, and how it is tried."""

    done: str
    told: str
    by: str
    code: int
    tried: Callable[[Trial], Told]

    def expected(self, trial: Trial) -> str:
        """Return what is to be told."""
        return self.told.format(
            entry=trial.entry,
            size=trial.size,
            left=trial.size - lies.LAST,
            end=trial.size - 1,
            older=trial.older,
            witness=lies.WITNESS,
        )


LIES = (
    Lie(
        "Her no becomes a yes, and all hashes are made anew",
        "entry {entry} is not what it was;",
        AUDITOR,
        1,
        lambda trial: trial.shown("rewritten", trial.rewrite),
    ),
    Lie(
        "The last six entries are cut off",
        "it was cut off or put back: it had {size} entries, and now has the first {left} of them;",
        AUDITOR,
        1,
        lambda trial: trial.shown("truncated", trial.cut),
    ),
    Lie(
        "Six others are put in their place",
        "entries {left} to {end} are not what they were: from there on it is another record;",
        AUDITOR,
        1,
        lambda trial: trial.shown("forked", trial.fork),
    ),
    Lie(
        "Customers are shown those, and the auditor is not",
        "its first {size} entries are not those that hers is signed over: they were rewritten since, or others are "
        "shown another record;",
        AUDITOR,
        1,
        lies.split,
    ),
    Lie(
        "A tile is served that does not fit",
        "its tiles are not those of its checkpoint of {size} entries: in them, entry {entry} is not what it was;",
        AUDITOR,
        1,
        lies.unfit,
    ),
    Lie(
        "Her witness does not cosign what was rewritten",
        "its checkpoint of {size} entries is not cosigned by {witness}, and you want 1 of your witnesses: others may "
        "be shown another record",
        AUDITOR,
        2,
        lies.withheld,
    ),
    Lie(
        "An older database is put back: the bank answers 503",
        "“The database has {older} entries where {size} were recorded: it is an older copy.",
        ITSELF,
        2,
        lies.put_back,
    ),
    Lie(
        "Half a restore: the bank does not start",
        "The database has {older} entries where {size} were recorded: it is an older copy.",
        ITSELF,
        2,
        lies.half_restored,
    ),
    Lie(
        "Two nodes serve, and one has an older copy",
        "it was cut off or put back: it had {size} entries, and now has the first {older} of them; asked again, it has "
        "all of them: one of its nodes is old;",
        AUDITOR,
        1,
        lies.two_nodes,
    ),
)


def audit(trial: Trial, teller: Teller) -> None:
    """Let her look at the record, and then at what is made of it."""
    teller.scene("An auditor elsewhere has the record's key, and the checkpoint of step 10")
    with teller.step("She finds what she kept in the record of now", "done", "exit code 0") as step:
        told = trial.auditor.look(trial.bank, "--checkpoint", str(trial.auditor.kept))
        step.quote(told.line)
        step.came("done", f"exit code {told.code}")
    teller.say("\nWhoever runs the bank has its data and its keys, and could lie:")
    for lie in LIES:
        with teller.step(lie.done, "found", f"by {lie.by}, exit code {lie.code}") as step:
            told = lie.tried(trial)
            step.quote(told.line)
            found = "found" if lie.expected(trial) in told.line else "missed"
            step.came(found, f"by {lie.by}, exit code {told.code}")
