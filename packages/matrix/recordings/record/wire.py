"""The wire between two homeservers, and to their clients: HTTP over Unix sockets, and a TLS front that can be parted."""

import datetime
import http.client
import ipaddress
import json
import select
import socket
import ssl
import threading


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("127.0.0.1", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refusal(Exception):
    """A homeserver's answer other than 200."""


def request(path, method, url, body=None, headers=None):
    """One request over the Unix socket at `path`; returns the parsed JSON, or raises Refusal."""
    connection = UnixConnection(path)
    payload = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "X-Forwarded-For": "127.0.0.1", **(headers or {})}
    try:
        connection.request(method, url, payload, sent)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise Refusal(f"{method} {url}: {response.status} {text.decode(errors='replace')}")
    return json.loads(text)


def make_certificate(certificate_path, key_path):
    """Writes a self-signed certificate for 127.0.0.1, which is its own authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "recorder")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


class Front:
    """TLS on a loopback port chosen by the system, forwarded to a homeserver's Unix socket. While `parted`,
    open connections are cut and new ones refused: the other homeserver cannot reach this one."""

    def __init__(self, certificate_path, key_path, target):
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate_path, key_path)
        self.target = target
        self.parted = False
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def part(self):
        self.parted = True
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def meet(self):
        self.parted = False

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            if self.parted:
                sock.close()
                continue
            self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            with self.context.wrap_socket(sock, server_side=True) as remote:
                self.open.add(remote)
                with socket.socket(socket.AF_UNIX) as local:
                    local.connect(self.target)
                    self.pump(remote, local)
        except OSError:
            pass
        finally:
            self.open = {s for s in self.open if s.fileno() != -1}

    def pump(self, remote, local):
        while not self.parted:
            ready = [remote] if remote.pending() else select.select([remote, local], [], [], 0.2)[0]
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (local if source is remote else remote).sendall(data)
