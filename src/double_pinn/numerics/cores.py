"""Several CPU cores on one run: a device each, over which points and L-BFGS pairs are dealt out.

XLA's own threads split every single product, 128 × 128 by some hundred columns, and gain little
from that. Here every core takes its share of the points through the whole evaluation and its share
of the history through the whole direction, and they meet once in each.
"""

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

AXIS = "cores"

# How an array is spread: every core has all of it, or a share of its leading axis.
WHOLE, SHARES = PartitionSpec(), PartitionSpec(AXIS)


def equal_shares(vectors: int, available: int) -> int:
    """Return over how many of the available cores so many vectors are dealt out equally."""
    return next(n for n in range(min(available, vectors), 0, -1) if vectors % n == 0)


def compiled(function, cores: int, in_specs, out_specs, **options):
    """Compile a function that runs on all cores at once, the same program on each.

    Args:
        function: may use ``AXIS`` where there is more than one core.
        cores: on the first so many devices.
        in_specs: how arguments are spread, ``WHOLE`` or ``SHARES``, as ``jax.shard_map`` takes it.
        out_specs: the same for the results.
        options: of ``jax.jit``.
    """
    if cores > 1:
        mesh = jax.make_mesh(
            (cores,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:cores]
        )
        # Results without a share are equal by construction: all that differs is summed first.
        function = jax.shard_map(
            function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
        )
    return jax.jit(function, **options)


def own_share(array, cores: int):
    """Return this core's share of an array's leading axis, which ``cores`` divides."""
    if cores == 1:
        return array
    shares = jnp.asarray(array).reshape(cores, -1, *array.shape[1:])
    return shares[jax.lax.axis_index(AXIS)]


def sum_over_cores(values, cores: int):
    """Return the sum of all cores' values, a pytree."""
    return values if cores == 1 else jax.lax.psum(values, AXIS)


def largest_over_cores(value, cores: int):
    """Return the largest of all cores' values."""
    return value if cores == 1 else jax.lax.pmax(value, AXIS)


def gather_shares(share, cores: int):
    """Return the concatenation of all cores' shares along the leading axis."""
    return share if cores == 1 else jax.lax.all_gather(share, AXIS, tiled=True)


def summed(function, cores: int):
    """Return a function of one array as the sum over all cores, its gradient summed with it."""
    if cores == 1:
        return function

    def with_gradient(x):
        return sum_over_cores(jax.value_and_grad(function)(x), cores)

    of_all_cores = jax.custom_vjp(lambda x: with_gradient(x)[0])
    of_all_cores.defvjp(with_gradient, lambda gradient, g: (g * gradient,))
    return of_all_cores
