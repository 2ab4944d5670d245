"""The engine target: a program is played in a prepared world.

Rule: whatever comes out of `run` is a finding: a broken promise, or an error that
nothing should raise. The same input does the same in every run.
"""

from typing import Final

from tests.fuzz.arithmetic import Remembered
from tests.fuzz.moves import move
from tests.fuzz.play import Play
from tests.fuzz.program import Program
from tests.fuzz.worlds import Worlds

_ENOUGH: Final = 200
"""Messages in one program; more would only take time from others."""


class EngineTarget:
    """Plays one program after the other."""

    def __init__(self) -> None:
        self._arithmetic = Remembered()
        with self._arithmetic.in_use():
            self._worlds = Worlds()

    def run(self, data: bytes) -> None:
        """Play an input.

        Raises:
            Broken: a promise of the engine does not hold.
        """
        program = Program.read(data)
        with self._arithmetic.in_use():
            play = Play(self._worlds.copy(program.world))
            for step in program.steps:
                if play.n_delivered < _ENOUGH:
                    move(play, step)
            play.finish(program.ending)
