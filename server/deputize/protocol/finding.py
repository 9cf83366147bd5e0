"""What may be wrong with a page of the site, in words for programs: its shim tells of it (PROTOCOL §21)."""

from enum import StrEnum


class Finding(StrEnum):
    """What is wrong, under the name by which page, console, log and metric know it (PAGE-1)."""

    NOT_GATED = "not_gated"
    FORM = "form"
    UNTOLD = "untold"
    UNCHANGEABLE = "unchangeable"
    FRAME = "frame"
    UNKNOWN_TOOL = "unknown_tool"
    DEFINITION_CHANGED = "definition_changed"
    WRONG_ORIGIN = "wrong_origin"
    BLOCKED = "blocked"
    VERSION_SKEW = "version_skew"

    @property
    def message(self) -> str:
        """Return the message of the catalogue that says it; its attribute `cure` says what to do."""
        return f"developer-{self.value.replace('_', '-')}"
