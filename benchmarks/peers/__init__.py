"""The peers: ways to train the same network on the same loss with L-BFGS.

A peer is a class, built from a case, with

``loss()``
    the loss at the present parameters, by one evaluation of value and gradient;
``advance(iterations)``
    trains and returns a :class:`Stretch`;
``versions``
    name -> version of what it runs on;
``evaluation_seconds(count)``
    only of peers whose training is one compiled loop: the time of an evaluation within one.

Building it does all that has to happen once before training, compilation included.
"""

import importlib
from typing import NamedTuple


class Stretch(NamedTuple):
    """Some iterations.

    Attributes:
        seconds: wall-clock time.
        iterations: done.
        evaluations: of value and gradient.
    """

    seconds: float
    iterations: int
    evaluations: int


class PeerInfo(NamedTuple):
    """What is known of a peer without importing it.

    Attributes:
        module: in this package; it defines the class ``Peer``.
        title: in tables and plots.
        optional: whether it needs the packages of ``requirements.txt``.
    """

    module: str
    title: str
    optional: bool


PEERS = {
    "project": PeerInfo("project", "this project", False),
    "optax": PeerInfo("flax_optax", "Flax NNX + optax.lbfgs", False),
    "pytorch": PeerInfo("torch_lbfgs", "PyTorch LBFGS", True),
    "deepxde": PeerInfo("deepxde_lbfgs", "DeepXDE L-BFGS", True),
}
# Roles of this project beside the race.
ROLES = {
    **PEERS,
    "evaluation": PeerInfo("project", "this project, evaluations only", False),
    "seeds": PeerInfo("seeds", "this project, several seeds", False),
}


def load_peer(name: str) -> type:
    """Import a peer's class."""
    return importlib.import_module(f"{__name__}.{ROLES[name].module}").Peer
