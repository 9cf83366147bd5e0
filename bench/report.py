"""The tables for people, and the same as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from .calls import FLOORS
from .figures import Figure

_WORDS = {
    "rps": "calls a second, 16 connections",
    "check_us": "the check alone, steps 1 to 12, µs",
    "checks_rps": "checks and consumptions a second, no HTTP",
    "floor_rps": "the floor: calls a second at best",
    "ratio": "ratio of the two",
    "c1_p50_ms": "1 connection: median, ms",
    "c1_p99_ms": "1 connection: 99 %, ms",
    "c16_p50_ms": "16 connections: median, ms",
    "c16_p99_ms": "16 connections: 99 %, ms",
    "server_us": "the server's processor, µs a call",
    "client_load": "the client's processor, share of a core",
    "others_load": "somebody else's, share of a core",
    "code_p50_ms": "token for a code: median, ms",
    "code_p99_ms": "token for a code: 99 %, ms",
    "refresh_p50_ms": "refresh: median, ms",
    "refresh_p99_ms": "refresh: 99 %, ms",
    "exchange_p50_ms": "handoff by token exchange: median, ms",
    "exchange_p99_ms": "handoff by token exchange: 99 %, ms",
    "elsewhere_p50_ms": "answered elsewhere, until the waiting page knows: median, ms",
    "elsewhere_p99_ms": "the same: 99 %, ms",
    "http_us": "t_http, µs",
    "http_server_us": "of it the server's processor, µs",
    "verify_us": "t_verify, µs",
    "row_us": "t_row, µs",
    "sign_us": "t_sign, µs",
    "calls_per_commit": "calls to a commit",
    "native_ms": "executeTool of a tool that does nothing, ms",
    "gated_ms": "the same behind the gate, ms",
    "added_ms": "added by the gate, ms",
    "approved_added_ms": "added with an approval, less human and passkey, ms",
    "passkey_ms": "a virtual passkey, ms",
}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything. `runs` is how often the calls were measured."""

    plain: Mapping[str, Figure]
    approved: Mapping[str, Figure]
    mcp: Mapping[str, Figure]
    attested: Mapping[str, Figure]
    floor: Mapping[str, Figure]
    browser: Mapping[str, Figure]
    memory_mb: float
    machine: Mapping[str, object]
    runs: int

    def show(self, console: Console) -> None:
        """Print it."""
        for title, figures in (
            ("Plain call", self.plain),
            ("Approved call", self.approved),
            ("Over MCP: a challenge and the approved call", self.mcp),
            ("Attested agent: plain calls, and tokens as its own client meets them", self.attested),
            ("What the floors are made of", self.floor),
            ("In the browser", self.browser),
        ):
            if figures:
                console.print(_table(title, figures))
        for line in (
            FLOORS,
            "Latencies of approved calls are of their requests, without the work of the authenticator.",
            f"Most memory of the server: {self.memory_mb:.0f} MB. Rounds: {self.runs}. On this machine:",
            ", ".join(f"{name} {value}" for name, value in self.machine.items()),
        ):
            console.print(line, highlight=False, soft_wrap=True)

    def write(self, path: Path) -> None:
        """Write the medians as JSON, and the least and the greatest under `spread`."""
        told = {
            "plain": _told(self.plain),
            "approved": _told(self.approved),
            "mcp": _told(self.mcp),
            "attested": _told(self.attested),
            "floor": _told(self.floor),
            "browser": _told(self.browser),
            "memory_mb": self.memory_mb,
            "machine": dict(self.machine),
            "runs": self.runs,
        }
        path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _table(title: str, figures: Mapping[str, Figure]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("median", "least", "greatest"):
        table.add_column(heading, justify="right")
    for name, figure in figures.items():
        table.add_row(_WORDS[name], *map(_written, (figure.median, figure.least, figure.greatest)))
    return table


def _written(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _told(figures: Mapping[str, Figure]) -> dict[str, object]:
    spread = {name: (figure.least, figure.greatest) for name, figure in figures.items()}
    return {**{name: figure.median for name, figure in figures.items()}, "spread": spread}
