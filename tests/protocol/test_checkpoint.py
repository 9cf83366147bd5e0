"""The body of a checkpoint (LOG-3, c2sp.org/tlog-checkpoint)."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import EMPTY_ROOT

# The example of the specification.
BODY = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

origins = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1)


class TestCheckpoint:
    def test_reads_and_writes_the_example(self) -> None:
        checkpoint = Checkpoint.parse(BODY)
        assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
        assert b64encode(checkpoint.root).decode() == ROOT
        assert checkpoint.body() == BODY

    def test_of_an_empty_log_has_the_empty_root(self) -> None:
        body = "bank.example/deputize\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
        assert Checkpoint("bank.example/deputize", 0, EMPTY_ROOT).body() == body
        assert Checkpoint.parse(body) == Checkpoint("bank.example/deputize", 0, EMPTY_ROOT)

    @given(origins, st.integers(0, 10**19 - 1), st.binary(min_size=32, max_size=32))
    def test_reads_what_it_writes(self, origin: str, size: int, root: bytes) -> None:
        checkpoint = Checkpoint(origin, size, root)
        assert Checkpoint.parse(checkpoint.body()) == checkpoint

    @given(st.data())
    def test_has_one_spelling(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(BODY)))
        body = BODY[:at] + data.draw(st.text(max_size=2)) + BODY[at + data.draw(st.integers(0, 2)) :]
        try:
            checkpoint = Checkpoint.parse(body)
        except ValueError:
            return
        assert checkpoint.body() == body

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param("", id="nothing"),
            pytest.param(BODY[:-1], id="no newline at the end"),
            pytest.param(BODY + "\n", id="one newline too many"),
            pytest.param(BODY + "extension\n", id="extension line"),
            pytest.param(BODY.replace("\n", "\r\n"), id="carriage returns"),
            pytest.param(BODY.partition("\n")[2], id="no origin line"),
            pytest.param("\n" + BODY.partition("\n")[2], id="empty origin"),
            pytest.param("a\tb\n" + BODY.partition("\n")[2], id="control character in the origin"),
            pytest.param("\ud800\n" + BODY.partition("\n")[2], id="lone surrogate in the origin"),
            pytest.param(BODY.replace("\n2085", "\n02085"), id="leading zero"),
            pytest.param(BODY.replace("\n2085", "\n+2085"), id="plus"),
            pytest.param(BODY.replace("\n2085", "\n-2085"), id="negative size"),
            pytest.param(BODY.replace("\n2085", "\n 2085"), id="space"),
            pytest.param(BODY.replace("\n2085", "\n2_085"), id="underscore"),
            pytest.param(BODY.replace("\n2085", "\n٢085"), id="digit of another script"),
            pytest.param(BODY.replace("20852163", ""), id="no size"),
            pytest.param(BODY.replace("20852163", "1" * 20), id="size of 20 digits"),
            pytest.param(BODY.replace("q2I=", "q2J="), id="trailing bits"),
            pytest.param(BODY.replace("q2I=", "q2I"), id="no padding"),
            pytest.param(BODY.replace("q2I=", "q2I=="), id="too much padding"),
            pytest.param(BODY.replace("/X", "_X"), id="base64url"),
            pytest.param(BODY.replace(ROOT, "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw=="), id="31 bytes"),
            pytest.param(BODY.replace(ROOT, "AAAA" + ROOT), id="35 bytes"),
        ],
    )
    def test_refuses_what_is_none(self, body: str) -> None:
        with pytest.raises(ValueError, match=r"checkpoint|base64|origin"):
            Checkpoint.parse(body)

    @pytest.mark.parametrize(
        ("origin", "size", "root"),
        [
            ("", 0, EMPTY_ROOT),
            ("a\nb", 0, EMPTY_ROOT),
            ("a\0", 0, EMPTY_ROOT),
            ("\udfff", 0, EMPTY_ROOT),
            ("a", -1, EMPTY_ROOT),
            ("a", 10**19, EMPTY_ROOT),
            ("a", 0, EMPTY_ROOT[:-1]),
            ("a", 0, EMPTY_ROOT + b"a"),
        ],
    )
    def test_cannot_be_made_malformed(self, origin: str, size: int, root: bytes) -> None:
        with pytest.raises(ValueError, match=r"origin|size|root"):
            Checkpoint(origin, size, root)
