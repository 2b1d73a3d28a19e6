"""Kinds of machines to train on: published facts, and two assumptions that a command may change (MFU and price)."""

from __future__ import annotations

from typing import Literal

import msgspec

from llemma.core.errors import UsageError, suggest


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of GPU, or a whole machine without one.

    `memory` bytes; `bf16` and `fp32` FLOP/s of dense matrix products; `link` and `network` bytes/s that one GPU sends
    to its own node and to others; `node` GPUs in a node; `launch` seconds from one operation to the next; `mfu` the
    share of the peak a run is assumed to reach; `price` US dollars an hour. The last three are assumptions.
    """

    name: str
    memory: float
    bf16: float
    fp32: float
    link: float
    network: float
    node: int = 8
    launch: float = 5e-6
    mfu: float = 0.40
    price: float

    def peak(self, precision: Literal["bf16", "fp32", "fp8"]) -> float:
        """FLOP/s of dense matrix products in this precision; for fp8 those of bf16, so that the MFU shows the gain."""
        return self.fp32 if precision == "fp32" else self.bf16


# Memory: the data sheets' gigabytes as 1e9 bytes, a few percent less than what the driver shows. Rates: dense, that is
# half of what data sheets print "with sparsity"; fp32 without TF32. Links: NVLink or Infinity Fabric in one direction,
# half of the sheets' sum of both; PCIe 4.0 x16 for cards without. Networks: one adapter a GPU as in the vendors' own
# systems (DGX A100: 200 Gbit/s, DGX H100/H200/B200: 400 Gbit/s). Prices: what rented machines cost on demand around
# 2025, rounded. MFU: 35 % is torchtitan's published level for Llama 3.1 8B on 8 H100 (compiled, bf16), nanochat's about
# 50 %.
_KINDS = (
    # NVIDIA A100 data sheet (2021): 312 TFLOP/s bf16, 19.5 fp32, NVLink 600 GB/s
    Device(name="a100-40", memory=40e9, bf16=312e12, fp32=19.5e12, link=300e9, network=25e9, price=1.30),
    Device(name="a100-80", memory=80e9, bf16=312e12, fp32=19.5e12, link=300e9, network=25e9, price=1.80),
    # NVIDIA H100 data sheet, SXM5: 1,979 TFLOP/s bf16 with sparsity, 67 fp32, NVLink 900 GB/s
    Device(name="h100", memory=80e9, bf16=989.4e12, fp32=67e12, link=450e9, network=50e9, price=2.50),
    # NVIDIA H200 data sheet, SXM: as H100, with 141 GB
    Device(name="h200", memory=141e9, bf16=989.4e12, fp32=67e12, link=450e9, network=50e9, price=3.20),
    # NVIDIA DGX B200 data sheet: 8 GPUs have 1,440 GB and 72 PFLOP/s of fp8 with sparsity, a quarter of it
    # in dense bf16; NVLink 1.8 TB/s; fp32 from the HGX B200 sheet
    Device(name="b200", memory=180e9, bf16=2250e12, fp32=75e12, link=900e9, network=50e9, price=5.00),
    # AMD MI300X data sheet: 1,307.4 TFLOP/s bf16, 163.4 fp32; seven links of 64 GB/s in one direction
    Device(name="mi300x", memory=192e9, bf16=1307.4e12, fp32=163.4e12, link=448e9, network=50e9, price=2.50),
    # NVIDIA L40S data sheet: 362 TFLOP/s bf16, 91.6 fp32, PCIe 4.0
    Device(name="l40s", memory=48e9, bf16=362e12, fp32=91.6e12, link=32e9, network=25e9, price=0.90),
    # NVIDIA Ada whitepaper, appendix A: 165.2 TFLOP/s bf16 with fp32 sums, 82.6 fp32; PCIe 4.0; a 25 Gbit/s network
    Device(name="rtx-4090", memory=24e9, bf16=165.2e12, fp32=82.6e12, link=32e9, network=3e9, price=0.40),
    # Measured, not published: two cores of an AMD EPYC with AVX512-BF16 and 24 GiB (docs/benchmarks.md). One core's
    # matrix products reach 200 GFLOP/s in bf16 and 90 in fp32, and eager training of 10 M weights 43 % of that in bf16.
    Device(
        name="cpu",
        memory=24 * 2**30,
        bf16=400e9,
        fp32=180e9,
        link=10e9,
        network=1e9,
        node=1,
        launch=0.0,
        mfu=0.43,
        price=0.10,
    ),
)
KINDS = {device.name: device for device in _KINDS}
_ALIASES = {"a100": "a100-80", "h100-80": "h100", "h100-sxm": "h100", "rtx4090": "rtx-4090", "4090": "rtx-4090"}


def find(kind: str) -> Device:
    """The facts of a kind of GPU by name, capitals, blanks and vendor aside; raises `UsageError` for an unknown one."""
    folded = kind.strip().lower().replace(" ", "-").replace("_", "-").removeprefix("nvidia-").removeprefix("amd-")
    found = KINDS.get(_ALIASES.get(folded, folded))
    if found is None:
        hint = suggest(folded, KINDS)
        raise UsageError(
            f"unknown kind of GPU '{kind}' {hint}".rstrip(), where="--gpu", mend=f"known kinds: {', '.join(KINDS)}"
        )
    return found
