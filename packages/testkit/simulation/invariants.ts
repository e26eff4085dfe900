import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { authorizeEvent } from '@causeway/matrix/event-auth/authorize.ts'
import { authStateOf } from '@causeway/matrix/event-auth/auth-state.ts'
import { checkAuthEventsSelection } from '@causeway/matrix/event-auth/check-auth-events.ts'
import type { EventId, KeyId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createEventIdOf } from '@causeway/matrix/ids/room-id.ts'
import type { FindVerifyKey } from '@causeway/matrix/signing/keys.ts'
import { verifyEvent, type EventVerdict } from '@causeway/matrix/signing/verify-event.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { listStateAt, readerOf } from '@causeway/homeserver/rooms/current-state.ts'
import { findHead, findRoom } from '@causeway/homeserver/rooms/load-head.ts'
import { roomEventOfRow } from '@causeway/homeserver/rooms/stored-event.ts'
import { sha256, verifySignature } from '../matrix/ed25519.ts'
import { roomUrl, type Acknowledged, type Clients } from './people.ts'
import type { SimulatedServer } from './simulated-server.ts'

// What must hold whatever happened: read from each server's own tables, and as its clients see it.

const HIDDEN = EventFlag.outlier | EventFlag.rejected | EventFlag.softFailed

/** A room as one server has it. */
export interface RoomImage {
  readonly server: ServerName
  readonly roomId: RoomId
  /** Event ids of the current state, by type and state key. */
  readonly state: ReadonlyMap<string, EventId>
  /** Flags of every event that is held. */
  readonly flags: ReadonlyMap<EventId, number>
  readonly events: ReadonlyMap<EventId, RoomEvent>
  readonly extremities: number
  readonly rules: NonNullable<Awaited<ReturnType<typeof findRoom>>>['rules']
}

export async function imageOf(server: SimulatedServer, roomId: string): Promise<RoomImage> {
  const engine = server.hs.rooms
  const [head, room] = [await findHead(engine, roomId as RoomId), await findRoom(engine, roomId as RoomId)]
  if (head === undefined || room === undefined)
    throw new Error(`${server.name} does not know the room ${roomId}`)
  const entries = await listStateAt(readerOf(engine, head), room, head.stateRoot)
  const rows = await server.db.query<EventRow>('SELECT * FROM events WHERE room_nid = ?', [room.roomNid])
  const keyOf = ({ pdu }: RoomEvent): string => `${pdu.type}|${pdu.state_key}`
  return {
    server: server.name,
    roomId: roomId as RoomId,
    rules: room.rules,
    state: new Map(entries.map(({ roomEvent }) => [keyOf(roomEvent), roomEvent.eventId])),
    flags: new Map(rows.map((row) => [row.event_id as EventId, row.flags])),
    events: new Map(rows.map((row) => [row.event_id as EventId, roomEventOfRow(room, row)])),
    extremities: head.extremities.length,
  }
}

/** Where two servers differ about the current state. */
export function stateDifferences(one: RoomImage, other: RoomImage): string[] {
  const keys = new Set([...one.state.keys(), ...other.state.keys()])
  return [...keys]
    .filter((key) => one.state.get(key) !== other.state.get(key))
    .map(
      (key) =>
        `${one.roomId} ${key}: ${one.server} has ${one.state.get(key)}, ${other.server} ${other.state.get(key)}`,
    )
}

/** Of what clients were told is part of the room, what a server lacks or has rejected. */
export function lostEvents(image: RoomImage, acknowledged: readonly Acknowledged[]): string[] {
  return acknowledged
    .filter(({ roomId }) => roomId === image.roomId)
    .flatMap(({ eventId, sender, what, server }) => {
      const flags = image.flags.get(eventId as EventId)
      const name = `${eventId} (${sender} ${what})`
      if (flags === undefined) return [`${image.server} lacks ${name}`]
      if ((flags & EventFlag.rejected) !== 0) return [`${image.server} rejected ${name}`]
      if ((flags & EventFlag.outlier) !== 0) return [`${image.server} has ${name} outside of the graph`]
      if ((flags & EventFlag.softFailed) !== 0 && server.name === image.server)
        return [`${image.server} hides ${name}, its own`]
      return []
    })
}

/** Signature, auth events and what these allow, of everything a server shows: worked out anew. */
export function unauthorizedEvents(
  image: RoomImage,
  findKey: FindVerifyKey,
  forbidden: ReadonlyMap<EventId, string>,
  verified: Map<string, EventVerdict> = new Map(),
): string[] {
  const { rules } = image
  const shown = [...image.events.values()].filter(({ eventId }) => (image.flags.get(eventId)! & HIDDEN) === 0)
  const lookup = {
    find: (id: EventId) => image.events.get(id),
    isRejected: (id: EventId) => ((image.flags.get(id) ?? 0) & EventFlag.rejected) !== 0,
  }
  const faultOf = (event: RoomEvent): string | undefined => {
    const why = forbidden.get(event.eventId)
    if (why !== undefined) return why
    // Servers hold the same bytes, mostly: these are verified once.
    const json = JSON.stringify(event.pdu)
    const signed =
      verified.get(json) ?? verifyEvent(rules, event.pdu, { sha256, verify: verifySignature, findKey })
    verified.set(json, signed)
    if (signed.outcome === 'invalid') return signed.reason
    if (signed.eventId !== event.eventId) return 'its id is not its own'
    const selection = checkAuthEventsSelection(rules, event, lookup)
    if (!selection.ok) return selection.reason
    const ids = [...event.authEventIds, ...(rules.roomIdIsCreateHash ? [createEventIdOf(event.roomId)] : [])]
    const auth = authStateOf(ids.map((id) => image.events.get(id)!))
    const verdict = authorizeEvent(rules, event, auth, verifySignature)
    return verdict.ok ? undefined : verdict.reason
  }
  return shown.flatMap((event) => {
    const fault = faultOf(event)
    return fault === undefined
      ? []
      : [`${image.server} shows ${event.eventId} (${event.pdu.type} of ${event.pdu.sender}): ${fault}`]
  })
}

/** Ids of all that a client sees in a room, by walking back through its history, and of the state it is told. */
export async function seenByClient(
  clients: Clients,
  server: SimulatedServer,
  userId: string,
  roomId: string,
): Promise<{ readonly timeline: ReadonlySet<string>; readonly state: ReadonlySet<string> }> {
  const timeline = new Set<string>()
  let from = ''
  for (let page = 0; page < 60; page++) {
    const url = roomUrl(roomId, `messages?dir=b&limit=100${from}`)
    const answer = await clients.must(server, userId, { what: 'reads', method: 'GET', url })
    const chunk = answer['chunk'] as { event_id: string }[]
    for (const { event_id } of chunk) timeline.add(event_id)
    if (answer['end'] === undefined) break
    from = `&from=${encodeURIComponent(answer['end'] as string)}`
  }
  const all = await clients.must(server, userId, {
    what: 'reads the state',
    method: 'GET',
    url: roomUrl(roomId, 'state'),
  })
  const state = new Set((all as unknown as { event_id: string }[]).map(({ event_id }) => event_id))
  return { timeline, state }
}

/** What must stay small at every moment, and where it is not. */
export function excesses(server: SimulatedServer): string[] {
  if (!server.isUp) return []
  const { hs, db } = server
  const held = hs.budget.figures().reduce((sum, { bytes }) => sum + bytes, 0)
  const limits = [
    ['bytes of caches', held, hs.budget.totalBytes()],
    ['writes that wait', db.stats.waiting, 2_000],
    ['rooms that are seen to', hs.receiving.inbox.active(), 20],
  ] as const
  return limits
    .filter(([, value, limit]) => value > limit)
    .map(([what, value, limit]) => `${server.name}: ${value} ${what}, more than ${limit}`)
}

/** Rows that wait for something, which must come to an end. */
export async function waitingRows(server: SimulatedServer): Promise<number> {
  const rows = await server.db.query<{ count: number }>('SELECT COUNT(*) AS count FROM inbound_pdus', [])
  return Number(rows[0]!.count)
}

/** The true keys of all servers of a run. */
export function keysOf(servers: readonly SimulatedServer[]): FindVerifyKey {
  const keys = new Map(servers.map(({ name, hs }) => [name, hs.federation.ownKeys]))
  return (serverName: ServerName, keyId: KeyId) => {
    const own = keys.get(serverName)
    return own?.find(keyId)
  }
}
