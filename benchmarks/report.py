"""What was measured, as CSV files, tables for docs/speed.md, and a plot."""

import csv
import statistics
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.cases import load_case
from benchmarks.limit import columns, evaluation_flops, history_bytes
from benchmarks.peers import PEERS
from double_pinn.configuration.settings import settings_from_dict
from double_pinn.numerics.objective import row_system
from double_pinn.numerics.points import training_points

_LOSS_TITLES = {
    "none": "plain",
    "double": "double PINN",
    "pinnsformer": "PINNsFormer",
    "pinnmamba": "PINNMamba",
}


def case_title(case: str) -> str:
    """Return ``Allen-Cahn, double PINN`` for ``allen_cahn_double``."""
    equation, _, loss = case.rpartition("_")
    name = {"allen_cahn": "Allen-Cahn"}.get(equation, equation.capitalize())
    return f"{name}, {_LOSS_TITLES[loss]}"


def _paces(result: dict) -> list[float]:
    return [turn["seconds"] / turn["iterations"] for turn in result["turns"]]


def _evaluation(result: dict) -> float:
    return statistics.median(t for turn in result["turns"] for t in turn["evaluation_seconds"])


def _iteration_over_evaluation(result: dict) -> float:
    """Compare within a turn, so that a machine that changes its pace does not blur the ratio."""
    return statistics.median(
        pace / statistics.median(turn["evaluation_seconds"])
        for pace, turn in zip(_paces(result), result["turns"], strict=True)
    )


def core_rows(results: dict) -> list[dict]:
    """Return one row a case and peer.

    Args:
        results: case -> what :func:`benchmarks.race.run_case` returned.
    """
    rows = []
    for case, result in results.items():
        equation, _, loss = case.rpartition("_")
        peers = result["peers"]
        ours = _paces(peers["project"]) if "project" in peers else None
        for peer, measured in peers.items():
            paces, turns = _paces(measured), measured["turns"]
            total = {k: sum(t[k] for t in turns) for k in ("iterations", "evaluations", "seconds")}
            ratio = ours and statistics.median(p / o for p, o in zip(paces, ours, strict=True))
            rows.append(
                {
                    "equation": equation,
                    "regularizer": loss,
                    "peer": peer,
                    "seconds_per_iteration": statistics.median(paces),
                    "seconds_per_iteration_least": min(paces),
                    "seconds_per_iteration_most": max(paces),
                    "over_project": ratio,
                    "evaluation_seconds": _evaluation(measured),
                    "iteration_over_evaluation": _iteration_over_evaluation(measured),
                    "evaluations_per_iteration": total["evaluations"] / total["iterations"],
                    "startup_seconds": measured["startup_seconds"],
                    "training_seconds": total["seconds"],
                    "iterations": total["iterations"],
                    "initial_loss": measured["initial_loss"],
                    "final_loss": turns[-1]["loss"],
                    "peak_memory_mib": measured["peak_memory"] / 2**20,
                }
            )
    return rows


def _best(rates: list[dict], key: str) -> float:
    """Return the best library's median rate; libraries come in turn, a dictionary each."""
    by_library: dict[str, list[float]] = {}
    for rate in rates:
        by_library.setdefault(rate["library"], []).append(rate[key])
    return max(statistics.median(values) for values in by_library.values())


def limit_rows(results: dict, folder: Path) -> list[dict]:
    """Return, for each case and precision, this project's evaluation beside the machine's limit.

    Args:
        results: see :func:`core_rows`.
        folder: of the case files.
    """
    rows = []
    for case, result in results.items():
        if "project" not in result["peers"]:
            continue
        equation, _, loss = case.rpartition("_")
        settings = settings_from_dict(load_case(folder / f"{case}.npz").settings)
        points = training_points(settings.points, settings.problem)
        network = settings.network.bound(np.float32)  # it is counted, not evaluated
        system = row_system(settings.problem, points, network, settings.regularizer)
        size = load_case(folder / f"{case}.npz").flat.size
        flops = evaluation_flops(system, settings.network.hidden_layers, settings.network.width)
        rates = result["rates"]
        bandwidth = max(_best(rates, "copy"), _best(rates, "read"))
        for precision, itemsize in (("fp64", 8), ("fp32", 4)):
            measured = result["peers"]["project"] if itemsize == 8 else result["evaluation"]
            seconds, rate = _evaluation(measured), _best(rates, f"{precision}_favourable")
            traffic = history_bytes(settings.optimizer.memory, size, itemsize)
            row = {
                "equation": equation,
                "regularizer": loss,
                "precision": precision,
                "columns": columns(system),
                "flops": flops,
                "evaluation_seconds": seconds,
                "flops_per_second": flops / seconds,
                "matrix_product_rate": rate,
                "matrix_product_rate_used_shape": _best(rates, f"{precision}_used"),
                "fraction": flops / seconds / rate,
                "fraction_used_shape": flops / seconds / _best(rates, f"{precision}_used"),
                "history_bytes": traffic,
                "bandwidth": bandwidth,
                "limit_seconds": flops / rate + traffic / bandwidth,
            }
            if itemsize == 8:
                pace = statistics.median(_paces(measured))
                row["seconds_per_iteration"] = pace
                row["iteration_over_evaluation"] = _iteration_over_evaluation(measured)
                row["iteration_over_limit"] = pace / row["limit_seconds"]
            rows.append(row)
    return rows


def goals(core: list[dict], limits: list[dict]) -> list[tuple[str, str]]:
    """Return each goal of the core beside the worst case that was measured."""

    def worst(title, rows, key, bound, *, at_most):
        values = [(row[key], row) for row in rows if row.get(key) is not None]
        if not values:
            return []
        value, row = (max if at_most else min)(values, key=lambda pair: pair[0])
        met = value <= bound if at_most else value >= bound
        case = case_title(f"{row['equation']}_{row['regularizer']}")
        case += f", {row['precision'].upper()}" if key == "fraction" else ""
        return [(title, f"{'met' if met else 'missed'}: at worst {value:.2f} ({case})")]

    def of(peer, loss, *, without=()):
        return [
            row
            for row in core
            if row["peer"] == peer and row["regularizer"] in loss and row["equation"] not in without
        ]

    lines = worst(
        "iteration / evaluation, FP64, at most 1.6",
        limits,
        "iteration_over_evaluation",
        1.6,
        at_most=True,
    )
    lines += worst(
        "evaluation at 0.6 of the matrix-product rate or better",
        limits,
        "fraction",
        0.6,
        at_most=False,
    )
    for peer, loss, bound, without in (
        ("optax", ("none", "double"), 3, ("allen_cahn",)),
        ("pytorch", ("double",), 2, ()),
        ("deepxde", ("double",), 2, ()),
        ("pytorch", ("none",), 1, ()),
        ("deepxde", ("none",), 1, ()),
    ):
        where = "" if len(loss) == 2 else f", {_LOSS_TITLES[loss[0]]}"
        lines += worst(
            f"{PEERS[peer].title}{where}: at least {bound} × this project's time an iteration",
            of(peer, loss, without=without),
            "over_project",
            bound,
            at_most=False,
        )
    return lines


def _number(value, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown; all columns but the first two are right-aligned."""
    rule = ["---", "---", *["---:"] * (len(header) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def core_markdown(core, limits, *, seconds: float, machine_words: str, versions: dict) -> str:
    """Return the tables for docs/speed.md."""
    race = markdown_table(
        [
            *("case", "peer", "ms an iteration", "over this project", "evaluations an iteration"),
            *(f"loss after {seconds:g} s", "iterations", "start-up (s)", "peak memory (MiB)"),
        ],
        [
            [
                case_title(f"{row['equation']}_{row['regularizer']}"),
                PEERS[row["peer"]].title,
                f"{1e3 * row['seconds_per_iteration']:.1f}",
                _number(row["over_project"]),
                f"{row['evaluations_per_iteration']:.2f}",
                f"{row['final_loss']:.1e}",
                f"{row['iterations']:,}",
                f"{row['startup_seconds']:.1f}",
                f"{row['peak_memory_mib']:.0f}",
            ]
            for row in core
        ],
    )
    limit = markdown_table(
        [
            *("case", "precision", "evaluation (ms)", "Gflop/s", "matrix products, Gflop/s"),
            *("fraction", "iteration (ms)", "iteration / evaluation"),
            *("limit (ms)", "iteration / limit"),
        ],
        [
            [
                case_title(f"{row['equation']}_{row['regularizer']}"),
                row["precision"].upper(),
                f"{1e3 * row['evaluation_seconds']:.2f}",
                f"{row['flops_per_second'] / 1e9:.0f}",
                f"{row['matrix_product_rate'] / 1e9:.0f}",
                f"{row['fraction']:.2f}",
                _number(1e3 * row.get("seconds_per_iteration", np.nan)).replace("nan", ""),
                _number(row.get("iteration_over_evaluation")),
                f"{1e3 * row['limit_seconds']:.2f}",
                _number(row.get("iteration_over_limit")),
            ]
            for row in limits
        ],
    )
    bar = "\n".join(f"- {goal}: {outcome}" for goal, outcome in goals(core, limits))
    return (
        f"Measured on {machine_words}; {_used(versions)}. Network 4 × 128, L-BFGS with 100 pairs, "
        "FP64, the paper's points, one start for all peers.\n\n"
        f"{race}\n\n"
        "The limit of an iteration: one evaluation's matrix products at the measured rate, plus "
        "two readings of the L-BFGS history at the measured bandwidth.\n\n"
        f"{limit}\n\n{bar}\n"
    )


def _used(versions: dict) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def models_markdown(rows: list[dict], *, machine_words: str, versions: dict) -> str:
    """Return the table of the sequence models, for docs/speed.md."""
    ours = {
        (row["equation"], row["regularizer"]): row["evaluation_seconds"]
        for row in rows
        if row["peer"] == "project"
    }
    table = markdown_table(
        [
            *("case", "peer", "evaluation (ms)", "over this project", "ms an iteration"),
            *("evaluations an iteration", "start-up (s)", "peak memory (MiB)"),
        ],
        [
            [
                case_title(f"{row['equation']}_{row['regularizer']}"),
                PEERS[row["peer"]].title,
                f"{1e3 * row['evaluation_seconds']:.0f}",
                _number(row["evaluation_seconds"] / ours[row["equation"], row["regularizer"]]),
                f"{1e3 * row['seconds_per_iteration']:.0f}",
                f"{row['evaluations_per_iteration']:.2f}",
                f"{row['startup_seconds']:.1f}",
                f"{row['peak_memory_mib']:.0f}",
            ]
            for row in rows
        ],
    )
    return (
        f"Measured on {machine_words}; {_used(versions)}. L-BFGS with 100 pairs, FP32, 101 × 101 "
        f"points and 101 an edge, one start for both.\n\n{table}\n"
    )


def seeds_markdown(rows: list[dict], machine_words: str) -> str:
    """Return the table of arrangements of seeds."""
    table = markdown_table(
        ["case", "arrangement", "ms a seed and iteration", "peak memory (MiB)"],
        [
            [
                case_title(row["case"]),
                row["arrangement"],
                f"{1e3 * row['seconds_per_seed_iteration']:.1f}",
                f"{row['peak_memory_mib']:.0f}",
            ]
            for row in rows
        ],
    )
    return f"Measured on {machine_words}.\n\n{table}\n"


def write_csv(rows: list[dict], path: Path):
    """Write rows; the first row's keys are the columns."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def plot(core: list[dict], limits: list[dict], path: Path):
    """Draw each peer's time an iteration over this project's, and ours over its limits."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    cases = list(dict.fromkeys((row["equation"], row["regularizer"]) for row in core))
    places = np.arange(len(cases))
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    race, own = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    colours = {"optax": "#0173b2", "pytorch": "#de8f05", "deepxde": "#029e73"}
    others = [p for p in PEERS if p != "project" and any(row["peer"] == p for row in core)]
    width = 0.8 / max(1, len(others))
    for k, peer in enumerate(others):
        by_case = {(r["equation"], r["regularizer"]): r for r in core if r["peer"] == peer}
        ratios = np.asarray([by_case[case]["over_project"] or np.nan for case in cases], float)
        at = places + (k - (len(others) - 1) / 2) * width
        # A ratio of one has no bar: slower peers rise, faster ones would hang.
        bars = race.bar(
            at, ratios - 1, width * 0.95, bottom=1, color=colours[peer], label=PEERS[peer].title
        )
        race.bar_label(bars, [f"{ratio:.2g}" for ratio in ratios], fontsize=6.5, padding=1)
    race.axhline(1, color="0.2", lw=0.8)
    race.set_yscale("log")
    race.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    race.yaxis.set_major_formatter("{x:g}")
    race.yaxis.set_minor_locator(NullLocator())
    race.set_ylabel("time an iteration\nover this project's", fontsize=8)
    race.margins(y=0.15)
    race.legend(frameon=False, fontsize=7, ncols=3, loc="upper left")

    by_case = {(r["equation"], r["regularizer"]): r for r in limits if r["precision"] == "fp64"}
    for shift, key, colour, label in (
        (-0.2, "iteration_over_evaluation", "0.35", "over one evaluation"),
        (0.2, "iteration_over_limit", "0.7", "over the machine's limit"),
    ):
        values = [by_case[case][key] if case in by_case else np.nan for case in cases]
        bars = own.bar(places + shift, values, 0.38, color=colour, label=label)
        own.bar_label(bars, fmt="%.2f", fontsize=6.5, padding=1)
    own.axhline(1, color="0.2", lw=0.8)
    own.set_ylabel("this project's\niteration", fontsize=8)
    own.margins(y=0.3)
    own.legend(frameon=False, fontsize=7, ncols=2, loc="upper left")
    titles = [case_title("_".join(case)).replace(", ", ",\n") for case in cases]
    own.set_xticks(places, titles, fontsize=7)
    for axes in (race, own):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", labelsize=7)
    figure.savefig(path, dpi=200)


def describe(cores: list[int]) -> str:
    """Return the machine in words, with the cores that were used."""
    return f"{len(cores)} core{'s' * (len(cores) > 1)} ({machine.in_words()})"
