"""Records random forked rooms, each as Synapse's own event authorisation and state resolution decide it.

usage: python3 resolve.py [--seed N] [--cases N] [--out FILE]

No server runs: the functions of the Python package are called on events made here. See ../README.md.
"""

import argparse
import asyncio
import json
import pathlib
import random
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "forks.json"
# How the rooms are spread over the versions, of 300: every algorithm gets its share.
SHARES = {"1": 60, "2": 25, "3": 12, "5": 8, "6": 12, "7": 12, "8": 20, "9": 8, "10": 25, "11": 25, "12": 93}
USERS = ["@ann:a", "@bea:b", "@cid:c", "@dan:a", "@eve:b", "@fay:c"]
ACTIONS = [
    *["topic"] * 3, *["join"] * 3, *["leave"] * 2, *["kick"] * 3, *["ban"] * 3, *["unban"] * 2, *["invite"] * 2,
    *["levels"] * 4, *["rules"] * 3, "name", "own", "aliases", "knock", "visibility", "guests",
]


class Case:
    """A room told event by event. Events are named by their place in `events`."""

    def __init__(self, chance, version):
        from synapse.api.room_versions import KNOWN_ROOM_VERSIONS

        self.chance = chance
        self.version = KNOWN_ROOM_VERSIONS[version]
        self.pairs = version in ("1", "2")
        self.creatorless = self.version.msc4291_room_ids_as_hashes
        self.room_id = "!room:a"
        self.rows = []
        self.made = []
        self.by_id = {}
        self.states = []
        self.merges = []
        self.refused = []

    def event(self, prevs, auths, row):
        """`row`: sender (by place), type, state key, content, time. @return the event, not yet part of the room"""
        from synapse.events import make_event_from_dict

        sender, kind, key, content, ts = row
        refer = lambda at: [self.made[at].event_id, {"sha256": ""}] if self.pairs else self.made[at].event_id
        event = {
            "type": kind, "sender": USERS[sender], "content": content, "origin_server_ts": ts,
            "depth": 1 + max((self.made[at].depth for at in prevs), default=0),
            "prev_events": [refer(at) for at in prevs], "auth_events": [refer(at) for at in auths],
            "state_key": key, "hashes": {"sha256": ""}, "signatures": {},
        }
        if self.made or not self.creatorless:
            event["room_id"] = self.room_id
        if self.pairs:
            event["event_id"] = f"${len(self.made)}:{USERS[sender][-1]}"
        return make_event_from_dict(event, self.version)

    def select(self, row, state):
        """The auth events that Synapse picks from a state, by place."""
        from synapse.event_auth import auth_types_for_event

        sender, kind, key, content, ts = row
        wanted = auth_types_for_event(self.version, self.event([], [], row))
        if self.creatorless:
            wanted.discard(("m.room.create", ""))
        return sorted(state[key] for key in wanted if key in state)

    def allowed(self, event, auths, state):
        from synapse.api.errors import SynapseError
        from synapse.event_auth import check_state_dependent_auth_rules

        from_state = [self.made[at] for at in [*auths, *([0] if self.creatorless and self.made else [])]]
        try:
            check_state_dependent_auth_rules(event, from_state)
            return True
        except SynapseError:
            return False

    def tell(self, prevs, row):
        """@return the place of the event, or None where the room refuses it (which is recorded too)"""
        state = self.states[prevs[0]] if len(prevs) == 1 else self.merge(prevs) if prevs else {}
        auths = self.select(row, state)
        event = self.event(prevs, auths, row)
        if not self.allowed(event, auths, state):
            self.refused.append([prevs[0] if len(prevs) == 1 else prevs, *row])
            return None
        if event.event_id in self.by_id:
            return None  # the same said at the same place and time is the same event
        place = len(self.made)
        self.made.append(event)
        self.by_id[event.event_id] = place
        if place == 0:
            self.room_id = event.room_id
        self.rows.append([prevs, auths, *row])
        self.states.append({**state, (row[1], row[2]): place})
        return place

    def merge(self, prevs):
        """The state of several events, as Synapse resolves it."""
        resolved = resolve(self, [self.states[at] for at in prevs])
        self.merges.append([prevs, sorted(resolved.values())])
        return resolved


class Store:
    """What Synapse's resolver asks of a database."""

    def __init__(self, case):
        self.case = case

    async def get_events(self, ids, allow_rejected=False):
        return {id: self.case.made[self.case.by_id[id]] for id in ids if id in self.case.by_id}

    def chain(self, ids):
        seen, todo = set(), list(ids)
        while todo:
            id = todo.pop()
            if id not in seen:
                seen.add(id)
                todo.extend(self.case.made[self.case.by_id[id]].auth_event_ids())
        return seen

    async def get_auth_chain_difference(self, room_id, sets, conflicted, reachable):
        from synapse.storage.databases.main.event_federation import StateDifference

        chains = [self.chain(ids) for ids in sets]
        difference = set.union(*chains) - set.intersection(*chains)
        if conflicted is None:
            return StateDifference(auth_difference=difference, conflicted_subgraph=None)
        below = self.chain(conflicted)
        subgraph = {id for id in below if self.chain([id]) & conflicted}
        return StateDifference(auth_difference=difference, conflicted_subgraph=subgraph)


class Clock:
    async def sleep(self, duration):
        pass


def resolve(case, states):
    """@return the resolved state, by place"""
    from synapse.api.room_versions import StateResolutionVersions
    from synapse.state import v1, v2

    maps = [{key: case.made[at].event_id for key, at in state.items()} for state in states]
    store = Store(case)
    if case.version.state_res == StateResolutionVersions.V1:
        work = v1.resolve_events_with_store(case.room_id, case.version, maps, None, store.get_events)
    else:
        work = v2.resolve_events_with_store(Clock(), case.room_id, case.version, maps, None, store)
    return {key: case.by_id[id] for key, id in asyncio.run(work).items()}


def draft(case, kind, state, ts):
    """@return sender, type, state key, content, time"""
    chance = case.chance
    sender, other = chance.randrange(len(USERS)), chance.randrange(len(USERS))
    if chance.random() < 0.4:
        sender = chance.choice([0, 0, 1, 2])
    member = lambda who, membership, **more: [sender, "m.room.member", USERS[who], {"membership": membership, **more}, ts]
    whole = lambda type, content, key="": [sender, type, key, content, ts]
    if kind in ("topic", "name"):
        return whole(f"m.room.{kind}", {kind: str(len(case.made))})
    if kind == "visibility":
        return whole("m.room.history_visibility", {"history_visibility": chance.choice(["joined", "shared"])})
    if kind == "guests":
        return whole("m.room.guest_access", {"guest_access": chance.choice(["can_join", "forbidden"])})
    if kind == "own":
        return whole("x.own", {"n": len(case.made)}, USERS[chance.choice([sender, other])])
    if kind == "aliases":
        return whole("m.room.aliases", {"aliases": []}, USERS[chance.choice([sender, other])][-1])
    if kind == "rules":
        return whole("m.room.join_rules", draft_rules(case))
    if kind == "levels":
        return whole("m.room.power_levels", draft_levels(case, state))
    if kind == "join":
        via = chance.choice(USERS)
        restricted = case.version.restricted_join_rule and chance.random() < 0.3
        return member(sender, "join", **({"join_authorised_via_users_server": via} if restricted else {}))
    if kind in ("leave", "knock"):
        return member(sender, kind)
    return member(other, {"kick": "leave", "unban": "leave"}.get(kind, kind))


def draft_rules(case):
    rules = ["public", "public", "public", "invite"]
    if case.version.knock_join_rule:
        rules.append("knock")
    if case.version.restricted_join_rule:
        rules.append("restricted")
    if case.version.knock_restricted_join_rule:
        rules.append("knock_restricted")
    rule = case.chance.choice(rules)
    allow = {"allow": [{"type": "m.room_membership", "room_id": "!other:a"}]} if "restricted" in rule else {}
    return {"join_rule": rule, **allow}


def draft_levels(case, state):
    """The levels in force with a change or two, which the sender may not be allowed to make."""
    chance = case.chance
    at = state.get(("m.room.power_levels", ""))
    content = json.loads(json.dumps(case.rows[at][5])) if at is not None else {"users": {}}
    level = lambda: chance.choice([0, 25, 50, 50, 75, 100])
    for _ in range(chance.choice([1, 1, 2])):
        change = chance.random()
        if change < 0.7:
            first = 1 if case.version.msc4289_creator_power_enabled else 0
            user, to = USERS[chance.randrange(first, len(USERS))], level()
            loose = not case.version.enforce_int_power_levels and chance.random() < 0.1
            if chance.random() < 0.15:
                content["users"].pop(user, None)
            else:
                content["users"][user] = str(to) if loose else to
        elif change < 0.9:
            content[chance.choice(["kick", "ban", "invite", "state_default", "users_default", "events_default"])] = level()
        else:
            content["events"] = {"m.room.topic": level()}
    return content


def tell_room(case, length):
    """A room of some `length` events in up to five branches, which part and meet."""
    chance, now = case.chance, 10
    ann = USERS[0]
    create = {} if case.version.implicit_room_creator else {"creator": ann}
    if case.version.msc4289_creator_power_enabled and chance.random() < 0.3:
        create["additional_creators"] = [USERS[1]]
    users = {} if case.version.msc4289_creator_power_enabled else {ann: 100}
    if not create.get("additional_creators"):
        users[USERS[1]] = chance.choice([50, 100])
    users[USERS[2]] = 50
    rows = [
        [0, "m.room.create", "", create, 1],
        [0, "m.room.member", ann, {"membership": "join"}, 2],
        [0, "m.room.power_levels", "", {"users": users}, 3],
        [0, "m.room.join_rules", "", {"join_rule": "public"}, 4],
        *([at, "m.room.member", USERS[at], {"membership": "join"}, 5] for at in range(1, chance.randrange(3, 6))),
    ]
    tip = None
    for row in rows:
        tip = case.tell([] if tip is None else [tip], row)
        assert tip is not None, row
    tips = [tip, tip]
    for _ in range(length * 20):
        # A room can end early: nobody may be left who is allowed anything.
        if len(case.made) >= length:
            break
        # Clocks are wrong, and often the same.
        now += chance.choice([0, 0, 1, 3])
        ts = now + chance.choice([0, 0, 0, 0, -8, 8])
        if len(tips) < 5 and chance.random() < 0.08:
            tips.append(chance.choice([*tips, chance.randrange(tip, len(case.made))]))
        which = chance.randrange(len(tips))
        joined = sorted(set(tips)) if chance.random() < 0.5 else sorted({tips[which], chance.choice(tips)})
        if len(joined) > 1 and chance.random() < 0.06:
            state = case.merge(joined)
            case.merges.pop()
            placed = case.tell(joined, draft(case, chance.choice(ACTIONS), state, ts))
            if placed is not None:
                tips = [placed, *(at for at in tips if at not in joined)]
                if len(tips) == 1:
                    tips.append(placed)
            continue
        state = case.states[tips[which]]
        placed = case.tell([tips[which]], draft(case, chance.choice(ACTIONS), state, ts))
        if placed is not None:
            tips[which] = placed
    ends = sorted(set(tips))
    if len(ends) > 1:
        case.merge(ends)


def pack(case, types, contents):
    """A case as JSON: types and contents by their place in lists that all cases share."""
    def place(table, value):
        return table.setdefault(json.dumps(value), len(table))

    def row(sender, kind, key, content, ts):
        return [sender, place(types, [kind, key]), place(contents, content), ts]

    return {
        "version": case.version.identifier,
        "events": [[prevs, auths, *row(*rest)] for prevs, auths, *rest in case.rows],
        "refused": [[[prevs] if isinstance(prevs, int) else prevs, *row(*rest)] for prevs, *rest in case.refused[:20]],
        "merges": case.merges,
        "lastId": case.made[-1].event_id,
    }


def main():
    from record import ensure_synapse

    ensure_synapse()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cases", type=int, default=300)
    options.add_argument("--out", type=pathlib.Path, default=OUT)
    given = options.parse_args()
    types, contents, cases = {}, {}, []
    total = sum(SHARES.values())
    for version, share in SHARES.items():
        for number in range(max(1, round(share * given.cases / total))):
            chance = random.Random(f"{given.seed} {version} {number}")
            case = Case(chance, version)
            tell_room(case, chance.randrange(30, 61))
            cases.append(pack(case, types, contents))
    lines = [json.dumps(one, separators=(",", ":")) for one in cases]
    head = {"users": USERS, "keys": [json.loads(one) for one in types], "contents": [json.loads(one) for one in contents]}
    text = json.dumps(head, separators=(",", ":"))[:-1] + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n"
    given.out.write_text(text)
    print(f"{len(cases)} rooms, {sum(len(one['events']) for one in cases)} events, "
          f"{sum(len(one['merges']) for one in cases)} resolutions, {len(text)} bytes")


if __name__ == "__main__":
    main()
