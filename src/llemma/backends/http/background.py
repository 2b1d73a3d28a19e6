"""An event loop in a thread of its own: requests go on while the caller judges, and end when the caller ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from queue import SimpleQueue
from typing import TypeVar

import msgspec

T = TypeVar("T")
_JOIN_SECONDS = 2.0


class _End(msgspec.Struct, frozen=True):
    error: BaseException | None = None


def background(start: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
    """The items of `start()`, as they come; its exceptions, too.

    A caller that leaves early (an exception, Ctrl-C, `close`) cancels what is in flight. The thread is a daemon, so
    that whatever it does keeps no process alive; the loop is not the caller's, who may have one (a notebook).
    """
    ready: SimpleQueue[T | _End] = SimpleQueue()
    loop = asyncio.new_event_loop()

    async def pump() -> None:
        async with aclosing(start()) as items:
            async for item in items:
                ready.put(item)

    def work() -> None:
        end = _End()
        try:
            loop.run_until_complete(task)
        except BaseException as error:
            end = _End(error)
        finally:
            loop.close()
            ready.put(end)

    task = loop.create_task(pump())
    thread = threading.Thread(target=work, name="llemma-http", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        with suppress(RuntimeError):  # the loop is closed when it has come to its end
            loop.call_soon_threadsafe(task.cancel)
        thread.join(_JOIN_SECONDS)
