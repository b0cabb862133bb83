# SPDX-License-Identifier: Apache-2.0
"""Bad networks for tests: a wire that breaks, and a server that never answers."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cut_wire(endpoint: str, *, up: int | None = None, down: int | None = None) -> Iterator[str]:
    """Forward connections to an endpoint; break each one after so many bytes up or down.

    Yields:
        The address to connect to instead.
    """
    host, port = endpoint.split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    limits = {"up": up, "down": down}
    ended = threading.Event()

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, socket.create_connection((host, int(port))) as server, suppress(OSError):
                    _forward(client, server, limits, ended)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _forward(
    client: socket.socket, server: socket.socket, limits: dict[str, int | None], ended: threading.Event
) -> None:
    passed = {"up": 0, "down": 0}
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, (server, "up"))
        selector.register(server, selectors.EVENT_READ, (client, "down"))
        while not ended.is_set():
            for key, _ in selector.select(timeout=0.05):
                target, direction = key.data
                source = client if direction == "up" else server
                data = source.recv(1 << 16)
                passed[direction] += len(data)
                limit = limits[direction]
                if not data or (limit is not None and passed[direction] > limit):
                    return
                target.sendall(data)


@contextmanager
def silent_server() -> Iterator[str]:
    """An address where connections succeed and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def unreachable_address() -> Iterator[str]:
    """An address where attempts to connect are neither accepted nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = []
        for _ in range(4):  # the queue of the listener is full after one or two of them
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        try:
            yield f"127.0.0.1:{address[1]}"
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def not_s3() -> Iterator[str]:
    """A web server that answers every request with a page."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\nConnection: close\r\n\r\n<p>Hello</p"
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    client.recv(1 << 16)
                    client.sendall(page)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
