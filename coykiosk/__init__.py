"""coykiosk: one key from nothing to an anonymous, OTR-encrypted chat over Tor.

Reading order for a newcomer: ARCHITECTURE.md, then `contract` (everything that
may cross between screen and session), then `app` (who is built from what), then
the folder whose name says what you are after.
"""
