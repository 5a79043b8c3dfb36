"""The regularisers, one file each: what is added to the mean squares of the residuals."""
