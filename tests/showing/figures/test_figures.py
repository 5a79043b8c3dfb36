"""Every figure is drawn from formulas and looked at: panels, labels, limits, footnotes, files."""

import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.image import imread

from double_pinn.errors import DataError, UserError
from double_pinn.results.netcdf import write_dataset
from double_pinn.showing import figures, wording
from double_pinn.showing.figures import FIGURES, figure_module, panels, style
from double_pinn.showing.slices import slice_time

#: Panels with a letter: the paper's; in Figure 6 one a regulariser, in Figure 7 one a cell.
LETTERS = {1: "abcdefg", 3: "abcde", 4: "abcd", 5: "abcd", 6: "abcde", 7: "abcdefghi"} | {
    8: "abc",
    9: "abcd",
    10: "abcd",
}
#: What the paper calls the regularisers of Figure 7.
LABELS = {"none": "no regulariser", "gpinn": "gPINN", "double": "double PINN"}


#: Published errors of double PINN, as figures take them.
PAPER = {
    equation: {"rmae_mean": 1.1e-5, "rrmse_mean": 2.9e-5}
    for equation in ("reaction", "wave", "convection", "allen_cahn")
}


def draw(number, cells):
    module = figure_module(number)
    beside = [PAPER] if getattr(module, "PUBLISHED", False) else []
    page = module.figure(cells, *beside)
    page.draw_without_rendering()
    return page


def footnote(page):
    return page.texts[0].get_text()


def maps(page):
    """The meshes of the panels (not those of colour bars), and their axes."""
    return [
        (ax, artist)
        for ax in page.axes
        for artist in ax.collections
        if isinstance(artist, QuadMesh) and ax.get_xlabel() in ("t", "") and ax.get_ylabel() == "x"
    ]


def loss_panels(page):
    return [ax for ax in page.axes if ax.get_ylabel().startswith("loss")]


@pytest.fixture(scope="module")
def pages(cells_factory):
    """Every figure once, at the paper's sizes."""
    return {number: draw(number, cells_factory(number)) for number in FIGURES}


@pytest.mark.parametrize("number", FIGURES)
def test_panels_are_lettered_and_labelled(pages, number):
    page = pages[number]
    titles = [ax.get_title(loc="left") for ax in page.axes]
    found = "".join(re.findall(r"bf\{\((\w)\)\}", " ".join(titles)))
    assert found == LETTERS[number]
    assert {ax.get_xlabel() for ax, _ in maps(page)} <= {"t", ""}
    for ax in loss_panels(page):
        assert ax.get_yscale() == "log"
    assert number in (7, 8, 10) or any(ax.get_xlabel() == "t" for ax, _ in maps(page))


@pytest.mark.parametrize("number", FIGURES)
def test_nothing_sticks_out_and_titles_do_not_collide(pages, number):
    page = pages[number]
    renderer = FigureCanvasAgg(page).get_renderer()
    inside = page.bbox.padded(2)
    boxes = []
    for ax in page.axes:
        box = ax.get_tightbbox(renderer)
        assert box is None or (
            inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)
        ), ax.get_title(loc="left")
        if ax.get_title(loc="left"):
            boxes.append(ax._left_title.get_window_extent(renderer))
    note = page.texts[0].get_window_extent(renderer)
    assert inside.contains(note.x1, note.y0)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert not box.overlaps(note)
    assert not any(note.overlaps(ax.get_tightbbox(renderer)) for ax in page.axes if ax.axison)


@pytest.mark.parametrize("number", [1, 3, 4, 6])
def test_panels_to_be_compared_share_their_colours(pages, number):
    limits = {True: set(), False: set()}
    for _, mesh in maps(pages[number]):
        norm = mesh.norm
        limits[isinstance(norm, LogNorm)].add((norm.vmin, norm.vmax, mesh.cmap.name))
    assert len(limits[False]) == 1
    assert len(limits[True]) == (1 if number in (1, 6) else 0)


@pytest.mark.parametrize("number", [1, 4, 6])
def test_loss_panels_share_limits_and_cut_nothing_off(pages, cells_factory, number):
    axes = loss_panels(pages[number])
    assert len({ax.get_ylim() for ax in axes}) == 1
    low, high = axes[0].get_ylim()
    for cell in cells_factory(number).values():
        for name in ("train_loss", "test_loss", "objective"):
            assert low < float(cell[name].min())
            assert float(cell[name].max()) < high


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((1e-5, 20), (1e-5, 20)),
        ((0.12, 1.05), (0.1, 1.05)),
        ((0.9, 8), (0.9, 10)),
        ((2, 5), (1, 10)),
        ((1, 1.5), (1, 10)),
    ],
)
def test_a_logarithmic_axis_has_two_powers_of_ten(limits, expected):
    axes = style.canvas(2).subplots(1, 2)
    for ax in axes:
        ax.set(yscale="log", ylim=limits)
    panels.share_limits(axes)
    for ax in axes:
        assert ax.get_ylim() == pytest.approx(expected)
        shown = [t for t in ax.get_yticks() if expected[0] <= t * 1.0001 <= expected[1] * 1.001]
        assert len(shown) >= 2
        assert not any(t.get_text() for t in ax.get_yticklabels(minor=True))


def test_footnotes_tell_the_budget(pages):
    assert footnote(pages[1]).splitlines() == [
        "(b)–(d) no regulariser: 4,100 iterations of at most 20,000 (stopped by the "
        "relative-change rule) · seed 0 · L-BFGS FP32 · 400 + 200 points",
        "(e)–(g) double PINN (w = 5e-4): 7,000 iterations of at most 20,000 (stopped by the "
        "relative-change rule) · seed 0 · L-BFGS FP32 · 400 + 200 points",
    ]
    for number, lines in {3: 2, 4: 3, 5: 4, 6: 5, 7: 9, 8: 6, 9: 2, 10: 16}.items():
        assert len(footnote(pages[number]).splitlines()) == lines
        assert footnote(pages[number]).count("iterations") == lines


def test_figure1_draws_collocation_points_on_the_same_window(pages):
    windows = [ax for ax in pages[1].axes if "residual" in ax.get_title(loc="left")]
    assert len(windows) == 2
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in windows}) == 1
    for ax in windows:
        for rings in ax.lines:
            t, x = rings.get_data()
            np.testing.assert_allclose(np.unique(t), np.arange(4) / 19)
            assert len(np.unique(x)) == 6
            assert rings.get_markerfacecolor() == "none"


def test_figure1_looks_where_the_residual_is_large(cell_factory):
    cell = cell_factory()
    cell["residual"][:] = 1 + 5 * np.exp(-((cell["x_residual"] - 4) ** 2))
    x, t = panels.residual_window(cell)
    assert (x.start + x.stop) / 2 == pytest.approx(4, abs=2 * np.pi / 19)
    assert t.start < 0 < 3 / 19 < t.stop < 4 / 19


def test_figure3_slices_at_an_inner_collocation_time(pages, cells_factory):
    cells = cells_factory(3)
    time = slice_time(cells["none"])
    assert time == pytest.approx(1 / 11)  # the synthetic residual decays in time
    slices = [ax for ax in pages[3].axes if ax.get_ylabel() == "|F(u)|"]
    assert len({ax.get_ylim() for ax in slices}) == 1
    nodes = cells["none"]["x_collocation"].values
    for ax in slices:
        assert f"t = {time:.3f}" in ax.get_title(loc="left")
        assert [line.get_xdata()[0] for line in ax.lines[:-1]] == pytest.approx(nodes)


def test_figure6_without_the_optional_regulariser(cells_factory):
    cells = cells_factory(6, small=True)
    del cells["gpinn"]
    page = draw(6, cells)
    assert len(loss_panels(page)) == 4
    assert "gPINN" not in footnote(page)


def panel(page, name):
    (ax,) = [ax for ax in page.axes if f" {name}\n" in ax.get_title(loc="left")]
    return ax


def test_figure7_marks_the_switch_in_every_panel(pages, cells_factory):
    cells = cells_factory(7)
    figure7 = figure_module(7)
    for role, label in LABELS.items():
        ax = panel(pages[7], f"Wave, {label}")
        cell = cells[f"wave/{role}"]
        switch = figure7.switch_iteration(cell)
        assert switch == 1000 - 100 * len(role)
        assert [t.get_text() for t in ax.get_xticklabels()][:3] == ["0", str(switch), "+200"]
        # The switch stands at the same place in every panel, whenever it came.
        place = ax.transAxes.inverted().transform(ax.transData.transform((switch, 1)))[0]
        assert place == pytest.approx(0.3)


def test_figure7_draws_the_error_on_the_axis_of_the_losses(pages, cells_factory):
    for role, cell in cells_factory(7).items():
        equation, name = role.split("/")
        ax = panel(pages[7], f"{equation.title()}, {LABELS[name]}")
        drawn = [line.get_ydata() for line in ax.lines]
        for history in ("train_loss", "test_loss", "rmae_history"):
            values = cell[history].values[0]
            assert any(np.array_equal(values, line) for line in drawn), (role, history)
            assert ax.get_ylim()[0] < values.min() <= values.max() < ax.get_ylim()[1]
        ratio = float(cell["final_test_loss"][0] / cell["final_train_loss"][0])
        assert ax.get_title(loc="left").endswith(
            f"{panels.error_text(cell)}, test/train {wording.short(ratio)}"
        )


def test_figure7_rows_share_their_axes(pages):
    for equation in ("Reaction", "Wave", "Convection"):
        row = [ax for ax in pages[7].axes if f" {equation}, " in ax.get_title(loc="left")]
        assert len({ax.get_ylim() for ax in row}) == 1
        assert [bool(ax.get_ylabel()) for ax in row] == [True, False, False]


def test_figure7_draws_what_a_scale_has(cells_factory):
    cells = cells_factory(7, small=True, iterations=4)
    chosen = {role: cells[role] for role in ("wave/none", "wave/double")}
    page = draw(7, chosen)
    titles = [ax.get_title(loc="left") for ax in page.axes]
    assert sum("Wave" in title for title in titles) == 3
    assert not any("Reaction" in title or "Convection" in title for title in titles)
    assert [t.get_text() for ax in page.axes for t in ax.texts] == ["not run at this scale"]
    assert footnote(page).count("iterations") == 2


def test_figure7_needs_a_cell():
    with pytest.raises(UserError, match=r"no cell .* reaction/none, reaction/gpinn"):
        figures.render(7, {}, [])


@pytest.mark.parametrize(("iterations", "switch"), [(4, 0), (3, 9), (0, 9)])
def test_figure7_without_one_of_its_phases(cells_factory, iterations, switch):
    cells = cells_factory(7, small=True, iterations=iterations)
    for role, cell in cells.items():
        cells[role] = cell.assign(phase=0 * cell["phase"] + (cell["iteration"] >= switch))
    page = draw(7, cells)
    labels = [t.get_text() for t in panel(page, "Wave, gPINN").get_xticklabels()]
    assert labels[:2] == {0: ["0", "1"], 9: ["0", str(iterations)][: 1 + (iterations > 0)]}[switch]


def test_figure8_draws_every_seed_over_the_seconds_of_training(pages, cells_factory):
    cells = cells_factory(8)
    axes = [ax for ax in pages[8].axes if ax.get_xlabel() == "training time (s)"]
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in axes}) == 1
    for ax, equation in zip(axes, ("reaction", "wave", "convection"), strict=True):
        lines = [line.get_xydata() for line in ax.lines]
        for optimizer in ("lbfgs", "gauss_newton"):
            cell = cells[f"{equation}/{optimizer}"]
            for seed in cell["seed"].values:
                run = cell.sel(seed=seed)
                seconds = run["wall_time"].values
                for history in ("rmae_history", "rrmse_history"):
                    # The entry at second zero has no place on a logarithmic axis.
                    wanted = np.stack([seconds, run[history].values], axis=1)[seconds > 0]
                    assert any(np.array_equal(wanted, line) for line in lines), (optimizer, seed)


def test_figure8_draws_what_a_scale_has(cells_factory):
    cells = cells_factory(8)
    page = draw(8, {"wave/lbfgs": cells["wave/lbfgs"]})
    assert [ax.get_title(loc="left") for ax in page.axes if ax.axison] == [
        r"$\bf{(a)}$ Wave",
    ]
    assert footnote(page).count("iterations") == 1


def test_figure8_needs_a_cell_with_a_history_of_its_error(cells_factory):
    with pytest.raises(UserError, match=r"no cell .* reaction/lbfgs"):
        figures.render(8, {}, [])
    cell = cells_factory(8)["wave/lbfgs"]
    with pytest.raises(DataError, match=r"cell 'wave/lbfgs': rmae_history holds no error"):
        draw(8, {"wave/lbfgs": cell.assign(rmae_history=cell["rmae_history"] * np.nan)})


@pytest.mark.parametrize("number", [8, 9])
def test_errors_stand_beside_those_of_the_paper(pages, number):
    axes = [ax for ax in pages[number].axes if ax.get_xlabel() == "training time (s)"]
    for ax in axes:
        grey = [line.get_ydata() for line in ax.lines if line.get_color() == panels.PAPER]
        assert [set(values) for values in grey] == [{1.1e-5}, {2.9e-5}]


def test_figure9_draws_both_errors_of_both_optimisers_over_the_seconds(pages, cells_factory):
    (ax,) = [ax for ax in pages[9].axes if ax.get_xlabel() == "training time (s)"]
    lines = [line.get_xydata() for line in ax.lines]
    for cell in cells_factory(9).values():
        run = cell.isel(seed=0)
        seconds = run["wall_time"].values
        for history in ("rmae_history", "rrmse_history"):
            wanted = np.stack([seconds, run[history].values], axis=1)[seconds > 0]
            assert any(np.array_equal(wanted, line) for line in lines)


def test_figure9_without_lbfgs(cells_factory):
    page = draw(9, {"gauss_newton": cells_factory(9)["gauss_newton"]})
    assert len(maps(page)) == 3
    assert footnote(page).count("iterations") == 1


def test_figure9_says_which_panels_are_of_which_seeds(cells_factory):
    lines = footnote(draw(9, cells_factory(9, seeds=(0, 1)))).splitlines()
    lines = [line for line in lines if "iterations" in line]
    assert [("seed 0 of 2" in line, "2 seeds" in line) for line in lines] == [
        *[(True, False)] * 2,
        *[(False, True)] * 2,
    ]


def test_figure9_gives_its_fields_one_scale(pages):
    limits = [mesh.get_clim() for ax, mesh in maps(pages[9])]
    assert len(limits) == 5
    fields = [mesh.get_clim() for ax, mesh in maps(pages[9]) if "num." not in ax.get_title("left")]
    assert len(fields) == 3
    assert len(set(fields)) == 1


def test_figure7_refuses_what_was_not_trained_so(cells_factory, tmp_path):
    cells = cells_factory(7, small=True, iterations=4)
    role = "wave/double"
    (path,) = write_cells({role: cells[role].drop_vars("phase")}, tmp_path).values()
    with pytest.raises(DataError, match="phase"):
        figures.render(7, {role: path}, [tmp_path / "f.png"])
    write_dataset(cells[role].assign_attrs(optimizer="lbfgs"), path, title="test", source="formula")
    with pytest.raises(DataError, match="its optimizer is 'lbfgs'"):
        figures.render(7, {role: path}, [tmp_path / "f.png"])


@pytest.mark.parametrize("number", FIGURES)
def test_smoke_scale(cells_factory, number):
    cells = cells_factory(
        number, small=True, iterations=4, max_iterations=4, stop_reason="max_iterations"
    )
    page = draw(number, cells)
    assert "4 iterations of at most 4 (budget used up)" in footnote(page)
    assert "30 + 8 points" in footnote(page)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_failed_run_is_drawn_and_said(cells_factory, number):
    cells = cells_factory(number, small=True, iterations=0, stop_reason="non_finite_loss")
    role = figure_module(number).ROLES[0]
    cells[role] = cells[role].assign(
        {
            name: cells[role][name] * np.nan
            for name in ("u", "residual", "objective", "train_loss", "test_loss", "rmae", "rrmse")
        }
    )
    page = draw(number, cells)
    assert "stopped by a non-finite loss" in footnote(page)
    notes = [text.get_text() for ax in page.axes for text in ax.texts]
    assert "no finite values" in notes
    assert number != 1 or "loss not finite\nafter iteration 0" in notes


def test_several_seeds(cell_factory):
    cell = cell_factory(seeds=(0, 1, 2), small=True)
    cell["train_loss"][1, 1:] = np.nan  # a seed that stopped earlier is padded
    page = style.canvas(2)
    ax = page.subplots()
    panels.losses(ax, cell)
    assert len(ax.lines) == 6
    assert [line.get_alpha() for line in ax.lines] == [0.25] * 4 + [1.0] * 2
    assert "seed 0 of 3" in wording.budget(cell)
    assert " · 3 seeds · " in wording.budget(cell, every_seed=True)
    cell["iterations_run"][:] = [1000, 900, 1100]
    assert wording.budget(cell, every_seed=True).startswith("900 to 1,100 iterations of at most ")
    assert wording.budget(cell).startswith("1,000 iterations of at most ")


def test_the_objective_is_drawn_only_with_a_regulariser(cell_factory):
    for regularizer, lines in {"none": 2, "l1": 3}.items():
        ax = style.canvas(2).subplots()
        panels.losses(ax, cell_factory(regularizer=regularizer, small=True))
        assert len(ax.lines) == lines


def write_cells(cells, folder):
    paths = {}
    for role, cell in cells.items():
        paths[role] = folder / f"{role.replace('/', '_')}.nc"
        write_dataset(cell, paths[role], title="test", source="formula")
    return paths


@pytest.fixture
def files(cells_factory, tmp_path):
    return write_cells(cells_factory(1, small=True), tmp_path)


def test_render_writes_the_same_bytes_twice(files, tmp_path):
    first = [tmp_path / "new" / "a.pdf", tmp_path / "new" / "a.png"]
    second = [tmp_path / "b.png", tmp_path / "b.pdf"]
    figures.render(1, files, first)
    figures.render(1, files, second)
    assert first[0].read_bytes() == second[1].read_bytes()
    assert first[1].read_bytes() == second[0].read_bytes()
    assert first[0].read_bytes().startswith(b"%PDF")
    height, width, _ = imread(first[1]).shape
    assert width == round(style.WIDTH * style.DPI)
    assert 600 < height < 1200
    assert not list(tmp_path.rglob(".*"))


def test_render_refuses_what_it_does_not_know(files, tmp_path):
    target = [tmp_path / "f.png"]
    with pytest.raises(
        UserError, match=r"figure 2: no such figure; the figures are 1, 3, 4, 5, 6, 7, 8"
    ):
        figures.render(2, files, target)
    with pytest.raises(UserError, match=r"unknown cell 'l2'; its cells are none, double"):
        figures.render(1, {**files, "l2": files["none"]}, target)
    with pytest.raises(UserError, match=r"cell 'double' is missing"):
        figures.render(1, {"none": files["none"]}, target)
    with pytest.raises(UserError, match=r"f\.jpg: a figure is written as \.pdf or \.png"):
        figures.render(1, files, [*target, tmp_path / "f.jpg"])
    assert not target[0].exists()


def test_what_a_figure_would_refuse_is_known_before_training():
    cell = {"cell": "c", "equation": "convection", "precision": "fp32"}
    good = {role: {**cell, "regularizer": role} for role in ("none", "double")}
    figures.check(1, good)
    with pytest.raises(UserError, match=r"figure 1: unknown cell 'bogus'; its cells are none, "):
        figures.check(1, {**good, "bogus": cell})
    figures.check(1, {"none": good["none"]})  # left out, which is said
    words = r"figure 1: cell c, as 'double': its regularizer is 'none', but 'double' is needed"
    with pytest.raises(UserError, match=words):
        figures.check(1, {**good, "double": good["none"]})


def test_render_names_the_damaged_file(files, tmp_path, cell_factory):
    target = [tmp_path / "f.png"]
    whole = files["double"].read_bytes()
    files["double"].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"double\.nc"):
        figures.render(1, files, target)
    write_dataset(
        cell_factory(small=True).drop_vars("residual"),
        files["double"],
        title="test",
        source="formula",
    )
    with pytest.raises(DataError, match=r"double\.nc.*residual"):
        figures.render(1, files, target)
    write_dataset(cell_factory(small=True), files["double"], title="test", source="formula")
    with pytest.raises(DataError, match=r"double\.nc: its regularizer is 'none', but .*'double'"):
        figures.render(1, files, target)
    cell = cell_factory(small=True)
    del cell.attrs["settings"]
    write_dataset(cell, files["double"], title="test", source="formula")
    with pytest.raises(DataError, match=r"double\.nc: no attribute 'settings'"):
        figures.render(1, files, target)
    assert not target[0].exists()


def test_figures_are_found_in_their_folder(tmp_path):
    numbers = [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert list(FIGURES) == figures.figure_numbers() == numbers
    assert FIGURES[9] == "double_pinn.showing.figures.figure9"
    for name in ("figure10.py", "figure9.py", "figure2.py", "figure3_old.py", "style.py"):
        (tmp_path / name).touch()
    assert list(figures._figures_in(tmp_path)) == [2, 9, 10]


def test_titles_and_roles_are_read_from_the_text(tmp_path, monkeypatch):
    for number in FIGURES:
        assert figures.figure_title(number) == figure_module(number).TITLE
        assert figures.needed_roles(number) == figure_module(number).ROLES
    monkeypatch.setattr(figures, "_FOLDER", tmp_path)
    (tmp_path / "figure1.py").write_text('import nothing\nTITLE = "Half a figure"\ndef figure(')
    (tmp_path / "figure2.py").write_text("import nothing\n")
    assert figures.figure_title(1) == "Half a figure"
    assert figures.figure_title(2) == ""
    assert figures.figure_title(3) == ""
    assert figures.needed_roles(3) == ()
    (tmp_path / "figure3.py").write_text('ROLES = ("none", "l2")\nTITLE = NAME + ", ..."\n')
    assert figures.needed_roles(3) == ("none", "l2")
    assert figures.figure_title(3) == ""
    (tmp_path / "figure3.py").write_text(
        'ROLES = (\n    "none",\n    "l2",\n)\nTITLE = (\n    "A "\n    "b"\n)'
    )
    assert figures.needed_roles(3) == ("none", "l2")
    assert figures.figure_title(3) == "A b"


def test_numbers_and_titles_load_no_drawing_library():
    code = (
        "import sys; from double_pinn.showing import figures as f;"
        "[f.figure_title(n) for n in f.figure_numbers()];"
        "sys.exit(not {'jax', 'matplotlib', 'numpy', 'xarray'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figures_do_not_load_jax():
    modules = ", ".join(
        ["double_pinn.showing.figures", "double_pinn.showing.tables", *FIGURES.values()]
    )
    code = f"import sys, {modules}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("number", [7, 8])
def test_the_command_draws_without_jax(cells_factory, tmp_path, command_without_jax, number):
    """Labels of regularisers, optimisers and equations too are those of the classes."""
    files = write_cells(cells_factory(number, small=True), tmp_path)
    cells = [f"--cell={role}={path}" for role, path in files.items()]
    output = tmp_path / "f.pdf"
    command_without_jax("figure", number, *cells, "--output", output)
    figures.render(number, files, [tmp_path / "here.pdf"])
    assert output.read_bytes() == (tmp_path / "here.pdf").read_bytes()


@pytest.mark.parametrize(
    ("number", "role", "changes", "words"),
    [
        (1, "none", {"equation": "wave"}, "its equation is 'wave', but .*'convection'"),
        (5, "wave", {"precision": "fp32"}, "its precision is 'fp32', but .*'fp64'"),
        (3, "none", {"precision": "fp32"}, "its precision is 'fp32', but .*'fp64'"),
        (6, "l2", {"precision": "fp64"}, "its precision is 'fp64', but .*'fp32'"),
    ],
)
def test_a_figure_refuses_another_cell_than_its_titles_promise(
    cells_factory, tmp_path, number, role, changes, words
):
    files = write_cells(cells_factory(number, small=True), tmp_path)
    with xr.open_dataset(files[role]) as dataset:
        cell = dataset.load().assign_attrs(changes)
    write_dataset(cell, files[role], title="test", source="formula")
    with pytest.raises(DataError, match=words):
        figures.render(number, files, [tmp_path / "f.png"])
