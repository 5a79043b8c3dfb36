"""YAML as people write it: a key that stands twice in a section is an error, not the last one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from double_pinn.errors import SettingsError


def check_keys(paths: Iterable[Path]) -> None:
    """Refuse files in which a key stands twice: Snakemake would take the last without a word.

    Args:
        paths: configuration files that YAML can read.

    Raises:
        SettingsError: naming file, line and key.
    """
    for path in paths:
        with open(path, encoding="utf-8-sig") as file:
            _check(path, yaml.compose(file, Loader=yaml.SafeLoader))


def _check(path: Path, node: Any) -> None:
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            _check(path, inner)
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[Any, int] = {}
    for key, inner in node.value:
        line = key.start_mark.line + 1
        if key.value in first:
            raise SettingsError(
                f"{path}, line {line}: {key.value} stands there twice, first in line "
                f"{first[key.value]}: put the two together"
            )
        first[key.value] = line
        _check(path, inner)
