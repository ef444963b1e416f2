"""Training: from a resolved specification to a finished run."""
