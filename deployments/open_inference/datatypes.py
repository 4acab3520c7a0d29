"""The protocol's element types, and their values in JSON and in binary.

Binary (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md) is
little-endian and row-major; an element of BYTES is its length as uint32 and then its bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from deployments.contracts.errors import FieldProblem, InvalidRows

LENGTH_BYTES = 4


class Kind(Enum):
    """How an element is read."""

    REAL = "a number"
    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type.

    Attributes:
        name: As in the protocol.
        kind: What its elements are.
        dtype: NumPy's name, empty for BYTES.
    """

    name: str
    kind: Kind
    dtype: str = ""

    def from_json(self, elements: Sequence[Any], where: str) -> list[Any]:
        """Elements of a JSON array as feature values; null, and NaN among reals, is None.

        Raises:
            InvalidRows: An element is not of this type.
        """
        values = []
        for position, element in enumerate(elements):
            try:
                values.append(self._value(element))
            except (ValueError, OverflowError) as error:
                raise _invalid(f"{where}[{position}]", str(error)) from None
        return values

    def from_binary(self, data: memoryview, count: int, where: str) -> list[Any]:
        """Elements of a binary tensor as feature values; NaN is None.

        Raises:
            InvalidRows: The bytes are not that many elements of this type.
        """
        if self.kind is Kind.TEXT:
            return _texts(data, count, where)
        dtype = np.dtype(self.dtype)
        if len(data) != count * dtype.itemsize:
            expected = count * dtype.itemsize
            raise _invalid(where, f"has {len(data)} bytes; {count} elements of {self.name} take {expected}")
        values: list[Any] = np.frombuffer(data, dtype=dtype).tolist()
        if self.kind is Kind.REAL:
            return [None if math.isnan(value) else value for value in values]
        return values

    def to_binary(self, elements: Sequence[Any]) -> bytes:
        """Elements of a tensor in binary."""
        if self.kind is not Kind.TEXT:
            return np.array(elements, dtype=self.dtype).tobytes()
        encoded = [element.encode() for element in elements]
        return b"".join(len(element).to_bytes(LENGTH_BYTES, "little") + element for element in encoded)

    def _value(self, element: Any) -> Any:
        kind = type(element)
        if element is None:
            return None
        if self.kind is Kind.REAL and kind in (float, int):
            value = float(element)
            return None if math.isnan(value) else value
        if self.kind is Kind.INTEGER and kind is int:
            bounds = np.iinfo(self.dtype)
            if not bounds.min <= element <= bounds.max:
                raise ValueError(f"{self.name} holds {bounds.min} to {bounds.max}")
            return element
        if (self.kind is Kind.BOOLEAN and kind is bool) or (self.kind is Kind.TEXT and kind is str):
            return element
        raise ValueError(f"must be {self.kind.value} or null for {self.name}")


def _texts(data: memoryview, count: int, where: str) -> list[Any]:
    texts = []
    for position, element in enumerate(_lengths_and_bytes(data)):
        if element is None or position == count:
            raise _invalid(where, f"is not {count} elements of BYTES, each its length (uint32) and its bytes")
        try:
            texts.append(str(element, "utf-8"))
        except UnicodeDecodeError:
            raise _invalid(f"{where}[{position}]", "is not UTF-8") from None
    if len(texts) != count:
        raise _invalid(where, f"holds {len(texts)} elements of BYTES, not {count}")
    return texts


def _lengths_and_bytes(data: memoryview) -> Iterator[memoryview | None]:
    """The elements of a BYTES tensor; None where the data ends in the middle of one."""
    start = 0
    while start < len(data):
        begin = start + LENGTH_BYTES
        start = begin + int.from_bytes(data[start:begin], "little")
        yield data[begin:start] if start <= len(data) and begin <= len(data) else None


def _invalid(where: str, message: str) -> InvalidRows:
    return InvalidRows((FieldProblem(where, message),))


FP64 = Datatype("FP64", Kind.REAL, "<f8")
INT64 = Datatype("INT64", Kind.INTEGER, "<i8")
BOOL = Datatype("BOOL", Kind.BOOLEAN, "?")
BYTES = Datatype("BYTES", Kind.TEXT)

BY_NAME = {
    datatype.name: datatype
    for datatype in (
        BOOL,
        *(Datatype(f"UINT{8 * size}", Kind.INTEGER, f"<u{size}") for size in (1, 2, 4, 8)),
        *(Datatype(f"INT{8 * size}", Kind.INTEGER, f"<i{size}") for size in (1, 2, 4)),
        INT64,
        Datatype("FP16", Kind.REAL, "<f2"),
        Datatype("FP32", Kind.REAL, "<f4"),
        FP64,
        BYTES,
    )
}
