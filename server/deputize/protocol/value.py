"""What every call makes several of: dataclasses that mypy keeps from being changed, and Python does not."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a dataclass with slots, compared and hashed by its fields, which nobody assigns to.

    Of a frozen one, each field would be set by a call of `object.__setattr__`: a twentieth of a call's processor time.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
