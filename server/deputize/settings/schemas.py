"""JSON Schemas in a policy file: of a tool's arguments, and of those that a human has to approve (`approval.when`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import jsonschema_rs

from deputize.protocol.canonical import Json, JsonError, check
from deputize.protocol.policy import approval_policy
from deputize.protocol.tool import ApprovalPolicy, Schema, answers
from deputize.settings.toml import Path
from deputize.settings.values import host

# The keywords of JSON Schema 2020-12, by what they hold: schemas by name, a list of schemas, one schema, no schema.
_NAMED = frozenset(("$defs", "dependentSchemas", "patternProperties", "properties"))
_LISTED = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_SINGLE = frozenset(("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"))
_SINGLE |= {"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
_WITHOUT = """
        $anchor $comment $dynamicAnchor $dynamicRef $id $ref $schema $vocabulary const contentEncoding
        contentMediaType default dependentRequired deprecated description enum examples exclusiveMaximum
        exclusiveMinimum format maxContains maxItems maxLength maxProperties maximum minContains minItems
        minLength minProperties minimum multipleOf pattern readOnly required title type uniqueItems writeOnly
"""
_OTHER = frozenset(_WITHOUT.split())


class DeeperError(ValueError):
    """A fault inside a value, at this path from the value."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def check_local(path: Path, *urls: str) -> None:
    """Raise DeeperError at `path`, which is for sites on this machine, unless all these URLs of the site are."""
    for url in urls:
        if host(url).rpartition(".")[2] != "localhost":
            raise DeeperError(f"this is for sites on localhost, and {url} is not", path)


def schema(value: object) -> Schema:
    """Read the JSON Schema of a tool's arguments."""
    with _schema_faults():
        return Schema(_of_object(value, "the arguments of a call are one"))


def output(value: object) -> Schema:
    """Read the JSON Schema of what a tool answers over MCP (MCP-18)."""
    with _schema_faults():
        return answers(_of_object(value, "structured content is one"))


def _of_object(value: object, why: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError('write a table that is a JSON Schema: { type = "object", properties = { … } }')
    if value.get("type", "object") != "object":
        raise DeeperError(f'write "object": {why}', ("type",))
    check(value)
    _check_spelling(value)
    return value


def approval(value: object) -> ApprovalPolicy:
    """Read when a human has to approve a call."""
    with _schema_faults("when"):
        check(value)
        policy = approval_policy(value)
        if policy.when is not None:
            _check_spelling(policy.when.source, "when")
        return policy


def _check_spelling(schema: object, *path: str | int) -> None:
    """Raise DeeperError for a misspelt keyword: JSON Schema would ignore it, and so the limit that it sets."""
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            for name, each in value.items():
                _check_spelling(each, *path, key, name)
        elif key in _LISTED and isinstance(value, list):
            for index, each in enumerate(value):
                _check_spelling(each, *path, key, index)
        elif key in _SINGLE:
            _check_spelling(value, *path, key)
        elif key not in _OTHER:
            for near in get_close_matches(key, _NAMED | _LISTED | _SINGLE | _OTHER, n=1, cutoff=0.85):
                raise DeeperError(f'JSON Schema has no such keyword; did you mean "{near}"?', (*path, key))


@contextmanager
def _schema_faults(*path: str) -> Iterator[None]:
    """Turn the errors of a bad JSON Schema into ours, with the place of the fault in it."""
    try:
        yield
    except JsonError as error:
        message = f"dates, nan, inf and numbers beyond 2^53 cannot be in a JSON Schema ({error.reason})"
        raise ValueError(message) from error
    except ValueError as error:
        if not isinstance(error.__cause__, jsonschema_rs.ValidationError):
            raise
        said, _, of_a_list = str(error).partition(" is not valid under any of ")
        message = f"{said} is not allowed here" if of_a_list else said
        raise DeeperError(f"not a JSON Schema: {message}", (*path, *error.__cause__.instance_path)) from error
