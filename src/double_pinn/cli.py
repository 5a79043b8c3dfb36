"""The command line ``double-pinn``: one subcommand a stage of the workflow.

Importing JAX takes seconds and reads the environment, so every subcommand sets what it needs first
and imports its room then; figures and tables never import JAX.
"""

import argparse
import functools
import io
import math
import os
import sys
import traceback
from pathlib import Path

from double_pinn import __version__, files
from double_pinn.code import PACKAGE, same_code
from double_pinn.errors import DeviceError, TrainingInterruptedError, UserError
from double_pinn.values import LARGEST_SEED

_FOR_EVER = 10**9  # seconds
# Of the solution that the log looks at, where it is no closed form.
_LOG_GRID = (100, 101)
# It must not hold up the training.
_LOG_SECONDS = 60.0
# With fewer points a core waits for the others longer than it computes.
_POINTS_A_CORE = 64


def _role_and_path(text: str) -> tuple[str, Path]:
    role, separator, path = text.partition("=")
    if not (role and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form ROLE=FILE")
    return role, Path(path)


def _integer(least: int, largest: float = math.inf):
    """Return what turns text into an integer between two bounds, and refuses any other."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= largest:
            bounds = f"of at least {least}" if largest == math.inf else f"from {least} to {largest}"
            raise argparse.ArgumentTypeError(f"{text!r} is no integer {bounds}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def sensible_cores(points: int) -> int:
    """Return over how many of the machine's cores so many points are worth dealing out."""
    return max(1, min(available_cores(), points // _POINTS_A_CORE))


def configure_jax(device: str, threads: int | None, x64: bool, cores: int = 1):
    """Choose device, threads and precision before JAX starts.

    Args:
        device: ``cpu`` or ``gpu``.
        threads: cores for XLA's CPU backend; ``None``: all.
        x64: whether FP64 is enabled.
        cores: over which the run is dealt out (see :mod:`double_pinn.numerics.cores`): on a CPU so
            many devices of one thread each, instead of one device with ``threads``.

    Raises:
        DeviceError: if a GPU is asked for where JAX finds none.
    """
    # What the command decides is not for the environment to change.
    ours = ("host_platform_device_count", "multi_thread_eigen", "collective_call_terminate_timeout")
    given = os.environ.get("XLA_FLAGS", "").split()
    flags = [flag for flag in given if not any(word in flag for word in ours)]
    if device == "cpu" and cores > 1:
        threads = cores
        # Cores wait for each other, and a suspended process must not be ended for that.
        flags.append(f"--xla_cpu_collective_call_terminate_timeout_seconds={_FOR_EVER}")
    if device == "cpu" and threads:
        os.environ["NPROC"] = str(threads)
        if threads == 1 or cores > 1:
            flags.append("--xla_cpu_multi_thread_eigen=false")
    os.environ["XLA_FLAGS"] = " ".join(flags)
    import jax

    # The settings' room has imported JAX by now, so the variable JAX_PLATFORMS would come too late.
    jax.config.update("jax_platforms", "cpu" if device == "cpu" else "cuda")
    jax.config.update("jax_enable_x64", x64)
    if device == "cpu":
        jax.config.update("jax_num_cpu_devices", cores)
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # without any GPU plugin: an assertion
        reason = f" ({str(error).splitlines()[0]})" if str(error) else ""
        raise DeviceError(
            f"--device {device}: JAX finds no such device{reason}; run with --device cpu, "
            "or install double-pinn[cuda] on a machine with a GPU"
        ) from None


def _check_code():
    """Refuse to be another code than that of the workflow that started this command.

    Raises:
        UserError: naming both places.
    """
    place = os.environ.get("DOUBLE_PINN_CODE")
    if place and not same_code(Path(place)):
        raise UserError(
            f"the workflow is of {place}, and the double-pinn on the PATH of {PACKAGE}, which has "
            "other code: activate the environment of the workflow's own folder (make environment)"
        )


def _reference(args):
    configure_jax("cpu", None, x64=True)
    from double_pinn.configuration.settings import load_settings, reference_from_dict
    from double_pinn.results import netcdf, reference

    settings = load_settings(args.settings, reference_from_dict)
    problem, grid = settings.problem, settings.evaluation
    solution = reference.solve(problem, grid.nx, grid.nt, table=settings.table)
    if settings.table:
        print(
            f"{settings.table.file}: the interpolation adds a relative error of about "
            f"{float(solution.reference_error):.1e}; that of the table itself is not known, but it "
            f"leaves a residual of {solution.attrs['table_residual']:.1e} of the equation's terms",
            file=sys.stderr,
        )
    netcdf.write_dataset(
        solution,
        args.output,
        title=f"Reference solution of the {problem.title} equation",
        source="double-pinn reference",
    )


def _check(args):
    configure_jax("cpu", 1, x64=True)
    import jax

    # A few points: compiling would take longer than computing.
    jax.config.update("jax_disable_most_optimizations", True)
    from double_pinn.configuration.catalogue import get_problem
    from double_pinn.results.check import checked_problem
    from double_pinn.results.undeclared import check_files, files_read

    with files_read() as read:
        problem = get_problem(args.name)
        said = checked_problem(problem)
    check_files(problem, read)
    print(said)


def _train(args):
    from double_pinn.configuration.settings import Table, load_settings

    settings = load_settings(args.settings)
    files.check_writable(args.output)
    table = Table.from_words(*args.table) if args.table else None
    optimizer, available = settings.optimizer, 1
    if args.device == "cpu":
        available = args.threads or sensible_cores(settings.collocation_count)
    cores = optimizer.cores(available)
    configure_jax(args.device, args.threads, x64=settings.precision == "fp64", cores=cores)
    from double_pinn.numerics.trainer import Solution
    from double_pinn.results import netcdf
    from double_pinn.results.continued import earlier_run
    from double_pinn.results.reference_file import read_reference
    from double_pinn.running import training
    from double_pinn.running.progress import Progress

    known = None
    if args.reference:
        known = read_reference(settings.problem, args.reference)
    netcdf.commit()  # looked up once: the commit of the start goes into the file
    progress = Progress(
        f"{settings.cell} seed {args.seed}",
        settings.stopping.max_iterations,
        log=args.log,
        interval=args.progress_seconds,
    )
    if optimizer.dealt and cores < available:
        progress.say(
            f"uses {cores} of {available} cores: no more of them share {optimizer.dealt} equally"
        )
    if known is None and (table or settings.problem.exact is None):
        # For the log alone: no file, on which a run would depend and be trained again.
        from double_pinn.results.reference import solve

        try:
            known = solve(
                settings.problem,
                *_LOG_GRID,
                modes=2048,
                step=1 / 400,
                table=table,
                longest=_LOG_SECONDS,
                say=progress.say,
            )
        except UserError as error:
            has = "no errors" if settings.problem.exact is None else "errors of the closed form"
            progress.say(f"the log has {has}: {error}")
    solution = (
        Solution(known.x.values, known.t.values, known.u.values) if known is not None else None
    )
    try:
        earlier = None
        if args.continue_from:
            earlier = functools.partial(earlier_run, args.continue_from, settings, args.seed)
        dataset = training.train(
            settings,
            args.seed,
            solution=solution,
            checkpoints=args.checkpoints,
            checkpoint_seconds=args.checkpoint_seconds,
            earlier=earlier,
            progress=progress,
        )
    except BaseException as error:
        if args.log is not None:
            progress.say(f"{type(error).__name__}: {error}")
        raise
    finally:
        progress.close()
    netcdf.write_dataset(
        dataset,
        args.output,
        title=f"Training run: {settings.cell}, seed {args.seed}",
        source="double-pinn train",
    )


def _evaluate(args):
    configure_jax("cpu", args.threads, x64=True)
    from double_pinn.configuration.settings import evaluation_from_dict, load_settings
    from double_pinn.results import evaluation, netcdf

    settings = load_settings(args.settings, evaluation_from_dict)
    netcdf.write_dataset(
        evaluation.evaluate(settings, args.reference, args.runs),
        args.output,
        title=f"Evaluation: {settings.run.cell}",
        source="double-pinn evaluate",
    )


def _weights(args):
    written = args.export or args.output
    if written and not args.force:
        files.check_absent(written)
    if args.export:
        if not args.run:
            raise UserError("weights --export FILE.npz takes the parameters of a run: give --run")
        configure_jax("cpu", None, x64=True)
        from double_pinn.results.weights import export_weights

        print("\n".join(export_weights(args.run, args.export)))
        return
    if not (args.settings and args.output):
        raise UserError("weights --import FILE.npz makes a run of it: give --settings and --output")
    if args.output.suffix != ".nc":
        raise UserError(f"{args.output}: a run is written as .nc; change the suffix")
    from double_pinn.configuration.settings import load_settings

    settings = load_settings(args.settings)
    configure_jax("cpu", None, x64=settings.precision == "fp64")
    from double_pinn.results import netcdf
    from double_pinn.results.weights import import_weights

    dataset = import_weights(settings, args.seed, args.source)
    netcdf.write_dataset(
        dataset,
        args.output,
        title=f"Imported weights: {settings.cell}, seed {args.seed}",
        source="double-pinn weights",
    )
    last = dataset.isel(iteration=-1)
    for name in ("train_loss", "test_loss", "rmae_history", "rrmse_history"):
        print(f"{name.removesuffix('_history')}: {float(last[name]):.6e}")


def _figure(args):
    from double_pinn.configuration import catalogue
    from double_pinn.showing import figures

    catalogue.read_without_jax()
    figures.render(args.number, _roles(args.cell), args.output, args.published)


def _picture(args):
    from double_pinn.configuration import catalogue
    from double_pinn.showing import picture

    catalogue.read_without_jax()
    picture.picture(args.cell, args.output)


def _table(args):
    from double_pinn.configuration import catalogue
    from double_pinn.showing import tables

    catalogue.read_without_jax()
    tables.write(_roles(args.cell), args.published, args.output)


def _claims(args):
    from double_pinn.configuration import catalogue
    from double_pinn.showing import claims

    catalogue.read_without_jax()
    claims.write(_roles(args.cell), args.published, args.output)


def _costs(args):
    from double_pinn.configuration import catalogue
    from double_pinn.showing import costs

    catalogue.read_without_jax()
    costs.write(_roles(args.cell), args.published, args.output)


def _pack(args):
    from double_pinn.results import archive

    print(archive.pack(args.results, args.archive, args.cells, force=args.force))


def _restore(args):
    from double_pinn.results import archive

    print(archive.restore(args.archive, args.results, args.cells, force=args.force))


def _document(args):
    from double_pinn.configuration import catalogue, documents

    catalogue.read_without_jax()
    for path, text in documents.documents(args.root).items():
        files.write_all({path: text})
        print(path)


def _roles(pairs) -> dict[str, Path]:
    roles: dict[str, Path] = {}
    for role, path in pairs or ():
        if role in roles:
            raise UserError(f"--cell {role}=... is given twice")
        roles[role] = path
    return roles


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="double-pinn", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, function, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        return sub

    sub = command("reference", _reference, "Solve an equation: closed form or spectral.")
    sub.add_argument("--settings", type=Path, required=True, help="JSON: equation, evaluation")
    sub.add_argument("--output", type=Path, required=True, help="netCDF to write")

    command("where", lambda args: print(PACKAGE), "Say where the code of this command lies.")

    sub = command("check", _check, "Check an equation, in seconds: its file, rows and solution.")
    sub.add_argument("name", metavar="NAME", help="of the equation, as in the configuration")

    sub = command("train", _train, "Train one seed of one cell.")
    sub.add_argument("--settings", type=Path, required=True, help="the cell's settings, JSON")
    sub.add_argument(
        "--seed",
        type=_integer(0, LARGEST_SEED),
        required=True,
        help="seed of the initial parameters",
    )
    sub.add_argument("--output", type=Path, required=True, help="netCDF to write")
    sub.add_argument(
        "--reference",
        type=Path,
        help="netCDF for the log to measure errors against (default: closed form, or solved here)",
    )
    sub.add_argument(
        "--table",
        nargs="+",
        metavar=("FILE", "u=NAME"),
        help="a table for the log instead; x=, t=, u=, rows= as in the configuration",
    )
    sub.add_argument("--checkpoints", type=Path, help="folder of this run's checkpoints")
    sub.add_argument(
        "--continue-from",
        type=Path,
        metavar="ARCHIVE",
        help="archive whose run of a smaller budget goes on where there is no checkpoint",
    )
    sub.add_argument(
        "--checkpoint-seconds",
        type=_seconds,
        default=120.0,
        metavar="S",
        help="seconds between checkpoints (default: 120)",
    )
    sub.add_argument(
        "--progress-seconds",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="seconds between progress lines where there is no terminal",
    )
    sub.add_argument("--log", type=Path, help="also write the progress to this file")
    sub.add_argument(
        "--threads",
        type=_integer(1),
        help=f"CPU cores to use (default: one for {_POINTS_A_CORE} points each, of all)",
    )
    sub.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="default: cpu")

    sub = command("evaluate", _evaluate, "Compare the runs of a cell with the reference.")
    sub.add_argument("--settings", type=Path, required=True, help="JSON: run, evaluation")
    sub.add_argument("--reference", type=Path, required=True, help="netCDF of the reference")
    sub.add_argument("--runs", type=Path, nargs="+", required=True, help="netCDF, one a seed")
    sub.add_argument("--output", type=Path, required=True, help="netCDF to write")
    sub.add_argument("--threads", type=_integer(1), help="CPU cores to use (default: all)")

    sub = command("weights", _weights, "Network parameters by name, to or from a .npz file.")
    ways = sub.add_mutually_exclusive_group(required=True)
    ways.add_argument("--export", type=Path, metavar="FILE.npz", help="write those of --run")
    ways.add_argument(
        "--import",
        dest="source",
        type=Path,
        metavar="FILE.npz",
        help="make a run file of them, to evaluate and to draw",
    )
    sub.add_argument("--run", type=Path, help="with --export: a run, netCDF")
    sub.add_argument("--settings", type=Path, help="with --import: the cell's settings, JSON")
    sub.add_argument("--output", type=Path, help="with --import: netCDF to write")
    sub.add_argument("--force", action="store_true", help="replace a file that is there")
    sub.add_argument(
        "--seed", type=_integer(0, LARGEST_SEED), default=0, help="with --import: of the run (0)"
    )

    sub = command("figure", _figure, "Draw a figure of the paper from evaluated cells.")
    sub.add_argument("number", type=int, help="the paper's number of the figure")
    sub.add_argument("--cell", type=_role_and_path, action="append", metavar="ROLE=FILE")
    sub.add_argument("--published", type=Path, help="CSV of published numbers, to draw beside")
    sub.add_argument("--output", type=Path, nargs="+", required=True, help="PDF and PNG to write")

    sub = command("picture", _picture, "Draw a cell: solution, network, error, residual, losses.")
    sub.add_argument("--cell", type=Path, required=True, help="netCDF of its evaluation")
    sub.add_argument("--output", type=Path, required=True, help="PNG or PDF to write")

    sub = command("table", _table, "Write Table 1 from evaluated cells and published numbers.")
    sub.add_argument("--cell", type=_role_and_path, action="append", metavar="ROW=FILE")
    sub.add_argument("--published", type=Path, required=True, help="CSV of published numbers")
    sub.add_argument(
        "--output", type=Path, nargs="+", required=True, help="CSV, MD, TEX, HTML to write"
    )

    sub = command("claims", _claims, "Decide the paper's claims from evaluated cells.")
    sub.add_argument("--cell", type=_role_and_path, action="append", metavar="FIGURE:ROLE=FILE")
    sub.add_argument("--published", type=Path, required=True, help="CSV of published numbers")
    sub.add_argument("--output", type=Path, nargs="+", required=True, help="MD, HTML to write")

    sub = command("costs", _costs, "Tell what each model costs and reaches.")
    sub.add_argument("--cell", type=_role_and_path, action="append", metavar="EQUATION/MODEL=FILE")
    sub.add_argument("--published", type=Path, required=True, help="CSV of published numbers")
    sub.add_argument("--output", type=Path, nargs="+", required=True, help="CSV, MD, HTML to write")

    for name, function, text in (
        ("pack", _pack, "Put the finished runs of a scale into an archive."),
        ("restore", _restore, "Bring back the runs of an archive that fit the configuration."),
    ):
        sub = command(name, function, text)
        sub.add_argument("--results", type=Path, required=True, help="folder of the scale")
        sub.add_argument("--archive", type=Path, required=True, help="folder of the archive")
        sub.add_argument("--cells", nargs="+", default=(), metavar="CELL", help="default: all")
        sub.add_argument("--force", action="store_true", help="replace runs that differ")

    sub = command("document", _document, "Write JSON schemas and tables of the configuration.")
    sub.add_argument(
        "--root", type=Path, default=Path(), help="of the repository (default: this folder)"
    )
    return parser


def main(argv=None) -> int:
    """Run the command line; return the exit status.

    0: done. 1: a defect, with its traceback. 2: bad input, with a message that says what to do.
    75: interrupted by a signal after the state was saved; run the same command again to continue.
    """
    for stream in (sys.stdout, sys.stderr):
        # Where the locale has no such letter, another stands for it: that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args = _parser().parse_args(argv)
    try:
        _check_code()
        args.function(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except TrainingInterruptedError as error:
        print(f"interrupted: {error}", file=sys.stderr)
        return 75
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
