"""What training looks like: figures, surfaces, curvature. Imports no entry and nothing of training."""
