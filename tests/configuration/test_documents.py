"""The schemas and the tables of config/README.md are those of the model."""

import subprocess
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.utils import update_config

from double_pinn.configuration import catalogue
from double_pinn.configuration.documents import configuration_schema, documents

ROOT = Path(__file__).parents[2]


def untracked():
    """Return the files that git does not have: what somebody tries out needs no documents yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard", "src"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    return {ROOT / name for name in listed.stdout.split("\0")}


def test_what_is_written_from_the_model_is_up_to_date(monkeypatch):
    names, new = catalogue.names, untracked()
    monkeypatch.setattr(
        catalogue,
        "names",
        lambda kind: [name for name in names(kind) if catalogue.found(kind, name).path not in new],
    )
    for path, text in documents(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run double-pinn document"


def test_the_schema_takes_what_the_model_takes():
    schema = Draft202012Validator(configuration_schema())
    for scale in ("laptop", "smoke", "paper", "sweep", "models", "gallery", "night"):
        config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
        update_config(config, yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text()))
        assert list(schema.iter_errors(config)) == []
    for section, values in {
        "optimizers": {"lbfgs": {"memory": 0}},
        "networks": {"mlp": {"depth": 3}},
        "regularizers": {"l3": {}},
        "equations": {"wave": {"beta": "3"}},
    }.items():
        (error,) = schema.iter_errors({**config, section: values})
        assert error.absolute_path[0] == section
