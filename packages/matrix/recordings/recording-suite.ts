import { createHash, createPublicKey, verify } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { packStateKey, type StateKey } from '../event-auth/state-key.ts'
import { toRoomEvent } from '../events/make-room-event.ts'
import type { Pdu, RoomEvent, Sha256, VerifySignature } from '../events/pdu.ts'
import type { EventId, KeyId, RoomId, ServerName } from '../ids/ids.ts'
import { findRoomVersion, type RoomVersionRules } from '../room-versions/rules.ts'
import type { FindVerifyKey } from '../signing/keys.ts'
import type { EventSource } from '../state-res/event-source.ts'
import { resolveStateMaps } from '../state-res/resolve.ts'
import type { StateMap } from '../state-res/state-map.ts'

/** A file of `rooms/`, as README.md describes it. Events are named by their place in `events`. */
interface RecordingFile {
  readonly roomVersion: string
  readonly roomId: RoomId
  readonly verifyKeys: Record<string, Record<string, string>>
  readonly eventIds: readonly EventId[]
  readonly events: readonly Pdu[]
  readonly views: readonly ViewFile[]
}

interface ViewFile {
  readonly server: ServerName
  readonly missing: readonly number[]
  readonly outliers: readonly number[]
  readonly rejected: readonly number[]
  readonly softFailed: readonly number[]
  readonly arrival: readonly number[]
  readonly groups: readonly (readonly [base: number | null, entries: readonly number[]])[]
  readonly stateAfter: Readonly<Record<string, number>>
  readonly extremities: readonly number[]
  readonly currentState: readonly number[]
}

/** One recorded room. */
export interface Recording {
  readonly rules: RoomVersionRules
  readonly roomId: RoomId
  readonly events: readonly RoomEvent[]
  readonly byId: ReadonlyMap<EventId, RoomEvent>
  readonly findKey: FindVerifyKey
  readonly views: readonly View[]
}

/** What one server made of the room. */
export interface View {
  readonly server: ServerName
  readonly outliers: ReadonlySet<EventId>
  readonly rejected: ReadonlySet<EventId>
  readonly softFailed: ReadonlySet<EventId>
  /** Events in the order in which the server took them in. */
  readonly arrival: readonly RoomEvent[]
  readonly extremities: readonly EventId[]
  readonly currentState: StateMap
  /** The state after an event as the server stored it, or undefined for outliers. */
  readonly stateAfter: (eventId: EventId) => StateMap | undefined
  /** For state resolution: all events, and which this server rejected. */
  readonly source: EventSource
}

export const sha256: Sha256 = (text) => createHash('sha256').update(text).digest('base64url')
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')

export const verifySignature: VerifySignature = (publicKey, text, signature) => {
  const x = Buffer.from(publicKey, 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))
}

/** All recordings, by room version. */
export function readRecordings(): Recording[] {
  const folder = new URL('rooms/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const recordings = files.map((name) =>
    open(JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as RecordingFile),
  )
  return recordings.sort((a, b) => Number(a.rules.version) - Number(b.rules.version))
}

function open(file: RecordingFile): Recording {
  const rules = findRoomVersion(file.roomVersion)
  if (!rules) throw new Error(`No rules for room version ${file.roomVersion}`)
  const events = file.events.map((pdu, at) => toRoomEvent(rules, pdu, sha256, file.eventIds[at]!))
  const byId = new Map(events.map((event) => [event.eventId, event]))
  const findKey = (server: ServerName, keyId: KeyId): ReturnType<FindVerifyKey> => {
    const publicKey = file.verifyKeys[server]?.[keyId]
    return publicKey === undefined ? undefined : { publicKey, validUntilTs: Number.MAX_SAFE_INTEGER }
  }
  return {
    rules,
    roomId: file.roomId,
    events,
    byId,
    findKey,
    views: file.views.map((view) => openView(view, events, byId)),
  }
}

function openView(view: ViewFile, events: readonly RoomEvent[], byId: ReadonlyMap<EventId, RoomEvent>): View {
  const ids = (places: readonly number[]): EventId[] => places.map((place) => events[place]!.eventId)
  const entry = (place: number): [StateKey, EventId] => {
    const { eventId, pdu } = events[place]!
    return [packStateKey(pdu.type, pdu.state_key!), eventId]
  }
  const groups: StateMap[] = []
  for (const [base, entries] of view.groups)
    groups.push(new Map([...(base === null ? [] : groups[base]!), ...entries.map(entry)]))
  const groupOf = new Map(
    Object.entries(view.stateAfter).map(([place, group]) => [events[Number(place)]!.eventId, group]),
  )
  const rejected = new Set(ids(view.rejected))
  return {
    server: view.server,
    outliers: new Set(ids(view.outliers)),
    rejected,
    softFailed: new Set(ids(view.softFailed)),
    arrival: view.arrival.map((place) => events[place]!),
    extremities: ids(view.extremities),
    currentState: new Map(view.currentState.map(entry)),
    stateAfter: (eventId) => groups[groupOf.get(eventId) ?? -1],
    source: {
      getEvents: (wanted) =>
        Promise.resolve(
          new Map(wanted.flatMap((id) => (byId.has(id) ? [[id, byId.get(id)!] as const] : []))),
        ),
      getRejected: (wanted) => Promise.resolve(new Set(wanted.filter((id) => rejected.has(id)))),
    },
  }
}

/** Our resolution of several states, as one server would make it. */
export async function resolve(
  recording: Recording,
  view: View,
  states: readonly StateMap[],
): Promise<StateMap> {
  const tools = { sha1, verifySignature }
  return resolveStateMaps(recording.rules, states, view.source, tools)
}

/** The state before an event: that after its parents, resolved by us. Undefined where the server has no state for a parent. */
export async function stateBefore(
  recording: Recording,
  view: View,
  event: RoomEvent,
): Promise<StateMap | undefined> {
  const states = event.prevEventIds.map((id) => view.stateAfter(id))
  const known = states.filter((state) => state !== undefined)
  if (known.length < states.length) return undefined
  if (known.length === 0) return new Map()
  return known.length === 1 ? known[0]! : resolve(recording, view, known)
}

/** Two states as sorted lines, for a comparison that reads well when it fails. */
export function describeState(recording: Recording, state: StateMap): string[] {
  const lines = [...state].map(
    ([key, id]) => `${key} = ${recording.events.findIndex((event) => event.eventId === id)}`,
  )
  return lines.sort()
}
