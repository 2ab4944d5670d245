"""Making an account: which servers there are, under what name, and in what order.

Rule: this room computes and never touches the world. Random bytes and what servers
answered come in as arguments; the next step goes out as a value.

Read `records` first (what a server is), then `servers` (the file and the choice,
with `checks`, `toml_lines` and `draw` behind it), `identity`, and `flow` last.
"""

from coykiosk.register.flow import (
    Attempt,
    AttemptKind,
    Broken,
    CertificateBad,
    Confused,
    Effect,
    Enrolled,
    Enrolment,
    FlowError,
    GiveUp,
    LoginRefused,
    NeedsCaptcha,
    NeedsForm,
    Outcome,
    Refused,
    RegistrationClosed,
    Silent,
    Succeeded,
    Tried,
    Unreachable,
    Unresolved,
    WebOnly,
)
from coykiosk.register.identity import Identity, draw_identity
from coykiosk.register.servers import (
    Registration,
    Route,
    Server,
    ServersFileError,
    Tier,
    TlsMode,
    load_servers,
    order_servers,
    tier_of,
)

__all__ = [
    "Attempt",
    "AttemptKind",
    "Broken",
    "CertificateBad",
    "Confused",
    "Effect",
    "Enrolled",
    "Enrolment",
    "FlowError",
    "GiveUp",
    "Identity",
    "LoginRefused",
    "NeedsCaptcha",
    "NeedsForm",
    "Outcome",
    "Refused",
    "Registration",
    "RegistrationClosed",
    "Route",
    "Server",
    "ServersFileError",
    "Silent",
    "Succeeded",
    "Tier",
    "TlsMode",
    "Tried",
    "Unreachable",
    "Unresolved",
    "WebOnly",
    "draw_identity",
    "load_servers",
    "order_servers",
    "tier_of",
]
