"""What an agent holds, and the file that it keeps it in."""

from pathlib import Path
from typing import Any

import pytest
from tests.agent.conftest import secrets_of

from deputize.agent import TokenFile, Tokens, Unexpected

ACCESS, REFRESH = "a" * 60, "r" * 60
ANSWER: dict[str, Any] = {
    "access_token": ACCESS,
    "token_type": "DPoP",
    "expires_in": 300,
    "refresh_token": REFRESH,
    "scope": "account:read",
    "grant_id": "grt_x",
    "sub": "usr_x",
    "authorization_details": [{"type": "webmcp_tool", "tool": "note"}],
}


def of(**changed: Any) -> Tokens:
    answer = {name: value for name, value in {**ANSWER, **changed}.items() if value is not None}
    return Tokens.of(answer, "https://bank.example", "https://agent.example/a.json", 1000)


def test_are_what_the_authority_answered() -> None:
    tokens = of()
    assert (tokens.access_token, tokens.refresh_token, tokens.expires_at) == (ACCESS, REFRESH, 1300)
    assert (tokens.user_id, tokens.grant_id, tokens.scope) == ("usr_x", "grt_x", "account:read")
    assert tokens.authorization_details == ANSWER["authorization_details"]
    bare = of(refresh_token=None, sub=None, grant_id=None, authorization_details=None)
    assert (bare.refresh_token, bare.authorization_details) == (None, [])


@pytest.mark.parametrize(
    "changed",
    [
        {"token_type": "Bearer"},  # whoever has it can use it: not what was asked for
        {"token_type": "N_A"},
        {"token_type": None},
        {"access_token": None},
        {"access_token": 1},
        {"expires_in": None},
        {"expires_in": "300"},
        {"scope": None},
    ],
    ids=str,
)
def test_answers_without_what_tokens_need_are_unexpected(changed: dict[str, Any]) -> None:
    with pytest.raises(Unexpected, match="DPoP-bound") as caught:
        of(**changed)
    assert not [secret for secret in secrets_of(ANSWER) if secret in str(caught.value)]


def test_do_not_show_themselves() -> None:
    assert ACCESS not in repr(of())
    assert REFRESH not in repr(of())


def test_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    store = TokenFile(tmp_path / "agent.tokens")
    assert store.read() is None
    for tokens in (of(), of(expires_in=10)):
        store.write(tokens)
        assert store.read() == tokens
        assert (tmp_path / "agent.tokens").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["agent.tokens"]  # nothing is left beside it
    store.write(None)
    assert store.read() is None
    store.write(None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    file = tmp_path / "agent.tokens"
    file.write_text("{}")
    file.chmod(0o644)
    TokenFile(file).write(of())
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "x", "[]", "{}", '{"access_token": "aaaaaaaa"}', "null"])
def test_a_file_of_something_else_is_said_to_be_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "agent.tokens"
    file.write_text(content)
    with pytest.raises(ValueError, match="does not hold the tokens of an agent") as caught:
        TokenFile(file).read()
    assert "aaaaaaaa" not in str(caught.value)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TokenFile(tmp_path / "agent.tokens")
    store.write(of())

    def full(self: Path, target: Path) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            store.write(of(expires_in=10))
    assert store.read() == of()
    assert [path.name for path in tmp_path.iterdir()] == ["agent.tokens"]
