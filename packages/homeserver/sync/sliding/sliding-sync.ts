import type { DeviceId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import type { Homeserver } from '../../homeserver.ts'
import { RawJson, type Session } from '../../http/endpoint.ts'
import { readEntries } from '../context.ts'
import { compileSyncFilter } from '../filter.ts'
import type { SyncToken } from '../token.ts'
import { answer, type Answer } from './answer.ts'
import type { Turn } from './connections.ts'
import type { SlidingContext } from './context.ts'
import { acknowledgeToDevice } from './extensions/to-device.ts'
import { formatPos, unknownPos, type Pos } from './pos.ts'
import type { SlidingRequest } from './request.ts'

export interface SlidingInput {
  readonly session: Session
  readonly deviceId: DeviceId
  readonly pos: Pos | undefined
  readonly request: SlidingRequest
  /** How long to wait for news, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Longest wait for news. */
const MAX_TIMEOUT_MS = 90_000

const NO_FILTER = compileSyncFilter({})

/**
 * What has happened in the windows of a client since an answer: at once when there is something, or more is asked for,
 * else as soon as there is, else an empty answer after the timeout. An idle wait costs no query.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4186
 */
export async function slidingSync(hs: Homeserver, input: SlidingInput): Promise<RawJson> {
  const deadline = hs.clock.monotonic() + Math.min(input.timeoutMs, MAX_TIMEOUT_MS)
  const { session, deviceId, pos, request, signal } = input
  const { toDevice } = request.extensions
  if (toDevice !== undefined) await acknowledgeToDevice(hs, session.userId, deviceId, toDevice)
  using turn = await hs.sliding.connections.begin(session.userId, deviceId, request.connId, pos)
  for (;;) {
    const rooms = await hs.rooms.members.roomsOf(session.userId)
    // Take the place before reading the position: news in between wake us at once.
    const waiter = hs.notifier.arm(session.userId, rooms.active)
    try {
      const ctx = await makeContext(hs, input, turn)
      const told = await answer(ctx)
      const remaining = deadline - hs.clock.monotonic()
      if (turn.isOver() || signal.aborted) return superseded(hs, input)
      if (pos === undefined || told.isNews || remaining <= 0) return await finish(ctx, told)
      await waiter.wait(remaining, signal)
    } finally {
      waiter.leave()
    }
  }
}

async function makeContext(
  hs: Homeserver,
  { session, deviceId, pos, request }: SlidingInput,
  turn: Turn,
): Promise<SlidingContext> {
  const since = pos?.token
  const now: SyncToken = { position: hs.log.head(), volatile: hs.volatile.position() }
  const rooms = await hs.rooms.members.roomsOf(session.userId)
  const entries = since && readEntries(hs, session.userId, rooms, { since, now })
  const shared = { hs, session, deviceId, since, now, rooms, request, turn }
  return { ...shared, entries, recent: entries && byRoom(entries), filter: NO_FILTER, fullState: false }
}

function byRoom(entries: readonly LogEntry[]): Map<RoomId, StoredEvent[]> {
  const rooms = new Map<RoomId, StoredEvent[]>()
  for (const entry of entries) {
    if (entry.kind !== 'event') continue
    const events = rooms.get(entry.roomId)
    if (events === undefined) rooms.set(entry.roomId, [entry.event])
    else events.push(entry.event)
  }
  return rooms
}

/** Nobody waits for this answer: it tells nothing, and the position in it is the one that the client has. */
function superseded(hs: Homeserver, { pos }: SlidingInput): RawJson {
  if (pos === undefined) throw unknownPos()
  return new RawJson(`{"pos":${JSON.stringify(formatPos(pos, hs.epochs))},"rooms":{},"extensions":{}}`)
}

/** Keeps what is told, then tells it. */
async function finish({ hs, now, turn }: SlidingContext, told: Answer): Promise<RawJson> {
  const { connections } = hs.sliding
  const state = told.rooms === undefined ? turn.base : await connections.record(turn, told.rooms)
  connections.noteMembers(turn, told.members)
  const pos = formatPos({ generation: state.generation, answer: turn.answer, token: now }, hs.epochs)
  return new RawJson(`{"pos":${JSON.stringify(pos)},${told.text}}`)
}
