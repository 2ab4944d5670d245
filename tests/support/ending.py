"""Ending the servers that tests have started."""

import subprocess

_POLITE_S = 10


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a server shut down, so that it says goodbye to its clients; then reap it.

    On a busy machine Prosody 0.12.3 was once seen not to end within ten seconds.
    """
    process.terminate()
    try:
        process.wait(_POLITE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
