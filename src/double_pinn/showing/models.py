"""The models that are compared: what each is called, and what that promises of its cell."""

from double_pinn.showing.wording import GAUSS_NEWTON

#: Key in a cell's role: name in tables and figures.
MODELS = {
    "pinnsformer": "PINNsFormer",
    "pinnmamba": "PINNMamba",
    "pinn_fp64": "PINN FP64",
    "double_pinn": "double PINN",
    "double_pinn_gn": "double PINN, Gauss-Newton (ours, beyond the paper)",
}


def short_name(model: str) -> str:
    """Return the name of a model without what stands in brackets."""
    return MODELS[model].partition(" (")[0]


def printed_name(name: str) -> str:
    """Return the model under which the paper prints numbers, of a name of ``MODELS``."""
    return name.partition(",")[0]


#: What the name of a model promises of its cell.
EXPECTED: dict[str, dict[str, tuple[str, ...]]] = {
    "pinnsformer": {"network": ("pinnsformer",), "regularizer": ("none",)},
    "pinnmamba": {"network": ("pinnmamba",), "regularizer": ("none",)},
    "pinn_fp64": {"network": ("mlp",), "regularizer": ("none",), "precision": ("fp64",)},
    "double_pinn": {"network": ("mlp",), "regularizer": ("double",), "precision": ("fp64",)},
    "double_pinn_gn": {
        "network": ("mlp",),
        "regularizer": ("double",),
        "precision": ("fp64",),
        "optimizer": GAUSS_NEWTON,
    },
}
