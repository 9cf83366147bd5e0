"""How long things are kept once they are over (PROTOCOL §26)."""

from collections.abc import Iterator
from dataclasses import dataclass

DAY = 86400


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds for which things are kept; None is for good. The record is kept whatever stands here.

    `arguments`: what was in a call, and what people were shown of it. A payment can be disputed for 13 months (PSD2,
    directive (EU) 2015/2366, article 71). `calls`: that there was such a call, of whom, and what became of it; those
    who have to prevent money laundering keep that for five years (directive (EU) 2015/849, article 40). `refused`:
    calls that came to nothing. `grants`: what agents were allowed, once it has run out; at least as long as the calls
    that were made with it. `archived_keys`: for how long a copy of the users' keys opens, so that nobody who is
    forgotten comes back with a backup (SEAL-4).
    """

    calls: int | None = 1830 * DAY
    arguments: int | None = 400 * DAY
    refused: int | None = 400 * DAY
    grants: int | None = 400 * DAY
    archived_keys: int | None = 30 * DAY

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield each key that cannot be kept to, and why."""
        for name in ("arguments", "refused"):
            its: int | None = getattr(self, name)
            if self.calls is not None and (its is None or its > self.calls):
                yield name, "nothing of a call is kept longer than `calls` says"

    @property
    def lineages(self) -> int | None:
        """Return for how long grants are kept: a call that is kept says under which it was made."""
        return None if self.calls is None or self.grants is None else max(self.calls, self.grants)
