"""Which login is tried on a stream, which one next, and what a refusal of it means.

Rule: pure; what was refused is not tried again with the same flag, so it always ends.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Final, final
from xml.etree import ElementTree as ET

from coykiosk.session.failure import StartOverError
from coykiosk.session.saslwords import Offer, read_offer
from coykiosk.session.scram import ChannelBinding, Choice, Flag, choose

__all__ = ["Choosing"]

_PLUS: Final = "-PLUS"
_ACCOUNT_CONDITIONS: Final = frozenset(
    {"account-disabled", "credentials-expired", "temporary-auth-failure"}
)  # RFC 6120, section 6.5


@final
class Choosing:
    """The choices of one stream.

    Args:
        binding: What names our TLS connection.
        avoid_plus: The last connection ended over channel binding.
    """

    def __init__(self, binding: ChannelBinding, *, avoid_plus: bool) -> None:
        self._binding = binding
        self._avoid_plus = avoid_plus
        self._refused: list[Choice] = []
        self.offer: Offer | None = None
        """What the server offers; None as long as it has not said."""

    @property
    def offered(self) -> frozenset[str]:
        """The mechanisms of the offer."""
        return frozenset() if self.offer is None else self.offer.mechanisms

    @property
    def announced(self) -> frozenset[str] | None:
        """The channel bindings that the server says it takes; None: it says nothing."""
        return None if self.offer is None else self.offer.kinds

    def learn(self, features: ET.Element, *, may_sasl2: bool, resumes: bool) -> None:
        """Learn what the server offers.

        Args:
            features: Of a stream inside TLS.
            may_sasl2: It may be spoken to by SASL2.
            resumes: There is a session to go on with.
        """
        offer = read_offer(features, resumes=resumes)
        self.offer = offer if may_sasl2 else replace(offer, sasl2=frozenset())

    def among(self, mechanisms: Collection[str]) -> Choice | None:
        """Choose from a list; None when nothing remains."""
        refused = list(self._refused)
        if self._avoid_plus:
            refused += [
                Choice(name, Flag.BOUND) for name in mechanisms if _PLUS in name
            ]
        return choose(
            mechanisms,
            binding=self._binding,
            announced=self.announced,
            refused=refused,
        )

    def best(self) -> Choice | None:
        """Choose from what is offered."""
        return self.among(self.offered)

    def refuse(self, choice: Choice) -> None:
        """The server does not take it."""
        self._refused.append(choice)

    def is_downgrade(self, choice: Choice) -> bool:
        """Whether a blind choice without binding meets a server that offers it."""
        if choice.flag is Flag.BOUND or self.offer is None:
            return False
        best = self.best()
        return best is not None and best.flag is Flag.BOUND

    def is_in_doubt(self, choice: Choice) -> bool:
        """Whether it may be refused for what it says about channel binding alone."""
        if choice.flag is Flag.BOUND:
            return self.announced is None
        return self._has_wrong_flag(choice)

    def is_verdict(self, choice: Choice, condition: str) -> bool:
        """Whether a refusal is about the account, so that nothing else helps."""
        if condition in _ACCOUNT_CONDITIONS:
            return True
        is_about_binding = choice.flag is Flag.BOUND or self._has_wrong_flag(choice)
        return condition == "not-authorized" and not is_about_binding

    def start_over(self) -> StartOverError:
        """Return what is to be raised when another stream would do."""
        has_sasl2 = self.offer is not None and bool(self.offer.sasl2)
        return StartOverError(tuple(self.offered), sasl2=has_sasl2)

    def _has_wrong_flag(self, choice: Choice) -> bool:
        offers_plus = any(name.endswith(_PLUS) for name in self.offered)
        return choice.flag is Flag.NOT_OFFERED and offers_plus
