from hypothesis import given
from hypothesis import strategies as st

from coykiosk.practice.descriptors import DescriptorWatch

# As tor 0.4.9 tells it; control-spec, "HS_DESC". Names and hashes are shortened.
_BEGIN = "HS_DESC UPLOAD lk7ej UNKNOWN $E9~{relay} {descriptor} HSDIR_INDEX=AB"
_STORED = "HS_DESC UPLOADED lk7ej UNKNOWN $E9~{relay}"
_REFUSED = "HS_DESC FAILED lk7ej UNKNOWN $E9~{relay} REASON=UPLOAD_REJECTED"


def _after(*lines: str) -> bool:
    watch = DescriptorWatch()
    for line in lines:
        watch.receive(line)
    return watch.is_published


def _begin(relay: str, descriptor: str) -> str:
    return _BEGIN.format(relay=relay, descriptor=descriptor)


def _stored(relay: str) -> str:
    return _STORED.format(relay=relay)


def test_service_is_published_once_both_descriptors_are_stored() -> None:
    assert _after(
        _begin("One", "now"),
        _begin("Two", "now"),
        _begin("One", "then"),
        _stored("One"),
        _stored("Two"),
        _stored("One"),
    )


def test_service_is_not_published_while_an_upload_is_under_way() -> None:
    assert not _after(
        _begin("One", "now"),
        _begin("Two", "then"),
        _begin("Three", "then"),
        _stored("One"),
        _stored("Two"),
    )


def test_service_is_not_published_when_only_one_of_two_descriptors_went_out() -> None:
    assert not _after(
        _begin("One", "now"), _begin("Two", "now"), _stored("One"), _stored("Two")
    )


def test_service_is_published_when_one_of_many_relays_refuses() -> None:
    assert _after(
        _begin("One", "now"),
        _begin("Two", "then"),
        _begin("Three", "then"),
        _stored("One"),
        _stored("Two"),
        _REFUSED.format(relay="Three"),
    )


def test_service_is_not_published_when_all_relays_refuse() -> None:
    assert not _after(
        _begin("One", "now"),
        _begin("Two", "then"),
        _REFUSED.format(relay="One"),
        _REFUSED.format(relay="Two"),
    )


def test_service_is_not_published_before_anything_happened() -> None:
    assert not _after()


@given(st.lists(st.text(max_size=60), max_size=10))
def test_watch_takes_any_line(lines: list[str]) -> None:
    assert isinstance(_after(*lines), bool)
