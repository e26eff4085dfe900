import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { authStateOf } from '../event-auth/auth-state.ts'
import { authorizeEvent } from '../event-auth/authorize.ts'
import { selectAuthEvents } from '../event-auth/select-auth-events.ts'
import { packStateKey } from '../event-auth/state-key.ts'
import { toRoomEvent } from '../events/make-room-event.ts'
import type { EventReference, JsonObject, Pdu, RoomEvent } from '../events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '../ids/ids.ts'
import { serverNameOf } from '../ids/user-id.ts'
import { findRoomVersion, type RoomVersionRules } from '../room-versions/rules.ts'
import { resolveStateMaps } from '../state-res/resolve.ts'
import type { StateMap } from '../state-res/state-map.ts'
import { sourceOf, sourceWithEdgesOf, TOOLS } from '../state-res/test-support.ts'
import { sha256 } from './recording-suite.ts'

// Random rooms that forked and met, decided event by event by Synapse's own functions (record/resolve.py; README.md
// describes the file): our authorisation, auth-event selection and state resolution have to come to the same.

type Body = readonly [sender: number, key: number, content: number, ts: number]
interface ForkFile {
  readonly users: readonly UserId[]
  readonly keys: readonly (readonly [type: string, stateKey: string])[]
  readonly contents: readonly JsonObject[]
  readonly cases: readonly Case[]
}
interface Case {
  readonly version: string
  readonly events: readonly (readonly [prevs: readonly number[], auths: readonly number[], ...Body])[]
  readonly refused: readonly (readonly [prevs: readonly number[], ...Body])[]
  readonly merges: readonly (readonly [prevs: readonly number[], state: readonly number[]])[]
  readonly lastId: EventId
}
interface Room {
  readonly rules: RoomVersionRules
  readonly events: RoomEvent[]
  readonly byId: Map<EventId, RoomEvent>
  /** By place: the state after the event, merges as recorded. */
  readonly states: StateMap[]
}

const PLACE = process.env['FORKS'] ?? new URL('forks.json', import.meta.url)
const FILE = JSON.parse(readFileSync(PLACE, 'utf8')) as ForkFile

function makeEvent(
  room: Room,
  prevs: readonly number[],
  auths: readonly number[],
  [sender, key, content, ts]: Body,
): RoomEvent {
  const { rules, events } = room
  const [type, stateKey] = FILE.keys[key]!
  const refer = (at: number): EventReference =>
    rules.referencePairs ? [events[at]!.eventId, { sha256: '' }] : events[at]!.eventId
  const roomId = events[0]?.roomId ?? (rules.roomIdIsCreateHash ? undefined : ('!room:a' as RoomId))
  const from = FILE.users[sender]!
  const embedded = `$${events.length}:${serverNameOf(from)}` as EventId
  const pdu: Pdu = {
    type,
    sender: from,
    state_key: stateKey,
    content: FILE.contents[content]!,
    origin_server_ts: ts,
    depth: 1 + Math.max(0, ...prevs.map((at) => events[at]!.pdu.depth)),
    prev_events: prevs.map(refer),
    auth_events: auths.map(refer),
    hashes: { sha256: '' },
    signatures: signaturesOf(from, FILE.contents[content]!),
    ...(roomId === undefined ? {} : { room_id: roomId }),
    ...(rules.eventId === 'embedded' ? { event_id: embedded } : {}),
  }
  return toRoomEvent(rules, pdu, sha256)
}

/** What the rules ask for is who signed; whether a signature holds is checked elsewhere, and these hold nothing. */
function signaturesOf(sender: UserId, content: JsonObject): Record<ServerName, Record<string, string>> {
  const via = content['join_authorised_via_users_server']
  const signers = typeof via === 'string' ? [sender, via as UserId] : [sender]
  return Object.fromEntries(signers.map((userId) => [serverNameOf(userId), { 'ed25519:1': '' }]))
}

const entryOf = ({ pdu, eventId }: RoomEvent) => [packStateKey(pdu.type, pdu.state_key!), eventId] as const

/** The state before an event: that after its one parent, or what Synapse made of several. */
function stateBefore(room: Room, one: Case, prevs: readonly number[]): StateMap {
  if (prevs.length < 2) return room.states[prevs[0] ?? -1] ?? new Map()
  const [, state] = one.merges.find(([places]) => places.join() === prevs.join())!
  return new Map(state.map((at) => entryOf(room.events[at]!)))
}

function verdictOf(room: Room, event: RoomEvent, state: StateMap): boolean {
  const auth = authStateOf([...state.values()].map((id) => room.byId.get(id)!))
  return authorizeEvent(room.rules, event, auth, () => false).ok
}

function build(one: Case): Room {
  const room: Room = { rules: findRoomVersion(one.version)!, events: [], byId: new Map(), states: [] }
  for (const [prevs, auths, ...body] of one.events) {
    const event = makeEvent(room, prevs, auths, body)
    const before = stateBefore(room, one, prevs)
    const { type, sender, state_key: stateKey, content } = event.pdu
    const selected = selectAuthEvents(room.rules, { type, sender, stateKey, content })
      .map(([t, k]) => before.get(packStateKey(t, k)))
      .filter((id) => id !== undefined)
    assert.deepEqual(selected.toSorted(), event.authEventIds.toSorted(), `auth events of ${room.events.length}`)
    assert.ok(verdictOf(room, event, before), `event ${room.events.length} is allowed`)
    room.events.push(event)
    room.byId.set(event.eventId, event)
    room.states.push(new Map([...before, entryOf(event)]))
  }
  assert.equal(room.events.at(-1)!.eventId, one.lastId)
  return room
}

function checkRefused(room: Room, one: Case): void {
  for (const [at, [prevs, ...body]] of one.refused.entries()) {
    const event = makeEvent(room, prevs, [], body)
    assert.equal(verdictOf(room, event, stateBefore(room, one, prevs)), false, `refused ${at} is refused`)
  }
}

async function checkMerges(room: Room, one: Case): Promise<void> {
  const places = new Map(room.events.map(({ eventId }, at) => [eventId, at]))
  for (const [prevs, expected] of one.merges) {
    const states = prevs.map((at) => room.states[at]!)
    for (const source of [sourceOf(room.byId), sourceWithEdgesOf(room.byId)]) {
      const resolved = await resolveStateMaps(room.rules, states, source, TOOLS)
      const found = [...resolved.values()].map((id) => places.get(id)!).sort((a, b) => a - b)
      assert.deepEqual(found, expected, `the state of ${prevs.join(', ')}`)
    }
  }
}

for (const version of new Set(FILE.cases.map((one) => one.version))) {
  const cases = FILE.cases.filter((one) => one.version === version)
  const count = (of: (one: Case) => number): number => cases.reduce((sum, one) => sum + of(one), 0)
  const title = `version ${version}: ${cases.length} rooms of ${count((one) => one.events.length)} events`
  test(`${title} that forked ${count((one) => one.merges.length)} times come out as in Synapse`, async (t) => {
    for (const [at, one] of cases.entries()) {
      await t.test(`room ${at}`, async () => {
        const room = build(one)
        checkRefused(room, one)
        await checkMerges(room, one)
      })
    }
  })
}

test('every algorithm is held to dozens of rooms, with state that the forks disagreed on', () => {
  const byAlgorithm = new Map<string, number>()
  for (const { version, merges } of FILE.cases) {
    const { stateResolution } = findRoomVersion(version)!
    byAlgorithm.set(stateResolution, (byAlgorithm.get(stateResolution) ?? 0) + merges.length)
  }
  assert.deepEqual([...byAlgorithm.keys()].toSorted(), ['v1', 'v2', 'v2.1'])
  for (const [algorithm, merges] of byAlgorithm) assert.ok(merges >= 150, `${algorithm}: ${merges} resolutions`)
})
