"""Streams: what the official client makes of them, and how they travel."""

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI, LengthFinishReasonError, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tracer_proxy.mocks import llm

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Où est la lune? 月はどこ"}]
BODY = {"model": "m", "messages": QUESTION, "stream": True}


async def test_the_parts_of_a_stream_are_the_whole_answer(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="m", messages=QUESTION)
    stream = await client.chat.completions.create(
        model="m", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text == whole.choices[0].message.content
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {(whole.id, whole.created, whole.model)}
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]] == [None, "stop"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len(chunks) > 10
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)


async def test_usage_is_sent_only_if_asked_for(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    assert [chunk.usage async for chunk in stream if chunk.usage is not None or not chunk.choices] == []


async def test_the_sync_client_reads_the_same_chunks(client: AsyncOpenAI, sync_client: OpenAI) -> None:
    def read() -> list[Any]:
        return list(sync_client.chat.completions.create(model="m", messages=QUESTION, stream=True))

    stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    assert [chunk async for chunk in stream] == await asyncio.to_thread(read)


async def test_the_streaming_helper_ends_with_the_whole_answer(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="m", messages=QUESTION, n=2)
    async with client.chat.completions.stream(
        model="m", messages=QUESTION, n=2, stream_options={"include_usage": True}
    ) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert kinds.count("content.done") == 2
    assert [choice.message.content for choice in final.choices] == [choice.message.content for choice in whole.choices]
    assert final.usage == whole.usage


async def test_the_streaming_helper_sees_that_an_answer_broke_off(sync_client: OpenAI) -> None:
    def read() -> None:
        with sync_client.chat.completions.stream(model="m", messages=QUESTION, max_tokens=3) as stream:
            stream.get_final_completion()

    with pytest.raises(LengthFinishReasonError):
        await asyncio.to_thread(read)


async def test_events_are_framed_as_the_provider_frames_them(http: ClientSession) -> None:
    async with http.post("/v1/chat/completions", json=BODY) as response:
        assert response.content_type == "text/event-stream"
        assert "content-length" not in response.headers
        assert response.headers["x-request-id"].startswith("req_")
        *events, after = (await response.read()).split(b"\n\n")
    assert after == b""
    assert events[-1] == b"data: [DONE]"
    assert all(event.startswith(b'data: {"id"') and b"\n" not in event for event in events[:-1])


async def test_every_event_is_a_write_of_its_own(http: ClientSession) -> None:
    """An HTTP chunk holds one event, so that a reader behind a proxy sees them one by one."""
    async with http.post("/v1/chat/completions", json=BODY) as response:
        chunks = [chunk async for chunk, ends in response.content.iter_chunks() if ends]
    assert {chunk.count(b"\n\n") for chunk in chunks if chunk} == {1}


async def test_a_paced_stream_starts_before_it_has_ended() -> None:
    """The pause is far longer than the test may take, so the first event can only have come without waiting for the rest."""
    running = await llm.serve("127.0.0.1:0", llm.Settings(token_interval_s=3600.0))
    async with (
        ClientSession() as session,
        session.post(f"http://{running.address}/v1/chat/completions", json=BODY) as response,
    ):
        assert (await response.content.readuntil(b"\n\n")).startswith(b"data: {")
    await running.stop()


async def test_a_client_that_hangs_up_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the log nor as an exception nobody has caught; and the mock goes on serving."""
    loop_errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    running = await llm.serve("127.0.0.1:0", llm.Settings(token_interval_s=0.001))
    url = f"http://{running.address}/v1/chat/completions"
    async with ClientSession() as session:
        for _ in range(5):
            async with session.post(url, json={**BODY, "n": 20}) as response:
                await response.content.readuntil(b"\n\n")
                response.close()
        async with session.post(url, json=BODY) as response:
            assert (await response.read()).endswith(b"data: [DONE]\n\n")
    await running.stop()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert loop_errors == []


async def test_a_client_that_hangs_up_while_sending_makes_no_noise(
    mock: llm.RunningMock, caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = mock.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"
    writer.write(head + b'{"model"')
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await mock.stop()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
