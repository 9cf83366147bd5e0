"""The human before the screen: sees the dialog as a screen reader does, and answers it by key or mouse.

The dialog lies in a closed shadow root, which page script and Playwright's locators cannot enter. The
accessibility tree shows it all the same, as it does to people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from playwright.sync_api import CDPSession, Error, Page

from .waiting import PATIENCE, TooLong, until

By = Literal["keyboard", "mouse"]

_MOST_STOPS = 20  # presses of Tab that lead round any dialog of ours
_ISOLATES = dict.fromkeys(map(ord, "\u2068\u2069"))


class NotApproved(AssertionError):
    """The dialog did not take the approval. The message is what it says of that."""


@dataclass(frozen=True, slots=True)
class Control:
    """Something in the dialog that can be pressed or focused. `why` is said where it is not enabled, if it is known."""

    role: str
    name: str
    why: str
    enabled: bool
    focused: bool
    node: int


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog as it was when it was looked at. `text` has one line for each piece of text, in order."""

    name: str
    description: str
    modal: bool
    lines: tuple[str, ...]
    headings: tuple[str, ...]
    controls: tuple[Control, ...]
    complaint: str
    progress: str
    node: int

    @property
    def text(self) -> str:
        """Return all that it says."""
        return "\n".join(self.lines)

    @property
    def buttons(self) -> tuple[Control, ...]:
        """Return its buttons."""
        return tuple(control for control in self.controls if control.role == "button")

    @property
    def focused(self) -> Control | None:
        """Return what has the focus, if that is in the dialog."""
        return next((control for control in self.controls if control.focused), None)

    @property
    def approve(self) -> Control:
        """Return the button that leads to an approval; LookupError if there is none, as after an answer got lost."""
        for button in self.buttons:
            if _agrees(button):
                return button
        raise LookupError(
            f"This dialog asks for no passkey. It has {[button.name for button in self.buttons]}."
        )

    @property
    def takes_an_answer(self) -> bool:
        """Tell whether its buttons can be pressed, some perhaps once it is read to the end.

        Not while it opens, not while it sends an answer, and not where it only tells why the question is over.
        """
        return not self.ended and all(button.enabled or button.why for button in self.buttons)

    @property
    def ended(self) -> bool:
        """Tell whether it says why the question is over, and can only be closed."""
        return len(self.buttons) == 1

    @property
    def decline(self) -> Control:
        """Return the first button that does not lead to an approval."""
        return next(button for button in self.buttons if not _agrees(button))


def _agrees(button: Control) -> bool:
    """Tell whether a button leads to an approval: it says by what, unless there are several methods (APPR-9)."""
    return "passkey" in button.name.lower() or button.name.startswith(("Approve", "Allow"))


class Human:
    """The person before one page."""

    def __init__(self, page: Page) -> None:
        """Look at this page."""
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Accessibility.enable")

    def sees(self) -> Dialog | None:
        """Return the shim's dialog that is open now, None if there is none."""
        opened = {
            node["backendNodeId"]
            for node in _inside(self._session, "data-deputize")
            if node["nodeName"] == "DIALOG"
        }
        if not opened:
            return None
        nodes = self._session.send("Accessibility.getFullAXTree")["nodes"]
        by_id = {node["nodeId"]: node for node in nodes}
        for node in nodes:
            if node.get("backendDOMNodeId") in opened and not node["ignored"]:
                return _dialog(node, by_id)
        return None

    def notices(self) -> list[str]:
        """Return the shim's notices at the edge of the page, such as that an answer came too late.

        Each is one text, a line for each part: what was asked, where it is about a question, what became of it, and
        a link's text.
        """
        shown = [
            node
            for node in _inside(self._session, "data-deputize-notice")
            if node.get("attributes", ())[:2] == ["class", "notice"]
        ]
        return ["\n".join(map(_text, notice["children"])).translate(_ISOLATES) for notice in shown]

    def ending(self, timeout: float = PATIENCE) -> str:
        """Wait until a dialog says why its question is over, close it, and return what it said."""

        def over() -> Dialog | None:
            found = self.sees()
            return found if found and found.ended and found.complaint else None

        found = until(self._page, over, "the end of a question", timeout, lambda: f"Seen: {self.sees()}")
        self.press(found.decline)
        self.wait_until_gone(found, timeout)
        return found.complaint

    def dialog(self, timeout: float = PATIENCE) -> Dialog:
        """Wait for a dialog that takes an answer, and return it; TooLong after `timeout` seconds."""

        def ready() -> Dialog | None:
            found = self.sees()
            return found if found and found.takes_an_answer else None

        return until(
            self._page, ready, "a dialog that takes an answer", timeout, lambda: f"Seen: {self.sees()}"
        )

    def approve(self, by: By = "keyboard", timeout: float = PATIENCE) -> Dialog:
        """Approve as the user would: wait for the dialog, press its button. Return what was approved.

        Raises:
            NotApproved: the dialog complains instead of closing.
            TooLong: there is no dialog, or it does not come to an end.
        """
        dialog = self.dialog(timeout)
        self.press(dialog.approve, by)

        def ended() -> str | None:
            now = self.sees()
            if now is None or now.node != dialog.node:
                return ""
            return now.complaint or None

        if complaint := until(
            self._page, ended, "an end of the dialog", timeout, lambda: f"Seen: {self.sees()}"
        ):
            raise NotApproved(complaint)
        return dialog

    def decline(self, by: By | Literal["escape"] = "keyboard", timeout: float = PATIENCE) -> Dialog:
        """Decline, by the button or by Escape; return what was declined."""
        dialog = self.dialog(timeout)
        if by == "escape":
            self._page.keyboard.press("Escape")
        else:
            self.press(dialog.decline, by)
        self.wait_until_gone(dialog, timeout)
        return dialog

    def wait_until_gone(self, dialog: Dialog, timeout: float = PATIENCE) -> None:
        """Wait until this dialog has closed, or says why its question is over; another one may have taken its place."""

        def gone() -> bool:
            now = self.sees()
            return now is None or now.node != dialog.node or (now.ended and not dialog.ended)

        until(self._page, gone, "an end of the dialog", timeout, lambda: f"Seen: {self.sees()}")

    def press(self, control: Control, by: By = "keyboard", timeout: float = PATIENCE) -> None:
        """Press something in the dialog: by Tab and Enter, or by a click where it is on the screen.

        What wants the dialog to be read to its end first, or to stand there for a moment, is waited for.
        """
        if by == "mouse":
            self._read_for(control, timeout)
            self._page.mouse.click(*self._place(control))
            return
        self.tab_to(control)  # which may lead out of the page, and in again
        self._read_for(control, timeout)
        self._page.keyboard.press("Enter")

    def tab_to(self, control: Control) -> int:
        """Press Tab until the control has the focus; return how often. TooLong if Tab never leads there."""
        for presses in range(_MOST_STOPS):
            now = self.sees()
            if now and now.focused and now.focused.node == control.node:
                return presses
            self._page.keyboard.press("Tab")
        raise TooLong(f"Tab does not lead to {control.name!r}. Seen: {self.sees()}")

    def _read_for(self, control: Control, timeout: float) -> None:
        """Read to the end, if that is what a control waits for, and then until it can be pressed."""

        def now() -> Control | None:
            dialog = self.sees()
            return (
                next((each for each in dialog.controls if each.node == control.node), None)
                if dialog
                else None
            )

        def pressable() -> bool:
            found = now()
            if found and found.why and not found.enabled:
                for end in _inside(self._session, "data-deputize"):
                    if "data-end" in end.get("attributes", ()):
                        self._session.send(
                            "DOM.scrollIntoViewIfNeeded", {"backendNodeId": end["backendNodeId"]}
                        )
            return found is None or found.enabled

        what = f"that {control.name!r} can be pressed"
        until(self._page, pressable, what, timeout, lambda: f"Seen: {self.sees()}")

    def _place(self, control: Control) -> tuple[float, float]:
        """Return the middle of a control on the screen, scrolled to if need be."""
        node = {"backendNodeId": control.node}
        self._session.send("DOM.scrollIntoViewIfNeeded", node)
        x = self._session.send("DOM.getBoxModel", node)["model"]["content"]
        return sum(x[0::2]) / 4, sum(x[1::2]) / 4


def _inside(session: CDPSession, attribute: str) -> Iterator[dict[str, Any]]:
    """Yield the DOM nodes inside the shim's elements with this attribute, those in closed shadow roots included."""
    document = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    query = {"nodeId": document, "selector": f"[{attribute}]"}
    try:
        for host in session.send("DOM.querySelectorAll", query)["nodeIds"]:
            described = session.send("DOM.describeNode", {"nodeId": host, "depth": -1, "pierce": True})
            yield from _flat(described["node"])
    except Error:
        return  # it, or the page, went away meanwhile


def _flat(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in (*node.get("shadowRoots", ()), *node.get("children", ())):
        yield from _flat(child)


def _text(node: dict[str, Any]) -> str:
    return str(node["nodeValue"]) + "".join(map(_text, node.get("children", ())))


def _dialog(node: dict[str, Any], by_id: dict[str, Any]) -> Dialog:
    inside = list(_below(node, by_id))
    return Dialog(
        name=_name(node),
        description=node.get("description", {}).get("value", ""),
        modal=_property(node, "modal") is True,
        lines=tuple(_lines(node, by_id)),
        headings=tuple(_name(n) for n in inside if _role(n) == "heading"),
        controls=tuple(_control(n) for n in inside if _property(n, "focusable")),
        complaint=_said(inside, "alert", by_id),
        progress=_said(inside, "status", by_id),
        node=node["backendDOMNodeId"],
    )


def _lines(node: dict[str, Any], by_id: dict[str, Any]) -> Iterator[str]:
    """Yield the text below a node, one line for each paragraph."""
    for is_text, pieces in groupby(_pieces(node, by_id), bool):
        if is_text:
            yield "".join(pieces)


def _pieces(node: dict[str, Any], by_id: dict[str, Any]) -> Iterator[str]:
    """Yield the pieces of text below a node, and an empty one where a paragraph or the like begins or ends."""
    for child in filter(None, map(by_id.get, node.get("childIds", []))):
        if _role(child) == "StaticText":
            yield _name(child)
        elif child["ignored"] or _role(child) == "generic":
            yield from _pieces(child, by_id)
        else:
            yield ""
            yield from _pieces(child, by_id)
            yield ""


def _control(node: dict[str, Any]) -> Control:
    return Control(
        role=_role(node),
        name=_name(node),
        why=str(node.get("description", {}).get("value", "")),
        enabled=not _property(node, "disabled"),
        focused=_property(node, "focused") is True,
        node=node["backendDOMNodeId"],
    )


def _said(inside: list[dict[str, Any]], role: str, by_id: dict[str, Any]) -> str:
    """Return the text in the live region of this role."""
    regions = [node for node in inside if _role(node) == role]
    texts = [_name(n) for region in regions for n in _below(region, by_id) if _role(n) == "StaticText"]
    return " ".join(texts)


def _below(node: dict[str, Any], by_id: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes below a node that are perceivable, in order."""
    for child_id in node.get("childIds", []):
        child = by_id.get(child_id)
        if child is not None:
            if not child["ignored"]:
                yield child
            yield from _below(child, by_id)


def _role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def _name(node: dict[str, Any]) -> str:
    """Return a node's name without the marks that isolate the words of others (APPR-2), which nobody sees."""
    return str(node.get("name", {}).get("value", "")).translate(_ISOLATES)


def _property(node: dict[str, Any], name: str) -> object:
    return next((p["value"].get("value") for p in node.get("properties", []) if p["name"] == name), None)
