"""Errors of trained networks against the reference, and everything that figures and tables show."""

import math
from collections.abc import Sequence
from os import PathLike

import numpy as np
import xarray as xr

from double_pinn.configuration.settings import EvaluationSettings, Grid, RunSettings
from double_pinn.errors import DataError
from double_pinn.numerics.points import collocation_axes
from double_pinn.numerics.problems.base import Problem
from double_pinn.results import predict
from double_pinn.results.reference_file import AGAIN, axes, read_reference
from double_pinn.results.runs import HISTORIES, MORE_HISTORIES, read_runs
from double_pinn.running.history import restarts_of


def rmae(u_hat: np.ndarray, u: np.ndarray) -> float:
    """Return the relative mean absolute error Σ|û - u| / Σ|u| (paper, Table 1).

    Args:
        u_hat: prediction û, any shape.
        u: reference, the same shape.

    Raises:
        ValueError: if shapes differ, a value is not finite, or the reference is zero everywhere.
    """
    u_hat, u = _checked(u_hat, u)
    return float(np.abs(u_hat - u).sum() / np.abs(u).sum())


def rrmse(u_hat: np.ndarray, u: np.ndarray) -> float:
    """Return the relative root mean square error √(Σ(û - u)² / Σu²) (paper, Table 1).

    Args:
        u_hat: prediction û, any shape.
        u: reference, the same shape.

    Raises:
        ValueError: if shapes differ, a value is not finite, or the reference is zero everywhere.
    """
    u_hat, u = _checked(u_hat, u)
    return float(np.linalg.norm(u_hat - u) / np.linalg.norm(u))


def refine(axis: np.ndarray, points: int) -> np.ndarray:
    """Return equidistant nodes, at least ``points``, that include every node of an axis.

    The residual of a failed network is small exactly at the collocation points (paper, Figs. 1
    and 3); a grid that misses them would not show it.

    Args:
        axis: equidistant nodes, shape (n,), n of at least 2.
        points: the least number of nodes.

    Returns:
        Shape ((n - 1) k + 1,), with the smallest k that suffices.
    """
    intervals = len(axis) - 1
    k = max(1, math.ceil((points - 1) / intervals))
    fine = np.linspace(axis[0], axis[-1], intervals * k + 1)
    fine[::k] = axis  # to the last bit
    return fine


def evaluate(
    settings: EvaluationSettings,
    reference_path: str | PathLike[str],
    run_paths: Sequence[str | PathLike[str]],
) -> xr.Dataset:
    """Bring together all seeds of a cell: fields, errors and histories.

    Args:
        settings: how the cell was trained, and the grids on which it is judged.
        reference_path: the reference solution on the cell's evaluation grid.
        run_paths: training runs of this cell, one for each seed, in any order.

    Returns:
        The content of ``evaluation/{cell}.nc``, sorted by ``seed``:

        - ``u(seed, x, t)`` and ``u_reference(x, t)``, double precision, with ``reference_error``;
        - ``residual(seed, x_residual, t_residual)``, single precision, on a grid that contains the
          collocation points ``x_collocation``, ``t_collocation``;
        - ``rmae(seed)``, ``rrmse(seed)``;
        - the histories over ``iteration``. Seeds stop at different iterations: the axis has those
          of all seeds, and a seed has NaN where it logged nothing;
        - ``iterations_run``, ``stop_reason``, ``total_wall_time`` (s) and the last entries of the
          losses, ``final_objective``, ``final_train_loss``, ``final_test_loss``, of each seed;
        - ``peak_memory(seed)`` in bytes, NaN if the run does not say; ``residual_rms(seed)`` and
          ``trained_residual_rms(seed)``, which differ where a network sees a point as a sequence.

    Raises:
        DataError: if a file is missing or damaged; a run was made with other settings or its seed
            comes twice; the reference is of another equation or grid; a run's parameters are not
            those of its network.
    """
    reference = _read_reference(settings.run.problem, settings.evaluation, reference_path)
    runs = read_runs(settings.run, run_paths)
    return compare(settings, reference, runs, f"compared with {reference_path}")


def compare(
    settings: EvaluationSettings,
    reference: xr.Dataset,
    runs: Sequence[tuple[str | PathLike[str], xr.Dataset]],
    with_what: str = "compared with the reference",
) -> xr.Dataset:
    """Return what :func:`evaluate` returns, from what it reads.

    Args:
        settings: see there.
        reference: the reference solution on the evaluation grid.
        runs: training runs, each behind its name.
        with_what: the reference, for messages.

    Raises:
        DataError: if a prediction is not finite, the reference is zero everywhere, or a run's
            parameters are not those of its network.
    """
    asked, grids = settings.run, settings.evaluation
    problem = asked.problem
    x, t = reference.x.values, reference.t.values
    x_collocation, t_collocation = collocation_axes(asked.points, problem)
    x_residual = refine(x_collocation, grids.residual_points)
    t_residual = refine(t_collocation, grids.residual_points)

    network = predict.in_double(asked.network)
    parameters = [predict.parameters_of(network, run, path) for path, run in runs]
    fields = predict.predict_field(asked, parameters, x, t)
    residuals = predict.residual_field(asked, parameters, x_residual, t_residual)
    residual_rms = [float(np.sqrt(np.mean(residual**2))) for residual in residuals]
    trained_rms = residual_rms
    if asked.network.sees_sequences:
        trained_rms = predict.trained_residual_rms(asked, parameters, x_residual, t_residual)
    seeds = []
    for k, ((path, run), u, residual) in enumerate(zip(runs, fields, residuals, strict=True)):
        try:
            errors = {"rmae": rmae(u, reference.u.values), "rrmse": rrmse(u, reference.u.values)}
        except ValueError as error:
            raise DataError(f"{path}: {with_what}: {error}") from error
        last = run.isel(iteration=-1)
        seeds.append(
            run[[*HISTORIES, *(name for name in MORE_HISTORIES if name in run)]]
            .astype(np.float64)
            .drop_attrs()
            .assign(
                {
                    "u": (("x", "t"), u),
                    "residual": (("x_residual", "t_residual"), residual.astype(np.float32)),
                    **errors,
                    "iterations_run": int(run.attrs["iterations_run"]),
                    "stop_reason": run.attrs["stop_reason"],
                    "final_objective": float(last.objective),
                    "final_train_loss": float(last.train_loss),
                    "final_test_loss": float(last.test_loss),
                    "total_wall_time": float(last.wall_time),
                    "peak_memory": float(run.attrs.get("peak_memory", math.nan)),
                    "residual_rms": residual_rms[k],
                    "trained_residual_rms": trained_rms[k],
                }
            )
            .assign_coords(seed=int(run.attrs["seed"]))
        )
    # Outer: the union of the iterations, filled with NaN.
    ds = xr.concat(seeds, dim="seed", join="outer", coords="minimal", compat="equals")
    ds = ds.assign(u_reference=reference.u.drop_attrs(), reference_error=reference.reference_error)
    ds = ds.assign_coords(
        x=x,
        t=t,
        x_residual=x_residual,
        t_residual=t_residual,
        x_collocation=x_collocation,
        t_collocation=t_collocation,
    )
    ds.u.attrs["long_name"] = "prediction of the network, u(x, t)"
    ds.attrs = _attributes(asked, reference, [run for _, run in runs])
    return ds


def _checked(u_hat: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both fields in double precision, if they can be compared."""
    u_hat, u = np.asarray(u_hat, np.float64), np.asarray(u, np.float64)
    if u_hat.shape != u.shape:
        raise ValueError(f"the prediction has shape {u_hat.shape}, the reference {u.shape}")
    for name, values in (("prediction", u_hat), ("reference", u)):
        if not np.isfinite(values).all():
            raise ValueError(f"the {name} is not finite everywhere")
    if not u.any():
        raise ValueError("the reference is zero everywhere: no relative error is defined")
    return u_hat, u


def _attributes(settings: RunSettings, reference: xr.Dataset, runs: list[xr.Dataset]) -> dict:
    """Return what the cell is and where its numbers come from."""

    def of_runs(name):
        return ", ".join(sorted({str(run.attrs.get(name, "unknown")) for run in runs}))

    restarts = {
        f"seed {run.attrs['seed']}": ", ".join(f"{k:,}" for k in restarts_of(run)) for run in runs
    }
    return {
        "title": f"Evaluation: {settings.cell}",
        "source": "double-pinn evaluate",
        **settings.attributes(),
        "parameter_count": runs[0].sizes["parameter"],
        "run_devices": of_runs("device"),
        "run_commits": of_runs("commit"),
        "run_restarts": "; ".join(f"{seed}: {of}" for seed, of in restarts.items() if of),
        "reference_method": reference.attrs.get("method", "unknown"),
    }


def _read_reference(problem: Problem, grid: Grid, path: str | PathLike[str]) -> xr.Dataset:
    """Return the reference, if it belongs to the cell's equation and evaluation grid."""
    reference = read_reference(problem, path)
    expected = axes(problem, grid.nx, grid.nt)
    for name, axis in zip(("x", "t"), expected, strict=True):
        found = reference[name].values
        span = axis[-1] - axis[0]
        if found.shape != axis.shape or not np.allclose(found, axis, rtol=0, atol=1e-12 * span):
            raise DataError(
                f"{path}: its {name} has {len(found)} points from {found[0]:g} to {found[-1]:g}, "
                f"but evaluation.n{name} asks for {len(axis)} from {axis[0]:g} to {axis[-1]:g}; "
                f"{AGAIN}"
            )
    return reference
