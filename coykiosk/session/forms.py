"""Data forms (XEP-0004), read into values and written back.

Rule: pure; a field is known by its `var`, never by its label, which is in the
server's language and of the server's making. What is not ours to answer goes back as
it came, or stays out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from coykiosk.session.wire import DATA_FORM, quoted

__all__ = ["Field", "Form", "read_form", "write_answer"]

MAX_FIELDS: Final = 100
MAX_VALUES: Final = 50  # of one field
_FIELD: Final = "{" + DATA_FORM + "}field"
_VALUE: Final = "{" + DATA_FORM + "}value"
_REQUIRED: Final = "{" + DATA_FORM + "}required"
_MEDIA: Final = "{urn:xmpp:media-element}media"  # XEP-0221
_URI: Final = "{urn:xmpp:media-element}uri"
_TYPES: Final = frozenset(
    {
        *("boolean", "fixed", "hidden", "jid-multi", "jid-single", "list-multi"),
        *("list-single", "text-multi", "text-private", "text-single"),
    }
)  # XEP-0004, section 3.3


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form."""

    var: str
    type: str
    """One of XEP-0004's; what is missing or unknown is text-single."""
    label: str
    """The server's words."""
    values: tuple[str, ...]
    """What it holds already."""
    is_required: bool
    media: tuple[tuple[str, str], ...] = ()
    """Type and address of what is to be shown with it (XEP-0221)."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form to be filled in."""

    fields: Mapping[str, Field]
    """By `var`, in order; of two with the same the first counts."""

    def value(self, var: str) -> str:
        """Return the first value a field holds, or ""."""
        field = self.fields.get(var)
        return field.values[0] if field is not None and field.values else ""


def read_form(x: ET.Element) -> Form:
    """Read `<x xmlns='jabber:x:data' type='form'/>`; what is too much is left out."""
    fields: dict[str, Field] = {}
    for element in x.findall(_FIELD)[:MAX_FIELDS]:
        field = _read_field(element)
        if field.var:
            fields.setdefault(field.var, field)
    return Form(fields)


def _read_field(element: ET.Element) -> Field:
    kind = element.get("type", "")
    media = element.find(_MEDIA)
    # One that names nothing is there all the same: it says that something is shown.
    uris = [] if media is None else media.findall(_URI) or [media]
    return Field(
        var=element.get("var", ""),
        type=kind if kind in _TYPES else "text-single",
        label=element.get("label", ""),
        values=tuple(
            value.text or "" for value in element.findall(_VALUE)[:MAX_VALUES]
        ),
        is_required=element.find(_REQUIRED) is not None,
        media=tuple((uri.get("type", ""), (uri.text or "").strip()) for uri in uris),
    )


def write_answer(answers: Mapping[str, Sequence[str]]) -> str:
    """Write `<x type='submit'/>` with these values, by `var`, in this order."""
    written = "".join(
        f"<field var='{quoted(var)}'>"
        + "".join(f"<value>{quoted(value)}</value>" for value in values)
        + "</field>"
        for var, values in answers.items()
    )
    return f"<x xmlns='{DATA_FORM}' type='submit'>{written}</x>"
