"""The endpoints of a policy: which tool a request is for, and what makes that ambiguous (ENDPOINT-2, ENDPOINT-3)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from .arguments import is_scalar
from .canonical import Json
from .endpoint import Endpoint
from .tool import Schema, Tool


@dataclass(frozen=True, slots=True)
class Found:
    """What a request is for: the tools of its endpoint, of which its call token names one, and the path's parameters.

    They share the endpoint.
    """

    endpoint: Endpoint
    tools: Mapping[str, Tool]
    parameters: Mapping[str, str]


class Endpoints:
    """The endpoints of these tools, at one origin. Tools without one are left out."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        """Take them as a policy without faults has them."""
        self._tools = [(tool.endpoint, tool) for tool in tools if tool.endpoint is not None]

    def __iter__(self) -> Iterator[tuple[Endpoint, Tool]]:
        return iter(self._tools)

    def near(self, path: str) -> bool:
        """Tell whether a path, decoded, is of one of these or resembles one, whatever the method."""
        return any(endpoint.resembles(path) for endpoint, _ in self._tools)

    def find(self, method: str, path: str) -> Found | None:
        """Find what a request is for, by its method and its path, decoded; None if it is for no endpoint.

        ValueError for another spelling of one: whoever decides by addresses refuses it (GUARD-9).
        """
        near = [(endpoint, tool) for endpoint, tool in self._tools if endpoint.takes(method)]
        near = [(endpoint, tool) for endpoint, tool in near if endpoint.resembles(path)]
        if not near:
            return None
        endpoint = near[0][0]
        parameters = endpoint.match(path)
        if parameters is None or method != method.upper():
            raise ValueError(
                f"There is {endpoint.method} {endpoint.path} here, and this is not how it is spelled."
            )
        return Found(endpoint, {tool.name: tool for _, tool in near}, parameters)


def wrong_with(tool: Tool, others: Iterable[Tool]) -> Iterator[str]:
    """Say what is wrong with a tool's endpoint, by itself, and beside those of others at its origin."""
    if tool.endpoint is None:
        return
    found = [_wrong_alone(tool, tool.endpoint), *(_clash(tool, other) for other in others)]
    yield from filter(None, found)


def _wrong_alone(tool: Tool, endpoint: Endpoint) -> str | None:
    """Say what is wrong with the arguments that an endpoint names; None if nothing is (ENDPOINT-2)."""
    properties = tool.input_schema.properties if tool.input_schema is not None else {}
    for name in (*endpoint.parameters, *endpoint.query):
        if name not in properties:
            near = get_close_matches(name, properties, 1)
            meant = f'; did you mean "{near[0]}"?' if near else ""
            return f'the input_schema of this tool has no property "{name}"{meant}'
    for name in endpoint.parameters:
        if not is_scalar(properties[name]):
            return f'"{name}" is in the path: its type is "string", "integer", "number" or "boolean"'
        if tool.input_schema is None or name not in tool.input_schema.required:
            return f'"{name}" is in the path, so there is no call without it: write it in `required`'
    for name in properties if endpoint.bodiless else endpoint.query:
        if not is_scalar(properties[name]) and not _is_list(properties[name]):
            return (
                f'"{name}" is in the query: its type is "string", "integer", "number", "boolean", or an "array" whose '
                "`items` are one of these"
            )
    return None


def _clash(tool: Tool, other: Tool) -> str | None:
    """Say why requests for one tool's endpoint could be for another's; None if they cannot (ENDPOINT-3).

    Two tools may share an endpoint if an argument tells them apart.
    """
    if tool.endpoint is None or other.endpoint is None or not tool.endpoint.meets(other.endpoint):
        return None
    if (tool.endpoint.path, tool.endpoint.query) != (other.endpoint.path, other.endpoint.query):
        return (
            f"a request could be for this and for the endpoint of {other.name}, {other.endpoint}: write paths "
            "that no address fits both of, whatever its case and its slashes"
        )
    if _told_apart(tool.input_schema, other.input_schema):
        return None
    return (
        f"{other.name} has the same endpoint, and nothing tells their requests apart: give both an argument that is "
        "`required`, with another text in its `const` or `enum`"
    )


def _is_list(declared: Json) -> bool:
    return isinstance(declared, dict) and declared.get("type") == "array" and is_scalar(declared.get("items"))


def _told_apart(schema: Schema | None, other: Schema | None) -> bool:
    """Tell whether no arguments fit both: one that both require is another text in each."""
    if schema is None or other is None:
        return False
    for name in schema.required & other.required:
        mine, theirs = (_texts(each.properties.get(name)) for each in (schema, other))
        if mine and theirs and not mine & theirs:
            return True
    return False


def _texts(declared: Json) -> frozenset[str]:
    """Return the texts that a value may be; none if it may be anything else."""
    if not isinstance(declared, dict):
        return frozenset()
    listed = [declared["const"]] if "const" in declared else declared.get("enum")
    if not isinstance(listed, list):
        return frozenset()
    texts = frozenset(each for each in listed if isinstance(each, str))
    return texts if len(texts) == len(listed) else frozenset()
