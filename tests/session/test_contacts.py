"""Whom the person knows: what was met, what the server lists, and what is forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from coykiosk.contract import ContactsChanged, Jid
from coykiosk.session.contacts import MAX_LISTED, Contacts
from coykiosk.session.inbound import RosterItem, RosterReceived

ME = Jid("me", "a.example")
ANN, BOB, EVE = (Jid(name, "b.example") for name in ("ann", "bob", "eve"))


def listed(*contacts: Jid, subscription: str = "both") -> RosterReceived:
    items = tuple(RosterItem(jid, "", subscription) for jid in contacts)
    return RosterReceived(items, is_push=False)


def pushed(contact: Jid, subscription: str = "both") -> RosterReceived:
    return RosterReceived((RosterItem(contact, "", subscription),), is_push=True)


def told(
    contacts: Contacts, known: tuple[Jid, ...] = (), blocked: tuple[Jid, ...] = ()
) -> tuple[tuple[Jid, ...], tuple[Jid, ...]] | None:
    events = contacts.show([str(jid) for jid in known], [str(jid) for jid in blocked])
    return (events[0].known, events[0].listed) if events else None


def test_nobody_is_told_of_while_nobody_is_known() -> None:
    assert told(Contacts(ME)) is None


def test_known_and_listed_are_told_apart_and_in_order() -> None:
    contacts = Contacts(ME)
    contacts.receive(listed(EVE, BOB, ANN))

    assert told(contacts, known=(BOB,)) == ((BOB,), (ANN, EVE))


def test_the_same_is_told_once() -> None:
    contacts = Contacts(ME)

    assert contacts.show([str(BOB)], ()) == [ContactsChanged(ME, (BOB,), ())]
    assert contacts.show([str(BOB)], ()) == []


def test_blocked_are_not_shown() -> None:
    contacts = Contacts(ME)
    contacts.receive(listed(ANN, EVE))

    assert told(contacts, known=(BOB,), blocked=(BOB, EVE)) == ((), (ANN,))


def test_push_adds_and_removes() -> None:
    contacts = Contacts(ME)
    contacts.receive(listed(ANN))

    contacts.receive(pushed(BOB))
    assert told(contacts) == ((), (ANN, BOB))
    contacts.receive(pushed(ANN, "remove"))
    assert told(contacts) == ((), (BOB,))


def test_new_list_replaces_the_old_one() -> None:
    contacts = Contacts(ME)
    contacts.receive(listed(ANN, BOB))

    contacts.receive(listed(EVE))

    assert told(contacts) == ((), (EVE,))


def test_servers_and_oneself_are_no_contacts() -> None:
    contacts = Contacts(ME)

    contacts.receive(
        listed(ME, Jid("", "gateway.example"), Jid("me", "a.example", "x"))
    )

    assert told(contacts) is None


def test_flood_of_pushes_is_bounded() -> None:
    contacts = Contacts(ME)

    for n in range(MAX_LISTED + 100):
        contacts.receive(pushed(Jid(f"bot{n}", "b.example")))

    shown = told(contacts)
    assert shown is not None
    assert len(shown[1]) == MAX_LISTED


@given(st.lists(st.tuples(st.sampled_from([ANN, BOB, EVE]), st.booleans())))
def test_list_after_pushes_is_what_was_added_last(
    changes: list[tuple[Jid, bool]],
) -> None:
    contacts = Contacts(ME)

    for contact, is_there in changes:
        contacts.receive(pushed(contact, "both" if is_there else "remove"))

    there = {jid for jid, is_there in dict(changes).items() if is_there}
    assert (told(contacts) or ((), ()))[1] == tuple(sorted(there, key=str))
