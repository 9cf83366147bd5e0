"""The plugin as a stranger meets it: his test file, nothing but our fixtures, a real Chromium."""

import sys

import pytest

pytest_plugins = ["pytester"]

STRANGER = '''
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGE = """<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1><script>
document.modelContext.registerTool({
  name: "add", description: "Adds two numbers.", inputSchema: {type: "object"},
  execute: ({a, b}) => ({content: [{type: "text", text: String(a + b)}]}),
});
document.modelContext.registerTool({
  name: "refund", description: "Asks first.",
  execute: () => new Promise((resolve) => {
    const host = document.createElement("div");
    host.setAttribute("data-deputize", "approval");  // as the shim does
    const root = host.attachShadow({mode: "closed"});
    root.innerHTML = `<dialog aria-label="Refund"><p>Refund 5 EUR?</p>
      <button>No</button><button>Passkey</button></dialog>`;
    document.body.append(host);
    const dialog = root.querySelector("dialog");
    for (const button of dialog.querySelectorAll("button")) {
      button.onclick = (event) => { host.remove(); resolve(`${button.textContent} ${event.isTrusted}`); };
    }
    dialog.showModal();
  }),
});
</script>"""


def test_an_agent_finds_tools_and_calls_one(serve, tab, agent):
    site = serve(lambda port: Starlette(routes=[Route("/", lambda request: HTMLResponse(PAGE))]))
    tab.goto(site.url)
    assert set(agent.tools()) == {"add", "refund"}
    assert agent.call("add", {"a": 2, "b": 3}).text == "5"


def test_a_human_presses_buttons_in_dialogs(serve, tab, agent, human):
    site = serve(lambda port: Starlette(routes=[Route("/", lambda request: HTMLResponse(PAGE))]))
    tab.goto(site.url)
    call = agent.start("refund")
    assert "Refund 5 EUR?" in human.approve().text
    assert call.result().text == "Passkey true"
    call = agent.start("refund")
    human.decline("mouse")
    assert call.result().text == "No true"


def test_passkeys_sign_and_the_clock_is_the_tests(tab, passkeys, held_clock):
    tab.goto("about:blank")
    assert passkeys.add("usb").passkeys() == []
    held_clock.move(60)
'''


def arguments(config: pytest.Config) -> list[str]:
    """How to load the plugin: not at all where the package is installed, by name where it is on the path."""
    return [] if config.pluginmanager.hasplugin("deputize") else ["-p", "deputize.testing.plugin"]


def test_a_strangers_tests_run(pytester: pytest.Pytester, pytestconfig: pytest.Config) -> None:
    pytester.makepyfile(STRANGER)
    result = pytester.runpytest_subprocess("-W", "error", *arguments(pytestconfig), timeout=120)
    result.assert_outcomes(passed=3)


def test_who_does_not_use_it_does_not_load_playwright(pytester: pytest.Pytester) -> None:
    code = "import deputize.testing.plugin, sys; print('playwright' in sys.modules, 'uvicorn' in sys.modules)"
    assert pytester.run(sys.executable, "-c", code).outlines == ["False False"]
