"""What of a partition is under way and what is out: decides what may begin and what may be committed. Pure."""

from __future__ import annotations

from collections import deque


class PartitionLedger:
    """The records of one partition between being read and being out.

    A record begins only when every earlier one of its key was sent, so results of a key are sent in order. The
    position to commit never passes a record whose result is not acknowledged: what a crash interrupts comes again.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, None] = {}  # in the order of offsets, as they are read
        self._waiting: dict[bytes, deque[int]] = {}  # by key, behind the one of that key that has begun
        self._position: int | None = None

    def __len__(self) -> int:
        """Records that were read and are not out."""
        return len(self._under_way)

    @property
    def position(self) -> int | None:
        """The offset to commit: of the first record that is not out; None before the first was read."""
        return next(iter(self._under_way), self._position)

    def read(self, offset: int, key: bytes | None) -> bool:
        """Take a record in; whether it may begin now.

        Raises:
            ValueError: It does not come after all others.
        """
        if self._position is not None and offset < self._position:
            raise ValueError(f"offset {offset} was read after {self._position - 1}")
        self._under_way[offset] = None
        self._position = offset + 1
        if key is None:
            return True
        if key in self._waiting:
            self._waiting[key].append(offset)
            return False
        self._waiting[key] = deque()
        return True

    def sent(self, key: bytes | None) -> int | None:
        """Note that what goes out for a record of a key was sent.

        Returns:
            The offset of the next record of that key, which may begin now.
        """
        if key is None:
            return None
        behind = self._waiting[key]
        if behind:
            return behind.popleft()
        del self._waiting[key]
        return None

    def acknowledged(self, offset: int) -> None:
        """Note that what went out for a record is safe with the brokers."""
        del self._under_way[offset]
