"""Seeds made from seeds."""

import hashlib


def derived_seed(*parts: int | str) -> int:
    """Return one seed from several parts, such as (seed, "epoch", 3): the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
