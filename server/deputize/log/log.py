"""The log of an authority: lines of JSON, and metrics for Prometheus."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from logging import LogRecord
from time import perf_counter
from traceback import format_exception
from typing import IO

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import Request

from ..protocol.call import Call
from ..protocol.errors import Code, Refusal
from ..protocol.finding import Finding
from .lines import Lines, standard_error
from .pages import News, Sayings

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z

MAX_FIELD = 200
"""How many characters of a text a log line keeps: strangers choose some of them."""

_MAX_SAYING = 600  # characters of a sentence about a page
_NO_ROOM = "Pages say more than fits here: for this hour, what the policy does not know is counted only."
_MAX_STACK = 8000  # characters of a stack, of which the end says most


class Log:
    """Lines of JSON on standard error, and metrics in `registry`. Nothing secret goes in: ids and codes only (ERR-3).

    No method waits or raises: what is noted has been decided already, and has to be answered.
    """

    def __init__(self, stream: IO[bytes] | None = None) -> None:
        """Write to this binary stream, or to standard error."""
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        calls = counter("deputize_calls", "Decisions over calls, by state and reason", ["state", "code"])
        self._calls = cache(calls.labels)  # looked up once each: it takes as long as all else of a count
        self._refusals = counter("deputize_refusals", "Refused requests, by reason", ["code"])
        self._quotas = counter(
            "deputize_quota_refusals", "Requests that went beyond a quota of the policy, by quota", ["quota"]
        )
        self._findings = counter(
            "deputize_page_findings",
            "What pages say is wrong with them, by finding; anybody can",
            ["finding"],
        )
        self._sayings = Sayings()
        self._faulty = gauge(
            "deputize_policy_faulty",
            "1 while the policy file cannot be the policy, and the one before is in force",
        )
        self._faults = gauge(
            "deputize_faulty",
            "1 while something is wrong: the file of the keys, so that those before are in use; the clock; the "
            "newest checkpoint, which cannot be kept outside the database; or what wraps the users' keys",
            ["part"],
        )
        for part in ("keys", "clock", "head", "wrapping"):
            self._faults.labels(part).set(0)
        self._seconds = Histogram(
            "deputize_decision_seconds",
            "From the parsed request to the committed decision",
            registry=self.registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2),
        )
        self._dropped = counter(
            "deputize_log_lines_dropped",
            "Log lines that could not be written, or came faster than they could",
        )
        self._lines = Lines(stream or standard_error(), self._dropped.inc)

    def flush(self, within: float = 1.0) -> bool:
        """Wait at most so many seconds until what was noted is written; tell whether it is."""
        return self._lines.flush(within)

    def decided(self, call: Call, started: float) -> None:
        """Note a call and its state; `started` is when its request was parsed, by `perf_counter`."""
        self._calls(str(call.state), "").inc()
        self._seconds.observe(perf_counter() - started)
        self.note(
            "call", correlation_id=call.call_id, state=call.state, tool=call.tool, client_id=call.client_id
        )

    def denied(self, call_id: str, refusal: Refusal) -> None:
        """Note a refused call; that a page has changed what is pinned, its owner has to look into (PIN-1)."""
        self._calls("denied", refusal.code.value).inc()
        facts = {"correlation_id": call_id, "state": "denied", "code": refusal.code}
        if refusal.code is Code.DEFINITION_CHANGED:
            self._write("warning", "call", {**facts, **refusal.facts})
        else:
            self.note("call", **facts)

    def refused(self, request: Request, refusal: Refusal, quietly: bool = False) -> None:
        """Note a refused request; `quietly`, in the counters alone."""
        self._refusals.labels(refusal.code.value).inc()
        quota = refusal.facts.get("quota")
        if refusal.code is Code.TOO_MANY_REQUESTS:
            self._quotas.labels(quota).inc()
        if quietly:
            return
        facts = {} if quota is None else {"quota": quota}
        call_id = request.path_params.get("call_id")
        self.note("refused", correlation_id=call_id, method=request.method, code=refusal.code, **facts)

    def failed(self, request: Request, error: Exception) -> None:
        """Note an error that nobody foresaw, with its stack, of which the answer says nothing."""
        self._refusals.labels(Code.SERVER_ERROR.value).inc()
        stack = "".join(format_exception(error))[-_MAX_STACK:]
        path = request.scope["path"][:MAX_FIELD]
        self._write(
            "error", "failed", {"method": request.method, "path": path, "exception": stack}, _MAX_STACK
        )

    def policy(self, file_s256: str | None, fault: str | None) -> None:
        """Note the policy file's digest: it is in force now, unless `fault` says why it cannot be (POLICY-2)."""
        self._faulty.set(fault is not None)
        if fault is None:
            self.note("policy", policy_s256=file_s256)
        else:
            self._write("error", "policy", {"policy_s256": file_s256, "fault": fault}, _MAX_STACK)

    def fault(self, part: str, fault: str | None) -> None:
        """Note what is wrong with a part; None: nothing any more (TOKEN-6, CLOCK-2, HEAD-3, SEAL-5)."""
        self._faults.labels(part).set(fault is not None)
        self._write("info" if fault is None else "error", part, {"fault": fault}, _MAX_STACK)

    def page_says(
        self, finding: Finding, about: str | None, known: bool, now: int, facts: Mapping[str, object]
    ) -> None:
        """Count what a page says is wrong with it, and tell it once an hour, as far as there is room (PAGE-4).

        `about` is what tells it from others of this finding: a tool, an origin; `known`, whether that is the policy's
        own. Of `facts` the log keeps what it keeps of any text; whether they are true, nobody knows.
        """
        self._findings.labels(finding.value).inc()
        match self._sayings.tell((finding, about), known, now):
            case News.NEW:
                self._write("warning", "page_says", {"finding": finding, **facts}, _MAX_SAYING)
            case News.FULL:
                self._write("warning", "page_says", {"message": _NO_ROOM}, _MAX_SAYING)

    def alarm(self, event: str, **facts: object) -> None:
        """Note what the owner has to mend, such as why nothing can be recorded (READY-6)."""
        self._write("error", event, facts)

    def note(self, event: str, **facts: object) -> None:
        """Note an event that needs nobody's attention."""
        self._write("info", event, facts)

    def said(self, record: LogRecord) -> None:
        """Note what a library has logged."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # its arguments do not fit
            message = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        stack = "".join(format_exception(error))[-_MAX_STACK:] if error else None
        facts = {"message": message[:MAX_FIELD], "exception": stack}
        self._write(record.levelname.lower(), record.name, facts, _MAX_STACK)

    def _write(self, level: str, event: str, facts: Mapping[str, object], most: int = MAX_FIELD) -> None:
        told = {name: value[:most] if isinstance(value, str) else value for name, value in facts.items()}
        line = {**told, "event": event, "level": level, "timestamp": datetime.now(UTC)}
        try:
            text = orjson.dumps(line, default=str, option=_OPTIONS)
        except TypeError:  # half a character, which JSON cannot have
            text = orjson.dumps({name: ascii(value) for name, value in line.items()}, option=_OPTIONS)
        self._lines.put(text)
