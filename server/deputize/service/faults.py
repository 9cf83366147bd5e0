"""What keeps a store from being used, whichever it is, told to its owner."""


class StoreFault(Exception):
    """A store cannot be opened, or is not what it was. The message says so in a sentence."""


class PutBack(StoreFault):
    """A store is behind the newest checkpoint that has left it, or nobody can tell whether it is (HEAD-2)."""


class NoStore(StoreFault):
    """There is none where one has to be, or an empty one in its place."""


class Locked(StoreFault):
    """What is kept of people cannot be sealed or opened, since the keys for it cannot be used (SEAL-5).

    The message says why, for everybody; `where` is the file or the command, for the owner.
    """

    def __init__(self, why: str, where: object = None) -> None:
        """Say `why`, in words that tell nothing of this machine, and `where`."""
        super().__init__(why)
        self.where = where

    def to_owner(self) -> str:
        """Say why, and where."""
        return str(self) if self.where is None else f"{self}: {self.where}"


class KeysMissing(Locked):
    """There is no file of users' keys, though there were such keys."""

    def __init__(self, where: object) -> None:
        """Say `where` it should be."""
        super().__init__("the file of users' keys is missing", where)

    def to_owner(self) -> str:
        """Say where it should be, and what to do."""
        return (
            f"{super().to_owner()}. Put it back from where you have it, or see whether its disk is mounted; if it is "
            "lost for good, `deputize restore --forget-lost` forgets the users whose keys were in it."
        )
