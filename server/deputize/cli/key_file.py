"""Keys in files of their own, as commands make and read them: of guards, and of who may read the record."""

from pathlib import Path
from typing import TYPE_CHECKING

from deputize.cli.out import UNUSABLE, fail

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey


def make(file: Path) -> "EllipticCurvePrivateKey":
    """Make a key in a new file, which only its owner can read; ends the command where there is one."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    from deputize.crypto import jwk_file

    key = generate_private_key(SECP256R1())
    try:
        jwk_file.save(key, file)
    except FileExistsError:
        fail(f"{file} is there already, and was left as it is", UNUSABLE)
    return key


def load(file: Path, maker: str) -> "EllipticCurvePrivateKey":
    """Read a key; ends the command where there is none, and says which other, the `maker`, makes one."""
    from deputize.crypto import jwk_file

    try:
        return jwk_file.load(file)
    except FileNotFoundError:
        fail(f"there is no {file}; `{maker} {file}` makes one", UNUSABLE)
    except (OSError, ValueError) as error:
        fail(str(error), UNUSABLE)
