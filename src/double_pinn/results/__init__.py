"""What is kept: netCDF files, references, evaluations, archives."""
