"""What keeps a store from being used, whichever it is, told to its owner."""


class StoreFault(Exception):
    """A store cannot be opened, or is not what it was. The message says so in a sentence."""


class PutBack(StoreFault):
    """A store is behind the newest checkpoint that has left it, or nobody can tell whether it is (HEAD-2)."""


class NoStore(StoreFault):
    """There is none where one has to be, or an empty one in its place."""


class KeysUnavailable(StoreFault):
    """The keys under which it is kept what is kept of people cannot be used. The message says why (SEAL-4)."""
