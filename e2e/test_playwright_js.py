"""The npm package's `deputize/playwright`: what js/README.md shows is played as it stands there, by Node."""

import os
import re
import subprocess

import pytest
from e2e.bank import Bank

from deputize.testing import chromium


def test_the_readme_s_test_passes(bank: Bank, pytestconfig: pytest.Config) -> None:
    """Consent and approval by the human lead to the transfer; a no and a failed verification do not."""
    folder = pytestconfig.rootpath / "js"
    _, section = (folder / "README.md").read_text(encoding="utf-8").split("\n## Tests\n")
    (script,) = re.findall(r"^```js\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    ran = subprocess.run(
        ["node", "--input-type=module"],
        input=script,
        cwd=folder,
        env={**os.environ, "SITE": bank.url, "CHROMIUM": chromium.find() or ""},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pass 1" in ran.stdout
    assert bank.sent() == [(250_00, "Ada")]
    assert [entry["kind"] for entry in bank.record("call.redeemed", "call.declined")] == [
        "call.redeemed",
        "call.declined",
        "call.declined",
    ]
