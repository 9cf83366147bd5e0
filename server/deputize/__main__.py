"""`python -m deputize` is the command `deputize`."""

from deputize.cli import app

app(prog_name="deputize")
