"""Networks: the functions that are trained."""
