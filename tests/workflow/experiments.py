"""Rows of config/experiments.csv, and the jobs of a plan."""

import csv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMOKE = "config/smoke.yaml"
FIGURES = (1, 3, 4, 5, 6, 7, 8, 9, 10)


def read_table():
    with open(ROOT / "config" / "experiments.csv", newline="") as file:
        return list(csv.DictReader(file))


def cells_of(scale, **columns):
    """Return the names of the cells of a scale whose columns have these values."""
    return {
        row["cell"]
        for row in read_table()
        if scale in row["scales"].split() and all(row[k] == v for k, v in columns.items())
    }


def trained(jobs):
    """Return {(cell, seed)} of the training jobs in a plan."""
    return {
        (job.wildcards["cell"], int(job.wildcards["seed"]))
        for job in jobs
        if job.rule == "train_network"
    }


def rules_of(jobs):
    return {job.rule for job in jobs}
