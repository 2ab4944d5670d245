"""What comes beside the texts of a chat, and what the screen cannot offer yet.

Rule: pure; who asks does not wait for an answer that cannot come.
"""

from typing import assert_never

from coykiosk import otr

__all__ = ["Record", "decline"]

Record = otr.SmpAsked | otr.SmpAnswered | otr.SmpEnded | otr.ExtraKey


def decline(record: Record, instances: otr.Instances, now: float) -> list[otr.Output]:
    """Return what to say to it.

    Args:
        record: What came.
        instances: The contact's devices.
        now: Monotonic seconds.
    """
    match record:
        case otr.SmpAsked(instance_tag=tag):
            return instances.smp_abort(now, instance_tag=tag)
        case otr.SmpAnswered() | otr.SmpEnded() | otr.ExtraKey():
            return []  # Nothing of ours has begun it, so nothing hangs on it.
        case _ as unreachable:
            assert_never(unreachable)
