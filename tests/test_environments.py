"""Lock, extras, conda environments and containers say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONTAINERS = [ROOT / "envs" / "Dockerfile", ROOT / "envs" / "container.def"]


def pinned(name):
    environment = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    (packages,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    return packages


def python_of_conda():
    found = re.search(r"python =(\d+\.\d+)", (ROOT / "envs" / "cpu.yaml").read_text())
    return found.group(1)


def test_cuda_differs_from_cpu_only_by_the_extra_of_jax():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (cuda,) = extra["optional-dependencies"]["cuda"]
    assert [package.replace(cuda, "jax") for package in pinned("cuda")] == pinned("cpu")


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_a_container_installs_the_lock_and_checks_hashes(path):
    text = path.read_text()
    assert "--require-hashes --requirement envs/requirements.txt" in text
    assert re.search(r"python:(\d+\.\d+)", text).group(1) == python_of_conda()
    for line in text.splitlines():
        if "pip install" in line:
            assert re.search(r"--require-hashes|--no-deps|jax\[cuda13\]==", line), line


def test_docker_does_not_run_as_root():
    users = re.findall(r"^USER (.*)$", CONTAINERS[0].read_text(), re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
