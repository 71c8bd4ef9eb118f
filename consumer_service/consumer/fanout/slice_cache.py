"""Encoded slices that several lagging viewers share.

Viewers fall behind together, when a burst fills all their sockets, and then read the same part of the ring. Each
would encode it, frame it and keep its unsent rest: 2,000 laggards took 192 KiB each, more than the container has.
Here the first one encodes, and the others keep a view of the same bytes. A slice that is no longer in the cache
lives as long as some viewer's rest refers to it, and how large a slice may be depends on how many viewers lag
(`FanoutPolicy.lagging_slice_bytes`), so the sum is bounded."""

from collections import OrderedDict

from consumer.fanout.client import chunk
from consumer.fanout.viewer import encode_slice
from consumer.ring.position import Position
from consumer.ring.types import Slice

MAX_ENTRIES = 32


class SliceCache:
    """The slices encoded last, as plain bytes and as an HTTP/1.1 chunk."""

    def __init__(self) -> None:
        self._encoded: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._chunks: dict[int, bytes] = {}

    def encode(self, piece: Slice, since: Position | None) -> bytes:
        """Encode a slice, or return the very bytes that were returned for it before."""
        if since is not None or not piece.batches:
            return encode_slice(piece, since)  # this viewer's own
        key = (piece.number - len(piece.batches), piece.number)
        data = self._encoded.get(key)
        if data is None:
            data = self._encoded[key] = encode_slice(piece)
            if len(self._encoded) > MAX_ENTRIES:
                _, evicted = self._encoded.popitem(last=False)
                self._chunks.pop(id(evicted), None)
        return data

    def chunked(self, data: bytes) -> bytes:
        """Return the data as a chunk; for the bytes of a cached slice, the same chunk each time."""
        if not any(data is cached for cached in self._encoded.values()):
            return chunk(data)
        if id(data) not in self._chunks:
            self._chunks[id(data)] = chunk(data)
        return self._chunks[id(data)]
