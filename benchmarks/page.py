"""docs/performance.md, and the figures that README.md quotes, from the results of the benchmarks.

README quotes a figure between `<!-- bench:key -->` and `<!-- /bench -->`, and the table of bars by the key `bars`.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.results import RESULTS, Figure, Result, read_results
from bloodcell.errors import ConfigError

ROOT = Path(__file__).parents[1]
PAGE, README, PICTURES = ROOT / "docs" / "performance.md", ROOT / "README.md", ROOT / "docs" / "performance"

_VERDICTS = {True: "met", False: "**not met**", None: ""}

_ORDER = (
    "vs_notebook",
    "notebook_accuracy",
    "throughput",
    "precision",
    "input_limit",
    "ingest",
    "dataset_scale",
    "fan_out",
    "rerun",
    "startup",
)
"""Of the page, where its text leads from one to the next; others follow by name."""

_QUOTE = re.compile(r"(<!-- bench:(\S+) -->)(.*?)(<!-- /bench -->)", re.DOTALL)


def page(results: Sequence[Result], pictures: Collection[str]) -> str:
    """The page as Markdown.

    Args:
        results: One of each benchmark.
        pictures: Names of the benchmarks that have drawn one.
    """
    ordered = sorted(
        results,
        key=lambda result: (
            _ORDER.index(result.benchmark) if result.benchmark in _ORDER else len(_ORDER),
            result.benchmark,
        ),
    )
    return _template("performance.md.j2", results=ordered, pictures=pictures, bars=bars(ordered))


def bars(results: Sequence[Result]) -> str:
    """The figures that have a bar, as a Markdown table."""
    lines = [
        f"| {figure.text} | {result.images} | {figure.shown} | {figure.bar} | {_VERDICTS[figure.met]} |"
        for result in results
        for figure in result.figures
        if figure.bar
    ]
    return "\n".join(["| figure | on | measured | bar | |", "|---|---|---:|---:|---|", *lines])


def quoted(text: str, results: Sequence[Result]) -> str:
    """A page with the figures that it quotes brought up to date.

    Raises:
        ConfigError: It quotes a figure that no result has.
    """
    figures: dict[str, Figure] = {figure.key: figure for result in results for figure in result.figures}

    def replacement(found: re.Match[str]) -> str:
        opening, key, _, closing = found.groups()
        if key == "bars":
            return f"{opening}\n{bars(results)}\n{closing}"
        if key not in figures:
            raise ConfigError(
                f"bench:{key} names no figure; there are {', '.join(sorted(figures)) or 'none'}",
                remedy="correct the name, or run the benchmark that measures it",
            )
        return f"{opening}{figures[key].shown}{closing}"

    return _QUOTE.sub(replacement, text)


def _template(name: str, **context: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - it makes Markdown of this project's own words
    )
    return environment.get_template(name).render(context)


@click.command(help=__doc__)
@click.option("--results", "folder", type=click.Path(path_type=Path), default=RESULTS)
def main(folder: Path) -> None:
    """Write the page, and the figures in README."""
    results = read_results(folder)
    PAGE.write_text(page(results, {picture.stem for picture in PICTURES.glob("*.png")}))
    README.write_text(quoted(README.read_text(), results))
    click.echo(f"{PAGE} shows {len(results)} benchmarks")


if __name__ == "__main__":
    main()
