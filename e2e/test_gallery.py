"""Each dialog and page for people, by axe in every mode (WCAG 2.2 AA); and the contact sheet of `make screenshots`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.attested import OPEN, AgentProcess, Attested, policy
from e2e.bank import Bank, Persistent
from e2e.gallery import ASKS, Tour
from e2e.scenes import HEIGHT, SCHEMES, WIDTHS, ZOOMED, cell, faults, openly, sheet
from playwright.sync_api import Page
from tests.size import THOROUGH

from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys

AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
NORMAL: dict[str, Any] = {"color_scheme": "light", "forced_colors": "none"}
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
LOOKS = ("color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block")
"""What colours and sizes change."""
MODES: dict[str, tuple[int, int, dict[str, Any], tuple[str, ...]]] = {
    "light": (1280, HEIGHT, {}, WCAG),
    "dark, 320 px": (320, HEIGHT, {"color_scheme": "dark"}, LOOKS),
    "forced colours": (768, HEIGHT, {"forced_colors": "active"}, LOOKS),
    "400 %": (WIDTHS[0], ZOOMED, {}, LOOKS),
}
COLOURS = ("dark, 320 px", "forced colours")
SMOKE = ("dialog: approval, short", "dark", 320)


@pytest.fixture
def tour(
    open_bank: Callable[..., Bank], new_tab: Callable[..., Page], held_clock: HeldClock
) -> Iterator[Tour]:
    """A customer of a Harbor where a stranger's agent may come."""
    with AgentProcess("Errand Runner") as stranger:
        bank = open_bank(policy(stranger).replace("opaque = false", ASKS), without=[OPEN])
        tab = new_tab()
        openly(tab)
        begun = Attested(stranger, bank, held_clock).begins()
        yield Tour(bank, tab, Passkeys(tab), Human(tab), Persistent(tab), held_clock, begun)


def test_everybody_can_use_every_dialog_and_page(tour: Tour, tmp_path: Path) -> None:
    axe = AXE.read_text(encoding="utf-8")
    found: list[str] = []
    smoke = tmp_path
    for scene in tour:
        for mode, (width, height, media, rules) in MODES.items():
            if mode in COLOURS and scene.name.endswith((", long", ", rtl")) and not THOROUGH:
                continue  # no colour of theirs is another, and 400 % is as narrow
            scene.tab.set_viewport_size({"width": width, "height": height})
            scene.tab.emulate_media(**{**NORMAL, **media})
            found += [f"{mode}: {fault}" for fault in faults(scene, axe, rules)]
            if not scene.tab.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                found.append(f"{mode}: {scene.name}: scrolls sideways")
        if scene.name == SMOKE[0]:
            smoke = sheet({scene.name: [cell(scene, "dark", 320, tmp_path)]}, tmp_path)
        scene.tab.set_viewport_size({"width": 1280, "height": HEIGHT})
        scene.tab.emulate_media(**NORMAL)
    assert found == []
    assert "dialog--approval--short-dark-320.png" in smoke.read_text(encoding="utf-8")


@pytest.mark.skipif(
    "SCREENSHOTS" not in os.environ, reason="minutes of drawing, for the eye: make screenshots"
)
def test_the_contact_sheet_is_drawn(tour: Tour, pictures: Path, request: pytest.FixtureRequest) -> None:
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    assert terminal is not None
    folder = pictures.with_name("sheet")
    folder.mkdir(exist_ok=True)
    cells: dict[str, list[Path]] = {}
    for scene in tour:
        terminal.write_line(scene.name)
        cells[scene.name] = [cell(scene, scheme, width, folder) for scheme in SCHEMES for width in WIDTHS]
        if scene.within:
            cells[scene.name].append(cell(scene, "light", WIDTHS[0], folder, ZOOMED))
        scene.tab.set_viewport_size({"width": 1280, "height": HEIGHT})
        scene.tab.emulate_media(**NORMAL)
    terminal.write_line(f"Look at {sheet(cells, folder)}")
