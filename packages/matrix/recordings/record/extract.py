"""Reads what both Synapses stored about a room, straight from their databases. The format is told in ../README.md."""

import json


def load_events(server, room_id):
    """id → (pdu, facts as this server sees them)"""
    rows = server.query(
        "SELECT e.event_id, j.json, j.internal_metadata, e.outlier, e.stream_ordering, r.reason, g.state_group"
        " FROM events e JOIN event_json j USING (event_id) LEFT JOIN rejections r USING (event_id)"
        " LEFT JOIN event_to_state_groups g USING (event_id) WHERE e.room_id = ?",
        room_id,
    )
    events = {}
    for event_id, text, metadata, outlier, stream, reason, group in rows:
        pdu = json.loads(text)
        pdu.pop("unsigned", None)
        internal = json.loads(metadata)
        flags = {
            "outlier": bool(outlier),
            "rejected": reason is not None,
            "softFailed": bool(internal.get("soft_failed")),
        }
        events[event_id] = (pdu, flags, stream, group)
    return events


def ids_of(references):
    return [reference if isinstance(reference, str) else reference[0] for reference in references]


def in_order(pdus):
    """Parents and auth events before their children; among those ready, lower depth and then id first."""
    done, order = set(), []
    waiting = sorted(pdus, key=lambda id: (pdus[id]["depth"], id))
    while waiting:
        needs = lambda id: [p for p in ids_of(pdus[id]["prev_events"] + pdus[id]["auth_events"]) if p in pdus and p not in done]
        ready = [id for id in waiting if not needs(id)]
        order.append(ready[0])
        done.add(ready[0])
        waiting.remove(ready[0])
    return order


def load_groups(server, wanted, index):
    """State groups with their ancestors, renumbered: each is a base (or null) and the events that replace entries."""
    number, groups = {}, []

    def add(group):
        if group in number:
            return number[group]
        edge = server.query("SELECT prev_state_group FROM state_group_edges WHERE state_group = ?", group)
        base = add(edge[0][0]) if edge else None
        entries = server.query("SELECT event_id FROM state_groups_state WHERE state_group = ?", group)
        number[group] = len(groups)
        groups.append([base, sorted(index[id] for (id,) in entries)])
        return number[group]

    for group in wanted:
        add(group)
    return groups, number


def view_of(server, room_id, events, order, index):
    held = [id for id in order if id in events]
    groups, number = load_groups(server, [events[id][3] for id in held if events[id][3] is not None], index)
    flagged = lambda flag: [index[id] for id in held if events[id][1][flag]]
    current = server.query("SELECT event_id FROM current_state_events WHERE room_id = ?", room_id)
    tips = server.query("SELECT event_id FROM event_forward_extremities WHERE room_id = ?", room_id)
    return {
        "server": server.name,
        "missing": [index[id] for id in order if id not in events],
        "outliers": flagged("outlier"),
        "rejected": flagged("rejected"),
        "softFailed": flagged("softFailed"),
        "arrival": [index[id] for id in sorted(held, key=lambda id: events[id][2])],
        "groups": groups,
        "stateAfter": {str(index[id]): number[events[id][3]] for id in held if events[id][3] is not None},
        "extremities": sorted(index[id] for (id,) in tips),
        "currentState": sorted(index[id] for (id,) in current),
    }


def extract(servers, room_id, number):
    seen = [load_events(server, room_id) for server in servers]
    pdus = {}
    for events in reversed(seen):
        pdus.update({id: events[id][0] for id in events})
    order = in_order(pdus)
    index = {id: position for position, id in enumerate(order)}
    return {
        "roomVersion": str(number),
        "roomId": room_id,
        "verifyKeys": {server.name: server.verify_keys for server in servers},
        "eventIds": order,
        "events": [pdus[id] for id in order],
        "views": [view_of(server, room_id, events, order, index) for server, events in zip(servers, seen)],
    }


def write(path, recording):
    """One line per event, so that a change to a recording can be read."""
    lines = []
    for key, value in recording.items():
        if key in ("events", "views"):
            rows = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in value)
            lines.append(f"{json.dumps(key)}:[\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'), ensure_ascii=False)}")
    path.write_text("{" + ",\n".join(lines) + "}\n")
