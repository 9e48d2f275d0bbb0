"""report: all systems beside each other and beside their reports, as tables, pictures and one page."""

from pathlib import Path

from fer.config.params import load_params
from stages import stage


@stage()
def main() -> None:
    from fer.report.documents import Places, Sources, write_documents  # noqa: PLC0415 - scipy and matplotlib are slow

    params = load_params()
    write_documents(
        Sources(Path("data/predictions"), Path("data/ensemble"), Path("metrics")),
        Places(Path("docs"), Path("plots/summary")),
        systems=params.run.systems,
        variants=params.run.ablation,
        not_run=params.not_run,
        pairs=params.report.pairs,
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.bootstrap_seed,
    )


if __name__ == "__main__":
    main()
