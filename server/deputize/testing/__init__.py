"""For QA engineers: drives WebMCP tools, passkeys and the dialogs of deputize in a real Chromium."""
