"""The command line in a process of its own, for figures and tables alike."""

import subprocess
import sys

import pytest

_WITHOUT_JAX = """
import sys
from double_pinn.cli import main
status = main(sys.argv[1:])
loaded = {"jax", "jaxlib", "flax", "optax"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(status or (f"loaded: {loaded}" if loaded else 0))
"""


@pytest.fixture(scope="session")
def command_without_jax():
    """``command_without_jax(*arguments)``: run ``double-pinn``, which must not load JAX."""

    def run(*arguments):
        command = [sys.executable, "-c", _WITHOUT_JAX, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run
