"""``tracer-proxy explain``: where one request would go, and why, without sending it."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from tracer_proxy.cli.config_file import load_or_exit, profile_option
from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_table
from tracer_proxy.control.question import Question, WrongQuestion
from tracer_proxy.errors import ProxyError
from tracer_proxy.routing.explain import Explanation
from tracer_proxy.wire.request import RequestHead


@click.command(name="explain")
@click.option("--config", "path", type=click.Path(path_type=Path), required=True, help="The YAML file.")
@profile_option
@click.option("-X", "--request", "method", help="The method; GET, or POST when there is a body.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="'K: V'", help="A request header; may be given several times."
)
@click.option("-d", "--data", "body", help="The request body.")
@click.option("--from", "peer", default="127.0.0.1", show_default=True, help="The caller's address, which decides on trust.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.argument("url")
def command(
    path: Path,
    profile: str | None,
    method: str | None,
    headers: tuple[str, ...],
    body: str | None,
    peer: str,
    as_json: bool,
    url: str,
) -> None:
    """Say which route, colour, lane and endpoint URL would get, step by step. URL is a path or a whole http URL."""
    config = load_or_exit(path, profile)
    table = compile_table(config, config.mocks.llm.listen if config.mocks.llm else DEFAULT_MOCK_LLM)
    question = Question(url, method, headers, body, peer)
    try:
        head = question.head(table)
        explanation = question.explained(table, head)
    except WrongQuestion as error:
        raise click.UsageError(str(error)) from None
    except ProxyError as error:
        raise click.ClickException(f"The proxy would answer {error.status}: {error.message}") from None
    if as_json:
        click.echo(json.dumps(explanation.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(explanation, head)
    if explanation.answer["route"] is None:
        raise SystemExit(1)


def _print(explanation: Explanation, head: RequestHead) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for step in explanation.steps:
        console.print(Text(f"{step.name:<9}", style="bold"), Text(step.result, style="green"), sep="")
        for note in step.notes:
            console.print(Text(f"{'':<9}{note}", style="dim"))
    if explanation.answer["route"] is not None:
        target = explanation.answer["target"]
        console.print(Text(f"{'request':<9}", style="bold"), Text(f"{head.method.decode()} {target}", style="green"), sep="")
