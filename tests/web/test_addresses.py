"""Where a path leads: to the one address that it is, with the step that stands in the place of a parameter."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from deputize.web.addresses import Address, Addresses
from deputize.web.endpoints import ENDPOINTS

pytestmark = pytest.mark.anyio

PATHS = sorted({each.path for each in ENDPOINTS})
STEPS = sorted({step for path in PATHS for step in path.split("/")[1:]})
MOUNTS = ["", "/deputize", "/a/deputize"]
_ODD = st.text("{}[]()|*+?.^$\\%/ a~\N{KELVIN SIGN}", max_size=12)


def led(path: str) -> tuple[str | None, dict[str, str]]:
    """Tell what is at a path, in a way that is as slow as it is simple."""
    steps = path.split("/")
    for template in sorted(PATHS, key=lambda each: each.count("{")):  # one that is spelled out comes first
        wanted = template.split("/")
        if len(wanted) == len(steps):
            pairs = [*zip(wanted, steps, strict=True)]
            named = {name[1:-1]: step for name, step in pairs if name.startswith("{")}
            if all(step if name.startswith("{") else name == step for name, step in pairs):
                return template, named
    return None, {}


async def found(path: str, mount: str) -> tuple[str | None, dict[str, str]]:
    """Ask the addresses themselves."""
    reached: list[tuple[str | None, dict[str, str]]] = []

    def app(template: str) -> object:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            reached.append((template, scope["path_params"]))

        return serve

    async def nowhere(request: Request, error: HTTPException) -> Response:
        reached.append((None, {}))
        return Response()

    async def send(message: Message) -> None:
        pass

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "path": mount + path, "root_path": mount, "path_params": {}, "headers": []}
    # Our send and receive take messages as Starlette types them, and mypy wants the scope of a real server.
    await Addresses({each: app(each) for each in PATHS}, nowhere)(scope, receive, send)  # type: ignore[misc]
    (where,) = reached
    return where


@pytest.mark.parametrize("path", PATHS)
async def test_the_name_of_a_parameter_is_a_step_as_any_other(path: str) -> None:
    for mount in MOUNTS:
        assert await found(path, mount) == led(path)
        assert (await found(path, mount))[0] == path


@given(
    st.lists(st.one_of(st.sampled_from(STEPS), _ODD), max_size=5).map(lambda steps: "/" + "/".join(steps)),
    st.sampled_from(MOUNTS),
)
@example("/deputize/calls", "/deputize")
@example("/calls/a/b/approval", "")
async def test_a_path_leads_where_its_steps_do(path: str, mount: str) -> None:
    assert await found(path, mount) == led(path)


async def asked(method: str, kind: str = "http") -> list[Message]:
    """Ask for an address that takes GET, and return what is sent."""
    sent: list[Message] = []

    async def serve(request: Request) -> Response:
        return PlainTextResponse("here")

    async def not_routed(request: Request, error: HTTPException) -> Response:
        return Response(status_code=error.status_code, headers=error.headers)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    addresses = Addresses({"/a": Address({"GET": serve}, not_routed)}, not_routed)
    await addresses({"type": kind, "path": "/a", "method": method, "headers": []}, receive, send)
    return sent


async def test_head_is_served_as_get() -> None:  # whose body the server leaves out
    assert (await asked("HEAD"))[1]["body"] == b"here"


async def test_another_method_hears_of_those_that_there_are() -> None:
    (head, _) = await asked("PUT")
    assert (head["status"], dict(head["headers"])[b"allow"]) == (405, b"GET, HEAD")


async def test_a_websocket_is_closed() -> None:
    assert [each["type"] for each in await asked("GET", "websocket")] == ["websocket.close"]
