"""From received bytes to elements, one stanza at a time.

Rule: pure; every byte passes `xmlguard` before a parser sees it.
"""

from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.session.xmlguard import Limits, PieceKind, XmlGuard, XmlRefusedError

__all__ = ["XmlReader"]

_STREAM: Final = "{http://etherx.jabber.org/streams}stream"  # RFC 6120, 4.8.1


@final
class XmlReader:
    """One direction of one XML stream, as elements; the guard stands in front.

    Pull style, so that a stream changes hands between any two stanzas: whoever
    holds the reader holds all that was received and not yet used.
    """

    def __init__(self, limits: Limits) -> None:
        self._guard = XmlGuard(limits)
        self._parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start",))
        self.head: ET.Element | None = None
        """The stream element, once its start tag has come."""
        self.is_ended = False
        """Whether the other end has closed the stream."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that was received and not yet taken."""
        return self._guard.is_empty

    def feed(self, data: bytes) -> None:
        """Take received bytes, cut anywhere."""
        self._guard.feed(data)

    def set_limits(self, limits: Limits) -> None:
        """Weigh what has not been taken yet by other limits."""
        self._guard.set_limits(limits)

    def next_stanza(self) -> ET.Element | None:
        """Return the next complete stanza; None when more bytes are needed.

        Raises:
            XmlRefusedError: the stream must end; the reader is of no more use.
        """
        while (piece := self._guard.next_piece()) is not None:
            match piece.kind:
                case PieceKind.HEAD:
                    self._parse_head(piece.data)
                case PieceKind.STANZA:
                    return self._parse_stanza(piece.data)
                case PieceKind.END:
                    self.is_ended = True
        return None

    def _parse_head(self, data: bytes) -> None:
        begun = self._parse(data)
        if len(begun) != 1 or begun[0].tag != _STREAM:
            msg = "not an XMPP stream"
            raise XmlRefusedError(msg)
        self.head = begun[0]

    def _parse_stanza(self, data: bytes) -> ET.Element:
        self._parse(data)
        if self.head is None or len(self.head) != 1:
            msg = "not well-formed"
            raise XmlRefusedError(msg)
        stanza = self.head[0]
        del self.head[:]  # or the stream element would grow without end
        return stanza

    def _parse(self, data: bytes) -> list[ET.Element]:
        """Return the elements that `data` begins."""
        self._parser.feed(data)
        try:
            events = list(self._parser.read_events())
        except ET.ParseError as exc:
            msg = "not well-formed"
            raise XmlRefusedError(msg) from exc
        parts = (part for event in events for part in event)
        return [part for part in parts if isinstance(part, ET.Element)]
