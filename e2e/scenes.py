"""What is looked at, by eye and by axe: scenes, their faults, and the contact sheet that is drawn of them."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page, Route

WIDTHS = (320, 768, 1280)
HEIGHT = 800
ZOOMED = 256
"""Pixels of height that 400 % leave of a screen of 1280 by 1024, beside 320 of width (WCAG 2.2, 1.4.10)."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DIALOG = ("[data-deputize]", "dialog")
NOTICE = ("[data-deputize-notice]", ".notices")


@dataclass(frozen=True)
class Scene:
    """What is to be looked at: a name, the tab that shows it, and where it lies there if it is not the page."""

    name: str
    tab: Page
    within: Sequence[str] = ()


def openly(tab: Page) -> None:
    """Let axe into the dialogs of Harbor's page, which opts in as a site for tests does."""

    def open_roots(route: Route) -> None:
        response = route.fetch()
        route.fulfill(
            response=response, body=response.text().replace("<html", '<html data-deputize-test="open"', 1)
        )

    tab.route(lambda url: url.count("/") == 3 and url.endswith("/"), open_roots)


def faults(scene: Scene, axe: str, rules: Sequence[str]) -> list[str]:
    """Return what axe has against a scene, by its rules, or those with these tags."""
    if scene.tab.evaluate("typeof axe === 'undefined'"):
        scene.tab.evaluate(axe)
    where: Any = {"fromShadowDom": scene.within} if scene.within else "html"
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found = scene.tab.evaluate("([where, options]) => axe.run(where, options)", [where, options])
    return [
        f"{scene.name}: {each['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def cell(
    scene: Scene, scheme: Literal["light", "dark"], width: int, folder: Path, height: int = HEIGHT
) -> Path:
    """Draw one cell of the contact sheet; return where it is."""
    scene.tab.emulate_media(color_scheme=scheme)
    scene.tab.set_viewport_size({"width": width, "height": height})
    name = "".join(letter if letter.isalnum() else "-" for letter in scene.name)
    path = folder / f"{name}-{scheme}-{width}{'-zoomed' if height == ZOOMED else ''}.png"
    scene.tab.screenshot(path=path, full_page=not scene.within, animations="disabled")
    return path


def sheet(cells: dict[str, list[Path]], folder: Path) -> Path:
    """Write the contact sheet of these cells, by scene; return where it is."""
    rows = "".join(
        f"<section><h2>{html.escape(name)}</h2>"
        + "".join(
            f'<a href="{path.name}"><img loading="lazy" src="{path.name}" alt="{path.stem}"></a>'
            for path in paths
        )
        + "</section>"
        for name, paths in cells.items()
    )
    style = "body{background:#888}section{white-space:nowrap;overflow:auto}img{height:420px;margin:4px}"
    path = folder / "index.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>Contact sheet</title><style>{style}</style>{rows}",
        encoding="utf-8",
    )
    return path
