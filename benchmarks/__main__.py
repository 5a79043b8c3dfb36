"""The command line: ``python -m benchmarks`` from the root of the repository."""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.cases import EQUATIONS, LOSSES, SEQUENCES
from benchmarks.machine import cores
from benchmarks.peers import PEERS
from benchmarks.processes import ROOT, BenchmarkError, export_cases
from benchmarks.race import run_case
from benchmarks.seeds import measure_seeds

_RESULTS = ROOT / "benchmarks" / "results"
_PEER_PYTHON = ROOT / "benchmarks" / ".venv" / "bin" / "python"
_PACKAGES = {"pytorch": "torch", "deepxde": "deepxde"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choice = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help="core (the race and the limit), seeds (several seeds of one cell), models (the "
        "sequence models beside PyTorch); default: core and seeds",
    )
    parser.add_argument("--equations", choices=EQUATIONS, default=EQUATIONS, **choice)
    parser.add_argument("--cases", choices=LOSSES, default=LOSSES, **choice)
    parser.add_argument("--peers", choices=PEERS, default=list(PEERS), **choice)
    parser.add_argument("--seconds", type=float, default=20.0, help="of training for each peer")
    parser.add_argument("--cores", type=int, help="to use (default: all that there are)")
    parser.add_argument(
        "--quick", action="store_true", help="reaction only, 2 s: to see that everything runs"
    )
    parser.add_argument(
        "--peer-python",
        type=Path,
        default=_PEER_PYTHON,
        metavar="FILE",
        help="interpreter with the optional peers (default: benchmarks/.venv/bin/python)",
    )
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the results")
    return parser


def _pythons(peers, peer_python: Path) -> dict[str, str]:
    """Return each role's interpreter.

    Raises:
        BenchmarkError: if a peer is not installed.
    """
    pythons = {**dict.fromkeys(PEERS, sys.executable), "evaluation": sys.executable}
    for peer in peers:
        if not PEERS[peer].optional:
            continue
        package = _PACKAGES[peer]
        pythons[peer] = str(peer_python)
        find = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
        if not peer_python.exists() or subprocess.run([peer_python, "-c", find]).returncode:
            raise BenchmarkError(
                f"{package} is not installed for {peer_python}: install benchmarks/requirements.txt"
                " there (benchmarks/README.md), give --peer-python, or leave out "
                f"{peer} with --peers"
            )
    return pythons


def _say(line: str):
    print(line, file=sys.stderr, flush=True)


def main(argv=None) -> int:
    """Measure, and write tables and plot."""
    parser = _parser()
    args = parser.parse_args(argv)
    parts = args.parts or ["core", "seeds"]
    if unknown := set(parts) - {"core", "seeds", "models"}:
        parser.error(f"{unknown.pop()!r} is no part: choose core, seeds or models")
    if args.quick:
        args.equations, args.seconds = ["reaction"], 2.0
    names = [f"{equation}_{loss}" for equation in args.equations for loss in args.cases]
    # Workers wait stopped: they must be ended even if this process is told to go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _measure(args, parts, names)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(args, parts, names):
    used = cores()[: args.cores]
    races = {"core", "models"} & set(parts)
    pythons = _pythons(args.peers if races else (), args.peer_python)
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_cases(names, folder)
        files = {name: folder / f"{name}.npz" for name in names}
        results = {}
        for name in names if "core" in parts else ():
            results[name] = run_case(files[name], args.peers, pythons, used, args.seconds, _say)
        if results:
            _write_core(args, results, folder, used)
        if "models" in parts:
            _measure_models(args, pythons, used, folder)
        if "seeds" in parts:
            cheap = files[f"{args.equations[0]}_{args.cases[-1]}"]
            seeds = measure_seeds(cheap, sys.executable, used, args.seconds, _say)
            _write_seeds(args, seeds, used)
    _say(f"results in {args.output}")


def _measure_models(args, pythons, used, folder):
    """Race the sequence models; a case takes minutes, so each is written when it is done."""
    pairs = [f"{e}_{network}" for e in args.equations for network in SEQUENCES]
    pairs = [name for name in pairs if not name.startswith("allen_cahn")]
    export_cases(pairs, folder)
    peers = [peer for peer in args.peers if peer in ("project", "pytorch")]
    models = {}
    for name in pairs:
        file = folder / f"{name}.npz"
        models[name] = run_case(file, peers, pythons, used, args.seconds, _say, single=True)
        _write_models(args, models, used)


# What writes imports JAX, which takes seconds that a wrong argument need not wait for.


def _write_core(args, results, folder, used):
    from benchmarks import report

    core, limits = report.core_rows(results), report.limit_rows(results, folder)
    report.write_csv(core, args.output / "core.csv")
    words = report.describe(used)
    text = report.core_markdown(
        core, limits, seconds=args.seconds, machine_words=words, versions=_versions(results)
    )
    (args.output / "core.md").write_text(text)
    if limits:
        report.write_csv(limits, args.output / "limit.csv")
    report.plot(core, limits, args.output / "core.png")


def _versions(results) -> dict[str, str]:
    return {k: v for result in results.values() for k, v in result["versions"].items()}


def _write_models(args, models, used):
    from benchmarks import report

    rows = report.core_rows(models)
    report.write_csv(rows, args.output / "models.csv")
    text = report.models_markdown(
        rows, machine_words=report.describe(used), versions=_versions(models)
    )
    (args.output / "models.md").write_text(text)


def _write_seeds(args, seeds, used):
    from benchmarks import report

    report.write_csv(seeds, args.output / "seeds.csv")
    (args.output / "seeds.md").write_text(report.seeds_markdown(seeds, report.describe(used)))


if __name__ == "__main__":
    sys.exit(main())
