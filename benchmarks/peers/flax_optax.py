"""The stack that the paper describes: Flax NNX, nested derivatives a point, ``optax.lbfgs``.

Derivatives in a residual are nested ``jax.jvp``; the gradient of a residual, which double PINN
penalises, is one ``jax.grad`` over its inputs. Of the four ways to combine the two modes this was
the fastest on the double loss. Everything else is Optax's default, as in the paper; iterations run
in a compiled loop, and the gradient that the line search found is used again.
"""

import time
from importlib.metadata import version

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.cases import Case
from benchmarks.peers import Stretch
from benchmarks.peers.repeated import Evaluations
from double_pinn.cli import configure_jax
from double_pinn.configuration.settings import settings_from_dict
from double_pinn.numerics.derivatives import nested_derivative
from double_pinn.numerics.fields import Field, plain
from double_pinn.numerics.networks.mlp import MLP
from double_pinn.numerics.problems.base import AXES


def _field(u, x, t) -> Field:
    """Return what a pointwise line takes: ``u.xt`` is a nested derivative of ``u(x, t)``."""
    return Field(lambda index: nested_derivative(u, index)(x, t))


def _pointwise_terms(case: Case, problem, u):
    """Yield every residual ``f(x, t)``, the axes of its set, and the set's points."""
    equation = lambda x, t: plain(problem.residual(_field(u, x, t), x, t))  # noqa: E731
    yield equation, tuple(AXES.values()), case.x, case.t
    for condition in problem.conditions:
        places = condition.places(problem, case.x_edge, case.t_edge)

        def on_edges(x, t, c=condition, places=places):
            # Every edge is a line of constant x or t, along which the others move with the first.
            moved = [
                (jnp.full_like(t, xs[0]), t) if c.tangent == "t" else (x, jnp.full_like(x, ts[0]))
                for xs, ts in places
            ]
            return plain(c.line([_field(u, *place) for place in moved], x, t))

        yield on_edges, (AXES[condition.tangent],), *places[0]


def make_loss(case: Case):
    """Return ``(loss, parameters)``: a function of the module's state, and where it starts."""
    settings = settings_from_dict(case.settings)
    (x0, x1), (t0, t1) = case.box
    network = settings.network
    module = MLP(network.hidden_layers, network.width, rngs=nnx.Rngs(0), dtype=jnp.float64)
    for layer, (kernel, bias) in zip(module.layers, case.layers, strict=True):
        layer.kernel.set_value(jnp.asarray(kernel))
        layer.bias.set_value(jnp.asarray(bias))
    graph, parameters = nnx.split(module)

    def loss(parameters):
        model = nnx.merge(graph, parameters)

        def u(x, t):
            return model(jnp.stack([2 * (x - x0) / (x1 - x0) - 1, 2 * (t - t0) / (t1 - t0) - 1]))

        total = 0.0
        for residual, axes, x, t in _pointwise_terms(case, settings.problem, u):
            total += jnp.mean(jax.vmap(residual)(x, t) ** 2)
            if case.weight:
                for slope in jax.vmap(jax.grad(residual, axes))(x, t):
                    total += case.weight * jnp.mean(slope**2)
        return total

    return loss, parameters


class Peer:
    """``optax.lbfgs`` on nested derivatives; all state lives in one carry of the loop."""

    def __init__(self, case: Case, *, threads: int):
        """Compile the loop of iterations."""
        configure_jax("cpu", threads, x64=True)
        self.versions = {name: version(name) for name in ("jax", "flax", "optax")}
        loss, parameters = make_loss(case)
        solver = optax.lbfgs(memory_size=case.memory)
        value_and_grad = optax.value_and_grad_from_state(loss)
        # Optax starts with weak types, and with arrays that are one and the same. Given up to the
        # loop, each must be of its own, and of the type that comes back.
        own = lambda a: jnp.array(a, a.dtype, copy=True)  # noqa: E731
        start = (parameters, solver.init(parameters), jnp.zeros((), jnp.int32))
        self._carry = jax.tree.map(own, start)

        def iterate(_, carry):
            parameters, state, evaluations = carry
            value, grad = value_and_grad(parameters, state=state)
            updates, state = solver.update(
                grad, state, parameters, value=value, grad=grad, value_fn=loss
            )
            searched = optax.tree.get(state, "num_linesearch_steps").astype(jnp.int32)
            return optax.apply_updates(parameters, updates), state, evaluations + searched

        advance = jax.jit(
            lambda carry, count: jax.lax.fori_loop(0, count, iterate, carry), donate_argnums=0
        )
        self._advance = advance.lower(self._carry, jnp.int32(0)).compile()
        self._evaluate = jax.jit(jax.value_and_grad(loss))
        self._evaluations = Evaluations(jax.value_and_grad(loss))

    def loss(self) -> float:
        """Return the loss at the present parameters, by one value-and-gradient evaluation."""
        return float(jax.block_until_ready(self._evaluate(self._carry[0]))[0])

    def evaluation_seconds(self, count: int) -> float:
        """Return the seconds of one evaluation, in a loop of so many."""
        return self._evaluations.seconds(self._carry[0], count)

    def advance(self, iterations: int) -> Stretch:
        """Take iterations, all in one call of the compiled loop."""
        before, started = int(self._carry[2]), time.perf_counter()
        self._carry = jax.block_until_ready(self._advance(self._carry, jnp.int32(iterations)))
        seconds = time.perf_counter() - started
        return Stretch(seconds, iterations, int(self._carry[2]) - before)
