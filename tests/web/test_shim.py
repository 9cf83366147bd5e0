"""The shim, as the authority serves it."""

from pathlib import Path

import pytest
from tests.bank import ISSUER, POLICY, opened

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("bundle", ["shim.js", "shim-polyfill.js", "shim.mjs"])
async def test_it_knows_which_tools_are_public_by_the_policy_of_now(tmp_path: Path, bundle: str) -> None:
    """EVID-1: so that it declares evidence in no schema that nobody takes it by."""
    path = tmp_path / "deputize.toml"
    path.write_text(POLICY)
    async with opened(path, tmp_path / "var") as bank:
        http = bank.page().http
        text = (await http.get(f"{ISSUER}/{bundle}")).text
        assert "deputize:public" not in text
        assert text.count('=["search_help"]') == 1
        path.write_text(POLICY + '[tools."a.b-c_d"]\npublic = true\n')
        assert '=["search_help","a.b-c_d"]' in (await http.get(f"{ISSUER}/{bundle}")).text
        path.write_text(POLICY.replace("[tools.search_help]\npublic = true\n", ""))
        assert '"search_help"' not in (await http.get(f"{ISSUER}/{bundle}")).text
