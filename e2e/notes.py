"""A site other than Harbor: a board of notes, whose tool runs in the page alone."""

from html import escape
from pathlib import Path

import deputize
from deputize.protocol.policy import Policy

POLICY = """
[site]
name = "Notes"
origin = "{origin}"
issuer = "{issuer}"
rp_id = "{rp_id}"

[scopes."notes:write"]
title = "Pin notes to your board"

[agents.opaque]
scopes = ["notes:write"]

[tools.pin_note]
scopes = ["notes:write"]
approval = "always"
executes = "page"
describe = "Pin the note {{{{ text }}}}"

[tools.pin_note.input_schema]
type = "object"
required = ["text"]
properties = {{ text = {{ type = "string", minLength = 1, maxLength = 80 }} }}
additionalProperties = false
"""

PAGE = """<!doctype html>
<html lang="en">
<title>Notes</title>
<script src="{issuer}/shim.js"></script>
<h1>Notes of {user}</h1>
<ul id="board"></ul>
<script>
document.modelContext.registerTool({{
  name: 'pin_note',
  description: 'Pins a note to the board.',
  inputSchema: {{ type: 'object', required: ['text'], properties: {{ text: {{ type: 'string' }} }} }},
  async execute({{ text }}, client) {{
    const note = document.createElement('li');
    note.textContent = text;
    document.getElementById('board').append(note);
    return {{ pinned: text, agent: client.agent, correlationId: client.correlationId }};
  }},
}});
</script>
</html>"""


def policy(folder: Path, origin: str, issuer: str, rp_id: str) -> Policy:
    """Load the policy from a file of its own."""
    file = folder / "deputize.toml"
    file.write_text(POLICY.format(origin=origin, issuer=issuer, rp_id=rp_id), encoding="utf-8")
    return deputize.load(file)


def page(issuer: str, user: str) -> str:
    """Return the board."""
    return PAGE.format(issuer=issuer, user=escape(user))
