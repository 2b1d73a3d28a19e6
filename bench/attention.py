"""Plain products against PyTorch's fused attention on a CPU: forward and backward, bfloat16, interleaved.

python bench/attention.py        prints milliseconds of processor time a call and their ratio
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from llemma.model.llama import plain_attention

SHAPES = [(6, 4, 320, 32), (8, 4, 256, 64), (8, 4, 512, 64), (4, 8, 1024, 64)]
ROUNDS = 15


def cpu_ms(call: Callable[[], object]) -> float:
    """Processor milliseconds of one call."""
    started = time.process_time()
    call()
    return 1000 * (time.process_time() - started)


def compare(batch: int, heads: int, length: int, width: int) -> tuple[float, float]:
    """Median milliseconds of the plain and of the fused way."""
    torch.manual_seed(0)
    shapes = ((batch, heads), (batch, heads // 2), (batch, heads // 2))
    q, k, v = (torch.randn(*shape, length, width).bfloat16().requires_grad_() for shape in shapes)
    grad = torch.randn(batch, heads, length, width).bfloat16()

    def plain() -> None:
        plain_attention(q, k, v).backward(grad)

    def fused() -> None:
        F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).backward(grad)

    plain(), fused()
    pairs = [(cpu_ms(plain), cpu_ms(fused)) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def main() -> None:
    """Print the table."""
    torch.set_flush_denormal(True)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("batch heads length width   plain   fused  ratio")
    for shape in SHAPES:
        plain, fused = compare(*shape)
        print("{:5d} {:5d} {:6d} {:5d}".format(*shape) + f" {plain:7.1f} {fused:7.1f} {fused / plain:6.2f}")


if __name__ == "__main__":
    main()
