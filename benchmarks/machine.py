"""What the machine can do: rates of matrix products and of memory, and the machine in words."""

import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

# (m, k, n) of the product (m, k) @ (k, n): one that every library does well, and the one of a
# hidden layer on a block of points that stays in cache.
FAVOURABLE, USED = (1024, 1024, 1024), (128, 128, 450)
# Two vectors of 50,049 parameters for each of 100 pairs: the history of L-BFGS.
HISTORY = (200, 50_049)
DTYPES = {"fp32": np.float32, "fp64": np.float64}
_REPEATS = 3


def _median_seconds(call) -> float:
    call()
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _xla():
    import jax
    import jax.numpy as jnp

    def products(a, b, count):
        # Each product takes the one before, so none can be dropped.
        return jax.lax.fori_loop(0, count, lambda _, c: a @ c, b)

    wait = jax.block_until_ready
    compiled, add, total = jax.jit(products), jax.jit(lambda a: a + 1), jax.jit(jnp.sum)
    return (
        jnp.asarray,
        lambda a, b, count: wait(compiled(a, b, count)),
        lambda a: wait(add(a)),
        lambda a: wait(total(a)),
    )


def _numpy():
    def products(a, b, count):
        for _ in range(count):
            a @ b

    return np.asarray, products, lambda a: a + 1, np.sum


def _torch():
    import torch

    def products(a, b, count):
        for _ in range(count):
            a @ b

    return torch.from_numpy, products, lambda a: a + 1, torch.sum


_LIBRARIES = {"xla": _xla, "numpy": _numpy, "torch": _torch}


def measure_rates(library: str) -> dict:
    """Measure one library in this process, with the threads it has here.

    Args:
        library: ``xla`` (with FP64 enabled), ``numpy`` or ``torch``.

    Returns:
        Operations a second under ``{precision}_favourable`` and ``{precision}_used``, and bytes a
        second under ``copy`` (read and written) and ``read``.
    """
    convert, products, copy, read = _LIBRARIES[library]()
    rates, random = {}, np.random.default_rng(0)
    for precision, dtype in DTYPES.items():
        for name, (m, k, n), count in (("favourable", FAVOURABLE, 1), ("used", USED, 50)):
            a = convert((random.normal(size=(m, k)) / k**0.5).astype(dtype))
            b = convert(random.normal(size=(k, n)).astype(dtype))
            seconds = _median_seconds(lambda a=a, b=b, count=count: products(a, b, count))
            rates[f"{precision}_{name}"] = 2 * m * k * n * count / seconds
    history = convert(np.ones(HISTORY))
    size = 8 * HISTORY[0] * HISTORY[1]
    rates["copy"] = 2 * size / _median_seconds(lambda: copy(history))
    rates["read"] = size / _median_seconds(lambda: read(history))
    return rates


def cores() -> list[int]:
    """Return the numbers of the cores this process may use."""
    return sorted(os.sched_getaffinity(0))


def in_words() -> str:
    """Describe the processor: architecture, widest vector instructions, memory."""
    words = [platform.machine()]
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    flags = set(next((li for li in text.splitlines() if li.startswith("flags")), "").split())
    widest = [("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX")]
    words += [name for flag, name in widest if flag in flags][:1]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return ", ".join([*words, f"{memory:.0f} GiB of memory"])
