"""OPENID-1: the secret by which a provider knows us is where the policy says, and nowhere else."""

from pathlib import Path

import pytest

from deputize.authority import client_secret
from deputize.protocol.errors import Code, Refused
from deputize.protocol.login import OpenId

WHERE = "https://login.harbor.example"


@pytest.mark.parametrize("text", ["s3cret", "s3cret\n", "  s3cret \n"])
def test_it_is_read_from_a_file_each_time(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    openid = OpenId(WHERE, "x", secret_file=str(path))
    path.write_text(text)
    assert client_secret.read(openid) == "s3cret"
    path.write_text("another")
    assert client_secret.read(openid) == "another"


def test_it_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENID_SECRET", "s3cret")
    assert client_secret.read(OpenId(WHERE, "x", secret_env="OPENID_SECRET")) == "s3cret"


@pytest.mark.parametrize("text", [None, b"", b"\n", b"a\nb", b"x" * 1025, b"\xff\xfe"])
def test_without_it_the_owner_reads_where_it_should_be_and_nobody_else(
    tmp_path: Path, text: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(Refused) as caught:
        client_secret.read(OpenId(WHERE, "x", secret_file=str(path)))
    assert caught.value.refusal.code is Code.SIGN_IN_FAILED
    assert str(path) not in caught.value.refusal.detail
    assert f"there is none in client_secret_file, {path}" in caplog.text


def test_a_variable_that_is_not_set_is_named_to_the_owner(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Refused):
        client_secret.read(OpenId(WHERE, "x", secret_env="DEPUTIZE_NO_SUCH_SECRET"))
    assert "client_secret_env, DEPUTIZE_NO_SUCH_SECRET" in caplog.text


def test_what_would_end_it_is_escaped() -> None:
    """RFC 6749 §2.3.1."""
    assert client_secret.basic("a:b", "c d/é") == "Basic YSUzQWI6YytkJTJGJUMzJUE5"
