"""What people use a trained network through, from any folder: no pipeline is read."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]  # the project's folder, which is installed in editable form
