"""DeepXDE with its L-BFGS on the PyTorch backend.

The derived rows of double PINN are more outputs of the PDE, as in DeepXDE's gPINN examples, and
more point-set conditions, all weighted by ``loss_weights``. DeepXDE evaluates the PDE's
expressions at the points of the conditions too, and gives every condition its own copy of its
points: that is how the library works, and it is kept.
"""

import os

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np
import torch

from benchmarks.cases import Case
from benchmarks.peers import Stretch
from benchmarks.peers.stepping import LBFGSClock

X, T = 0, 1


def _d(y, inputs, axis):
    return dde.grad.jacobian(y, inputs, i=0, j=axis)


def _equation(case: Case, inputs, u):
    """Return F(u) at the points (Appendix B)."""
    c = case.coefficients
    if case.equation == "reaction":
        return _d(u, inputs, T) - c["rho"] * u * (1 - u)
    if case.equation == "convection":
        return _d(u, inputs, T) + c["beta"] * _d(u, inputs, X)
    u_xx = dde.grad.hessian(u, inputs, i=X, j=X)
    if case.equation == "wave":
        return dde.grad.hessian(u, inputs, i=T, j=T) - c["speed"] ** 2 * u_xx
    if case.equation == "allen_cahn":
        return _d(u, inputs, T) - c["diffusion"] * u_xx + c["rate"] * (u**3 - u)
    raise ValueError(f"equation {case.equation!r} is not written for DeepXDE")


class Tied:
    """A periodic condition on given points; DeepXDE's own takes its points from the domain's.

    Attributes:
        left: points on the left end, shape (n, 2).
        right: their partners, shape (n, 2).
        operator: ``f(inputs, outputs)``, whose values at the two ends must agree.
    """

    def __init__(self, left, right, operator):
        self.left, self.right, self.operator = left, right, operator

    def collocation_points(self, X):  # noqa: D102 - DeepXDE's interface
        return np.vstack([self.left, self.right])

    def error(self, X, inputs, outputs, beg, end, aux_var=None):  # noqa: D102
        values, middle = self.operator(inputs, outputs), beg + len(self.left)
        return values[beg:middle] - values[middle:end]


def _conditions(case: Case) -> tuple[list, list[bool]]:
    """Return the conditions, and which of them are derived."""
    (x0, x1), (t0, _) = case.box
    stack = lambda x, t: np.stack(np.broadcast_arrays(x, t), axis=1)  # noqa: E731
    start = stack(case.x_edge, t0)
    left, right = stack(x0, case.t_edge), stack(x1, case.t_edge)
    column = lambda a: a[:, None]  # noqa: E731
    u = lambda inputs, outputs: outputs  # noqa: E731
    u_x = lambda inputs, outputs: _d(outputs, inputs, X)  # noqa: E731
    u_t = lambda inputs, outputs: _d(outputs, inputs, T)  # noqa: E731
    u_xt = lambda inputs, outputs: dde.grad.hessian(outputs, inputs, i=X, j=T)  # noqa: E731

    def operator(points, f, values=0.0):
        values = np.broadcast_to(values, (len(points), 1)).copy()
        return dde.icbc.PointSetOperatorBC(points, values, lambda i, o, _: f(i, o))

    plain = [dde.icbc.PointSetBC(start, column(case.initial))]
    derived = [operator(start, u_x, column(case.initial_x))]
    if case.equation == "wave":
        plain += [operator(start, u_t), *(dde.icbc.PointSetBC(end, 0.0) for end in (left, right))]
        derived += [operator(start, u_xt), *(operator(end, u_t) for end in (left, right))]
    else:
        plain.append(Tied(left, right, u))
        derived.append(Tied(left, right, u_t))
    if case.equation == "allen_cahn":
        plain.append(Tied(left, right, u_x))
        derived.append(Tied(left, right, u_xt))
    derived = derived if case.weight else []
    return plain + derived, [False] * len(plain) + [True] * len(derived)


class Peer:
    """DeepXDE's model, stepped by DeepXDE's own compiled step.

    ``Model.train`` would also evaluate a test loss around every call; that is left out.
    """

    def __init__(self, case: Case, *, threads: int):
        """Build and compile the model."""
        torch.set_num_threads(threads)
        dde.config.set_default_float("float64")
        self.versions = {"deepxde": dde.__version__, "torch": torch.__version__}
        (x0, x1), (t0, t1) = case.box
        geometry = dde.geometry.GeometryXTime(
            dde.geometry.Interval(x0, x1), dde.geometry.TimeDomain(t0, t1)
        )

        def pde(inputs, outputs):
            residual = _equation(case, inputs, outputs)
            if not case.weight:
                return residual
            return [residual, _d(residual, inputs, X), _d(residual, inputs, T)]

        conditions, derived = _conditions(case)
        data = dde.data.TimePDE(
            geometry, pde, conditions, anchors=np.stack([case.x, case.t], axis=1)
        )
        sizes = [2, *(bias.size for _, bias in case.layers)]
        network = dde.nn.FNN(sizes, "tanh", "Glorot normal")
        low, width = torch.tensor([x0, t0]), torch.tensor([x1 - x0, t1 - t0])
        network.apply_feature_transform(lambda inputs: 2 * (inputs - low) / width - 1)
        for linear, (kernel, bias) in zip(network.linears, case.layers, strict=True):
            linear.weight.data = torch.tensor(kernel.T.copy())
            linear.bias.data = torch.tensor(bias)
        weights = [1.0, *([case.weight] * 2 if case.weight else [])]
        weights += [case.weight if d else 1.0 for d in derived]
        dde.optimizers.config.set_LBFGS_options(maxcor=case.memory, ftol=0, gtol=0)
        self._model = dde.Model(data, network)
        self._model.compile("L-BFGS", loss_weights=weights, verbose=0)
        self._inputs = data.train_next_batch()
        self._clock = LBFGSClock(self._model.opt)

    def loss(self) -> float:
        """Return the loss at the present parameters, by one value-and-gradient evaluation."""
        self._model.opt.zero_grad()
        losses = self._model.outputs_losses_train(*self._inputs)[1]
        total = torch.sum(losses)
        total.backward()
        return total.item()

    def advance(self, iterations: int) -> Stretch:
        """Take iterations in one call of DeepXDE's training step."""
        return self._clock.run(lambda: self._model.train_step(*self._inputs), iterations)
