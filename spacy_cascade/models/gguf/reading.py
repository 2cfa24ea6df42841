"""A GGUF file as it says it is: its metadata and how its tensors are stored."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...errors import CascadeError, Errors

if TYPE_CHECKING:
    from gguf.gguf_reader import ReaderTensor

_MAGIC = b"GGUF"

# What the metadata of a file hold.
Value: TypeAlias = str | int | float | bool | list[Any]


class GGUFFile:
    """An opened file, memory-mapped.

    RAISES CascadeError: C094 for damage or another kind of file, C098 without the package gguf.
    """

    def __init__(self, path: Path):
        if find_spec("gguf") is None:
            raise CascadeError(Errors.C098.format(path=path))
        from gguf import GGUFReader

        self.path = path
        with path.open("rb") as f:
            start = f.read(len(_MAGIC))
        if start != _MAGIC:
            why = f"it begins with {start!r}, not {_MAGIC!r}"
            raise CascadeError(Errors.C094.format(path=path, why=why))
        try:
            self._reader = GGUFReader(path)
        except Exception as err:
            # numpy raises what the place of the damage makes it raise
            size = path.stat().st_size
            why = f"after {size} bytes it ends too early, or it is damaged ({err})"
            raise CascadeError(Errors.C094.format(path=path, why=why)) from err

    def get(
        self,
        key: str,
        default: Value | None = None,
    ) -> Any:
        """The value of a key of the metadata."""
        field = self._reader.get_field(key)
        return default if field is None else field.contents()

    @property
    def architecture(self) -> str:
        return str(self.get("general.architecture", "unknown"))

    @property
    def _tensors(self) -> list[ReaderTensor]:
        return list(self._reader.tensors)

    @property
    def _kinds(self) -> set[str]:
        return {tensor.tensor_type.name for tensor in self._tensors}

    @property
    def quantization(self) -> str:
        """The kinds of its tensors, such as 'F32, Q4_1, Q8_0'."""
        return ", ".join(sorted(self._kinds))

    def check_tensors(self) -> None:
        """RAISES CascadeError: C095 for tensors that can't be dequantized, and parts of a model."""
        parts = int(self.get("split.count", 1) or 1)
        if parts > 1:
            raise self.unreadable(
                f"it is one of {parts} parts; join them with llama-gguf-split"
            )
        from gguf import dequantize

        one_of_each = {tensor.tensor_type: tensor for tensor in self._tensors}
        for tensor in one_of_each.values():
            try:
                dequantize(tensor.data[:1], tensor.tensor_type)
            except Exception as err:
                raise self.unreadable(err) from err

    def unreadable(self, why: object) -> CascadeError:
        """The error for a model that transformers does not know or gguf can't dequantize."""
        lines = str(why).strip().splitlines() or [type(why).__name__]
        message = Errors.C095.format(
            path=self.path,
            why=lines[0],
            architecture=self.architecture,
            quantization=self.quantization,
        )
        return CascadeError(message)

    def narrowest_dtype(self) -> str:
        """The narrowest of bfloat16, float16 and float32 that holds all numbers exactly."""
        kinds = self._kinds
        single = [t.data for t in self._tensors if t.tensor_type.name == "F32"]
        if kinds <= {"BF16", "F32"} and all(map(_fits_bfloat16, single)):
            return "bfloat16"
        if kinds <= {"F16", "F32"} and all(map(_fits_float16, single)):
            return "float16"
        return "float32"


def _fits_bfloat16(values: np.ndarray) -> bool:
    return not (np.ascontiguousarray(values).view(np.uint32) & 0xFFFF).any()


def _fits_float16(values: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16).astype(np.float32) == values).all())
