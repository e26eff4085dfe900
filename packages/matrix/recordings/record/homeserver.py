"""A real Synapse on SQLite, reachable by clients over a Unix socket and by the other server through a TLS front."""

import json
import sqlite3
import subprocess
import sys
import time
from urllib.parse import quote

from signedjson.key import generate_signing_key, get_verify_key, write_signing_keys, encode_verify_key_base64
from signedjson.sign import sign_json

from wire import Front, Refusal, request

UNLIMITED = {"per_second": 100000, "burst_count": 100000}

LOG = {
    "version": 1,
    "formatters": {"p": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"c": {"class": "logging.StreamHandler", "formatter": "p"}},
    "root": {"level": "INFO", "handlers": ["c"]},
    "disable_existing_loggers": False,
}


class Homeserver:
    def __init__(self, folder, certificate, tls_key):
        folder.mkdir()
        self.folder = folder
        self.socket = str(folder / "http.sock")
        self.database = folder / "homeserver.db"
        self.certificate = certificate
        self.front = Front(certificate, tls_key, self.socket)
        self.name = f"127.0.0.1:{self.front.port}"
        self.key = generate_signing_key("rec1")
        with open(folder / "signing.key", "w") as file:
            write_signing_keys(file, [self.key])
        self.tokens = {}
        self.txn = 0

    @property
    def verify_keys(self):
        return {f"ed25519:{self.key.version}": encode_verify_key_base64(get_verify_key(self.key))}

    def config(self):
        folder = self.folder
        return {
            "server_name": self.name,
            "report_stats": False,
            "pid_file": str(folder / "pid"),
            "listeners": [
                {"path": self.socket, "type": "http", "resources": [{"names": ["client", "federation"]}]}
            ],
            "log_config": str(folder / "log.yaml"),
            "media_store_path": str(folder / "media"),
            "signing_key_path": str(folder / "signing.key"),
            "registration_shared_secret": "recorder",
            "macaroon_secret_key": "recorder",
            "form_secret": "recorder",
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "federation_custom_ca_list": [str(self.certificate)],
            "ip_range_blacklist": [],
            "federation_ip_range_blacklist": [],
            "federation": {
                "client_timeout": "10s",
                "max_short_retries": 0,
                "max_long_retries": 0,
                "destination_min_retry_interval": 200,
                "destination_max_retry_interval": 500,
                "destination_retry_multiplier": 1,
            },
            "rc_message": UNLIMITED,
            "rc_registration": UNLIMITED,
            "rc_login": {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED},
            "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
            "rc_joins_per_room": UNLIMITED,
            "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
            "rc_room_creation": UNLIMITED,
            "rc_admin_redaction": UNLIMITED,
            "database": {"name": "sqlite3", "args": {"database": str(self.database)}},
        }

    def start(self):
        folder = self.folder
        (folder / "log.yaml").write_text(json.dumps(LOG))
        (folder / "homeserver.yaml").write_text(json.dumps(self.config()))
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "synapse.app.homeserver", "-c", str(folder / "homeserver.yaml")],
            cwd=folder,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"Synapse ended: see {folder / 'log'}")
            try:
                return self.call("GET", "/_matrix/client/versions")
            except (OSError, Refusal):
                time.sleep(0.1)
        raise RuntimeError(f"Synapse did not start: see {folder / 'log'}")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()

    def call(self, method, url, body=None, headers=None):
        return request(self.socket, method, url, body, headers)

    def user_id(self, localpart):
        return f"@{localpart}:{self.name}"

    def client(self, localpart, method, path, body=None):
        """A client-server request as one of our users, who is registered when first seen."""
        if localpart not in self.tokens:
            account = {"username": localpart, "password": "recorder", "auth": {"type": "m.login.dummy"}}
            self.tokens[localpart] = self.call("POST", "/_matrix/client/v3/register", account)["access_token"]
        bearer = {"Authorization": f"Bearer {self.tokens[localpart]}"}
        return self.call(method, f"/_matrix/client/v3/{path}", body, bearer)

    def state(self, localpart, room_id, event_type, content, state_key=""):
        path = f"rooms/{quote(room_id)}/state/{quote(event_type)}/{quote(state_key)}"
        return self.client(localpart, "PUT", path, content)["event_id"]

    def message(self, localpart, room_id, body):
        self.txn += 1
        path = f"rooms/{quote(room_id)}/send/m.room.message/{self.txn}"
        return self.client(localpart, "PUT", path, {"msgtype": "m.text", "body": body})["event_id"]

    def redact(self, localpart, room_id, event_id):
        self.txn += 1
        path = f"rooms/{quote(room_id)}/redact/{quote(event_id, safe='')}/{self.txn}"
        return self.client(localpart, "PUT", path, {"reason": "recorded"})["event_id"]

    def member(self, localpart, room_id, action, user_id=None):
        """join, leave; invite, kick, ban, unban with the user they are about."""
        body = {} if user_id is None else {"user_id": user_id, "reason": "recorded"}
        return self.client(localpart, "POST", f"rooms/{quote(room_id)}/{action}", body)

    def join(self, localpart, room_id, via):
        return self.client(localpart, "POST", f"join/{quote(room_id)}?server_name={via.name}", {})

    def knock(self, localpart, room_id, via):
        return self.client(localpart, "POST", f"knock/{quote(room_id)}?server_name={via.name}", {})

    def content(self, localpart, room_id, event_type, state_key=""):
        path = f"rooms/{quote(room_id)}/state/{quote(event_type)}/{quote(state_key)}"
        return self.client(localpart, "GET", path)

    def send_transaction(self, origin, pdus):
        """Hands us PDUs as the homeserver `origin` would: PUT /send, signed with its key."""
        self.txn += 1
        url = f"/_matrix/federation/v1/send/recorder{self.txn}"
        body = {"origin": origin.name, "origin_server_ts": int(time.time() * 1000), "pdus": pdus, "edus": []}
        signed = {"method": "PUT", "uri": url, "origin": origin.name, "destination": self.name, "content": body}
        [(key_id, signature)] = sign_json(signed, origin.name, origin.key)["signatures"][origin.name].items()
        header = f'X-Matrix origin="{origin.name}",destination="{self.name}",key="{key_id}",sig="{signature}"'
        return self.call("PUT", url, body, {"Authorization": header})

    def query(self, sql, *args):
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as db:
            return db.execute(sql, args).fetchall()

    def wait_for_event(self, event_id):
        self.wait_for(f"event {event_id}", lambda: self.query("SELECT 1 FROM events WHERE event_id = ?", event_id))

    def wait_for_whole_state(self, room_id):
        """A join over federation starts with part of the state; waits until all of it is here."""
        self.wait_for("whole state", lambda: not self.query("SELECT 1 FROM partial_state_rooms WHERE room_id = ?", room_id))

    def wait_for(self, what, happened):
        for _ in range(600):
            if happened():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} has waited 30 s for {what}")
