"""The worlds that inputs start in: prepared once, copied for each.

Rule: a world is copied whole, so that no input leaves anything for the next; and
they are made by the same `Play` that inputs are, under the same checks.
"""

import io
import pickle  # copies of our own objects, which never leave the process
from collections.abc import Callable
from typing import Final

from coykiosk.otr import Instances, PrivateKey
from tests.fuzz.arithmetic import Draws, another_key, sign_repeatably
from tests.fuzz.play import SECRET, Play
from tests.fuzz.scene import NAMES, Scene
from tests.otr.wiring import TAGS, recorded_key

_OTHER_TAG: Final = 0x1234
_FRAGMENT_CHARS: Final = 400


class Worlds:
    """The prepared worlds, each ready to be copied."""

    def __init__(self) -> None:
        alice, bob = recorded_key("alice"), recorded_key("bob")
        keys = (alice, bob, another_key(bob, b"mallory"))
        self._keys = dict(zip(NAMES, map(sign_repeatably, keys), strict=True))
        self._pickled = [self._freeze(make(self)) for make in _WORLDS]

    def copy(self, number: int) -> Scene:
        """Return a world of its own to play in."""
        pickled = io.BytesIO(self._pickled[number % len(self._pickled)])
        scene = _Unpickler(pickled, self._keys).load()
        assert isinstance(scene, Scene)
        return scene

    def make(self, *, max_message_chars: int | None, mallory_tag: int) -> Scene:
        """Make a world in which nothing has been said."""
        tags = {**TAGS, "mallory": mallory_tag}
        ends = {
            name: Instances(
                self._keys[name],
                tags[name],
                Draws(name),
                max_message_chars=max_message_chars,
            )
            for name in NAMES
        }
        prints = {name: key.fingerprint for name, key in self._keys.items()}
        return Scene(ends, tags, prints)

    def _freeze(self, scene: Scene) -> bytes:
        pickled = io.BytesIO()
        _Pickler(pickled, self._keys).dump(scene)
        return pickled.getvalue()


class _Pickler(pickle.Pickler):
    """Leaves out the long-term keys, which never change."""

    def __init__(self, file: io.BytesIO, keys: dict[str, PrivateKey]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._names = {id(key): name for name, key in keys.items()}

    def persistent_id(self, value: object) -> str | None:
        return self._names.get(id(value)) if isinstance(value, PrivateKey) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, keys: dict[str, PrivateKey]) -> None:
        super().__init__(file)
        self._keys = keys

    def persistent_load(self, name: str) -> PrivateKey:
        return self._keys[name]


def _say(play: Play, name: str, text: str) -> None:
    play.act(name, lambda end, now: end.send(text, now), text=text)
    play.converse()


def _strange(worlds: Worlds) -> Scene:
    """Nothing has been said; Mallory goes by Bob's tag."""
    return worlds.make(max_message_chars=None, mallory_tag=TAGS["bob"])


def _agreed(worlds: Worlds) -> Scene:
    """A session, just agreed; Mallory goes by Bob's tag."""
    play = Play(_strange(worlds))
    play.act("alice", Instances.ask)
    play.converse()
    return play.scene


def _in_fragments(worlds: Worlds) -> Scene:
    """A session whose messages travel in pieces; Mallory has a tag of her own."""
    scene = worlds.make(max_message_chars=_FRAGMENT_CHARS, mallory_tag=_OTHER_TAG)
    play = Play(scene)
    play.act("bob", Instances.ask)
    play.converse()
    return scene


def _rotated(worlds: Worlds) -> Scene:
    """A session in which both have said something, and keys were dropped."""
    play = Play(_agreed(worlds))
    for turn in range(3):
        _say(play, "bob", f"from Bob {turn}")
        _say(play, "alice", f"from Alice {turn}")
    return play.scene


def _asked(worlds: Worlds) -> Scene:
    """A session in which Bob has asked for a comparison of secrets."""
    play = Play(_rotated(worlds))
    play.act(
        "bob",
        lambda end, now: end.smp_start(SECRET, now, question="Where?"),
        secret=SECRET,
    )
    play.converse()
    return play.scene


def _asking(worlds: Worlds) -> Scene:
    """A session in which Alice's first word of a comparison is on the wire."""
    play = Play(_agreed(worlds))
    play.act("alice", lambda end, now: end.smp_start(SECRET, now), secret=SECRET)
    return play.scene


_WORLDS: Final[tuple[Callable[[Worlds], Scene], ...]] = (
    _agreed,
    _rotated,
    _in_fragments,
    _strange,
    _asked,
    _asking,
)
