"""A plain reverse proxy as one would write it with aiohttp: the same job as ``tracer.yaml``, streaming both ways.

Addresses come from the environment: ``BENCH_LISTEN``, ``BENCH_STABLE`` and ``BENCH_CANARY`` (``host:port`` each).
"""

import asyncio
import os
import zlib
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
CANARY_PERCENT = 5

SESSION = web.AppKey("session", aiohttp.ClientSession)
LANES = web.AppKey("lanes", dict[str, str])


def without_hop_by_hop(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    listed = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    left_out = HOP_BY_HOP | listed
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)


def lane_of(session_id: str) -> str:
    return "canary" if zlib.crc32(session_id.encode()) % 100 < CANARY_PERCENT else "stable"


def outgoing_headers(request: web.Request) -> CIMultiDict[str]:
    headers = without_hop_by_hop(request.headers)
    peer = request.remote or "unknown"
    headers.add("Via", "1.1 aiohttp")
    headers["X-Forwarded-For"] = f"{headers['X-Forwarded-For']}, {peer}" if "X-Forwarded-For" in headers else peer
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Proto"] = request.scheme
    return headers


async def forward(request: web.Request) -> web.StreamResponse:
    address = request.app[LANES][lane_of(request.headers.get("X-Session-Id", ""))]
    url = URL(f"http://{address}{request.raw_path}", encoded=True)
    body = request.content if request.body_exists else None
    async with request.app[SESSION].request(
        request.method, url, headers=outgoing_headers(request), data=body, allow_redirects=False
    ) as upstream:
        response = web.StreamResponse(status=upstream.status, headers=without_hop_by_hop(upstream.headers))
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def client_session(app: web.Application) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3600)
    timeout = aiohttp.ClientTimeout(total=None)  # a stream may last; it also saves aiohttp a timer for each request
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=cookies, auto_decompress=False
    ) as session:
        app[SESSION] = session
        yield


def main() -> None:
    host, port = os.environ["BENCH_LISTEN"].rsplit(":", 1)
    app = web.Application()
    app[LANES] = {"stable": os.environ["BENCH_STABLE"], "canary": os.environ["BENCH_CANARY"]}
    app.cleanup_ctx.append(client_session)
    app.router.add_route("*", "/agents/planner{tail:.*}", forward)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    web.run_app(app, host=host, port=int(port), access_log=None, backlog=1024, keepalive_timeout=3600)


if __name__ == "__main__":
    main()
