"""PDUs built by hand and signed with the joining server's key: events that break the authorisation rules, odd shapes
of the graph, and an invite that follows from a third-party invite. They are handed to the creating server by /send."""

import json
import time
import uuid

from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.crypto.event_signing import add_hashes_and_signatures, compute_event_reference_hash
from synapse.events import make_event_from_dict
from unpaddedbase64 import encode_base64


class Bench:
    """Builds PDUs of one room from what `receiver` holds, in the name of `origin`."""

    def __init__(self, receiver, origin, room_id, number):
        self.receiver, self.origin, self.room_id = receiver, origin, room_id
        self.version = KNOWN_ROOM_VERSIONS[str(number)]
        self.number = number

    def state_id(self, event_type, state_key=""):
        rows = self.receiver.query(
            "SELECT event_id FROM current_state_events WHERE room_id = ? AND type = ? AND state_key = ?",
            self.room_id, event_type, state_key,
        )
        return rows[0][0] if rows else None

    def history(self, event_type, state_key=""):
        """Ids of all accepted state events of this kind, oldest first."""
        return [id for (id,) in self.receiver.query(
            "SELECT event_id FROM events LEFT JOIN rejections USING (event_id) WHERE room_id = ? AND type = ?"
            " AND state_key = ? AND reason IS NULL AND stream_ordering > 0 ORDER BY stream_ordering",
            self.room_id, event_type, state_key,
        )]

    def content(self, event_id):
        return json.loads(self.receiver.query("SELECT json FROM event_json WHERE event_id = ?", event_id)[0][0])["content"]

    def extremities(self):
        return [id for (id,) in self.receiver.query(
            "SELECT event_id FROM event_forward_extremities WHERE room_id = ?", self.room_id
        )]

    def depth(self, ids):
        return 1 + max(self.receiver.query("SELECT depth FROM events WHERE event_id = ?", id)[0][0] for id in ids)

    def reference(self, id):
        if self.number > 2:
            return id
        [(text,)] = self.receiver.query("SELECT json FROM event_json WHERE event_id = ?", id)
        name, digest = compute_event_reference_hash(make_event_from_dict(json.loads(text), self.version))
        return [id, {name: encode_base64(digest)}]

    def auth_ids(self, sender, *state):
        keys = [("m.room.power_levels", ""), ("m.room.member", sender), *state]
        if self.number < 12:
            keys.insert(0, ("m.room.create", ""))
        return [id for id in (self.state_id(*key) for key in keys) if id]

    def build(self, sender, event_type, content, state_key=None, prev=None, auth=None):
        prev = prev or self.extremities()
        auth = self.auth_ids(sender) if auth is None else auth
        pdu = {
            "type": event_type,
            "sender": sender,
            "room_id": self.room_id,
            "content": content,
            "origin_server_ts": int(time.time() * 1000),
            "depth": self.depth(prev),
            "prev_events": [self.reference(id) for id in prev],
            "auth_events": [self.reference(id) for id in auth],
        }
        if state_key is not None:
            pdu["state_key"] = state_key
        if self.number <= 2:
            pdu["event_id"] = f"${uuid.uuid4().hex}:{self.origin.name}"
            pdu["origin"] = self.origin.name
        add_hashes_and_signatures(self.version, pdu, self.origin.name, self.origin.key)
        return pdu

    def hand_over(self, pdu):
        """Sends it and waits until the receiver has it, accepted or rejected; returns its id."""
        event_id = make_event_from_dict(dict(pdu), self.version).event_id
        self.receiver.send_transaction(self.origin, [pdu])
        self.receiver.wait_for_event(event_id)
        return event_id


def craft_rejected(a, b, room_id, number):
    """One event for each way to fail; Carl is an ordinary member of the joining server, Eve a stranger there."""
    bench = Bench(a, b, room_id, number)
    carl, eve, ada = b.user_id("carl"), b.user_id("eve"), a.user_id("ada")
    levels = bench.content(bench.state_id("m.room.power_levels"))
    greedy = {**levels, "users": {**levels["users"], carl: 100}}
    bench.hand_over(bench.build(carl, "m.room.topic", {"topic": "Not mine to set"}, ""))
    bench.hand_over(bench.build(eve, "m.room.message", {"msgtype": "m.text", "body": "Not a member"}))
    crown = bench.hand_over(bench.build(carl, "m.room.power_levels", greedy, ""))
    kick = bench.auth_ids(carl, ("m.room.member", ada))
    bench.hand_over(bench.build(carl, "m.room.member", {"membership": "leave"}, ada, auth=kick))
    other = bench.auth_ids(carl, ("m.room.member", eve), ("m.room.join_rules", ""))
    bench.hand_over(bench.build(carl, "m.room.member", {"membership": "join"}, eve, auth=other))
    bench.hand_over(bench.build(carl, "com.example.kept", {"by": "another user"}, eve))
    on_rejected = [id for id in bench.auth_ids(carl) if id != bench.state_id("m.room.power_levels")] + [crown]
    bench.hand_over(bench.build(carl, "m.room.message", {"msgtype": "m.text", "body": "By rejected right"}, auth=on_rejected))
    surplus = bench.auth_ids(carl, ("m.room.topic", ""))
    bench.hand_over(bench.build(carl, "m.room.message", {"msgtype": "m.text", "body": "By surplus right"}, auth=surplus))
    doubled = bench.auth_ids(carl) + [bench.history("m.room.member", carl)[0]]
    bench.hand_over(bench.build(carl, "m.room.message", {"msgtype": "m.text", "body": "By doubled right"}, auth=doubled))
    outdated(bench, b.user_id("beth"))


def outdated(bench, sender):
    """Allowed by the auth events it names (power of another day), forbidden by the state before it."""
    joins = [id for id in bench.history("m.room.member", sender) if bench.content(id)["membership"] == "join"]
    for levels in reversed(bench.history("m.room.power_levels")):
        if bench.content(levels)["users"].get(sender, 0) >= 50:
            create = [bench.state_id("m.room.create")] if bench.number < 12 else []
            pdu = bench.build(sender, "m.room.topic", {"topic": "Power of another day"}, "", auth=[*create, levels, joins[-1]])
            return bench.hand_over(pdu)
    raise RuntimeError(f"{sender} never had power")


def craft_accepted(a, b, room_id, number):
    """Honest events in odd places of the graph: one long after its parent, one with three parents of different ages."""
    bench = Bench(a, b, room_id, number)
    carl = b.user_id("carl")
    late = [id for (id,) in a.query(
        "SELECT event_id FROM events LEFT JOIN rejections USING (event_id) WHERE room_id = ? AND sender = ?"
        " AND reason IS NULL ORDER BY stream_ordering DESC LIMIT 12", room_id, a.user_id("ada"),
    )]
    bench.hand_over(bench.build(carl, "m.room.message", {"msgtype": "m.text", "body": "Late"}, prev=[late[3]]))
    prev = [late[1], late[5], late[9]]
    bench.hand_over(bench.build(carl, "m.room.message", {"msgtype": "m.text", "body": "Of three ages"}, prev=prev))


def craft_third_party_invite(a, b, room_id, number, inviter):
    """`inviter` of the joining server leaves a third-party invite, which is then redeemed for Fay by its token."""
    sender, fay, token = b.user_id(inviter), b.user_id("fay"), uuid.uuid4().hex
    key = generate_signing_key("0")
    public = encode_verify_key_base64(get_verify_key(key))
    content = {
        "display_name": "f...@example.org",
        "key_validity_url": "https://identity.example/isvalid",
        "public_key": public,
        "public_keys": [{"public_key": public, "key_validity_url": "https://identity.example/isvalid"}],
    }
    offer = b.state(inviter, room_id, "m.room.third_party_invite", content, token)
    a.wait_for_event(offer)
    bench = Bench(a, b, room_id, number)
    signed = sign_json({"mxid": fay, "token": token}, "identity.example", key)
    invite = {"membership": "invite", "third_party_invite": {"display_name": "f...@example.org", "signed": signed}}
    auth = bench.auth_ids(sender, ("m.room.join_rules", ""), ("m.room.third_party_invite", token))
    bench.hand_over(bench.build(sender, "m.room.member", invite, fay, auth=auth))
    forged = {"membership": "invite", "third_party_invite": {"display_name": "g", "signed": {**signed, "mxid": b.user_id("gus")}}}
    bench.hand_over(bench.build(sender, "m.room.member", forged, b.user_id("gus"), auth=auth))
    b.wait_for_event(a.message("ada", room_id, "Fay has an invite"))


def craft_levels_as_text(a, b, room_id, number, who, whose):
    """Power levels that are text which reads as a number, as versions before 10 allow; clients cannot send them."""
    bench = Bench(a, b, room_id, number)
    levels = bench.content(bench.state_id("m.room.power_levels"))
    users = {**levels["users"], b.user_id(whose): " 50"}
    changed = bench.build(b.user_id(who), "m.room.power_levels", {**levels, "users": users}, "")
    bench.hand_over(changed)
    b.wait_for_event(a.message("ada", room_id, "Levels may be text"))
