"""What people use a trained network through."""
