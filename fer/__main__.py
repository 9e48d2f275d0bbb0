from fer.cli import main

main(prog_name="python -m fer")
