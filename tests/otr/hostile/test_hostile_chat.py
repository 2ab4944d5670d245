"""What a chat makes of a hostile engine at the other end: alarms, places, and text."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from coykiosk.contract import (
    ChatChanged,
    ChatPhase,
    Jid,
    MessageReceived,
    Protection,
)
from coykiosk.otr import Instances, PrivateKey
from coykiosk.otr.wire import Tlv
from coykiosk.session.conversation import Conversation, Effect, SendOtr
from coykiosk.session.inbound import MessageIn
from coykiosk.session.stanzas import StanzaBase, chat_message, read_message
from coykiosk.ui_urwid.untrusted import Kind, clean
from tests.otr.hostile.forging import ForgedBob
from tests.otr.hostile.forging_smp import Mallory, record
from tests.otr.wiring import TAGS, Pair, injected, recorded_key, redrawable, text_of
from tests.support.chance import seeded

ALICE = Jid("alice", "a.example")
BOB = Jid("bob", "b.example", "desk")
ELSEWHERE = Jid("bob", "b.example", "elsewhere")
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
BOB_FP = recorded_key("bob").fingerprint


class Chat:
    """Alice's chat with Bob, whose end of OTR the test has in its hands."""

    def __init__(self, *, known: tuple[bytes, ...] = ()) -> None:
        self.pair = Pair()
        self.now = 0.0
        self.conversation = Conversation(
            BOB.bare,
            account=ALICE.bare,
            instances=self.pair.alice,
            known_keys=known,
            random_bytes=seeded(1),
        )
        self.effects: list[Effect] = []
        self.sent: list[SendOtr] = []
        self.take(self.conversation.went_online(0, ask_at=float("inf")))

    def take(self, effects: list[Effect]) -> list[SendOtr]:
        """Keep what the person sees apart from what goes out; returns the latter."""
        sent = [effect for effect in effects if isinstance(effect, SendOtr)]
        self.sent += sent
        self.effects += [each for each in effects if not isinstance(each, SendOtr)]
        return sent

    def receive(self, body: str, sender: Jid = BOB) -> list[SendOtr]:
        return self.take(self.conversation.receive(sender, body, self.now, NOON))

    def say(self, text: str) -> list[SendOtr]:
        return self.take(self.conversation.send(text, self.now, NOON))

    def agree(self, bob: Instances | None = None, sender: Jid = BOB) -> None:
        """Run an exchange that this device of Bob begins."""
        other = bob or self.pair.bob
        texts = injected(other.receive("?OTRv3?", self.now))
        while texts:
            answers = [sent for text in texts for sent in self.receive(text, sender)]
            texts = [
                text
                for answer in answers
                for text in injected(other.receive(answer.body, self.now))
            ]

    @property
    def shown(self) -> ChatChanged:
        return [each for each in self.effects if isinstance(each, ChatChanged)][-1]

    @property
    def read(self) -> list[MessageReceived]:
        return [each for each in self.effects if isinstance(each, MessageReceived)]


def encrypted_chat() -> Chat:
    chat = Chat()
    chat.agree()
    assert chat.shown.phase is ChatPhase.ENCRYPTED
    assert chat.shown.protection is Protection.PRIVATE
    return chat


def take_over(chat: Chat, key: PrivateKey) -> list[SendOtr]:
    """Agree another key under Bob's own tag, in the middle of his session."""
    bob = ForgedBob(chat.pair.alice)
    (answer,) = chat.receive(text_of(bob.commit))
    bob.send_commit()  # the same one: Alice answers with the same key
    assert answer.body.startswith("?OTR:AAMK")
    return chat.receive(text_of(bob.reveal_sig(key=key)))


# --- keys ---------------------------------------------------------------------------


@pytest.mark.hostile("G15")
def test_key_that_takes_the_place_of_another_alarms_and_gets_no_text() -> None:
    chat = encrypted_chat()
    stranger = PrivateKey.generate()

    take_over(chat, stranger)
    sent = chat.say("for Bob only")

    assert sent == []
    assert chat.shown.protection is Protection.STOP
    assert chat.shown.key_is_new
    assert chat.shown.their_fingerprint == stranger.fingerprint


@pytest.mark.hostile("G15", "G28")
def test_known_key_that_takes_the_place_of_another_alarms_too() -> None:
    """No program changes its key within a chat, not even to one met years ago."""
    old = PrivateKey.generate()
    chat = Chat(known=(BOB_FP, old.fingerprint))
    chat.agree()

    take_over(chat, old)
    sent = chat.say("for Bob only")

    assert sent == []
    assert chat.shown.protection is Protection.STOP


@pytest.mark.hostile("G28")
def test_text_that_waits_for_one_key_never_goes_to_another() -> None:
    chat = encrypted_chat()
    chat.take(chat.conversation.went_offline())
    chat.say("typed while Bob's key was shown")
    stranger = PrivateKey.generate()
    bob = ForgedBob(chat.pair.alice)
    bob.send_commit()
    chat.receive(text_of(bob.reveal_sig(key=stranger)))

    sent = chat.take(chat.conversation.went_online(1, ask_at=float("inf")))

    assert [each for each in sent if each.body.startswith("?OTR:AAMD")] == []


@pytest.mark.hostile("G38")
@pytest.mark.parametrize(
    "known",
    [BOB_FP[:4], BOB_FP[:19], BOB_FP[:19] + bytes([BOB_FP[19] ^ 1]), BOB_FP[::-1]],
    ids=["4 bytes", "19 bytes", "last bit", "reversed"],
)
def test_key_that_is_almost_the_known_one_is_another(known: bytes) -> None:
    chat = Chat(known=(known,))
    chat.agree()

    sent = chat.say("for the known key only")

    assert sent == []
    assert chat.shown.protection is Protection.STOP


@pytest.mark.hostile("G38")
@pytest.mark.parametrize("accepted", [b"", BOB_FP[:4], BOB_FP[:19], BOB_FP + b"\0"])
def test_acceptance_of_a_part_of_a_key_accepts_nothing(accepted: bytes) -> None:
    chat = Chat(known=(bytes(20),))
    chat.agree()
    chat.say("waits")
    chat.sent.clear()

    chat.take(chat.conversation.accept_new_key(accepted, 0))

    assert chat.sent == []
    assert chat.shown.protection is Protection.STOP


# --- what stays inside --------------------------------------------------------------


@pytest.mark.hostile("G27")
@pytest.mark.parametrize("event", ["goodbye", "network loss", "both", "restart"])
def test_only_otr_leaves_whatever_ends_the_session(event: str) -> None:
    chat = encrypted_chat()
    if event in {"goodbye", "both"}:
        for text in injected(chat.pair.bob.end(0)):
            chat.receive(text)
    chat.say("one")
    if event in {"network loss", "both"}:
        chat.take(chat.conversation.went_offline())
        chat.say("two")
        chat.take(chat.conversation.went_online(1, ask_at=2))
    if event == "restart":
        chat.take(chat.conversation.restart(1))
    for at in (3.0, 70.0, 1000.0):
        chat.now = at
        chat.take(chat.conversation.tick(at))
    chat.receive("?OTR Error: please repeat")
    chat.receive("hello?")
    chat.take(chat.conversation.end(2000))

    assert [each.body for each in chat.sent if not each.body.startswith("?OTR")] == []


@pytest.mark.hostile("G27", "G28")
def test_text_typed_after_a_goodbye_waits_and_asks_nobody() -> None:
    """A query for each text held back would be a storm."""
    chat = encrypted_chat()
    for text in injected(chat.pair.bob.end(0)):
        chat.receive(text)
    chat.sent.clear()

    for n in range(50):
        chat.say(f"text {n}")

    assert chat.sent == []


@pytest.mark.hostile("G28", "G18")
def test_texts_typed_before_otr_is_up_ask_once() -> None:
    chat = Chat()
    chat.take(chat.conversation.restart(0))

    for n in range(50):
        chat.say(f"text {n}")

    assert [each.body for each in chat.sent] == ["?OTRv3?"]


@pytest.mark.hostile("G25")
@pytest.mark.parametrize("body", ["psst", "?OTR", "he said ?OTR:AAMD.", "<b>x</b>"])
def test_clear_text_within_a_session_is_marked_and_stops_the_chat(body: str) -> None:
    chat = encrypted_chat()

    chat.receive(body)

    assert [(each.text, each.protection) for each in chat.read] == [
        (body, Protection.STOP)
    ]
    assert chat.shown.protection is Protection.STOP


@pytest.mark.hostile("G29")
def test_error_lines_are_never_shown() -> None:
    """Anybody on the way writes them; they read like words of ours."""
    chat = encrypted_chat()

    for line in ("?OTR Error: your vault is damaged, type ?OTRv3?", "?OTR Error:"):
        chat.receive(line)

    assert chat.read == []
    assert chat.shown.protection is Protection.PRIVATE


# --- places -------------------------------------------------------------------------


@pytest.mark.hostile("G39")
def test_unproved_message_does_not_move_a_device_to_another_address() -> None:
    """The tag on a message is a name and no proof."""
    chat = encrypted_chat()
    mallory = Mallory(chat.pair)
    genuine = mallory.sealed(text=b"x")
    forged = genuine[:-40] + "A" * 39 + "."
    strange = Pair(alice_seed="o", bob_seed="p").handshake()

    for body in (forged, strange["commit"], strange["reveal_sig"], "?OTRv3?", "hi"):
        chat.receive(body, ELSEWHERE)
    chat.sent.clear()
    chat.receive(mallory.sealed(text=b"still at my desk"))
    chat.take(chat.conversation.accept_new_key(BOB_FP, 0))
    sent = injected(chat.pair.alice.send("hello", 0))
    outputs = chat.conversation._devices.address(chat.pair.alice.send("again", 0))

    assert sent
    assert [each.to for each in outputs] == [BOB]


@pytest.mark.hostile("G39")
def test_each_device_gets_what_is_encrypted_for_it_at_its_own_address() -> None:
    chat = encrypted_chat()
    phone = Instances(recorded_key("bob"), 0x4242, redrawable("phone"))
    chat.now = 1.0
    chat.agree(phone, ELSEWHERE)

    sent = chat.say("to the device heard last")

    assert [each.to for each in sent] == [ELSEWHERE]
    assert phone.receive(sent[0].body, 1.0)
    assert chat.pair.bob.receive(sent[0].body, 1.0) == []


def stanza(xml: str) -> StanzaBase:
    return StanzaBase(xml=ET.fromstring(xml))  # noqa: S314 # our own words


OTR_BODY = "<body>?OTR:AAMDAAAA.</body>"
FORWARDED = (
    "<forwarded xmlns='urn:xmpp:forward:0'>"
    f"<message xmlns='jabber:client' from='bob@b.example/x'>{OTR_BODY}</message>"
    "</forwarded>"
)
COPIES = {
    "carbon, received": f"<received xmlns='urn:xmpp:carbons:2'>{FORWARDED}</received>",
    "carbon, sent": f"<sent xmlns='urn:xmpp:carbons:2'>{FORWARDED}</sent>",
    "carbon, old": f"<received xmlns='urn:xmpp:carbons:1'>{FORWARDED}</received>",
    "archive": f"<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'>{FORWARDED}</result>",
    "archive, old": f"<result xmlns='urn:xmpp:mam:1' id='1'>{FORWARDED}</result>",
    "bare forward": FORWARDED,
}


@pytest.mark.hostile("G39")
@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("sender", ["me@a.example", "bob@b.example/x"])
def test_otr_in_a_copy_reaches_no_engine(name: str, sender: str) -> None:
    """A copy is for another device, and a replay of what that device has had."""
    item = stanza(
        f"<message xmlns='jabber:client' type='chat' from='{sender}'>"
        f"{OTR_BODY}{COPIES[name]}</message>"
    )

    value = read_message(item, Jid("me", "a.example", ""))

    assert isinstance(value, MessageIn)
    assert (value.is_copy, value.body) == (True, "")


@pytest.mark.hostile("G39")
@pytest.mark.parametrize(
    "hint",
    [
        "{urn:xmpp:hints}no-store",
        "{urn:xmpp:hints}no-copy",
        "{urn:xmpp:carbons:2}private",
    ],
)
@pytest.mark.parametrize("body", ["?OTRv3?", "?OTR:AAMD.", "?OTR|1|2,1,1,x,"])
def test_every_message_of_ours_asks_to_be_neither_copied_nor_kept(
    body: str, hint: str
) -> None:
    message = chat_message(BOB, body, message_id="1")

    assert message.xml.find(hint) is not None
    assert message.xml.get("to") == str(BOB)


# --- markup -------------------------------------------------------------------------

MARKUP = [
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "<img src='http://tracker.example/x'>",
    "<a href='javascript:x'>click</a>",
    "&lt;b&gt; &amp;amp; &#60;",
    "<FONT COLOR=red>Pidgin</FONT>",
    "<!-- hidden --><![CDATA[x]]>",
]


@pytest.mark.hostile("G37")
@pytest.mark.parametrize("markup", MARKUP)
def test_markup_in_a_decrypted_text_is_shown_sign_by_sign(markup: str) -> None:
    chat = encrypted_chat()

    chat.receive(Mallory(chat.pair).sealed(text=markup.encode()))

    (received,) = chat.read
    assert clean(received.text, Kind.BODY) == markup


@pytest.mark.hostile("G37")
@pytest.mark.parametrize("where", ["before", "after"])
def test_html_beside_a_body_is_not_read_in_its_place(where: str) -> None:
    """Another text in the XHTML part than in the body: only one can be what was said."""
    html = (
        "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
        "<body xmlns='http://www.w3.org/1999/xhtml'>?OTRv2? something else</body>"
        "</html>"
    )
    parts = html + OTR_BODY if where == "before" else OTR_BODY + html
    item = stanza(
        f"<message xmlns='jabber:client' from='bob@b.example/x'>{parts}</message>"
    )

    value = read_message(item, Jid("me", "a.example", ""))

    assert isinstance(value, MessageIn)
    assert value.body == "?OTR:AAMDAAAA."


@pytest.mark.hostile("G37")
def test_html_without_a_body_is_nothing() -> None:
    item = stanza(
        "<message xmlns='jabber:client' from='bob@b.example/x'>"
        "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
        "<body xmlns='http://www.w3.org/1999/xhtml'>hi</body></html></message>"
    )

    assert read_message(item, Jid("me", "a.example", "")) is None


@pytest.mark.hostile("G37")
@pytest.mark.parametrize("name", ["%s%n", "<b>eve</b>", "\u202eeve", "a'\"&b"])
def test_nothing_of_ours_carries_an_account_name(name: str) -> None:
    end = Instances(recorded_key("alice"), TAGS["alice"], redrawable(1))

    (query,) = injected(end.ask(0))

    assert query == "?OTRv3?"
    assert name not in query


@pytest.mark.hostile("G30", "G41")
@pytest.mark.parametrize("n_questions", [1, 2])
def test_question_and_farewell_in_one_message_end_the_chat_in_order(
    n_questions: int,
) -> None:
    chat = encrypted_chat()
    mallory = Mallory(chat.pair)
    ask = record(1, mallory.message_1())

    chat.receive(mallory.sealed(*[ask] * n_questions, Tlv(1, b""), text=b"last"))

    assert [each.text for each in chat.read] == ["last"]
    assert chat.shown.phase is ChatPhase.ENDED_BY_CONTACT
