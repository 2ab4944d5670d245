"""Run a practice network until killed: python network_driver.py STEP.

Prints the scratch directory once that step is reached ("UP": once all are).
"""

import asyncio
import sys

from coykiosk.contract import PracticeStep
from coykiosk.practice.network import PracticeNetwork


async def _main(stop_at: str) -> None:
    network = PracticeNetwork()

    def on_step(step: PracticeStep) -> None:
        if step.name == stop_at:
            sys.stdout.write(f"{network.path}\n")
            sys.stdout.flush()

    await network.start(on_step)
    if stop_at == "UP":
        sys.stdout.write(f"{network.path}\n")
        sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
