"""Many runs beside each other: sweeps over options and seeds, searches, the range test, their statistics."""
