"""What the practice partner says: lessons, answers to words it knows, small talk.

Rule: text and nothing else. Short plain sentences in printable ASCII; no links, no
picture of a person; nothing that is untrue on the practice network or outside it.
"""

from dataclasses import dataclass
from typing import Final

__all__ = [
    "GREETING",
    "LESSONS",
    "NO_MORE_LESSONS",
    "REMARKS",
    "SHORT_ANSWERS",
    "SMALL_TALK",
    "TOPICS",
    "TO_A_QUESTION",
    "WELCOME_BACK",
    "KeyNames",
    "Topic",
]


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The keys of this program that the partner speaks of."""

    help: str
    tor: str
    people: str
    vault_words: str
    older: str
    quit: str


@dataclass(frozen=True, slots=True)
class Topic:
    """Something the partner can be asked, and what it answers."""

    phrases: tuple[str, ...]
    """Lower case, without punctuation but for apostrophes."""
    answers: tuple[str, ...]
    """In turns, so that nobody hears the same sentence twice running."""


GREETING: Final = (
    (
        "Hello! I am the practice partner, a small program on this machine and not a "
        "person. What we write here is encrypted, just as it would be with a friend."
    ),
    (
        "Type a line and press Enter. Write 'next' for something to try, or 'help' for "
        "the words I know."
    ),
)

WELCOME_BACK: Final = (
    "Welcome back. We have agreed on new keys, and the chat is encrypted again.",
)

LESSONS: Final = (
    (
        "Look at the line that begins with [~ ]. It says PRIVATE, NOT CHECKED: nobody "
        "on the way can read us, but you have not checked who I am. It is the line to "
        "watch: if it ever says STOP, stop typing and read what it advises."
    ),
    (
        "Press {help}. You get every key that works where you are; Esc brings you back "
        "here. It is worth a look on every screen."
    ),
    (
        "Press {tor}. You see the relays that carry your connection. The first, your "
        "guard, stays the same for a long time, and that is on purpose. Here all of them "
        "run on this machine; out in the world they are far apart."
    ),
    (
        "Press {people}. It shows your address, how to say it aloud, and your chats. To "
        "talk with a friend you type their address there. Press it again to come back."
    ),
    (
        "Press {vault_words}. If you kept a vault, you see the words that open it. Write "
        "yours on paper: there is no other way in. Those of a practice run are of no use "
        "later, unless you chose where the vault goes."
    ),
    (
        "Press {older} to read older lines. They are kept in memory and nowhere else: "
        "when you quit, this chat is gone, on your side and on mine."
    ),
    (
        "Look at the marks left of each line. They keep saying how well a line was "
        "protected when it came or went. Two dots mean that it still waits for "
        "encryption; it is never sent without."
    ),
    (
        "When you have seen enough, press {quit}. It ends our chat, signs you out and "
        "wipes the memory, and this little network goes with it. Then start the program "
        "without --practice, and it is the same thing for real."
    ),
)

NO_MORE_LESSONS: Final = (
    (
        "That was all I can show you. Write 'next' to go through it once more, or press "
        "{quit} and start for real."
    ),
)

TOPICS: Final = (
    Topic(
        (
            *("who are you", "what are you", "are you a person", "are you human"),
            *("are you real", "are you a bot", "are you a robot", "a bot", "robot"),
            *("human", "your name", "are you there", "are you an ai", "ai"),
        ),
        (
            (
                "I am a program: some rules and the sentences you read. There is no person "
                "behind me. The encryption between us is real, though."
            ),
            (
                "No person, only a program that was started together with this practice "
                "network. I know a few words and what this screen can do."
            ),
        ),
    ),
    Topic(
        ("status", "private", "not checked", "unchecked", "checked", "verify"),
        (
            (
                "The line that begins with [~ ] says it: only the other end can read "
                "this, and you have not checked who that is. With a friend, ask them by "
                "another way whether it is really them."
            ),
        ),
    ),
    Topic(
        ("tor", "onion", "relay", "relays", "circuit", "guard", "anonymous", "hidden"),
        (
            (
                "You reach this server through Tor, at an onion address. The server does "
                "not learn where you are, and no name has to be looked up. {tor} shows "
                "your path."
            ),
            (
                "Each account goes its own way through Tor, so that nobody can tell that "
                "two of them belong together. {tor} shows yours."
            ),
        ),
    ),
    Topic(
        ("otr", "encrypted", "encryption", "encrypt", "secure", "safe", "secret"),
        (
            (
                "We use OTR, version 3. The server carries our lines and cannot read them. "
                "Keys are thrown away as we go, so nobody can read the lines later either."
            ),
            (
                "Encryption hides what you say and not that you talk: the server knows "
                "that these two addresses do. That is why yours is a random one."
            ),
        ),
    ),
    Topic(
        ("vault", "passphrase", "password", "words", "save", "saved", "keep nothing"),
        (
            (
                "The vault is one file that the six words open; it holds your account and "
                "your keys, never what was said. {vault_words} shows the words again. If "
                "you chose to keep nothing, there is no file at all."
            ),
        ),
    ),
    Topic(
        ("log", "logs", "history", "record", "recorded", "stored", "memory"),
        (
            (
                "This program writes down nothing that we say. It is in memory until you "
                "quit. A friend could still write down what you say; no program can help "
                "against that."
            ),
        ),
    ),
    Topic(
        ("server", "address", "account", "jid", "my name", "username"),
        (
            (
                "Your address was drawn by lot when the account was made. It says nothing "
                "about you. {people} shows it, and how to say it aloud."
            ),
        ),
    ),
    Topic(
        ("quit", "exit", "leave", "stop", "close"),
        (
            (
                "Press {quit} to quit. It ends the chat, signs you out and wipes the "
                "memory."
            ),
        ),
    ),
    Topic(
        ("key", "keys", "f1", "shortcut", "shortcuts", "how do i", "how can i"),
        ("{help} shows every key that works where you are. Esc brings you back.",),
    ),
)
"""What one may ask about. A phrase that stands in a line as whole words is enough,
and the first topic that fits answers."""

SMALL_TALK: Final = (
    Topic(
        ("bye", "goodbye", "good bye", "see you", "ciao", "good night", "farewell"),
        (
            (
                "Goodbye. {quit} ends the chat and wipes the memory. Nothing of this talk "
                "remains."
            ),
            "See you. When you are ready for the real thing, start without --practice.",
        ),
    ),
    Topic(
        ("thanks", "thank you", "thx", "cheers", "great", "nice", "cool", "wow"),
        (
            "You are welcome. Shall we go on? Write 'next'.",
            "With pleasure. There is more to see: write 'next'.",
        ),
    ),
    Topic(
        ("how are you", "how do you do", "what's up", "whats up"),
        (
            (
                "As a program I have no moods, but all relays are up and the chat is "
                "encrypted. Write 'next' for something to try."
            ),
        ),
    ),
    Topic(
        ("test", "testing", "ping", "can you read", "do you read"),
        (
            (
                "It came through, encrypted all the way. Write 'next' and I will show you "
                "around."
            ),
            "I can read you. The server in between cannot.",
        ),
    ),
    Topic(
        (
            *("hello", "hi", "hey", "hallo", "good morning", "good evening"),
            *("good day", "greetings", "moin", "bonjour", "hola", "salut"),
        ),
        (
            "Hello again. Write 'next' for something to try.",
            (
                "Hi. What would you like to see? 'next' takes you further, 'help' lists my "
                "words."
            ),
        ),
    ),
)
"""What else may occur in a line; looked for last."""

SHORT_ANSWERS: Final = (
    Topic(
        ("yes", "ok", "okay", "sure", "please", "y"),
        ("Good. Write 'next' then.", "Fine. 'next' is the word."),
    ),
    Topic(
        ("no", "nope", "not now", "later"),
        ("All right. Take your time; I am here until you quit.",),
    ),
    Topic(
        ("sorry", "oops", "wrong"),
        ("No harm done. This is the place to try things out.",),
    ),
)
"""What answers only when it is the whole line."""

TO_A_QUESTION: Final = (
    (
        "That is more than I know. I can tell you about Tor, encryption, the vault, "
        "servers and keys; or write 'next'."
    ),
    "A good question for a person, and I am none. {help} may know; so may 'next'.",
)

REMARKS: Final = (
    (
        "That came through. The server saw that something was said, and nothing of what. "
        "Write 'next' for something to try."
    ),
    (
        "Read and understood, as far as a program understands. I know words like tor, "
        "vault, encryption and quit."
    ),
    "I got it. On its way it was wrapped three times: by OTR, by TLS and by Tor.",
    (
        "Nothing of this is kept on my side either. Shall I show you something? Write "
        "'next'."
    ),
    "Go on if you like; it is good practice. {older} shows what has scrolled away.",
    "If you wonder what to do now: 'next' shows a thing to try, 'help' lists my words.",
)
