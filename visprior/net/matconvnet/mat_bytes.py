"""The data elements of a MATLAB file, one after the other (MathWorks, "MAT-File Format")."""

import zlib

import numpy as np

COMPRESSED = 15  # the type of an element that holds another one


class DamagedError(Exception):
    """The bytes are not what the format says."""


class Bytes:
    """Bytes that are read from front to back, never past their end.

    order: of the bytes in a number, "<" (the lowest first) or ">".
    """

    def __init__(self, data: np.ndarray, order: str) -> None:
        self.data, self.order, self.at = data, order, 0

    @property
    def left(self) -> int:
        """How many bytes are still to be read."""
        return len(self.data) - self.at

    def take(self, count: int) -> np.ndarray:
        """The next bytes.

        Raises:
            DamagedError: fewer are left.
        """
        if count > self.left:
            raise DamagedError(f"it ends {count - self.left} bytes early")
        self.at += count
        return self.data[self.at - count : self.at]

    def numbers(self, kind: str, count: int) -> np.ndarray:
        """The next numbers of a type of numpy's, such as u4."""
        kind = f"{self.order}{kind}"
        return self.take(count * np.dtype(kind).itemsize).view(kind)

    def element(self) -> tuple[int, "Bytes"]:
        """The type and the content of the next data element."""
        tag = int(self.numbers("u4", 1)[0])
        if tag >> 16:  # four bytes at most, in the tag itself
            return tag & 0xFFFF, self._inner(self.take(4)[: tag >> 16])
        content = self._inner(self.take(int(self.numbers("u4", 1)[0])))
        if tag != COMPRESSED:
            self.take(min(-len(content.data) % 8, self.left))
        return tag, content

    def _inner(self, data: np.ndarray) -> "Bytes":
        return Bytes(data, self.order)


def inflated(packed: Bytes) -> Bytes:
    """A compressed variable unpacked: as many bytes as its own tag says, at most 4 GB.

    Raises:
        DamagedError: it holds nothing.
    """
    stream = zlib.decompressobj()
    tag = stream.decompress(packed.data.data, 8)
    if len(tag) < 8:
        raise DamagedError("a compressed variable without content")
    length = int(np.frombuffer(tag, f"{packed.order}u4")[1])
    content = stream.decompress(stream.unconsumed_tail, max(length, 1))  # 0 would be no limit
    stream.decompress(stream.unconsumed_tail, 1)  # zlib compares the checksum at the end
    whole = np.empty(len(tag) + len(content), np.uint8)  # may be written to, unlike bytes
    whole[: len(tag)] = np.frombuffer(tag, np.uint8)
    whole[len(tag) :] = np.frombuffer(content, np.uint8)
    return Bytes(whole, packed.order)
