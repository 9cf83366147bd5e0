"""What an endpoint is: one row of the table (`endpoints.py`)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..protocol.quota import Quota
from .access import Access
from .refusals import Dialect

HTML, SCRIPT, TEXT, BYTES = "text/html", "text/javascript", "text/plain", "application/octet-stream"
JSON = "application/json"

Kind: TypeAlias = type[Any]
Answer: TypeAlias = Kind | tuple[Kind | str, ...] | str | None
"""A type, a media type, one of several of these, or nothing."""
Handler: TypeAlias = Callable[..., Awaitable[object]]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One row. Its handler gets the context, who asks (if `access` tells that) and the body (if there is one).

    What the handler returns is answered with the status of its type in `answers`, else with the first; a response is
    answered as it is; a refusal, which the handler has noted itself, in the `dialect`. `limit` is a quota of the
    caller's address (QUOTA-3).
    """

    method: str
    path: str
    access: Access
    body: Kind | None
    answers: Mapping[int, Answer]
    handler: Handler | None
    summary: str
    form: tuple[Kind, ...] = ()
    limit: Quota | None = None
    query: Mapping[str, bool] = field(default_factory=dict)
    """The parameters in the address, and whether they have to be there."""
    shared: bool = False
    """Whether pages of every origin may use it: without cookies, since no session counts there (OAUTH-12)."""

    @property
    def name(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"

    @property
    def dialect(self) -> Dialect:
        """Return how its refusals are written (ERR-1)."""
        if self.handler is None:
            return Dialect.RPC
        if HTML in self.answers.values():
            return Dialect.PAGE
        return Dialect.OAUTH if self.form else Dialect.PROBLEM


Answers: TypeAlias = Answer | Mapping[int, Answer]


def get(path: str, access: Access, answers: Answers, *rest: Any, **more: Any) -> Endpoint:
    """Write a row."""
    return _row("GET", path, access, None, answers, *rest, **more)


def post(path: str, access: Access, body: Kind | None, answers: Answers, *rest: Any, **more: Any) -> Endpoint:
    """Write a row."""
    return _row("POST", path, access, body, answers, *rest, **more)


def delete(path: str, access: Access, *rest: Any) -> Endpoint:
    """Write a row of what answers nothing."""
    return _row("DELETE", path, access, None, {204: None}, *rest)


def oauth(
    path: str, access: Access, form: Kind | tuple[Kind, ...], answers: Answers, *rest: Any, **more: Any
) -> Endpoint:
    """Write a row of OAuth, which takes a form and is for agents in pages of every origin."""
    forms = form if isinstance(form, tuple) else (form,)
    return _row("POST", path, access, None, answers, *rest, form=forms, shared=True, **more)


def _row(
    method: str, path: str, access: Access, body: Kind | None, answers: Answers, *rest: Any, **more: Any
) -> Endpoint:
    by_status = answers if isinstance(answers, Mapping) else {200: answers}
    return Endpoint(method, path, access, body, by_status, *rest, **more)
