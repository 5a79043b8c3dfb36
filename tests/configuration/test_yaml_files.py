"""A key that stands twice in a YAML file."""

from pathlib import Path

import pytest

from double_pinn.configuration.yaml_files import check_keys
from double_pinn.errors import SettingsError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seeds: [0]\nscale: a\nseeds: [1]\n", "line 3: seeds stands there twice, first in line 1"),
        ("iterations:\n  default: 3\n  default: 4\n", "line 3: default stands there twice"),
        ("a: [{b: 1, b: 2}]", "line 1: b stands there twice"),
        ("\ufeffa: 1\n'a': 2\n", "line 2: a stands there twice"),
    ],
)
def test_a_key_that_stands_twice_is_refused_by_file_and_line(tmp_path, text, words):
    path = tmp_path / "overlay.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"overlay\.yaml, {words}"):
        check_keys([path])


def test_keys_of_different_sections_may_be_the_same(tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text("a: {default: 1, cells: {b: 1}}\nb: {default: 1}\n")
    check_keys([path, *(ROOT / "config").glob("*.yaml")])
