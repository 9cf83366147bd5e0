"""The npm package's `deputize/playwright`: what js/README.md shows is played as it stands there, by Node."""

import os
import re
import subprocess

import pytest
from e2e.bank import Bank

from deputize.testing import chromium

LOST = """
test('an answer that got lost is not pressed as if it were an approval', async (t) => {
  const browser = await launch(chromium, { executablePath: process.env.CHROMIUM });
  t.after(() => browser.close());
  const page = await browser.newPage();
  const she = await human(page);
  await assert.rejects(she.approve({ timeout: 50 }), /a dialog that takes an answer: not within 50 ms[.] Seen: null/);
  await (await passkeys(page)).add();
  await page.goto(`${site}/deputize/account?return_to=/`);
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Create an account with a passkey' }).click();
  await page.getByText('Current account').waitFor();
  await page.waitForLoadState();
  assert.ok((await agent(page).tools()).includes('get_balance'));
  agent(page).call('get_balance').catch(() => {}); // the browser ends before it
  await page.route('**/approval', async (route) => {
    await route.fetch(); // it arrives, and nobody learns of that
    await route.abort();
  });
  await assert.rejects(she.approve(), { name: 'NotApproved' });
  const { complaint, buttons } = await she.dialog();
  assert.deepEqual(buttons, ['Take it back', 'Keep it']);
  await assert.rejects(she.approve(), { name: 'NotApproved', message: complaint });
  assert.equal((await she.dialog()).complaint, complaint);
});
"""


def test_the_readme_s_test_passes_and_so_does_one_of_a_lost_answer(
    bank: Bank, pytestconfig: pytest.Config
) -> None:
    """Consent and approval by the human lead to the transfer; no, a failed verification and `Keep it` do not."""
    folder = pytestconfig.rootpath / "js"
    _, section = (folder / "README.md").read_text(encoding="utf-8").split("\n## Tests\n")
    (script,) = re.findall(r"^```js\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    ran = subprocess.run(
        ["node", "--input-type=module"],
        input=script + LOST,
        cwd=folder,
        env={**os.environ, "SITE": bank.url, "CHROMIUM": chromium.find() or ""},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pass 2" in ran.stdout
    assert bank.sent() == [(250_00, "Ada")]
    assert [entry["kind"] for entry in bank.record("call.redeemed", "call.declined")] == [
        "call.redeemed",
        "call.declined",
        "call.declined",
    ]
