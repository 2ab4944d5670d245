"""Data forms: every type of field by its `var`, read and written back."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from coykiosk.session.forms import (
    MAX_FIELDS,
    MAX_VALUES,
    Field,
    read_form,
    write_answer,
)

NAMESPACE = "jabber:x:data"
TYPES = (
    *("boolean", "fixed", "hidden", "jid-multi", "jid-single", "list-multi"),
    *("list-single", "text-multi", "text-private", "text-single"),
)


def x(inside: str) -> ET.Element:
    text = f"<x xmlns='{NAMESPACE}' type='form'>{inside}</x>"
    return ET.fromstring(text)  # noqa: S314 - our own words


def test_form_has_a_field_of_every_type_by_its_var() -> None:
    inside = "".join(f"<field var='v-{kind}' type='{kind}'/>" for kind in TYPES)

    form = read_form(x(inside))

    assert {var: field.type for var, field in form.fields.items()} == {
        f"v-{kind}": kind for kind in TYPES
    }


def test_field_is_read_with_all_that_belongs_to_it() -> None:
    form = read_form(
        x(
            "<field var='a' type='list-multi' label='L'><required/><desc>d</desc>"
            "<value>1</value><value/><option label='x'><value>not mine</value></option>"
            "<media xmlns='urn:xmpp:media-element'>"
            "<uri type='image/png'> cid:x </uri><uri type='audio/ogg'>y</uri></media>"
            "</field>"
        )
    )

    assert form.fields["a"] == Field(
        var="a",
        type="list-multi",
        label="L",
        values=("1", ""),
        is_required=True,
        media=(("image/png", "cid:x"), ("audio/ogg", "y")),
    )
    assert form.value("a") == "1"
    assert form.value("b") == ""


def test_field_without_a_type_or_of_an_unknown_one_is_a_line_of_text() -> None:
    form = read_form(x("<field var='a'/><field var='b' type='holo'/>"))

    assert [field.type for field in form.fields.values()] == ["text-single"] * 2


def test_form_leaves_out_what_has_no_var_or_comes_twice() -> None:
    form = read_form(
        x(
            "<field type='fixed'><value>words</value></field>"
            "<field var='a'><value>first</value></field>"
            "<field var='a'><value>second</value></field>"
        )
    )

    assert {var: field.values for var, field in form.fields.items()} == {
        "a": ("first",)
    }


def test_form_is_bounded() -> None:
    values = "<value/>" * (MAX_VALUES + 5)
    inside = "".join(f"<field var='{n}'>{values}</field>" for n in range(300))

    form = read_form(x(inside))

    assert len(form.fields) == MAX_FIELDS
    assert {len(field.values) for field in form.fields.values()} == {MAX_VALUES}


TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20
).map(lambda text: "".join(char for char in text if char not in "\ufffe\uffff"))


@given(answers=st.dictionaries(TEXT.filter(bool), st.lists(TEXT, max_size=3)))
def test_what_is_written_is_what_a_server_reads(answers: dict[str, list[str]]) -> None:
    written = ET.fromstring(write_answer(answers))  # noqa: S314 - our own words

    assert written.get("type") == "submit"
    found = {
        element.get("var"): [value.text or "" for value in element]
        for element in written
    }
    assert found == answers
