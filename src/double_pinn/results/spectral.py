"""The Fourier spectral solver of periodic equations, in double precision.

It takes semilinear equations u_t = L u + N(u): a problem supplies the Fourier symbol of L and the
pointwise N (``linear_symbol``, ``nonlinear``). It integrates the Fourier coefficients with an
exponential Runge-Kutta method, which treats L exactly, and measures its own error by doing the work
again with twice the modes and with half the step.

The initial value need not be smooth: that of Allen-Cahn has a kink at x = ±1, where its slope
jumps from -2 to 2, so that its Fourier coefficients decay only like k⁻². Coefficients taken from
samples carry an aliasing error as large as the tail they leave out, in every mode and at all times
(2e-7 with 4096 modes). Hence they are computed as integrals, by heavy oversampling; the tail itself
has decayed after a time of 1 / (d k²).
"""

import math
from typing import ClassVar, Protocol

import jax
import numpy as np
from scipy import fft

from double_pinn.errors import UserError
from double_pinn.numerics.functions import values_of
from double_pinn.results.reference_file import is_spectral
from double_pinn.results.watch import Watch

#: The least number of Fourier modes. For Allen-Cahn they resolve the kink of the initial value once
#: it is sqrt(4 d t) wide, which at the first instant of the evaluation grid, t = 1/200, is 1.4e-3.
MODES = 4096

#: The largest time step, of the whole time. Both values give Allen-Cahn an error near 1e-11.
STEP = 1 / 800

#: The largest self-convergence error (relative RMSE) with which a solution is handed out.
TOLERANCE = 1e-6

#: How often modes are doubled to reach the tolerance, and steps to keep the solution finite.
REFINEMENTS = 3

#: How often steps are doubled to reach the tolerance: the length of a step is not that of the
#: equation's own time, which may be a small part of the whole.
STEP_REFINEMENTS = 10

#: How much finer than the modes the initial value is sampled for its Fourier coefficients.
OVERSAMPLING = 256

#: Points on the circle over which the phi functions are averaged.
CONTOUR_POINTS = 64

#: What the files call it.
METHOD = "Fourier spectral method in x, exponential Runge-Kutta method in t"


class NotFiniteError(UserError):
    """A solution that grows without bounds, or whose steps are too long."""


class Spectral(Protocol):
    """What the spectral solver asks of an equation."""

    name: ClassVar[str]

    @property
    def x_range(self) -> tuple[float, float]:
        """The two ends of the period."""

    def initial(self, x):
        """Return u(x, t0)."""

    def linear_symbol(self, k):
        """Return the Fourier symbol of L at wavenumbers."""

    def nonlinear(self, u):
        """Return N(u), pointwise."""


def check_functions(problem, x: np.ndarray) -> None:
    """Refuse an equation that does not say what the spectral solver needs, in numbers.

    Args:
        problem: any.
        x: positions at which it is asked, shape (nx,).

    Raises:
        UserError: saying what is missing, or which function does not answer as it should.
    """
    if is_spectral(problem):
        double_values(problem, "nonlinear", double_values(problem, "initial", x))
        _symbol(problem, 2 * np.pi / problem.length * np.arange(4))
        return
    there = [name for name in ("linear_symbol(k)", "nonlinear(u)") if hasattr(problem, name[:-3])]
    only = f" (only {there[0]})" if there else ""
    raise UserError(
        f"equation {problem.name!r} has no reference solution: it defines neither exact(x, t) nor "
        f"linear_symbol(k) and nonlinear(u){only}, and no table of it is named (in the workflow: "
        f"reference: {{{problem.name}: {{file: PATH}}}}; docs/method.md)"
    )


def converged(
    problem,
    x: np.ndarray,
    t: np.ndarray,
    modes: int,
    step: float,
    tolerance: float,
    watch: Watch,
) -> tuple[np.ndarray, dict]:
    """Refine modes and steps until the tolerance is met.

    Args:
        problem: what :func:`fourier_solution` takes.
        x: see there.
        t: see there.
        modes: the least number of modes to begin with.
        step: the largest time step to begin with, relative to the whole time.
        tolerance: the largest relative RMSE, in space and time together.
        watch: follows the work.

    Returns:
        u of shape (nx, nt), float64, and its attributes: ``method``, ``modes``, ``time_step``,
        ``space_error`` and ``time_error``.

    Raises:
        UserError: if the tolerance is not met after so many refinements, or what
            :func:`fourier_solution` raises.
    """
    modes = 2 * len(x) * math.ceil(modes / (2 * len(x)))
    interval = t[1] - t[0]
    substeps = math.ceil(round(interval / (step * (t[-1] - t[0])), 9))
    more_modes, more_steps, more_finite = REFINEMENTS, STEP_REFINEMENTS, REFINEMENTS
    while True:
        # Once as it is, once with twice the modes, once with twice the steps.
        watch.begin(5 * modes * substeps * (len(t) - 1))
        try:
            u, finer_space, finer_time = (
                fourier_solution(problem, x, t, m, n, watch)
                for m, n in ((modes, substeps), (2 * modes, substeps), (modes, 2 * substeps))
            )
        except NotFiniteError:
            if not more_finite:
                raise
            # Steps that are too long do that, too.
            substeps, more_finite = 2 * substeps, more_finite - 1
            continue
        space_error, time_error = _difference(u, finer_space), _difference(u, finer_time)
        if space_error + time_error <= tolerance:
            return u, {
                "method": METHOD,
                "modes": modes,
                "time_step": float(interval / substeps),
                "space_error": space_error,
                "time_error": time_error,
            }
        if space_error > time_error and more_modes:
            modes, more_modes = 2 * modes, more_modes - 1
        elif space_error <= time_error and more_steps:
            substeps, more_steps = 2 * substeps, more_steps - 1
        else:
            break
    raise UserError(
        f"equation {problem.name!r}: the reference solution has a relative error of "
        f"{space_error:.1e} in space and {time_error:.1e} in time, more than {tolerance:.0e}; "
        "choose milder equation.parameters"
    )


def fourier_solution(
    problem: Spectral,
    x: np.ndarray,
    t: np.ndarray,
    modes: int,
    substeps: int,
    watch: Watch | None = None,
) -> np.ndarray:
    """Solve u_t = L u + N(u), periodic in x, with fixed numbers of modes and steps.

    The Fourier coefficients are advanced by the exponential Runge-Kutta method of fourth order of
    Cox and Matthews (J. Comput. Phys. 176, 2002; Eqs. 26-29), with the coefficients of Kassam and
    Trefethen (SIAM J. Sci. Comput. 26, 2005). N is evaluated on a grid twice as fine as the modes,
    which keeps a cubic N free of aliasing.

    Args:
        problem: gives ``initial``, ``linear_symbol``, ``nonlinear`` and ``x_range``.
        x: shape (nx,), equidistant over the period, the right end left out.
        t: shape (nt,), equidistant instants, the initial one first.
        modes: number of Fourier modes M, an even multiple of nx.
        substeps: time steps between two instants.
        watch: follows the steps; the work of one is the number of modes.

    Returns:
        u of shape (nx, nt), float64. The first column is the initial value itself, not its
        truncated series.

    Raises:
        NotFiniteError: if the solution does not stay finite.
        UserError: if a function of the problem does not answer as it should, or the watch ends it.
    """
    left, right = problem.x_range
    h = (t[1] - t[0]) / substeps
    wavenumbers = 2 * np.pi / (right - left) * np.arange(modes // 2 + 1)
    symbol = _symbol(problem, wavenumbers)

    def nonlinear(coefficients):
        values = _values(coefficients, 2 * modes)
        return _coefficients(double_values(problem, "nonlinear", values), modes)

    fine = left + (right - left) / (modes * OVERSAMPLING) * np.arange(modes * OVERSAMPLING)
    initial = double_values(problem, "initial", fine)
    u = np.empty((len(x), len(t)))
    u[:, 0] = initial[:: len(fine) // len(x)]
    v = _coefficients(initial, modes)

    # Growth without bounds is reported below, not as a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        full, half = np.exp(h * symbol), np.exp(h * symbol / 2)
        half_phi = h / 2 * phi_functions(h * symbol / 2)[0]
        phi1, phi2, phi3 = phi_functions(h * symbol)
        weight_first = h * (phi1 - 3 * phi2 + 4 * phi3)
        weight_middle = h * (2 * phi2 - 4 * phi3)
        weight_last = h * (4 * phi3 - phi2)
        for instant in range(1, len(t)):
            for _ in range(substeps):
                n_v = nonlinear(v)
                a = half * v + half_phi * n_v
                n_a = nonlinear(a)
                b = half * v + half_phi * n_a
                n_b = nonlinear(b)
                c = half * a + half_phi * (2 * n_b - n_v)
                n_c = nonlinear(c)
                v = full * v + weight_first * n_v + weight_middle * (n_a + n_b) + weight_last * n_c
                if not np.isfinite(v).all():
                    raise NotFiniteError(
                        f"equation {problem.name!r}: the reference solution is not finite at "
                        f"t = {t[instant]:g}; choose milder equation.parameters"
                    )
                if watch:
                    watch.advance(modes)
            u[:, instant] = _values(v, modes)[:: modes // len(x)]
    return u


def phi_functions(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return functions of exponential integrators, φ₁ = (eᶻ - 1)/z and φₖ₊₁ = (φₖ - 1/k!)/z.

    Near z = 0 the formulas lose all digits to cancellation. An analytic function is the mean of its
    values on a circle around z, and there they are harmless (Kassam and Trefethen, Section 2).

    Args:
        z: real or complex, shape (n,).

    Returns:
        φ₁, φ₂ and φ₃ at z, each of shape (n,) and real where z is.
    """
    angles = 2 * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS
    circle = z[:, None] + np.exp(1j * angles)
    phi1 = (np.exp(circle) - 1) / circle
    phi2 = (phi1 - 1) / circle
    phi3 = (phi2 - 1 / 2) / circle
    means = [phi.mean(axis=1) for phi in (phi1, phi2, phi3)]
    return tuple(means if np.iscomplexobj(z) else (mean.real for mean in means))


def _coefficients(values: np.ndarray, modes: int) -> np.ndarray:
    """Return the first modes // 2 + 1 Fourier coefficients of values on a grid at least as fine."""
    coefficients = fft.rfft(values)[: modes // 2 + 1] / len(values)
    coefficients[-1] = 0  # the sawtooth mode has no partner of the opposite sign
    return coefficients


def _values(coefficients: np.ndarray, points: int) -> np.ndarray:
    """Return the values of a Fourier series on a grid with as many points as modes or more."""
    return fft.irfft(coefficients, points) * points


def _symbol(problem, wavenumbers: np.ndarray) -> np.ndarray:
    symbol = double_values(problem, "linear_symbol", wavenumbers)
    if not np.isfinite(symbol).all():
        raise UserError(f"{type(problem).__name__}.linear_symbol is not finite at every wavenumber")
    return symbol


def double_values(problem, name: str, *arguments: np.ndarray) -> np.ndarray:
    """Call a function of a problem in double precision.

    Raises:
        UserError: if it does not answer as it should, or in another precision all the same.
    """
    with jax.enable_x64(True):  # or JAX would round to single precision
        values = values_of(problem, name, *arguments)
    if values.dtype not in (np.float64, np.complex128):
        written = f"{type(problem).__name__}.{name}"
        raise UserError(f"{written} gives {values.dtype}; the reference solution needs float64")
    return values


def _difference(u: np.ndarray, finer: np.ndarray) -> float:
    """Return the relative RMSE of a solution against a finer one."""
    return float(np.linalg.norm(u - finer) / np.linalg.norm(finer))
