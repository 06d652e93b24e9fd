"""Methods written once as flows: blocking on a `Client`, awaitable on an `AsyncClient`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from hansard.client.effect import Emission, Flow
from hansard.client.sender import AsyncSender, SyncSender
from hansard.client.session import Session

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=SyncSender | AsyncSender)


class Bound(Generic[S]):
    """Has operations: a session, and the sender that carries out what they ask."""

    def __init__(self, session: Session, sender: S) -> None:
        self._session = session
        self._sender = sender


class operation(Generic[P, R]):  # noqa: N801 - a decorator
    """Offers a flow as a method that answers one result."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[R]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__
        self.__wrapped__ = flow

    @overload
    def __get__(self, instance: None, owner: type) -> "operation[P, R]": ...
    @overload
    def __get__(self, instance: Bound[SyncSender], owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: Bound[AsyncSender], owner: type) -> Callable[P, Awaitable[R]]: ...
    def __get__(self, instance: Bound[Any] | None, owner: type) -> Any:
        if instance is None:
            return self
        return lambda *args, **kwargs: instance._sender.run(self.flow(instance, *args, **kwargs))


class iteration(Generic[P, R]):  # noqa: N801 - a decorator
    """Offers an emission as a method that answers an iterator, asynchronous or not."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Emission[R]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__
        self.__wrapped__ = flow

    @overload
    def __get__(self, instance: None, owner: type) -> "iteration[P, R]": ...
    @overload
    def __get__(self, instance: Bound[SyncSender], owner: type) -> Callable[P, Iterator[R]]: ...
    @overload
    def __get__(
        self, instance: Bound[AsyncSender], owner: type
    ) -> Callable[P, AsyncIterator[R]]: ...
    def __get__(self, instance: Bound[Any] | None, owner: type) -> Any:
        if instance is None:
            return self
        return lambda *args, **kwargs: instance._sender.iterate(
            self.flow(instance, *args, **kwargs)
        )
