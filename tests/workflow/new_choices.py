"""A choice of each kind that the project does not have, and a cell for each."""

import shutil
from pathlib import Path

from experiments import SMOKE

HERE = Path(__file__).parent / "choices"
FILES = {
    "adam.py": "optimizers",
    "elastic.py": "regularizers",
    "sine.py": "networks",
}
CELLS = """\
cell,equation,network,regularizer,precision,nx,nt,edge,optimizer,scales
with_adam,convection,,double,fp64,8,8,12,adam,smoke
with_elastic,reaction,mlp,elastic,fp32,8,8,12,lbfgs,smoke
with_sine,wave,sine,double,fp64,8,8,12,lbfgs,smoke
"""


def drop_in(checkout):
    """Put their files into a checkout; return what Snakemake is told of their cells."""
    for name, folder in FILES.items():
        shutil.copy(HERE / name, checkout.path / "src/double_pinn/numerics" / folder / name)
    (checkout.path / "mine.csv").write_text(CELLS)
    return ["--configfile", SMOKE, checkout.overlay({"experiments": "mine.csv"}, "mine.yaml")]
