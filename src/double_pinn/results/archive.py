"""Archives of finished runs: what took hours to train, kept with checksums and brought back.

An archive is a folder. It holds ``runs/{cell}/seed{N}.nc``, byte for byte as training wrote them,
and ``manifest.json``, which lists them with their checksums. References, evaluations, figures and
tables are not in it: they follow from the runs in seconds, and are made for the settings of today.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import xarray as xr

from double_pinn import files
from double_pinn.configuration.settings import RunSettings, load_settings
from double_pinn.errors import DataError, UserError
from double_pinn.results import netcdf
from double_pinn.results.runs import RUN_ATTRIBUTES, read_runs, run_file, settings_of
from double_pinn.running.identity import run_digest

MANIFEST = "manifest.json"
FORMAT = 1

_FILE = re.compile(r"runs/(?P<cell>[a-z][a-z0-9_]*)/seed(?P<seed>[0-9]+)\.nc")


@dataclass(frozen=True)
class ArchivedRun:
    """One finished run as the manifest lists it.

    Attributes:
        cell, seed: which run.
        iterations_run, stop_reason: how far training went, and why it ended.
        wall_time: seconds of training.
        device, commit: where it was trained, and by which commit of this repository.
        bytes, blake2b: size and checksum of the file (that of ``b2sum``).
    """

    cell: str
    seed: int
    iterations_run: int
    stop_reason: str
    wall_time: float
    device: str
    commit: str
    bytes: int
    blake2b: str

    @property
    def file(self) -> str:
        """The file, relative to the archive and to the folder of results alike."""
        return run_file(self.cell, self.seed)


@dataclass(frozen=True)
class Report:
    """What was packed or restored.

    Attributes:
        runs: the runs, by cell and seed.
        missing: cells of the scale of which the folder has no run.
        notes: what was left out, and why; one sentence each.
        folder: where the runs are now.
    """

    runs: list[ArchivedRun]
    missing: list[str]
    notes: list[str]
    folder: Path

    def __str__(self) -> str:
        rows = [("cell", "seeds", "iterations", "stopped by", "commit")]
        for cell in dict.fromkeys(run.cell for run in self.runs):
            runs = [run for run in self.runs if run.cell == cell]
            counts = [run.iterations_run for run in runs]
            low, high = f"{min(counts):,}", f"{max(counts):,}"
            rows.append(
                (
                    cell,
                    " ".join(str(run.seed) for run in runs),
                    low if low == high else f"{low} to {high}",
                    ", ".join(sorted({run.stop_reason for run in runs})),
                    ", ".join(sorted({_short(run.commit) for run in runs})),
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        megabytes = sum(run.bytes for run in self.runs) / 1e6
        total = f"{len(self.runs)} runs of {len(rows) - 1} cells, {megabytes:.1f} MB"
        return "\n".join(
            [
                *lines,
                f"In {self.folder}: {total}",
                *self.notes,
                *([f"Missing cells: {', '.join(self.missing)}"] if self.missing else []),
            ]
        )


def pack(results: Path, archive: Path, cells: Sequence[str] = (), *, force: bool = False) -> Report:
    """Put the finished runs of a scale into an archive, beside those that it holds already.

    Left out, and named in the report: runs that cannot be read or are not finished, and runs that
    were trained with other settings than ``settings/train/{cell}.json`` of the results asks.

    Args:
        results: folder of a scale.
        archive: folder of the archive; it is made if it is not there.
        cells: names of the cells to pack; none: all of them.
        force: replace runs that the archive holds otherwise.

    Returns:
        What the archive holds now, what was left out, and which cells of the scale it lacks.

    Raises:
        DataError: if there is nothing to pack; the archive holds another file for one of the runs,
            or runs of the same cell with other settings; a file cannot be read or written.
    """
    there = sorted(path for path in (results / "runs").glob("*") if path.is_dir())
    folders = _chosen({path.name: path for path in there}, cells, results)
    asked = _asked(results)
    found: list[ArchivedRun] = []
    settings: dict[str, RunSettings] = {}
    notes: list[str] = []
    for cell, folder in folders.items():
        for path in sorted(folder.glob("seed*.nc")):
            try:
                run = _describe(path)
                # All seeds of a cell agree with its settings or, without those, with each other.
                wanted = (
                    asked.get(cell)
                    or settings.get(cell)
                    or settings_of(netcdf.read_dataset(path), path)
                )
                read_runs(wanted, [path])
            except UserError as error:
                notes.append(f"Left out: {error}")
            else:
                found.append(run)
                settings[cell] = wanted
    if not found:
        raise DataError("\n".join([f"{results}: no finished run to pack", *notes]))

    held = _read_manifest(archive) if (archive / MANIFEST).exists() else {}
    new = {run.file: run for run in found}
    stale = {}
    for file, run in held.items():
        if file not in new and run.cell in settings:
            try:
                read_runs(settings[run.cell], [archive / file])
            except DataError as error:
                stale[file] = f"{error}"
    copies = [(results / file, archive / file) for file in new]
    _refuse_conflicts(copies, [*stale.values()], force)
    kept = {file: run for file, run in held.items() if file not in stale}
    runs = _sorted([*{**kept, **new}.values()])
    files.write_all({**_read(copies), archive / MANIFEST: _manifest(runs)})
    for file, reason in stale.items():
        (archive / file).unlink(missing_ok=True)
        notes.append(f"Removed from the archive: {reason}")
    missing = sorted(asked.keys() - {run.cell for run in runs})
    return Report(runs, missing, notes, archive)


def restore(
    archive: Path, results: Path, cells: Sequence[str] = (), *, force: bool = False
) -> Report:
    """Bring the runs of an archive back, where they are what the configuration asks.

    The settings that the configuration asks lie in ``settings/train/{cell}.json`` of the results;
    the workflow writes them before it trains. A run with other settings is not restored but named
    in the report. Every file of the archive is verified before the first one is written, and all
    are written before the first one gets its name. Their dates are those of now, so that the
    workflow finds them newer than what they depend on.

    Args:
        archive: folder of the archive.
        results: folder of a scale.
        cells: names of the cells to restore; none: all that the scale has.
        force: replace runs of the results that differ from those of the archive.

    Returns:
        What was restored, what was not, and which cells of the scale have no run.

    Raises:
        DataError: if a file of the archive is missing or damaged; the results have no settings, or
            another file for one of the runs; nothing fits; a file cannot be read or written.
    """
    held = _read_manifest(archive)
    for file, run in held.items():
        _verify(archive / file, run)
    asked = _asked(results)
    if not asked:
        raise DataError(
            f"{results / 'settings' / 'train'}: no settings, so there is no telling which runs fit;"
            " let the workflow write them first (snakemake --until write_settings)"
        )
    chosen = _chosen({run.cell: run for run in held.values()}, cells, archive)
    fitting: list[ArchivedRun] = []
    read: dict[str, list[xr.Dataset]] = {}
    notes = [
        f"Ignored: {path} is not in the manifest"
        for path in sorted(archive.glob("runs/*/[!.]*.nc"))
        if path.relative_to(archive).as_posix() not in held
    ]
    for cell in chosen:
        if cell not in asked:
            notes.append(f"Not restored: {cell} is no cell of this scale")
            continue
        runs = [run for run in held.values() if run.cell == cell]
        try:
            found = read_runs(asked[cell], [archive / run.file for run in runs])
        except DataError as error:
            notes.append(f"Not restored: {error}")
            continue
        fitting += runs
        read[cell] = [run for _, run in found]
    notes += _about_code(read, {cell: run_digest(asked[cell]) for cell in read})
    if not fitting:
        raise DataError("\n".join([f"{archive}: nothing in it fits {results}", *notes]))
    copies = [(archive / run.file, results / run.file) for run in fitting]
    _refuse_conflicts(copies, [], force)
    files.write_all(_read(copies))
    missing = [cell for cell in asked if not any((results / "runs" / cell).glob("seed*.nc"))]
    return Report(fitting, missing, notes, results)


def _about_code(read: Mapping[str, list[xr.Dataset]], codes: Mapping[str, str]) -> list[str]:
    """Tell which cells were not trained by the code of today, and which may not have been."""
    untold, other, commits = [], [], set()
    for cell, runs in read.items():
        if any("code" not in run.attrs for run in runs):
            untold.append(cell)
        code = codes[cell]
        if differing := [run for run in runs if run.attrs.get("code", code) != code]:
            other.append(cell)
            commits |= {_short(str(run.attrs["commit"])) for run in differing}
    notes = []
    if other:
        of = ", ".join(sorted(commits))
        notes.append(f"Trained by other code (commit {of}): {', '.join(other)}")
    if untold:
        notes.append(
            f"Trained by code that cannot be told, before runs said so: {', '.join(untold)}"
        )
    return notes


def _describe(path: Path) -> ArchivedRun:
    """Return a finished run, from its file."""
    ds = netcdf.read_dataset(path, require=("parameters", "wall_time"))
    needed = ("cell", *RUN_ATTRIBUTES, "commit")
    if missing := [name for name in needed if not str(ds.attrs.get(name, ""))]:
        raise DataError(f"{path}: not a finished run, it lacks {', '.join(missing)}")
    run = ArchivedRun(
        cell=str(ds.attrs["cell"]),
        seed=int(ds.attrs["seed"]),
        iterations_run=int(ds.attrs["iterations_run"]),
        stop_reason=str(ds.attrs["stop_reason"]),
        wall_time=float(ds.wall_time.max()) if ds.wall_time.size else 0.0,
        device=str(ds.attrs.get("device", "unknown")),
        commit=str(ds.attrs["commit"]),
        bytes=path.stat().st_size,
        blake2b=_checksum(path),
    )
    if path.parts[-3:] != Path(run.file).parts:
        raise DataError(f"{path}: holds cell {run.cell}, seed {run.seed}, so it is misnamed")
    return run


def _verify(path: Path, run: ArchivedRun) -> None:
    """Compare a file of the archive with its line in the manifest."""
    again = f"bring the archive back from where it came, or pack {run.cell} again"
    if not path.is_file():
        raise DataError(f"{path}: in the manifest, but there is no such file; {again}")
    if (digest := _checksum(path)) != run.blake2b:
        raise DataError(
            f"{path}: damaged, its checksum is {digest:.12}…, not {run.blake2b!s:.12}…; {again}"
        )
    if _describe(path) != run:
        raise DataError(f"{path}: the manifest describes another run; {again}")


def _checksum(path: Path) -> str:
    with files.naming(path, "read"):
        return files.digest(path)


def _asked(results: Path) -> dict[str, RunSettings]:
    """Return the settings that the configuration asks for each cell of the scale."""
    paths = sorted((results / "settings" / "train").glob("*.json"))
    return {path.stem: load_settings(path) for path in paths}


def _chosen(known: dict[str, object], cells: Sequence[str], where: Path) -> dict:
    """Return the named cells, or all of them."""
    if unknown := [cell for cell in cells if cell not in known]:
        raise DataError(
            f"{where}: no runs of {', '.join(unknown)}; there are: {', '.join(known) or 'none'}"
        )
    return {cell: value for cell, value in known.items() if not cells or cell in cells}


def _sorted(runs: Iterable[ArchivedRun]) -> list[ArchivedRun]:
    return sorted(runs, key=lambda run: (run.cell, run.seed))


def _short(commit: str) -> str:
    return re.sub(r"^([0-9a-f]{7})[0-9a-f]{33}", r"\1", commit)


def _read_manifest(archive: Path) -> dict[str, ArchivedRun]:
    """Return the runs of an archive, by file."""
    path = archive / MANIFEST
    if not path.is_file():
        raise DataError(f"{path}: no such file, so {archive} is no archive")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise DataError(f"{path}: format {content['format']}; this version reads {FORMAT}")
        runs = [ArchivedRun(**values) for values in content["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as a manifest ({error})") from error
    if wrong := [run.file for run in runs if not _FILE.fullmatch(run.file)]:
        raise DataError(f"{path}: lists {wrong[0]!r}, which cannot be the file of a run")
    return {run.file: run for run in _sorted(runs)}


def _manifest(runs: Iterable[ArchivedRun]) -> str:
    content = {"format": FORMAT, "runs": [asdict(run) for run in runs]}
    return f"{json.dumps(content, indent=1)}\n"


def _refuse_conflicts(
    copies: Iterable[tuple[Path, Path]], conflicts: list[str], force: bool
) -> None:
    """Refuse to overwrite a run by another, unless asked for."""
    differing = [
        f"{target}: differs from {source}"
        for source, target in copies
        if target.exists() and _checksum(target) != _checksum(source)
    ]
    if (differing or conflicts) and not force:
        raise DataError(
            "\n".join(
                [*differing, *conflicts, "Nothing was written; --force replaces what is there"]
            )
        )


def _read(copies: Iterable[tuple[Path, Path]]) -> dict[Path, bytes]:
    """Return what is to be written where; written anew, a copy has the date of now."""
    contents = {}
    for source, target in copies:
        with files.naming(source, "read"):
            contents[target] = source.read_bytes()
    return contents
