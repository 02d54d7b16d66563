"""``tracer-proxy explain``: where one request would go, and why, without sending it."""

import json
import random
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.text import Text

from tracer_proxy.cli.config_file import load_or_exit, profile_option
from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_table
from tracer_proxy.errors import ProxyError
from tracer_proxy.routing.explain import Explanation, explain
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import RequestHead, read_request


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
    try:
        head = read_request(
            _head_bytes(url, method or ("GET" if body is None else "POST"), headers, body), table.request_fields
        )
    except ProxyError as error:
        raise click.ClickException(f"The proxy would answer {error.status}: {error.message}") from None
    explanation = explain(
        table, head, trusted=_trusted(table, peer), new_trace_id=secrets.token_hex(16).encode(), dice=random.random
    )
    if as_json:
        click.echo(json.dumps(explanation.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(explanation, head)
    if explanation.answer["route"] is None:
        raise SystemExit(1)


def _trusted(table: Table, peer: str) -> bool:
    try:
        return table.trust.believes(peer)
    except ValueError:
        raise click.BadParameter(f"{peer!r} is not an IP address.", param_hint="--from") from None


def _head_bytes(url: str, method: str, headers: tuple[str, ...], body: str | None) -> bytes:
    """The head as a client would send it."""
    parts = urlsplit(url)
    if not url.startswith("/") and parts.scheme not in ("http", "https"):
        raise click.BadParameter(f"{url!r} must start with / or http://; did you mean /{url.lstrip('/')}?", param_hint="URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    names = {header.partition(":")[0].strip().lower() for header in headers}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {parts.netloc or 'localhost'}")
    lines += [header.strip() for header in headers]
    if body is not None and "content-length" not in names:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines).encode()


def _print(explanation: Explanation, head: RequestHead) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for step in explanation.steps:
        console.print(Text(f"{step.name:<9}", style="bold"), Text(step.result, style="green"), sep="")
        for note in step.notes:
            console.print(Text(f"{'':<9}{note}", style="dim"))
    if explanation.answer["route"] is not None:
        target = explanation.answer["target"]
        console.print(Text(f"{'request':<9}", style="bold"), Text(f"{head.method.decode()} {target}", style="green"), sep="")
