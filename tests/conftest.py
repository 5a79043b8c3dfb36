"""FP64 for all tests, and the tools that several of them share.

Tests in FP32 pass their dtype by hand, as the library does; where ``jax_enable_x64`` itself matters
they start the command line.
"""

import hashlib
import itertools
import json
import os
import platform
from pathlib import Path

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src import compiler

from double_pinn.numerics.derivatives import nested_derivative

jax.config.update("jax_enable_x64", True)

#: With its older generator of code XLA compiles in two thirds of the time.
QUICK = {"xla_cpu_use_fusion_emitters": False}


def _is_known(options: dict) -> bool:
    """Return whether this JAX has some options of its compiler: a flag without one is fatal."""
    try:
        jax.jit(jnp.negative).lower(1.0).compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:
        return False
    return True


if not _is_known(QUICK):
    QUICK = {}

# Processes that tests start do a few iterations of a tiny network: compiling is what takes their
# time. In this one, which has read its own flags by now, it stays as users have it, but for modules
# that ask for quick_compilation.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), *(f"--{k}={str(v).lower()}" for k, v in QUICK.items())]
)
jax.config.update("jax_disable_most_optimizations", False)

# The same examples every time: a test that fails once a week helps nobody.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True)
hypothesis.settings.load_profile("default")


def pytest_configure(config):
    """Keep what JAX compiles for the next run of the tests, beside what pytest keeps."""
    if (cache := getattr(config, "cache", None)) is None:
        return
    kept = {
        "jax_compilation_cache_dir": str(cache.mkdir(f"compiled-{_instructions()}")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in kept.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)  # of the processes that tests start


def _instructions() -> str:
    """Name what this processor can do: a compiled program may crash on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        able = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        able = platform.node()
    return hashlib.sha256(able.encode()).hexdigest()[:8]


#: The files that take longest: with a process a core they have to begin first.
LONGEST = ("test_smoke.py", "test_plans.py", "test_workflow_faults.py", "test_choices.py")


def pytest_collection_modifyitems(items):
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="module")
def quick_compilation():
    """For mathematics that is compiled once and run once on a few points."""
    options_of = compiler.get_compile_options

    def with_quick(*args, **kwargs):
        options = options_of(*args, **kwargs)
        options.env_option_overrides = [*options.env_option_overrides, *QUICK.items()]
        return options

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    with pytest.MonkeyPatch.context() as patch:  # JAX has no setting for it
        patch.setattr(compiler, "get_compile_options", with_quick)
        yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def nested():
    """:func:`nested_derivative`: another way to every derivative than Taylor mode."""
    return nested_derivative


@pytest.fixture(scope="session")
def pointwise():
    """A network as a function of scalars, for nested derivatives.

    ``pointwise(layers, box)`` takes layers as from ``FlatMLP.weights`` and the domain.
    """

    def build(layers, box):
        (x0, x1), (t0, t1) = box

        def u(x, t):
            h = jnp.stack([2 * (x - x0) / (x1 - x0) - 1, 2 * (t - t0) / (t1 - t0) - 1])
            for kernel, bias in layers[:-1]:
                h = jnp.tanh(h @ kernel + bias)
            kernel, bias = layers[-1]
            return (h @ kernel + bias)[0]

        return u

    return build


@pytest.fixture(scope="session")
def make_layers():
    """``make_layers(hidden_layers, width, seed=0)``: FP64 layers with biases that are not zero."""

    def build(hidden_layers, width, seed=0):
        random = np.random.default_rng(seed)
        sizes = [2, *([width] * hidden_layers), 1]
        return [
            (
                jnp.asarray(random.normal(0, np.sqrt(2 / (m + n)), (m, n))),
                jnp.asarray(random.normal(0, 0.3, n)),
            )
            for m, n in itertools.pairwise(sizes)
        ]

    return build


@pytest.fixture
def plain_settings():
    """``plain_settings(**changes)``: settings of a tiny cell as plain values.

    Keys of sections are given with two underscores: ``stopping__max_iterations=40``.
    """

    def build(**changes):
        values = {
            "cell": "tiny",
            "equation": {"name": "convection", "parameters": {"beta": 5.0}},
            "network": {"hidden_layers": 2, "width": 16},
            "precision": "fp64",
            "regularizer": {"name": "double", "weight": 5e-4},
            "points": {"nx": 6, "nt": 5, "edge": 9},
            "test_points": {"domain": 50, "edge": 20, "seed": 1},
            "optimizer": {"name": "lbfgs", "memory": 10},
            "stopping": {"max_iterations": 40, "check_every": 10, "tolerance": 0.0},
            "logging": {"every": 10},
        }
        for key, value in changes.items():
            section, _, name = key.partition("__")
            if name:
                values[section][name] = value
            else:
                values[section] = value
        return values

    return build


@pytest.fixture
def evaluation_settings(plain_settings):
    """``evaluation_settings(**changes)``: what an evaluation of that cell is told, as plain values.

    The changes are those of ``plain_settings``.
    """

    def build(**changes):
        return {
            "run": plain_settings(**changes),
            "evaluation": {"nx": 11, "nt": 11, "residual_points": 12},
        }

    return build


@pytest.fixture
def settings_file(plain_settings, tmp_path):
    """``settings_file(**changes) -> Path``: as ``plain_settings``, written as JSON."""

    def write(**changes) -> Path:
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(plain_settings(**changes)))
        return path

    return write
