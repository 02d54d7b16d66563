"""The provider as a server."""

import asyncio
import json
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiohttp import web

from providers import anthropic_messages, gemini, openai_chat, openai_responses
from providers.behaviour import Behaviour
from providers.errors import envelope
from providers.ids import IdStyle, call_ids
from providers.journal import Heard
from providers.refused import Refused
from providers.said import HandedOut, Json, Reply, Said
from providers.script import Script

BODY_BYTES_MAX = 64 * 1024**2
GZIP_WINDOW = 31
"""zlib's way to say that a gzip header is wanted."""


class ScriptedProvider:
    """``url`` is its root: OpenAI's base URL is ``url + "/v1"``, Anthropic's and Gemini's are ``url``.

    ``ids`` and ``behaviour`` may be changed while it runs. ``journal`` holds every request in the order they came.
    """

    def __init__(
        self,
        script: Script | None = None,
        ids: IdStyle = IdStyle.RANDOM,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.script = script or Script()
        self.ids = ids
        self.behaviour = behaviour or Behaviour()
        self.journal: list[Heard] = []
        self.port = 0
        self._coming: list[Behaviour] = []
        self._stored = openai_responses.Stored()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def behave(self, *behaviours: Behaviour) -> None:
        """The next answers come like this, one after the other; those after them as ``behaviour`` says."""
        self._coming += behaviours

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_post("/v1/conversations", self._conversations)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/{version:v1[a-z0-9]*}/models/{model}:{verb}", self._generate)
        app.router.add_route("*", "/{path:.*}", self._unknown)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            said = openai_chat.read(body)
            reply = self._reply(said, openai_chat.ID_PREFIX, openai_chat.CALL_PREFIX)
        except Refused as refused:
            return await self._refuse(request, "chat_completions", body, refused)
        answer = openai_chat.events(reply, body) if said.stream else openai_chat.whole(reply)
        return await self._answer(request, "chat_completions", body, said, reply, answer)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            said = openai_responses.read(body, self._stored.items(body))
            reply = self._reply(said, openai_responses.ID_PREFIX, openai_responses.CALL_PREFIX)
        except Refused as refused:
            return await self._refuse(request, "responses", body, refused)
        whole = openai_responses.whole(reply, body)
        self._stored.keep(body, whole)
        answer = openai_responses.events(whole, body) if said.stream else whole
        return await self._answer(request, "responses", body, said, reply, answer)

    async def _conversations(self, request: web.Request) -> web.StreamResponse:
        conversation = self._stored.new_conversation()
        body = {"id": conversation, "object": "conversation", "created_at": int(time.time()), "metadata": {}}  # noqa: TID251
        return web.json_response(body)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._answer(request, "embeddings", body, None, None, openai_chat.embeddings(body))

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            said = anthropic_messages.read(body)
            reply = self._reply(said, anthropic_messages.ID_PREFIX, anthropic_messages.CALL_PREFIX)
        except Refused as refused:
            return await self._refuse(request, "messages", body, refused)
        answer = anthropic_messages.events(reply) if said.stream else anthropic_messages.whole(reply)
        return await self._answer(request, "messages", body, said, reply, answer)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body, verb = await request.json(), request.match_info["verb"]
        try:
            if verb not in ("generateContent", "streamGenerateContent"):
                raise Refused(404, f"there is no {verb}")
            said = gemini.read(body, request.match_info["model"], stream=verb == "streamGenerateContent")
            reply = self._reply(said, gemini.ID_PREFIX, gemini.CALL_PREFIX)
        except Refused as refused:
            return await self._refuse(request, "generate_content", body, refused)
        answer = gemini.events(reply) if said.stream else gemini.whole(reply)
        return await self._answer(request, "generate_content", body, said, reply, answer)

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(envelope("", 404, f"there is no {request.method} {request.path}"), status=404)

    def _reply(self, said: Said, id_prefix: str, call_prefix: str) -> Reply:
        step = self.script.step_after(said.results) if said.offers_tools else None
        calls = step.calls if step else ()
        if self.ids is IdStyle.NONE and id_prefix != gemini.ID_PREFIX:
            raise Refused(500, "only Gemini knows calls without ids")
        ids = call_ids(self.ids, [call.tool for call in calls], said.called_before, call_prefix)
        return Reply(
            id=f"{id_prefix}{secrets.token_hex(25)}",
            model=said.model,
            created=int(time.time()),  # noqa: TID251  # a date, no duration
            text=step.text if step else self.script.answer,
            calls=[HandedOut(call_id, call.tool, call.arguments) for call_id, call in zip(ids, calls, strict=True)],
        )

    async def _refuse(self, request: web.Request, api: str, body: Json, refused: Refused) -> web.StreamResponse:
        self._hear(request, api, body, None, None)
        document = envelope(api, refused.status, refused.message, refused.code)
        return web.json_response(document, status=refused.status, headers={"x-should-retry": "false"})

    def _hear(self, request: web.Request, api: str, body: Json, said: Said | None, reply: Reply | None) -> None:
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        handed_out = [call.call_id for call in reply.calls] if reply else []
        self.journal.append(Heard(api, request.path_qs, headers, body, said, handed_out))

    async def _answer(
        self,
        request: web.Request,
        api: str,
        body: Json,
        said: Said | None,
        reply: Reply | None,
        answer: Json | Iterable[bytes],
    ) -> web.StreamResponse:
        self._hear(request, api, body, said, reply)
        behaviour = self._coming.pop(0) if self._coming else self.behaviour
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.status != 200:
            document = envelope(api, behaviour.status, "as the script has it")
            return web.json_response(document, status=behaviour.status, headers={"retry-after-ms": "1"})
        if isinstance(answer, dict):
            return await _send_whole(request, answer, behaviour)
        return await _send_events(request, answer, behaviour)


def _headers(request: web.Request, behaviour: Behaviour) -> dict[str, str]:
    name = "request-id" if request.path == "/v1/messages" else "x-request-id"
    headers = {name: f"req_{secrets.token_hex(16)}"}
    if behaviour.gzip and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    return headers


async def _send_whole(request: web.Request, answer: Json, behaviour: Behaviour) -> web.StreamResponse:
    headers = _headers(request, behaviour)
    body = json.dumps(answer, ensure_ascii=False).encode()
    if "content-encoding" in headers:
        body = zlib.compress(body, wbits=GZIP_WINDOW)
    if behaviour.cut_after is None:
        return web.Response(body=body, content_type="application/json", headers=headers)
    response = web.StreamResponse(headers={**headers, "content-type": "application/json", "content-length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    _tear(request)
    return response


async def _send_events(request: web.Request, events: Iterable[bytes], behaviour: Behaviour) -> web.StreamResponse:
    headers = _headers(request, behaviour)
    response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream", "cache-control": "no-cache"})
    await response.prepare(request)
    packer = zlib.compressobj(wbits=GZIP_WINDOW) if "content-encoding" in headers else None
    for sent, event in enumerate(events):
        if sent == behaviour.cut_after:
            _tear(request)
            return response
        if behaviour.pause_s:
            await asyncio.sleep(behaviour.pause_s)
        await response.write(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else event)
    if packer:
        await response.write(packer.flush())
    await response.write_eof()
    return response


def _tear(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


@asynccontextmanager
async def scripted_provider(
    script: Script | None = None,
    ids: IdStyle = IdStyle.RANDOM,
    behaviour: Behaviour | None = None,
) -> AsyncIterator[ScriptedProvider]:
    provider = ScriptedProvider(script, ids, behaviour)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()
