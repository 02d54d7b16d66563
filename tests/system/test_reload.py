"""A config that changes while the proxy runs: nothing is dropped, and what is wrong changes nothing."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import OK, WAIT_S, Upstream, answering, connection, field, one_route, request, say, status, upstream
from proxy_process import ProxyProcess, running_file

ADMIN = "admin: {listen: 127.0.0.1:0}"
NEW = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def renamed_over(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def config_map(path: Path, text: str) -> None:
    """As Kubernetes does it: the file is a link into ..data, which is a link to a folder, and that link is swapped."""
    folder = path.parent / f"..{len(list(path.parent.iterdir()))}"
    folder.mkdir()
    (folder / path.name).write_text(text)
    link = path.parent / "..data_new"
    link.symlink_to(folder.name)
    link.rename(path.parent / "..data")


def config_map_at(path: Path, text: str) -> None:
    config_map(path, text)
    path.symlink_to(Path("..data") / path.name)


async def served(running: ProxyProcess) -> bytes:
    return (await say(running.port, request()))[-3:]


@pytest.mark.parametrize(
    ("first", "change"), [(in_place, in_place), (in_place, renamed_over), (config_map_at, config_map)], ids=lambda f: f.__name__
)
async def test_a_changed_file_is_in_force(
    tmp_path: Path, first: Callable[[Path, str], None], change: Callable[[Path, str], None]
) -> None:
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as old, upstream(answering(NEW)) as new:
        first(path, one_route(old.url))
        async with running_file(path) as running:
            assert await served(running) == b"\nok"
            for endpoint, answer in ((new, b"new"), (old, b"\nok"), (new, b"new")):
                change(path, one_route(endpoint.url))
                await running.event("reloaded")
                assert await served(running) == answer


async def test_a_file_mounted_alone_is_seen_though_its_folder_tells_nothing(tmp_path: Path) -> None:
    """A change by another name of the same file, as with a bind mount of a single file."""
    path, elsewhere = tmp_path / "a" / "proxy.yaml", tmp_path / "b" / "proxy.yaml"
    for place in (path, elsewhere):
        place.parent.mkdir()
    async with upstream(answering(OK)) as old, upstream(answering(NEW)) as new:
        elsewhere.write_text(one_route(old.url))
        os.link(elsewhere, path)
        async with running_file(path) as running:
            elsewhere.write_text(one_route(new.url))
            await running.event("reloaded")
            assert await served(running) == b"new"


async def test_streams_and_kept_connections_live_on(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")

    path = tmp_path / "proxy.yaml"
    async with upstream(handle) as old, upstream(answering(NEW)) as new:
        path.write_text(one_route(old.url))
        async with running_file(path) as running, connection(running.port) as streamed, connection(running.port) as kept:
            streamed[1].write(request(close=False))
            await streamed[0].readuntil(b"first\r\n")
            path.write_text(one_route(new.url))
            await running.event("reloaded")
            for _ in range(2):
                kept[1].write(request(close=False))
                assert (await kept[0].readuntil(b"new")).startswith(b"HTTP/1.1 200")
            go_on.set()
            async with asyncio.timeout(WAIT_S):
                await streamed[0].readuntil(b"0\r\n\r\n")
                # The same connection, and now the new table.
                streamed[1].write(request(close=False))
                assert (await streamed[0].readuntil(b"new")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("broken", ["routes: [", "version: 2\n", "{listen}", "gone"])
async def test_what_is_wrong_changes_nothing(broken: str, tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as endpoint:
        config = one_route(endpoint.url, top=ADMIN)
        path.write_text(config)
        async with running_file(path) as running:
            if broken == "gone":
                path.unlink()
            else:
                path.write_text(config.replace("127.0.0.1:0", "127.0.0.1:1", 1) if broken == "{listen}" else broken)
            told = await running.event("reload_failed")
            _, shown = await running.ask("/api/status")
            assert status(await say(running.port, request())) == 200
            code, answer = await running.ask("/api/reload", "POST")
            path.write_text(config.replace("only", "other"))
            await running.event("reloaded")
            _, mended = await running.ask("/api/status")
    assert str(path) in told["problems"][0]
    assert shown["last_reload"]["error"] == "\n".join(told["problems"])
    assert code == 422
    assert answer["error"]["problems"] == told["problems"]
    assert mended["last_reload"]["error"] is None
    assert mended["reloads"]["succeeded"] == 1


async def test_a_hangup_and_the_api_reload_too(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as endpoint:
        path.write_text(one_route(endpoint.url, top=ADMIN))
        async with running_file(path) as running:
            running.send(signal.SIGHUP)
            assert "in force already" in (await running.event("reloaded"))["message"]
            assert (await running.ask("/api/reload", "POST"))[1]["changed"] is False


async def test_who_is_trusted_may_change_on_an_open_connection(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    sent = request("GET / HTTP/1.1", "x-traffic-color: blue", close=False)
    async with upstream(answering(OK)) as endpoint:
        path.write_text(one_route(endpoint.url, top="trust: [loopback]"))
        async with running_file(path) as running, connection(running.port) as (reader, writer):
            writer.write(sent)
            await reader.readuntil(b"\r\n\r\nok")
            path.write_text(one_route(endpoint.url, top="trust: [10.9.0.0/16]"))
            await running.event("reloaded")
            writer.write(sent)
            await reader.readuntil(b"\r\n\r\nok")
    assert [field(head, "x-traffic-color") for head in endpoint.heard] == [b"blue", None]


async def test_the_number_of_workers_changes_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as endpoint:
        path.write_text(one_route(endpoint.url, top=ADMIN))
        async with running_file(path) as running:
            for count in (3, 1, 2):
                path.write_text(one_route(endpoint.url, top=ADMIN, listener=f"workers: {count}"))
                await running.event("reloaded")
                answers = await asyncio.gather(*(say(running.port, request()) for _ in range(20)))
                assert {status(answer) for answer in answers} == {200}
                async with asyncio.timeout(WAIT_S):
                    while (await running.ask("/readyz"))[1]["workers"] != {"wanted": count, "ready": count}:  # noqa: ASYNC110
                        await asyncio.sleep(0.02)


async def test_weights_that_were_set_stay_while_the_lanes_of_the_file_do(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    lanes = one_route("http://127.0.0.1:1", top=ADMIN).replace("name: only, pool", "name: a, weight: 9, pool")
    lanes = lanes.replace("}]\n", "}, {name: b, weight: 1, pool: only}]\n", 1)

    async def weights(running: ProxyProcess) -> tuple[list[float], bool]:
        _, (route,) = await running.ask("/api/routes")
        return [lane["weight"] for lane in route["lanes"]], route["overridden"]

    path.write_text(lanes)
    async with running_file(path) as running:
        assert await weights(running) == ([9, 1], False)
        assert (await running.ask("/api/routes/all/weights", "PUT", {"a": 50, "b": 50}))[0] == 200
        assert await weights(running) == ([50, 50], True)
        await running.ask("/api/reload", "POST")
        assert await weights(running) == ([50, 50], True)
        path.write_text(lanes + "\ntrust: [all]\n")
        await running.event("reloaded")
        assert await weights(running) == ([50, 50], True)
        path.write_text(lanes.replace("weight: 9", "weight: 8"))
        await running.event("reloaded")
        assert await weights(running) == ([8, 1], False)


async def test_the_error_is_gone_when_the_good_file_is_back(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    config = one_route("http://127.0.0.1:1", top=ADMIN)
    path.write_text(config)
    async with running_file(path) as running:
        path.write_text(config + "junk: [")
        await running.event("reload_failed")
        path.write_text(config)
        async with asyncio.timeout(WAIT_S):
            while (await running.ask("/api/status"))[1]["last_reload"]["error"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_retired_worker_is_not_counted_and_ends_when_told(tmp_path: Path) -> None:
    """One with a connection that its client keeps open for ever."""
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as endpoint:
        path.write_text(one_route(endpoint.url, top=ADMIN, listener="workers: 2, drain: 1h"))
        async with running_file(path) as running:
            clients = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(8)]
            for reader, writer in clients:
                writer.write(request(close=False))
                await reader.readuntil(b"\r\n\r\nok")
            path.write_text(one_route(endpoint.url, top=ADMIN, listener="workers: 1, drain: 1h"))
            await running.event("reloaded")
            async with asyncio.timeout(WAIT_S):
                while (await running.ask("/readyz"))[1]["workers"] != {"wanted": 1, "ready": 1}:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            running.send(signal.SIGTERM)
            # Idle connections end after a second; nobody has to be killed.
            assert await running.exit_code() == 0
            for _, writer in clients:
                writer.close()
