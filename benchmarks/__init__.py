"""What is measured against what; `make bench` writes benchmarks/RESULTS.md."""
