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


def normal(package):
    return re.sub(r"[-_.]+", "-", package).lower()


def test_conda_environments_list_what_the_library_and_its_build_import():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    build = (ROOT / "envs" / "build.in").read_text().splitlines()
    needed = [*project["dependencies"], *(line for line in build if not line.startswith("#"))]
    names = {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in needed}
    assert {normal(requirement.split("==")[0]) for requirement in pinned("cpu")} == names


def test_cuda_differs_from_cpu_only_by_the_extra_of_jax():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (cuda,) = extra["optional-dependencies"]["cuda"]
    assert [package.replace(cuda, "jax") for package in pinned("cuda")] == pinned("cpu")


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_conda_environments_agree_with_the_lock(name):
    lock = dict(
        line.split(" ")[0].split(";")[0].split("==")
        for line in (ROOT / "envs" / "requirements.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    )
    for requirement in pinned(name):
        package, version = requirement.split("==")
        assert lock[normal(package.split("[")[0])] == version, requirement


def test_the_lock_has_hashes_and_names_no_address():
    text = (ROOT / "envs" / "requirements.txt").read_text()
    assert text.count("--hash=sha256:") > 100
    assert "://" not in text
    assert "index-url" not in text


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


# --- Checks before a commit, and after a push ---


def test_hooks_check_what_make_test_checks_before_pytest():
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^test: environment\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    snakefiles = re.search(r"^SNAKEFILES := (.*)$", makefile, re.MULTILINE)[1]
    commands = [line.strip().replace("$(SNAKEFILES)", snakefiles) for line in recipe.splitlines()]
    *checks, last = commands
    assert "pytest" in last
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    assert [hook["entry"] for hook in repo["hooks"]] == [f".venv/bin/{check}" for check in checks]
    # With names of files a command would check those alone.
    assert not any(hook["pass_filenames"] for hook in repo["hooks"])


def test_the_workflow_on_github_checks_what_ci_run_checks():
    text = (ROOT / ".github" / "workflows" / "test.yaml").read_text()
    (job,) = yaml.safe_load(text)["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[-1] == ".ci/run"
    assert all("apt-get" in command for command in commands[:-1])
    assert python_of_conda() in job["strategy"]["matrix"]["python"]
    (setup,) = [step["with"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert setup["cache-dependency-path"] == "envs/requirements.txt"
