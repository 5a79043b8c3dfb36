# make run    environment, then the laptop scale      make test   environment, then every check
# make smoke  environment, then the smoke scale       make paper  environment, then the paper scale
# make report an HTML report of what the laptop scale gave (SCALE=smoke or paper: of that scale)
# make restore / make pack   archived runs in and out (SCALE=...), see docs/archive.md
# make numbers  evaluations, tables and claims of a scale (SCALE=...), nothing drawn
# make lock   resolve the versions again (needs uv; UPGRADE= keeps those there are)
# make clean  remove environment and caches

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
CORES ?= all
SCALE ?= laptop
VENV := .venv
LOCK := envs/requirements.txt
UPGRADE := --upgrade
STAMP := $(VENV)/.installed
SNAKEFILES := Snakefile workflow/rules
# A process a core; a file's tests stay together, for they share what is dear to make.
PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# Commands of the environment come first; jobs find `double-pinn` there too.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
SNAKEMAKE := snakemake --cores $(CORES)
overlay = --configfile config/$(1).yaml

.PHONY: run smoke paper numbers report restore pack test test-slurm test-slow environment lock clean

run: environment
	$(SNAKEMAKE)

smoke paper: environment
	$(SNAKEMAKE) $(call overlay,$@)

numbers: environment
	$(SNAKEMAKE) numbers $(call overlay,$(SCALE))

report: environment
	$(SNAKEMAKE) $(call overlay,$(SCALE)) --report results/$(SCALE)/report.html

# Runs that were expensive, from and to results/archive; what they do not hold is trained.
restore: environment
	$(SNAKEMAKE) $(call overlay,$(SCALE)) --until write_settings
	double-pinn restore --archive results/archive/$(SCALE) --results results/$(SCALE)

pack: environment
	double-pinn pack --results results/$(SCALE) --archive results/archive/$(SCALE)

test: environment
	ruff check .
	ruff format --check .
	snakefmt --check --line-length 100 $(SNAKEFILES)
	snakemake --lint
	mypy
	python -m pytest $(PARALLEL) -m "not slurm and not slow"

# On a SLURM that the tests start themselves; needs slurm-wlm and munge, else they are skipped.
test-slurm: environment
	python -m pytest -m "slurm and not slow" tests/slurm

# Every cell of the smoke scale on that SLURM: some ten minutes.
test-slow: environment
	python -m pytest -m slow

environment: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  f"error: Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --require-hashes --requirement $(LOCK)
	python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock:
	@command -v uv > /dev/null || { echo "error: make lock needs uv (pip install uv)" >&2; exit 1; }
	uv pip compile pyproject.toml envs/build.in --extra workflow --extra slurm --extra test \
	  --universal --python-version 3.11 --fork-strategy fewest $(UPGRADE) --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file $(LOCK)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
	find src tests workflow -name __pycache__ -prune -exec rm -rf {} +
