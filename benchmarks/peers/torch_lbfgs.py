"""PyTorch with its L-BFGS (strong Wolfe search), as the paper's Ref. [20] trains."""

import math

import numpy as np
import torch

from benchmarks.cases import Case
from benchmarks.peers import Stretch, torch_sequences
from benchmarks.peers.stepping import LBFGSClock


class Network(torch.nn.Module):
    """The tanh MLP on inputs rescaled to [-1, 1], with a case's parameters."""

    def __init__(self, case: Case):
        super().__init__()
        self.box = case.box
        self.linears = torch.nn.ModuleList()
        for kernel, bias in case.layers:
            linear = torch.nn.Linear(*kernel.shape, dtype=torch.float64)
            linear.weight.data = torch.tensor(kernel.T.copy())
            linear.bias.data = torch.tensor(bias)
            self.linears.append(linear)

    def forward(self, x, t):
        """Return u of shape (n, 1) from x and t of that shape."""
        (x0, x1), (t0, t1) = self.box
        h = torch.cat([2 * (x - x0) / (x1 - x0) - 1, 2 * (t - t0) / (t1 - t0) - 1], dim=1)
        for linear in self.linears[:-1]:
            h = torch.tanh(linear(h))
        return self.linears[-1](h)


def _slopes(y, *inputs):
    return torch.autograd.grad(y, inputs, torch.ones_like(y), create_graph=True)


def _equation(case: Case, u, x, t):
    """Return F(u) at the points (Appendix B)."""
    c = case.coefficients
    u_x, u_t = _slopes(u, x, t)
    if case.equation == "reaction":
        return u_t - c["rho"] * u * (1 - u)
    if case.equation == "convection":
        return u_t + c["beta"] * u_x
    (u_xx,) = _slopes(u_x, x)
    if case.equation == "wave":
        (u_tt,) = _slopes(u_t, t)
        return u_tt - c["speed"] ** 2 * u_xx
    if case.equation == "allen_cahn":
        return u_t - c["diffusion"] * u_xx + c["rate"] * (u**3 - u)
    raise ValueError(f"equation {case.equation!r} is not written for PyTorch")


class Loss:
    """The loss of a case as a function of a network; points are made once."""

    def __init__(self, case: Case):
        self.case = case
        (x0, x1), (t0, _) = case.box
        at = lambda value, like: np.full_like(like, value)  # noqa: E731
        column = lambda a: torch.tensor(a)[:, None].requires_grad_()  # noqa: E731
        self.domain = column(case.x), column(case.t)
        self.start = column(case.x_edge), column(at(t0, case.x_edge))
        # Both ends share their instants, so one slope moves along both.
        self.edge_t = column(case.t_edge)
        self.left, self.right = (column(at(end, case.t_edge)) for end in (x0, x1))
        self.initial = torch.tensor(case.initial)[:, None]
        self.initial_x = torch.tensor(case.initial_x)[:, None]

    def _term(self, residual, *inputs, target_slope=0.0):
        """Return mean r² + w mean |∇r|², the gradient along the inputs given."""
        total = (residual**2).mean()
        if self.case.weight:
            for slope in _slopes(residual, *inputs):
                total = total + self.case.weight * ((slope - target_slope) ** 2).mean()
        return total

    def __call__(self, network):
        """Return the loss."""
        case, (x, t), (xs, ts) = self.case, self.domain, self.start
        total = self._term(_equation(case, network(x, t), x, t), x, t)
        u = network(xs, ts)
        # The slope of the target is known: no graph is needed for it.
        total = total + self._term(u - self.initial, xs, target_slope=self.initial_x)
        xl, xr, te = self.left, self.right, self.edge_t
        left, right = network(xl, te), network(xr, te)
        if case.equation == "wave":
            (u_t,) = _slopes(u, ts)
            return total + self._term(u_t, xs) + self._term(left, te) + self._term(right, te)
        total = total + self._term(left - right, te)
        if case.equation == "allen_cahn":
            total = total + self._term(_slopes(left, xl)[0] - _slopes(right, xr)[0], te)
        return total


class Peer:
    """``torch.optim.LBFGS`` on nested ``torch.autograd.grad``."""

    def __init__(self, case: Case, *, threads: int):
        """Build network and optimiser; there is nothing to compile."""
        torch.set_num_threads(threads)
        self.versions = {"torch": torch.__version__}
        if case.layers:
            self.network, self._loss = Network(case), Loss(case)
        else:
            self.network, self._loss = torch_sequences.network(case), torch_sequences.Loss(case)
        self._optimizer = torch.optim.LBFGS(
            self.network.parameters(),
            history_size=case.memory,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
        self._clock = LBFGSClock(self._optimizer)

    def _closure(self):
        self._optimizer.zero_grad()
        loss = self._loss(self.network)
        loss.backward()
        return loss

    def loss(self) -> float:
        """Return the loss at the present parameters, by one value-and-gradient evaluation.

        Raises:
            RuntimeError: if the loss is not finite.
        """
        value = self._closure().item()
        if not math.isfinite(value):
            raise RuntimeError("the loss is not finite")
        return value

    def advance(self, iterations: int) -> Stretch:
        """Take iterations in one call of ``step``."""
        return self._clock.run(lambda: self._optimizer.step(self._closure), iterations)
