"""Bytes that only who has the same picture can read.

A tuned generator is a likeness of a person. What is kept of it between visits is masked with a key that follows from the
picture itself and is written nowhere: with the picture it opens, without it it is noise, also for who owns the disk.

    sealed = nonce, tag, data xor SHAKE-256(key, nonce),   tag = keyed BLAKE2b(key; nonce, name, masked data)

A fresh nonce each time keeps two results of one picture from sharing a mask. The tag tells damage from a good entry.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import numpy as np

__all__ = ["seal", "unseal"]

_NONCE_BYTES, _TAG_BYTES = 16, 32


def seal(data: bytes, key: bytes, *, named: bytes = b"") -> bytes:
    """`data`, masked and tagged. key: 32 bytes that no one can guess. named: goes with it in the open, and is guarded too."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    masked = _masked(data, key, nonce)
    return nonce + _tag(masked, key, nonce, named) + masked


def unseal(sealed: bytes, key: bytes, *, named: bytes = b"") -> bytes | None:
    """What was sealed with this key; None where a bit of it or of the name has changed, or the key is another."""
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    tag, masked = rest[:_TAG_BYTES], rest[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(masked, key, nonce, named)):
        return None
    return _masked(masked, key, nonce)


def _masked(data: bytes, key: bytes, nonce: bytes) -> bytes:
    stream = hashlib.shake_256(key + nonce).digest(len(data))
    return (np.frombuffer(data, np.uint8) ^ np.frombuffer(stream, np.uint8)).tobytes()


def _tag(masked: bytes, key: bytes, nonce: bytes, named: bytes) -> bytes:
    digest = hashlib.blake2b(key=key, digest_size=_TAG_BYTES, person=b"tuned entry")
    digest.update(nonce + len(named).to_bytes(8, "big") + named)
    digest.update(masked)
    return digest.digest()
