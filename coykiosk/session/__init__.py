"""Accounts, their streams and their chats: everything between screen and server.

Rule: the network comes in through `ports.Dialer` and `ports.Tor`, never by another
way; only `stream` and `stanzas` touch slixmpp; what must not touch the world
(`scram`, `saslprep`, `xmlguard`, `xmlreader`, `negotiate`, `inbound`,
`conversation`) does not.

Reading order, from the wire up: `xmlguard` and `xmlreader` (what may reach a
parser), `saslprep` and `scram` (the login), `negotiate` with `registration`, `login`,
`saslwords`, `binding` and `bind2` (what is said until we are signed in), `certificates`, `tls`, `starttls` and `securing`
(to whom it is said), `opening` (from a route to a signed-in stream), `inbound`, `stanzas` and `stream` (the signed-in stream),
`conversation`, `account`, `enrol`, `kiosk`.
"""
