"""The sequence models in PyTorch, as their papers train them: autograd with ones over sequences."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benchmarks.cases import Case


class Wave(nn.Module):
    """w₁ sin a + w₂ cos a."""

    def __init__(self):
        super().__init__()
        self.w1, self.w2 = (nn.Parameter(torch.ones(())) for _ in range(2))

    def forward(self, a):
        """Return the activation."""
        return self.w1 * torch.sin(a) + self.w2 * torch.cos(a)


class Layers(nn.Module):
    """Linear layers with waves between."""

    def __init__(self, *widths):
        super().__init__()
        pairs = list(pairwise(widths))
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairs)
        self.waves = nn.ModuleList(Wave() for _ in pairs[1:])

    def forward(self, h):
        """Return the output of the last layer."""
        for layer, wave in zip(self.layers[:-1], self.waves, strict=True):
            h = wave(layer(h))
        return self.layers[-1](h)


class Layer(nn.Module):
    """A layer of encoder or decoder."""

    def __init__(self, options):
        super().__init__()
        width, hidden = options["width"], options["feed_forward"]
        self.waves = nn.ModuleList(Wave() for _ in range(2))
        self.attention = nn.MultiheadAttention(width, options["heads"], batch_first=True)
        self.feed_forward = Layers(width, hidden, hidden, width)

    def forward(self, x, context=None):
        """Return the layer's output."""
        a = self.waves[0](x)
        context = a if context is None else context
        x = x + self.attention(a, context, context)[0]
        return x + self.feed_forward(self.waves[1](x))


class PINNsFormer(nn.Module):
    """The transformer."""

    def __init__(self, options):
        super().__init__()
        self.embedding = nn.Linear(2, options["width"])
        self.encoder, self.decoder = Layer(options), Layer(options)
        self.encoded, self.decoded = Wave(), Wave()
        self.head = Layers(options["width"], options["head"], options["head"], 1)

    def forward(self, inputs):
        """Return u of shape (n, L) from inputs of shape (n, L, 2)."""
        e = self.embedding(inputs)
        memory = self.encoded(self.encoder(e))
        return self.head(self.decoded(self.decoder(e, memory)))[..., 0]


class StateSpace(nn.Module):
    """The selective state space."""

    def __init__(self, width, state, rank):
        super().__init__()
        self.sizes = rank, state
        self.selection = nn.Linear(width, rank + 2 * state)
        self.rate = nn.Linear(rank, width)
        self.A_log, self.D = nn.Parameter(torch.ones(width, state)), nn.Parameter(torch.ones(width))

    def forward(self, x):
        """Return y of the shape of x, (n, L, width)."""
        rank, state = self.sizes
        low, B, C = torch.split(self.selection(x), [rank, state, state], dim=-1)
        steps = nn.functional.softplus(self.rate(low))
        A = -torch.exp(self.A_log)
        decay = torch.exp(steps[..., None] * A)
        driven = (steps * x)[..., None] * B[..., None, :]
        h, outputs = torch.zeros_like(driven[:, 0]), []
        for i in range(x.shape[1]):
            h = decay[:, i] * h + driven[:, i]
            outputs.append((h * C[:, i, None, :]).sum(-1))
        return torch.stack(outputs, dim=1) + self.D * x


class Block(nn.Module):
    """The block of PINNMamba."""

    def __init__(self, options):
        super().__init__()
        width = options["width"]
        self.gate, self.entry, self.convolution, self.out = (
            nn.Linear(width, width) for _ in range(4)
        )
        self.state_space = StateSpace(width, options["state"], options["rank"])
        self.waves = nn.ModuleList(Wave() for _ in range(2))

    def forward(self, e):
        """Return the block's output."""
        z = self.waves[0](self.gate(e))
        x = self.waves[1](nn.functional.softplus(self.convolution(self.entry(e))))
        return e + self.out(self.state_space(x) * z)


class PINNMamba(nn.Module):
    """The state space model."""

    def __init__(self, options):
        super().__init__()
        self.embedding = nn.Linear(2, options["width"])
        self.block, self.wave = Block(options), Wave()
        self.head = Layers(options["width"], options["head"], options["head"], 1)

    def forward(self, inputs):
        """Return u of shape (n, L) from inputs of shape (n, L, 2)."""
        return self.head(self.wave(self.block(self.embedding(inputs))))[..., 0]


NETWORKS = {"pinnsformer": PINNsFormer, "pinnmamba": PINNMamba}
_PROJECTION = {"in_proj_weight": "projection.kernel", "in_proj_bias": "projection.bias"}


def network(case: Case) -> nn.Module:
    """Return the model with a case's parameters, in its precision."""
    options = case.settings["network"]
    built = NETWORKS[options["name"]](options)
    dtype = {"fp32": torch.float32, "fp64": torch.float64}[case.settings["precision"]]
    built.to(dtype)
    for name, parameter in built.named_parameters():
        path, _, last = name.rpartition(".")
        ours = name.replace("out_proj.", "out.").replace(".weight", ".kernel")
        if last in _PROJECTION:
            ours = f"{path}.{_PROJECTION[last]}"
        value = case.named[ours]
        is_linear = ours.endswith(".kernel")
        parameter.data = torch.tensor(value.T.copy() if is_linear else value, dtype=dtype)
    return built


class Loss:
    """The loss of a case; sequences are made once."""

    def __init__(self, case: Case):
        self.case = case
        options, (x0, x1), (t0, _) = case.settings["network"], *case.box
        steps = np.arange(options["length"]) * options["step"]
        dtype = {"fp32": torch.float32, "fp64": torch.float64}[case.settings["precision"]]

        def sequences(x, t):
            t = t[:, None] + steps
            x = np.broadcast_to(x[:, None], t.shape)
            return tuple(torch.tensor(a.copy(), dtype=dtype).requires_grad_() for a in (x, t))

        self.domain = sequences(case.x, case.t)
        self.start = sequences(case.x_edge, np.full_like(case.x_edge, t0))
        self.left, self.right = (
            sequences(np.full_like(case.t_edge, end), case.t_edge) for end in (x0, x1)
        )
        self.initial = torch.tensor(case.initial, dtype=dtype)

    def __call__(self, network):
        """Return the loss."""
        case, c, weights = self.case, self.case.coefficients, self.case.settings["term_weights"]

        def at(places):
            return network(torch.stack(places, dim=-1))

        def slopes(u, *inputs):
            return torch.autograd.grad(u, inputs, torch.ones_like(u), create_graph=True)

        u = at(self.domain)
        u_x, u_t = slopes(u, *self.domain)
        if case.equation == "reaction":
            residual = u_t - c["rho"] * u * (1 - u)
        elif case.equation == "convection":
            residual = u_t + c["beta"] * u_x
        elif case.equation == "wave":
            (u_xx,), (u_tt,) = slopes(u_x, self.domain[0]), slopes(u_t, self.domain[1])
            residual = u_tt - c["speed"] ** 2 * u_xx
        else:
            raise ValueError(f"equation {case.equation!r} is not written for sequence models")
        start, left, right = at(self.start), at(self.left), at(self.right)
        terms = {"equation": residual, "initial_u": start[:, 0] - self.initial}
        if case.equation == "wave":
            terms |= {"initial_u_t": slopes(start, self.start[1])[0]}
            terms |= {"left_u": left, "right_u": right}
        else:
            terms["periodic_u"] = left - right
        if case.settings["network"]["name"] == "pinnmamba":
            # t runs faster than x; neighbours in t lie Δ apart.
            of_grid = u.reshape(-1, case.settings["points"]["nt"], u.shape[1])
            terms["alignment"] = of_grid[:, 1:, :-1] - of_grid[:, :-1, 1:]
        return sum(weights.get(name, 1.0) * (term**2).mean() for name, term in terms.items())
