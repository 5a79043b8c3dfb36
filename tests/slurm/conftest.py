"""A SLURM for the tests of this folder, or a skip that nobody overlooks."""

import pytest
from cluster import Cluster, missing


def why_not() -> str | None:
    """Return why SLURM cannot be tested here."""
    absent = missing()
    return absent and (
        f"SLURM IS NOT TESTED: {', '.join(absent)} not installed "
        "(Debian, Ubuntu: apt-get install slurm-wlm munge)"
    )


def pytest_terminal_summary(terminalreporter):
    """Say it once more at the end."""
    if why_not():
        terminalreporter.section("SLURM", red=True, bold=True)
        terminalreporter.line(why_not(), red=True, bold=True)


@pytest.fixture(scope="session")
def cluster():
    """A running SLURM."""
    if why_not():
        pytest.skip(why_not())
    with Cluster() as running:
        yield running
