"""One slab of a tensor made into one output's type: copied, or unpacked and converted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ggufpress import _native
from ggufpress.errors import WeightError
from ggufpress.execute.loading import Carver
from ggufpress.execute.slabs import Slab
from ggufpress.execute.weighing import weighted_runs
from ggufpress.imatrix.matrix import ImportanceData
from ggufpress.mapping import Derived
from ggufpress.planning import PlannedTensor
from ggufpress.quant.types import BF16, F16, F32, QType


@dataclass(frozen=True, slots=True)
class Loaded:
    """The weights of a slab as they are stored, and as numbers of type `kind`. `checked`: of a GGUF file."""

    tensor: Derived
    slab: Slab
    source: memoryview
    numbers: memoryview
    kind: QType
    checked: bool

    def cols(self, qtype: QType) -> int:
        """What the kernels are to take for a row where they write `qtype`."""
        blocks = qtype.quantized or self.tensor.dtype.quantized
        return min(self.tensor.shape[-1], self.slab.elements) if blocks else self.slab.elements


def loaded(tensor: Derived, slab: Slab, source: memoryview, carve: Carver, *, unpacked: bool, checked: bool) -> Loaded:
    """The slab ready to be converted. `unpacked`: its blocks are to become numbers. `checked`: refuse what is not finite.

    Raises WeightError for a NaN or an infinity, where llama-quantize refuses the file too.
    """
    stored = tensor.dtype
    found = Loaded(tensor, slab, source, source, stored, checked)
    if checked and (stored.quantized or stored in (F32, F16, BF16)):
        bad = _native.check_blocks(source, stored.id, found.cols(stored))
        if bad >= 0:
            raise _not_finite(tensor, slab.first + bad * stored.block, "take another copy of the file")
    if not unpacked:
        return found
    numbers = carve(F32.row_bytes(slab.elements))
    _native.dequantize(source, stored.id, numbers, found.cols(stored))
    return Loaded(tensor, slab, source, numbers, F32, checked)


def is_copy(tensor: Derived, planned: PlannedTensor) -> bool:
    """Whether the output holds the very bytes of the source."""
    return planned.qtype is tensor.dtype and planned.via is tensor.dtype


def convert(found: Loaded, planned: PlannedTensor, data: memoryview, importance: ImportanceData | None = None) -> None:
    """Write the slab as `planned` wants it to `data`. Raises WeightError for weights that its type cannot hold."""
    if is_copy(found.tensor, planned):
        data[:] = found.source
        return
    qtype, cols = planned.qtype, found.cols(planned.qtype)
    # a GGUF source was rounded when it was written
    via = F32 if planned.via.quantized else planned.via
    for run in weighted_runs(planned, found.slab, importance):
        numbers = found.numbers[found.kind.row_bytes(run.first) :][: found.kind.row_bytes(run.elements)]
        blocks = data[qtype.row_bytes(run.first) :][: qtype.row_bytes(run.elements)]
        bad = _native.convert(numbers, found.kind.id, via.id, blocks, qtype.id, cols, run.weights)
        if bad >= 0:
            raise _not_finite(found.tensor, found.slab.first + run.first + bad)
    if found.checked and _native.check_blocks(data, qtype.id, cols) >= 0:
        raise WeightError(
            f"{found.tensor.sources[0].file}: {found.tensor.sources[0].name} has weights that are too large for {qtype}",
            hint="choose another type: BF16 and F32 hold every weight",
        )


def squared_error(found: Loaded, planned: PlannedTensor, data: memoryview) -> float:
    """The sum of squared differences between the source and `data`, which `convert` wrote."""
    if is_copy(found.tensor, planned):
        return 0.0
    qtype = planned.qtype
    return _native.error_sums(found.source, found.tensor.dtype.id, data, qtype.id, found.cols(qtype))[0]


DAMAGED = "the checkpoint is damaged or was saved after training diverged; F16, BF16 and F32 keep such values"


def _not_finite(tensor: Derived, index: int, hint: str = DAMAGED) -> WeightError:
    position = [int(i) for i in np.unravel_index(index, tensor.shape)]
    names = ", ".join(ref.name for ref in tensor.sources[:3])
    return WeightError(
        f"{tensor.sources[0].file if tensor.sources else ''}: {names} is not a finite number at {position} of {tensor.name}",
        hint=hint,
    )
