"""Bridges: what the person chose, handed to tor and kept in the vault.

Rule: what was chosen in this session counts before what the vault holds. Nothing
here reads a line; `ports.Tor` says what it can use.
"""

from coykiosk.contract import BridgesSet
from coykiosk.session.keeping import Keeping
from coykiosk.session.world import World

__all__ = ["Detour"]


class Detour:
    """The one place that decides through which bridges tor goes.

    Args:
        keeping: Holds the profile they are kept in.
        world: The doors.
    """

    def __init__(self, keeping: Keeping, world: World) -> None:
        self._keeping = keeping
        self._world = world
        self._is_chosen = False
        """The person chose in this session, be it that there are to be none."""

    async def choose(self, text: str) -> None:
        """Use these bridges from now on, and keep them where the account is kept.

        Raises:
            UserError: one of the BRIDGE codes; then nothing has changed.
        """
        lines = self._world.tor.check_bridges(text)
        self._is_chosen = True
        self._keeping.profile.bridges = lines
        self._keeping.save_soon()
        self._world.publish(BridgesSet(lines))
        await self._world.tor.use_bridges(lines)

    def before_unlock(self) -> tuple[str, ...] | None:
        """Return what was chosen, None for nothing; the profile is about to change."""
        return self._keeping.profile.bridges if self._is_chosen else None

    async def after_unlock(self, chosen: tuple[str, ...] | None) -> None:
        """Go the way that the vault knows, unless another one was chosen."""
        profile = self._keeping.profile
        if chosen is not None and chosen != profile.bridges:
            profile.bridges = chosen
            self._keeping.save_soon()
        if profile.bridges:
            self._world.publish(BridgesSet(profile.bridges))
        await self._world.tor.use_bridges(profile.bridges)
