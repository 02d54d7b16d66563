"""An agent as a command: ``python -m agents.NAME --base-url URL --prompt TEXT [--prompt TEXT ...]``."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    base_url: str
    prompts: list[str]
    """One turn each, of one conversation."""
    model: str
    api_key: str
    stream: bool
    sync: bool


def options(model: str, base_url_help: str) -> Options:
    parser = argparse.ArgumentParser(description="An agent that plans a trip with three steps of tools.")
    parser.add_argument("--base-url", required=True, help=base_url_help)
    parser.add_argument("--prompt", required=True, action="append", dest="prompts", help="again for another turn")
    parser.add_argument("--model", default=model)
    parser.add_argument("--api-key", default="any")
    parser.add_argument("--stream", action="store_true", help="ask for streamed answers")
    parser.add_argument("--sync", action="store_true", help="use the SDK's synchronous client")
    return Options(**vars(parser.parse_args()))


def run(
    given: Options,
    in_async: Callable[[Options], Awaitable[None]],
    in_sync: Callable[[Options], None],
) -> None:
    async def main() -> None:
        await in_async(given)

    if given.sync:
        in_sync(given)
    else:
        asyncio.run(main())
