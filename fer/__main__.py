from fer.cli.main import main

main(prog_name="python -m fer")
