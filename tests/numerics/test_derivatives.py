"""Taylor propagation against nested ``jax.jvp``: exact for any derivative and any combination."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from double_pinn.numerics import derivatives as d

pytestmark = pytest.mark.usefixtures("quick_compilation")

BOX = ((-1.0, 2.5), (0.3, 1.1))
INDICES = [(i, j) for i in range(5) for j in range(5 - i)]


@pytest.fixture(scope="module")
def case(make_layers, pointwise, nested):
    """A small network, points, and all its derivatives up to order four, computed once."""
    layers = make_layers(2, 7)
    random = np.random.default_rng(1)
    x, t = random.uniform(*BOX[0], 4), random.uniform(*BOX[1], 4)
    u = pointwise(layers, BOX)
    functions = {index: jax.vmap(nested(u, index)) for index in INDICES}
    table = jax.jit(lambda x, t: {i: f(x, t) for i, f in functions.items()})(x, t)
    return layers, x, t, {i: np.asarray(v) for i, v in table.items()}


def expected(table, functional):
    """The functional's values, and the size of its largest part."""
    parts = [c * table[index] for index, c in functional]
    return sum(parts), max(np.abs(p).max() for p in parts)


def check(case, functionals):
    layers, x, t, table = case
    plan = d.make_plan(functionals)
    values = d.network_channels(layers, x, t, BOX, plan)
    assert len(values) == len(plan)
    for functional in functionals:
        wanted, size = expected(table, functional)
        np.testing.assert_allclose(
            plan.select(values, functional), wanted, rtol=0, atol=1e-12 * size
        )


@pytest.mark.parametrize("index", INDICES)
def test_every_derivative_up_to_order_four(case, index):
    check(case, [d.partial(index)])


indices = st.sampled_from([i for i in INDICES if sum(i) <= 3])
coefficients = st.floats(-100, 100).filter(lambda c: abs(c) > 1e-2)
functionals = st.dictionaries(indices, coefficients, min_size=1, max_size=4).map(d.combination)


@settings(max_examples=30)
@given(wanted=st.lists(functionals, min_size=1, max_size=3), derive=st.booleans())
def test_any_constant_coefficient_operators_and_their_derivatives(case, wanted, derive):
    if derive:
        wanted += [d.differentiate(f, axis) for f in wanted for axis in (0, 1)]
    check(case, wanted)


def test_an_operator_may_hold_the_value(case):
    check(case, [d.combination({(0, 0): 1.0, (0, 1): 1.0, (1, 0): 1.0}), d.partial((0, 0))])


def test_an_operator_travels_as_one_channel():
    advection = d.combination({(0, 1): 1.0, (1, 0): 50.0})
    assert len(d.make_plan([advection])) == 2  # the value and the operator
    wave = d.combination({(0, 2): 1.0, (2, 0): -4.0})
    assert len(d.make_plan([wave])) == 4  # with u_x and u_t, which the operator needs


def test_no_channel_is_carried_twice():
    u_x, u_t = d.partial((1, 0)), d.partial((0, 1))
    both = d.combination({(1, 0): 3.0, (0, 1): 1.0})
    assert len(d.make_plan([u_x, u_t, both, u_x])) == 3
    assert len(d.make_plan([d.combination({(1, 0): 7.0})])) == 2


def test_a_plan_gives_nothing_it_does_not_carry():
    plan = d.make_plan([d.partial((1, 0))])
    with pytest.raises(KeyError, match="does not carry"):
        plan.select([jnp.zeros(3)] * 2, d.partial((0, 1)))


@pytest.mark.parametrize(("name", "index"), [("x", (1, 0)), ("xxt", (2, 1)), ("txt", (1, 2))])
def test_names(name, index):
    assert d.index_of(name) == index


@pytest.mark.parametrize("name", ["", "y", "x_t", "value_"])
def test_a_name_that_is_no_derivative(name):
    with pytest.raises(AttributeError, match=r"u\.xxt"):
        d.index_of(name)


def test_dtype_follows_the_network(case):
    layers, x, t, table = case
    single = [(k.astype(np.float32), b.astype(np.float32)) for k, b in layers]
    at = np.float32(x), np.float32(t)
    plan = d.make_plan([d.partial((1, 1))])
    for value in d.network_channels(single, *at, BOX, plan):
        assert value.dtype == np.float32
    value = plan.select(d.network_channels(single, *at, BOX, plan), d.partial((1, 1)))
    np.testing.assert_allclose(value, table[1, 1], rtol=1e-4, atol=1e-5)
