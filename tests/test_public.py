"""What `import deputize` gives."""

import subprocess
import sys

import pytest

import deputize


def test_every_public_name_is_there() -> None:
    for name in deputize.__all__:
        assert getattr(deputize, name)


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Deputise'"):
        deputize.Deputise  # noqa: B018  # that it raises is the test


def test_a_rule_alone_brings_no_web_server_with_it() -> None:
    code = "import sys, deputize.protocol.policy; sys.exit('starlette' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
