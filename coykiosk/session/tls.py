"""TLS on any stream: a library's engine on bytes, and the stream made of it.

Rule: not one byte of ours is sent before the certificate is judged, and nothing
but the first handshake is ever negotiated: no renegotiation, no compression, no
resumption. TLS 1.3, or 1.2 with forward secrecy and authenticated encryption
(RFC 7590, RFC 9325).

`TlsEngine` is sans-IO: its first flight exists before there is a connection, so
that it can travel with the connect. Python's own `ssl` cannot export keying
material, which channel binding on TLS 1.3 is made of; pyOpenSSL can.
"""

from typing import Final, final

from OpenSSL import SSL, crypto

from coykiosk.errors import ErrorCode, UserError
from coykiosk.ports import Stream
from coykiosk.session.certificates import Authorities, CertificateFacts
from coykiosk.session.scram import ChannelBinding

__all__ = ["TlsEngine", "TlsError", "TlsStream"]

ALPN_CLIENT: Final = b"xmpp-client"  # XEP-0368, section 4
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
_EXPORTER_LABEL: Final = b"EXPORTER-Channel-Binding"  # RFC 9266, section 2
_EXPORTER_BYTES: Final = 32
_CHUNK: Final = 16 * 1024  # the largest TLS record
_MAX_CHAIN: Final = 10


class TlsError(Exception):
    """The other end does not speak TLS as we demand it."""


@final
class TlsEngine:
    """One client side of TLS, on memory alone.

    Args:
        domain: The domain of the JID, for SNI (RFC 6120, section 13.7.1).
        is_direct: TLS begins the connection (XEP-0368), so ALPN says for what.
        authorities: Who may vouch for a server.
    """

    def __init__(
        self, domain: str, *, is_direct: bool, authorities: Authorities
    ) -> None:
        self.is_closed = False
        """Whether the other end has said that it will send no more."""
        self._errors: set[int] = set()
        context = self._make_context(authorities)
        self._connection = SSL.Connection(context, None)
        self._connection.set_tlsext_host_name(domain.encode("idna"))
        if is_direct:
            self._connection.set_alpn_protos([ALPN_CLIENT])
        self._connection.set_connect_state()

    def begin(self) -> bytes:
        """Return the first flight."""
        self.shake_hands(b"")
        return self.take_outgoing()

    def shake_hands(self, data: bytes) -> bool:
        """Take received bytes; return True when the handshake is done.

        Our last flight then still waits in `take_outgoing`: it is to be sent with
        the first data, and only after the certificate was found good.

        Raises:
            TlsError: there is no agreement.
        """
        try:
            if data:
                self._feed(data)
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as exc:
            msg = "handshake failed"
            raise TlsError(msg) from exc
        return True

    def facts(self) -> CertificateFacts:
        """Return what is known of the server's certificate.

        Raises:
            TlsError: it showed none, or one that cannot be read.
        """
        try:
            certificate = self._connection.get_peer_certificate(as_cryptography=True)
        except ValueError as exc:
            msg = "unreadable certificate"
            raise TlsError(msg) from exc
        if certificate is None:
            msg = "no certificate"
            raise TlsError(msg)
        return CertificateFacts(certificate, frozenset(self._errors))

    def channel_binding(self) -> ChannelBinding:
        """Return the name of this connection that both ends can compute.

        `tls-unique` is sound here although it failed for resumed sessions (the
        triple handshake): this engine never resumes one.
        """
        if self._connection.get_protocol_version() == SSL.TLS1_3_VERSION:
            exported = self._connection.export_keying_material(
                _EXPORTER_LABEL, _EXPORTER_BYTES, None
            )
            return ChannelBinding("tls-exporter", exported)
        return ChannelBinding("tls-unique", self._connection.get_finished() or b"")

    def encrypt(self, data: bytes) -> None:
        """Queue data of ours; `take_outgoing` has it as records.

        Raises:
            TlsError: the connection is no longer fit for sending.
        """
        view = memoryview(data)
        try:
            while view:
                sent = self._connection.send(view[:_CHUNK])
                view = view[sent:]
        except SSL.Error as exc:
            msg = "cannot send"
            raise TlsError(msg) from exc

    def decrypt(self, data: bytes) -> bytes:
        """Take received bytes; return what they hold for us, b"" for nothing yet.

        Raises:
            TlsError: they are not what the other end sent.
        """
        plain = bytearray()
        try:
            self._feed(data)
            while True:
                plain += self._connection.recv(_CHUNK)
        except SSL.WantReadError:
            return bytes(plain)
        except SSL.ZeroReturnError:
            self.is_closed = True
            return bytes(plain)
        except SSL.Error as exc:
            msg = "damaged record"
            raise TlsError(msg) from exc

    def close(self) -> None:
        """Queue the notice that we send no more."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return  # It was never up, or is down already.

    def take_outgoing(self) -> bytes:
        """Return what has to be written to the other end now; may be b""."""
        outgoing = bytearray()
        try:
            while True:
                outgoing += self._connection.bio_read(_CHUNK)
        except SSL.WantReadError:
            return bytes(outgoing)

    def _feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._connection.bio_write(view) :]

    def _make_context(self, authorities: Authorities) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(_CIPHERS)
        context.set_options(
            SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_verify_depth(_MAX_CHAIN)
        context.set_verify(SSL.VERIFY_PEER, self._on_certificate)
        if authorities.bundle or authorities.directory:
            context.load_verify_locations(
                str(authorities.bundle) if authorities.bundle else None,
                str(authorities.directory) if authorities.directory else None,
            )
        return context

    def _on_certificate(
        self,
        _connection: SSL.Connection,
        _certificate: crypto.X509,
        error: int,
        _depth: int,
        ok: int,
    ) -> bool:
        """Gather every error and go on: the verdict comes after the handshake."""
        if not ok:
            self._errors.add(error)
        return True


@final
class TlsStream:
    """A stream inside a stream: plain bytes here, TLS records there.

    Args:
        inner: The stream that carries the records; closed with this one.
        engine: Its handshake is done and its certificate was found good.
        server: For errors.
    """

    def __init__(self, inner: Stream, engine: TlsEngine, *, server: str) -> None:
        self._inner = inner
        self._engine = engine
        self._server = server
        self._is_closed = False

    async def read(self) -> bytes:
        """Return the next bytes, at least one; b"" once the other end closed.

        Raises:
            UserError: CONNECTION_LOST or TOR_STOPPED.
        """
        plain = self._decrypt(b"")  # what came together with the handshake
        while not plain and not self._engine.is_closed:
            data = await self._inner.read()
            if not data:
                return b""
            plain = self._decrypt(data)
        return plain

    def write(self, data: bytes) -> None:
        """Queue bytes for sending; silently dropped after `close`."""
        if self._is_closed:
            return
        try:
            self._engine.encrypt(data)
        except TlsError:
            return  # The reader is about to learn that the connection is gone.
        self._flush()

    async def drain(self) -> None:
        """Wait until the send queue is short again."""
        await self._inner.drain()

    async def close(self) -> None:
        """Close both directions at once; idempotent, never raises."""
        if not self._is_closed:
            self._is_closed = True
            self._engine.close()
            self._flush()
        await self._inner.close()

    def _decrypt(self, data: bytes) -> bytes:
        try:
            plain = self._engine.decrypt(data)
        except TlsError as exc:
            raise UserError(ErrorCode.CONNECTION_LOST, server=self._server) from exc
        self._flush()  # the engine may have had to answer, for example a key update
        return plain

    def _flush(self) -> None:
        outgoing = self._engine.take_outgoing()
        if outgoing:
            self._inner.write(outgoing)
