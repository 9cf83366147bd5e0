"""What all tables of a policy file have in common."""

from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from deputize.settings import values


@dataclass(frozen=True, slots=True)
class Context:
    """What is known while a table is validated: the scopes that `[scopes]` declares, and `agents.development`."""

    scopes: frozenset[str]
    development: bool

    @classmethod
    def of(cls, info: ValidationInfo) -> "Context":
        """Return the context of a validation."""
        return cast("Context", info.context)


class Table(BaseModel):
    """A table: unknown keys are faults, and values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


def _declared(scope: str, info: ValidationInfo) -> str:
    declared = Context.of(info).scopes
    if scope not in declared:
        raise ValueError(f'[scopes] declares no "{scope}"{values.did_you_mean(scope, declared)}')
    return scope


Words = Annotated[str, AfterValidator(values.words)]
"""Words that users see."""

Declared = Annotated[str, AfterValidator(_declared)]
"""A scope that the file declares."""
