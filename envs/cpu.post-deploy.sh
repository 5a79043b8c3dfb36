# Run by Snakemake in the new environment, from the repository's root.
set -euo pipefail
pip install --quiet --no-deps --no-build-isolation --editable .
