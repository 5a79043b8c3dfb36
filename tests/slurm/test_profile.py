"""The profile `slurm`, as far as it can be seen without a SLURM."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILE = yaml.safe_load((ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text())
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def test_the_profile_submits_and_retries():
    assert PROFILE["executor"] == "slurm"
    assert PROFILE["retries"] >= 1
    assert PROFILE["rerun-incomplete"] is True


def test_squeue_does_not_forget_a_job_between_two_looks():
    """With the default MinJobAge of 300 s; below three intervals the plugin asks sacct."""
    assert PROFILE["slurm-status-command"] == "squeue"
    assert 3 * PROFILE["slurm-init-seconds-before-status-checks"] <= 300


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_rules_ask_for_portable_resources_only(rules):
    assert not re.search(r"slurm|partition|account|gres|qos", rules.read_text())


def test_no_rule_sets_retries():
    """Snakemake inside a job would follow it too, and the tries multiply: 3 become 10."""
    assert not [path.name for path in RULES if re.search(r"^    retries:", path.read_text(), re.M)]
