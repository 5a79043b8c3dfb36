"""Rows: zero for exact solutions, equal to nested ``jax.jvp`` for networks, in as few channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from double_pinn.configuration.catalogue import get_problem
from double_pinn.errors import SettingsError
from double_pinn.numerics import derivatives as d
from double_pinn.numerics.fields import Field, plain
from double_pinn.numerics.lines import Line
from double_pinn.numerics.networks.mlp import TanhMLP
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import Points, TrainingGrid, training_points
from double_pinn.numerics.problems import Condition, Initial, Left, Periodic, Problem, Right
from double_pinn.numerics.regularizers.double import DoublePINN
from double_pinn.numerics.regularizers.gpinn import GPINN
from double_pinn.numerics.regularizers.none import NoRegularizer
from double_pinn.numerics.row_sets import RowSet
from double_pinn.numerics.rows import RowSystem, pointwise_residual

pytestmark = pytest.mark.usefixtures("quick_compilation")

EQUATIONS = ("convection", "reaction", "wave", "allen_cahn")
GRID = TrainingGrid(nx=5, nt=4, edge=7)
X, T = 0, 1
AXES = {Initial: (X,), Periodic: (T,), Left: (T,), Right: (T,)}


def random_points(problem, n=19, m=7) -> Points:
    random = np.random.default_rng(3)
    x, t = random.uniform(*problem.x_range, n), random.uniform(*problem.t_range, n)
    return Points(x, t, random.uniform(*problem.x_range, m), random.uniform(*problem.t_range, m))


def rows_of_field(system: RowSystem, u, nested):
    """Put a function ``u(x, t)`` through all rows in place of a network.

    Returns:
        group -> (row, size of the largest derivative that went into its set).
    """

    def evaluate():
        found = []
        for row_set, _ in system.sets:
            channels, sizes = [], [jnp.ones(())]
            for (x, t), plan in zip(row_set.places, row_set.plans, strict=True):
                parts = {
                    index: jax.vmap(nested(u, index))(x, t)
                    for index in {i for channel in plan.channels for i, _ in channel}
                }
                terms = [[c * parts[i] for i, c in channel] for channel in plan.channels]
                sizes += [jnp.abs(p).max() for term in terms for p in term]
                channels.append([sum(term[1:], start=term[0]) for term in terms])
            size = jnp.stack(sizes).max()
            found += [
                (row, size)
                for row in row_set.rows_from(row_set.plans, channels, *row_set.places[0])
            ]
        return found

    names = [group.name for group in system.groups]
    rows = jax.jit(evaluate)()
    return {
        name: (np.asarray(row), float(size)) for name, (row, size) in zip(names, rows, strict=True)
    }


REGULARIZERS = {
    "none": NoRegularizer(),
    "double": DoublePINN(weight=5e-4),
    "gpinn": GPINN(weight=5e-4),
}


def system_of(problem, points, regularizer):
    """Rows of the paper's network; of a tanh network with other layers, too."""
    return row_system(problem, points, TanhMLP().bound(np.float64), REGULARIZERS[regularizer])


def double(problem, points):
    return system_of(problem, points, "double")


@pytest.mark.parametrize("equation", ["convection", "reaction", "wave"])
def test_the_exact_solution_is_zero_in_every_row_and_every_derived_row(equation, nested):
    problem = get_problem(equation)
    system = double(problem, random_points(problem))
    rows = rows_of_field(system, problem.exact, nested)
    assert len(rows) == len(system.groups) == 3 + 2 * len(problem.conditions)
    for name, (row, size) in rows.items():
        assert np.abs(row).max() <= 1e-13 * size, name


@pytest.mark.parametrize("equation", ["convection", "reaction", "wave"])
def test_another_function_is_zero_in_no_equation_row(equation, nested):
    problem = get_problem(equation)
    rows = rows_of_field(
        double(problem, random_points(problem)), lambda x, t: jnp.sin(3 * x + t) + x * t, nested
    )
    assert all(np.abs(row).max() > 1e-3 for name, (row, _) in rows.items() if "equation" in name)


def test_allen_cahn_with_a_manufactured_field(nested):
    """u = cos(πx) e^(-t): its residual and all derived rows by hand."""
    problem = get_problem("allen_cahn")
    points = random_points(problem)
    rows = rows_of_field(
        double(problem, points), lambda x, t: jnp.cos(jnp.pi * x) * jnp.exp(-t), nested
    )
    pi, diffusion = np.pi, 1e-4
    x, t = points.x, points.t
    u, u_x = np.cos(pi * x) * np.exp(-t), -pi * np.sin(pi * x) * np.exp(-t)
    # u_t = -u and u_xx = -π² u: the residual is a polynomial in u.
    slope = -1 + diffusion * pi**2 - 5 + 15 * u**2
    x0 = points.x_edge
    h, h_x = x0**2 * np.cos(pi * x0), 2 * x0 * np.cos(pi * x0) - pi * x0**2 * np.sin(pi * x0)
    none = np.zeros_like(points.t_edge)
    expected = {
        "equation": -u + diffusion * pi**2 * u + 5 * u**3 - 5 * u,
        "equation_x": slope * u_x,
        "equation_t": slope * -u,
        "initial_u": np.cos(pi * x0) - h,
        "initial_u_x": -pi * np.sin(pi * x0) - h_x,
        "periodic_u": none,
        "periodic_u_t": none,
        "periodic_u_x": none,
        "periodic_u_x_t": none,
    }
    assert set(rows) == set(expected)
    for name, wanted in expected.items():
        row, size = rows[name]
        np.testing.assert_allclose(row, wanted, rtol=0, atol=1e-13 * size, err_msg=name)


def expected_rows(problem, points, u, nested):
    """All rows of a function by nested ``jax.jvp``: name -> values."""

    def field(x, t):
        return Field(lambda index: nested(u, index)(x, t))

    (x0, x1), (t0, _) = problem.x_range, problem.t_range

    def of(condition):
        if isinstance(condition, Initial):
            return lambda x, t: condition.residual(field(x, t0 + 0 * x), x)
        if isinstance(condition, Periodic):
            return lambda x, t: condition.residual(field(x0 + 0 * t, t), field(x1 + 0 * t, t), t)
        end = x0 if isinstance(condition, Left) else x1
        return lambda x, t: condition.residual(field(end + 0 * t, t), t)

    sets = [("equation", lambda x, t: problem.residual(field(x, t), x, t), (X, T))]
    sets += [(c.name, of(c), AXES[type(c)]) for c in problem.conditions]
    functions = {}
    for name, function, axes in sets:
        scalar = lambda x, t, f=function: jnp.asarray(plain(f(x, t)))  # noqa: E731
        functions[name] = scalar
        for axis in axes:
            functions[name + ("_x", "_t")[axis]] = nested(scalar, (axis == X, axis == T))

    def evaluate():
        edge = points.x_edge, points.t_edge
        return {
            name: jax.vmap(f)(*((points.x, points.t) if name.startswith("equation") else edge))
            for name, f in functions.items()
        }

    return {name: np.asarray(v) for name, v in jax.jit(evaluate)().items()}


@pytest.fixture(scope="module", params=EQUATIONS)
def real_network(request, make_layers, pointwise, nested):
    """Problem, points, a 4 x 128 network, and all its rows by nested derivatives."""
    problem = get_problem(request.param)
    points = random_points(problem)
    layers = make_layers(4, 128)
    u = pointwise(layers, (problem.x_range, problem.t_range))
    return problem, points, layers, expected_rows(problem, points, u, nested)


@pytest.mark.parametrize("regularizer", ["none", "double", "gpinn"])
def test_every_row_of_the_papers_network(real_network, regularizer):
    problem, points, layers, expected = real_network
    system = system_of(problem, points, regularizer)
    rows = dict(
        zip([group.name for group in system.groups], jax.jit(system.rows)(layers), strict=True)
    )
    derived = {
        "none": 0,
        "gpinn": 2,
        "double": 2 + len(problem.conditions),
    }[regularizer]
    assert len(rows) == 1 + len(problem.conditions) + derived
    for name, row in rows.items():
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(row, expected[name], rtol=0, atol=1e-12 * size, err_msg=name)


def test_groups_say_what_they_are():
    problem = get_problem("wave")
    system = double(problem, training_points(GRID, problem))
    assert [group.name for group in system.groups] == [
        "equation",
        "equation_x",
        "equation_t",
        "initial_u",
        "initial_u_x",
        "initial_u_t",
        "initial_u_t_x",
        "left_u",
        "left_u_t",
        "right_u",
        "right_u_t",
    ]
    assert system.terms == ("equation", "initial_u", "initial_u_t", "left_u", "right_u")
    assert [group.weight for group in system.groups if group.axis is None] == [1.0] * 5
    assert {group.weight for group in system.groups if group.axis is not None} == {5e-4}
    assert [group.count for group in system.groups] == [20] * 3 + [7] * 8


@pytest.mark.parametrize(
    ("equation", "regularizer", "channels"),
    [
        ("convection", "double", 5),  # u, u_x, u_t, ∂x and ∂t of u_t + β u_x
        ("convection", "none", 2),
        ("reaction", "double", 5),  # u, u_x, u_t, u_xt, u_tt
        ("reaction", "none", 2),
        ("wave", "double", 8),  # all orders up to two, ∂x and ∂t of u_tt - 4 u_xx
        ("wave", "none", 4),
        ("allen_cahn", "double", 7),
        ("allen_cahn", "none", 3),
    ],
)
def test_channels_that_travel_through_the_network(equation, regularizer, channels):
    problem = get_problem(equation)
    system = system_of(problem, training_points(GRID, problem), regularizer)
    domain, _ = system.sets[0]
    assert [len(plan) for plan in domain.plans] == [channels]


names = st.sampled_from(["value", "x", "t", "xx", "xt", "tt"])
factors = st.lists(names, min_size=1, max_size=3)
# Where a coefficient depends on x or t, nothing is collapsed.
coefficients = st.tuples(
    st.floats(0.1, 9), st.sampled_from([None, lambda x, t: jnp.sin(x), lambda x, t: x * t])
)


@settings(max_examples=6)
@given(terms=st.lists(st.tuples(coefficients, factors), min_size=1, max_size=4))
def test_any_nonlinear_line_and_its_derivatives(make_layers, pointwise, nested, terms):
    def line(u, x, t):
        total = 0.0
        for (number, function), names in terms:
            product = number if function is None else number * function(x, t)
            for name in names:
                product = product * getattr(u, name)
            total = total + product
        return total

    box, layers = ((-1.0, 1.0), (0.0, 2.0)), make_layers(1, 5)
    x, t = jnp.asarray([-0.4, 0.7]), jnp.asarray([0.2, 1.9])
    split = Line("line", 1, lambda u, x, t: line(u[0], x, t))
    row_set = RowSet([(x, t)], [split], (X, T), TanhMLP().bound(np.float64))

    u = pointwise(layers, box)
    value = lambda x, t: line(Field(lambda i: nested(u, i)(x, t)), x, t)  # noqa: E731

    @jax.jit
    def both():
        wanted = [jax.vmap(nested(value, index))(x, t) for index in [(0, 0), (1, 0), (0, 1)]]
        return row_set.rows(layers, box), wanted

    for row, wanted in zip(*both(), strict=True):
        np.testing.assert_allclose(row, wanted, rtol=1e-11, atol=1e-11)


def test_the_linear_part_is_found():
    problem = get_problem("allen_cahn")
    line = Line("equation", 1, lambda u, x, t: problem.residual(u[0], x, t))
    assert line.linear == [d.combination({(0, 1): 1.0, (2, 0): -1e-4})]
    assert line._rest == [(0, d.VALUE)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("u * u.x", []),  # Burgers: nothing is constant
        ("x * u.x", []),
        ("u.x + 0 * u.t", [((1, 0), 1.0)]),
        ("np.sin(u) * u.t + u.xx", [((2, 0), 1.0)]),
        ("2 * u.xx - u.t / 4", [((0, 1), -0.25), ((2, 0), 2.0)]),
    ],
)
def test_what_counts_as_a_constant_coefficient(source, expected):
    line = Line("line", 1, lambda u, x, t: eval(source, {"np": np, "u": u[0], "x": x, "t": t}))
    assert list(line.linear[0]) == expected


def test_a_line_with_a_source_term(nested, make_layers, pointwise):
    """F = u_t - sin x cos t: neither linear in u alone nor zero where u is."""
    line = Line("line", 1, lambda u, x, t: u[0].t - jnp.sin(x) * jnp.cos(t))
    box, layers = ((0.0, 3.0), (0.0, 1.0)), make_layers(1, 4)
    x, t = jnp.asarray([0.5, 2.0]), jnp.asarray([0.1, 0.8])
    row, row_x, _ = RowSet([(x, t)], [line], (X, T), TanhMLP().bound(np.float64)).rows(layers, box)
    u = pointwise(layers, box)
    u_t, u_xt = (jax.vmap(nested(u, i))(x, t) for i in [(0, 1), (1, 1)])
    np.testing.assert_allclose(row, u_t - jnp.sin(x) * jnp.cos(t), rtol=1e-12)
    np.testing.assert_allclose(row_x, u_xt - jnp.cos(x) * jnp.cos(t), rtol=1e-12)


def test_arithmetic_and_numpy_functions_act_on_the_value_of_a_field():
    u = Field(lambda index: jnp.asarray(0.25 + index[0]))
    for value in (np.sqrt(u), np.float64(2.0) * u, jnp.asarray(2.0) * u, u - jnp.asarray(-0.25)):
        assert isinstance(value, jax.Array)
        assert float(value) == 0.5
    assert float(2 - u / 4 + u**2 * -u) == pytest.approx(2 - 0.0625 - 0.25**3)
    assert float(jnp.sqrt(u.value)) == 0.5
    assert float(u.x) == 1.25
    with pytest.raises(AttributeError, match=r"u\.xxt"):
        _ = u.y


def test_pointwise_residual_is_the_first_row(make_layers):
    problem = get_problem("wave")
    points, layers = random_points(problem), make_layers(2, 9)
    system = system_of(problem, points, "none")
    np.testing.assert_array_equal(
        jax.jit(lambda: pointwise_residual(problem, layers, points.x, points.t, d))(),
        jax.jit(lambda: system.rows(layers)[0])(),
    )


def test_rows_follow_the_dtype():
    problem = get_problem("reaction")
    network = TanhMLP(hidden_layers=2, width=9).bound(np.float32)
    system = row_system(problem, training_points(GRID, problem), network, DoublePINN(weight=1e-3))
    layers = network.weights(jnp.zeros(network.size, np.float32))
    rows, total = jax.eval_shape(lambda: (system.rows(layers), system.weighted_square(layers)))
    assert {row.dtype for row in rows} == {np.dtype(np.float32)}
    assert total.dtype == np.float32


def test_a_new_equation_is_one_class():
    """Burgers with a source, two fields in one condition: no other file knows of it."""

    class Burgers(Problem):
        name = "burgers"

        def residual(self, u, x, t):
            return u.t + u * u.x - 0.01 * u.xx

        @property
        def conditions(self):
            return (Periodic("flux", lambda left, right, t: left.x * left - right.x * right),)

    problem = Burgers()
    system = double(problem, random_points(problem))
    assert [g.name for g in system.groups] == [
        "equation",
        "equation_x",
        "equation_t",
        "flux",
        "flux_t",
    ]


INDICES_TO_XT = [(0, 0), (1, 0), (0, 1), (1, 1)]


class Conditioned(Problem):
    """Of any conditions."""

    name = "conditioned"
    given = ()

    def residual(self, u, x, t):
        return u.t - u.xx

    @property
    def conditions(self):
        return self.given


def conditioned(*conditions):
    problem = type("Given", (Conditioned,), {"given": conditions})()
    return problem, double(problem, random_points(problem))


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_periodic_line_may_look_at_one_side(side, make_layers, nested, pointwise):
    condition = Periodic("flux", lambda left, right, t: (left if side == "left" else right).x)
    problem, system = conditioned(condition)
    layers, box = make_layers(2, 6), (problem.x_range, problem.t_range)
    (places,) = [s.places for s, groups in system.sets if groups[0].term == "flux"]
    x, t = places[side == "right"]
    assert set(x) == {problem.x_range[side == "right"]}
    rows = dict(zip([g.name for g in system.groups], system.rows(layers), strict=True))
    u = pointwise(layers, box)
    for name, index in (("flux", (1, 0)), ("flux_t", (1, 1))):
        wanted = jax.vmap(nested(u, index))(jnp.asarray(x), jnp.asarray(t))
        np.testing.assert_allclose(rows[name], wanted, rtol=1e-11)


def test_a_kind_of_condition_is_known_by_inheritance():
    class Rest(Initial):
        pass

    class Inlet(Left):
        pass

    problem, system = conditioned(
        Initial("start", lambda u, x: u - x),
        Rest("rest", lambda u, x: u.t),
        Inlet("inlet", lambda u, t: u - t),
    )
    places = {groups[0].term: s.places for s, groups in system.sets}
    assert list(places) == ["equation", "start", "inlet"]  # Rest shares the set of Initial
    ((x, _),) = places["inlet"]
    assert set(x) == {problem.x_range[0]}
    names = ["start", "start_x", "rest", "rest_x", "inlet", "inlet_t"]
    assert [group.name for group in system.groups][3:] == names


def test_a_condition_may_hold_where_it_says_itself(make_layers, nested, pointwise):
    """At the last instant; and one that ties it to the first."""

    class Final(Condition):
        tangent = "x"

        @staticmethod
        def places(problem, x_edge, t_edge):
            return [(x_edge, np.full_like(x_edge, problem.t_range[1]))]

    class Returns(Condition):
        tangent = "x"

        @staticmethod
        def places(problem, x_edge, t_edge):
            return [(x_edge, np.full_like(x_edge, t)) for t in problem.t_range]

        def line(self, fields, x, t):
            first, last = fields
            return self.residual * (last - first)

    problem, system = conditioned(
        Final("end", lambda u, x: u * u.t - jnp.sin(x)), Returns("cycle", 3.0)
    )
    names = ["end", "end_x", "cycle", "cycle_x"]
    assert [group.name for group in system.groups][3:] == names
    layers = make_layers(2, 6)
    rows = dict(zip([g.name for g in system.groups], system.rows(layers), strict=True))
    u = pointwise(layers, (problem.x_range, problem.t_range))
    x = jnp.asarray(random_points(problem).x_edge)
    at = {i: [jax.vmap(nested(u, i))(x, 0 * x + t) for t in (0, 1)] for i in INDICES_TO_XT}
    (u0, u1), (u0_x, u1_x), (_, u1_t), (_, u1_xt) = at.values()
    wanted = {
        "end": u1 * u1_t - jnp.sin(x),
        "end_x": u1_x * u1_t + u1 * u1_xt - jnp.cos(x),
        "cycle": 3 * (u1 - u0),
        "cycle_x": 3 * (u1_x - u0_x),
    }
    for name, row in wanted.items():
        np.testing.assert_allclose(rows[name], row, rtol=1e-11, atol=1e-12, err_msg=name)


class Somewhere(Condition):
    """Says nowhere where it holds."""


class NoCondition:
    name = "end"


@pytest.mark.parametrize("condition", [NoCondition(), Somewhere("end", lambda u, x: u)])
def test_a_condition_of_no_known_kind_is_refused(condition):
    kind = type(condition).__name__
    with pytest.raises(SettingsError, match=rf"condition 'end' is a {kind}: .* Initial, Left"):
        conditioned(condition)


def test_two_terms_of_one_name_are_refused():
    class Twice(Problem):
        name = "twice"

        def residual(self, u, x, t):
            return u.t

        @property
        def conditions(self):
            return Initial("initial_u", lambda u, x: u), Left("initial_u", lambda u, t: u)

    problem = Twice()
    points = training_points(TrainingGrid(nx=3, nt=3, edge=3), problem)
    with pytest.raises(SettingsError, match="two terms of the name 'initial_u'"):
        row_system(problem, points, TanhMLP(hidden_layers=1, width=2).bound(np.float64))
