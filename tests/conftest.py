"""What tests of more than one room use."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.support.practice_network import SharedPracticeNetwork


def pytest_configure() -> None:
    # Run in the background or by nohup, we have signals ignored, and so would all that
    # tests start: a shell cannot even trap them. A handler is not inherited.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Go on, as whoever started us wanted."""


@pytest.fixture(scope="session")
def practice_network() -> Iterator[SharedPracticeNetwork]:
    """The one practice network of this test run; about eight seconds the first time.

    Tests make accounts with names of their own and leave everything else alone.
    """
    with SharedPracticeNetwork() as network:
        yield network
