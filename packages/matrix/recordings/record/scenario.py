"""What happens in each room. Ada's side is the server that creates the room (`a`), Bob's the one that joins it (`b`)."""

from craft import craft_accepted, craft_levels_as_text, craft_rejected, craft_third_party_invite


class Room:
    """One room on both servers; `number` is its room version."""

    def __init__(self, a, b, number, space):
        self.a, self.b, self.number, self.space = a, b, number, space
        self.creators_rule = number >= 12
        body = {
            "room_version": str(number),
            "preset": "public_chat",
            "name": f"Version {number}",
            "topic": "Recorded",
            "power_level_content_override": {"events": {"m.room.power_levels": 60, "m.room.name": 50}},
        }
        if self.creators_rule:
            body["creation_content"] = {"additional_creators": [a.user_id("amy")]}
        self.id = a.client("ada", "POST", "createRoom", body)["room_id"]

    def both_see(self, event_id):
        self.a.wait_for_event(event_id)
        self.b.wait_for_event(event_id)

    def level(self, server, who, **changes):
        """Ada or Bob changes power levels: localpart_a=50 is Ada's side, localpart_b=50 Bob's."""
        content = server.content(who, self.id, "m.room.power_levels")
        content["users"] = {user: int(level) for user, level in content["users"].items()}
        for key, level in changes.items():
            localpart, side = key.split("_")
            content["users"][getattr(self, side).user_id(localpart)] = level
        return server.state(who, self.id, "m.room.power_levels", content)

    def meet(self, who_a, who_b):
        """After a parting: each side says something, and the other one hears it, which joins the branches."""
        self.b.wait_for_event(self.a.message(who_a, self.id, "Are you there?"))
        self.a.wait_for_event(self.b.message(who_b, self.id, "Here again"))
        self.b.wait_for_event(self.a.message(who_a, self.id, "Good"))


def found(room):
    """Founding: joins over federation, power, topics and names from both sides, redactions, kicks and bans."""
    a, b, id = room.a, room.b, room.id
    a.join("amy", id, a)
    b.join("bob", id, a)
    b.wait_for_whole_state(id)
    for localpart in ["ben", "beth"]:
        b.join(localpart, id, a)
    a.join("ann", id, a)
    users = {} if room.creators_rule else {"amy_a": 50}
    room.both_see(room.level(a, "ada", bob_b=90, ben_b=50, **users))
    topic = b.state("bob", id, "m.room.topic", {"topic": "Bob's topic"})
    room.both_see(topic)
    a.state("ada", id, "m.room.name", {"name": "Ada's name"})
    room.both_see(a.state("ada", id, "m.room.guest_access", {"guest_access": "forbidden"}))
    said_b = b.message("beth", id, "Redact me, Ada")
    room.both_see(said_b)
    said_a = a.message("ann", id, "Redact me, Bob")
    room.both_see(said_a)
    room.both_see(a.redact("ada", id, said_b))
    room.both_see(b.redact("bob", id, said_a))
    own = b.message("beth", id, "I take it back")
    b.redact("beth", id, own)
    room.both_see(b.redact("bob", id, topic))
    a.state("ada", id, "m.room.server_acl", {"allow": ["*"], "deny": ["evil.example"], "allow_ip_literals": True})
    if room.number <= 5:
        a.state("ada", id, "m.room.aliases", {"aliases": []}, a.name)
    a.member("ada", id, "kick", b.user_id("beth"))
    room.both_see(a.message("ada", id, "Beth is kicked"))
    b.join("beth", id, a)
    b.member("ben", id, "ban", b.user_id("beth"))
    b.member("ben", id, "unban", b.user_id("beth"))
    b.join("beth", id, a)
    room.both_see(b.state("beth", id, "m.room.member", {"membership": "join", "displayname": "Beth \U0001f41d"}, b.user_id("beth")))


def admit(room):
    """Ways in: invites taken and refused, knocks taken and refused, restricted joins."""
    a, b, id = room.a, room.b, room.id
    rule = "knock" if room.number >= 7 else "invite"
    room.both_see(a.state("ada", id, "m.room.join_rules", {"join_rule": rule}))
    if room.number >= 7:
        b.knock("carl", id, a)
        b.knock("cara", id, a)
        room.both_see(b.message("beth", id, "Two are at the door"))
        a.member("ada", id, "invite", b.user_id("carl"))
        a.member("ada", id, "kick", b.user_id("cara"))
    else:
        a.member("ada", id, "invite", b.user_id("carl"))
        a.member("ada", id, "invite", b.user_id("cara"))
    room.both_see(a.message("ada", id, "Carl may come"))
    b.join("carl", id, a)
    if room.number < 7:
        b.member("cara", id, "leave")
    if room.number >= 8:
        admit_by_space(room, "restricted", "dora", "dan")
    if room.number >= 10:
        admit_by_space(room, "knock_restricted", "dave", "della")
    room.both_see(a.state("ada", id, "m.room.join_rules", {"join_rule": "public"}))
    craft_third_party_invite(a, b, id, room.number, "bob")
    if room.number <= 9:
        craft_levels_as_text(a, b, id, room.number, "bob", "ben")


def admit_by_space(room, rule, of_b, of_a):
    a, b, id = room.a, room.b, room.id
    allow = [{"type": "m.room_membership", "room_id": room.space}]
    room.both_see(a.state("ada", id, "m.room.join_rules", {"join_rule": rule, "allow": allow}))
    b.join(of_b, id, a)
    a.join(of_a, id, a)
    room.both_see(a.message(of_a, id, "Let in by the space"))


def first_fork(room):
    """Topic, name and power on both sides; Ada bans Ben while he speaks; Beth, promoted by Bob, bans Ann."""
    a, b, id = room.a, room.b, room.id
    a.state("ada", id, "m.room.topic", {"topic": "Ada, first fork"})
    room.level(a, "ada", **({"ann_a": 55} if room.creators_rule else {"amy_a": 75}))
    a.member("ada", id, "ban", b.user_id("ben"))
    a.state("amy", id, "m.room.name", {"name": "Amy, first fork"})
    room.level(a, "ada", beth_b=5)
    a.state("amy", id, "m.room.topic", {"topic": "Amy, first fork"})
    a.message("ann", id, "Nobody answers")
    b.state("bob", id, "m.room.topic", {"topic": "Bob, first fork"})
    b.state("ben", id, "m.room.name", {"name": "Ben, first fork"})
    room.level(b, "bob", beth_b=60)
    b.member("beth", id, "ban", a.user_id("ann"))
    b.message("ben", id, "I am still here")
    b.state("carl", id, "m.room.member", {"membership": "join", "displayname": "Carl"}, b.user_id("carl"))


def second_fork(room):
    """Ada takes Bob's power and closes the door; Bob passes power on, and Emil walks in by the open door."""
    a, b, id = room.a, room.b, room.id
    room.level(a, "ada", bob_b=0, beth_b=0)
    a.state("ada", id, "m.room.join_rules", {"join_rule": "invite"})
    a.message("amy", id, "The door is closed")
    room.level(b, "bob", carl_b=70)
    b.member("carl", id, "kick", b.user_id("beth"))
    b.join("emil", id, b)
    b.message("emil", id, "The door was open")
    b.state("carl", id, "m.room.topic", {"topic": "Carl, second fork"})


def reconcile(room):
    """Between the forks: Bob has his power again, and the door is open."""
    a, b, id = room.a, room.b, room.id
    room.level(a, "ada", bob_b=90, carl_b=0)
    a.member("ada", id, "unban", b.user_id("ben"))
    room.both_see(a.state("ada", id, "m.room.join_rules", {"join_rule": "public"}))
    b.join("ben", id, a)
    room.both_see(b.message("ben", id, "Back"))


def third_fork(room):
    """Ada bans Bob while he promotes Carl, bans Dana and changes the topic; Carl acts on his new power."""
    a, b, id = room.a, room.b, room.id
    a.join("dana", id, a)
    a.member("ada", id, "ban", b.user_id("bob"))
    a.state("ada", id, "m.room.topic", {"topic": "Ada, third fork"})
    a.message("dana", id, "Bob is gone")
    b.state("bob", id, "m.room.topic", {"topic": "Bob, third fork"})
    room.level(b, "bob", carl_b=80)
    b.state("carl", id, "m.room.name", {"name": "Carl, third fork"})
    b.member("carl", id, "ban", b.user_id("ben"))
    b.member("bob", id, "leave")


def end(room):
    """Events that no honest server sends (see craft.py), then both sides speak once more."""
    craft_rejected(room.a, room.b, room.id, room.number)
    craft_accepted(room.a, room.b, room.id, room.number)
    room.meet("ada", "carl")
