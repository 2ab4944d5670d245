"""What tests of more than one room use."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.practice_network import SharedPracticeNetwork


def pytest_configure() -> None:
    # Whoever runs us in the background may have SIGINT ignored, and so would then
    # all that tests start: a shell cannot even trap it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def practice_network() -> Iterator[SharedPracticeNetwork]:
    """The one practice network of this test run; about eight seconds the first time.

    Tests make accounts with names of their own and leave everything else alone.
    """
    with SharedPracticeNetwork() as network:
        yield network
