import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { countPartialAttempt, deletePartialRoom } from '@causeway/store/tables/partial-rooms.ts'
import type { CheckedRoom } from '../../rooms/join/check-answer.ts'
import { completeRoom } from '../../rooms/join/complete-room.ts'
import type { PartialRoom } from '../../rooms/join/partial-rooms.ts'
import { createRoomWorkers } from '../../rooms/receive/room-workers.ts'
import { fetchWholeState } from './fetch-whole-state.ts'
import type { JoiningDeps } from './joining-deps.ts'

/** Fetches the members of rooms that were joined fast, until they are all there; goes on after a restart. */
export interface Completion extends AsyncDisposable {
  /** Sees to every room whose members are not here, those that failed a moment ago too. */
  start(): void
  /** A room was joined fast. */
  wake(roomId: RoomId): void
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/** Rooms seen to at once: each may hold a large answer in memory. */
const AT_ONCE = 2
const FIRST_RETRY_MS = 5_000
const LONGEST_RETRY_MS = 600_000

export function createCompletion(deps: JoiningDeps): Completion {
  const { rooms: engine, clock, logger } = deps
  const workers = createRoomWorkers({
    clock,
    limit: AT_ONCE,
    work: async (roomId, signal) => {
      const room = engine.partial.list().find((one) => one.roomId === roomId)
      if (room === undefined) return
      try {
        await complete(deps, room, signal)
      } catch (error) {
        signal.throwIfAborted()
        workers.wakeLater(roomId, await postpone(deps, room, error))
      }
    },
    onFailure: (roomId, error) => logger.error('the members of a room cannot be seen to', { roomId, error }),
  })
  return {
    start: () => {
      for (const { roomId } of engine.partial.list()) workers.wake(roomId)
    },
    wake: (roomId) => workers.wake(roomId),
    idle: () => workers.idle(),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  }
}

/** Asks one server after another. Throws when none of them gives the members. */
async function complete(deps: JoiningDeps, room: PartialRoom, signal: AbortSignal): Promise<void> {
  const { rooms: engine, clock, logger } = deps
  const about = { room: room.roomId, attempts: room.attempts }
  const startedMs = clock.monotonic()
  if ((await engine.members.localMembers(room.roomNid)).size === 0) await forget(deps, room)
  if (engine.partial.find(room.roomNid) === undefined) return
  for (const server of serversOf(room)) {
    logger.info('the members of a room are fetched', { ...about, server })
    const told = await fetchWholeState(deps, room, server, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      logger.info('a server could not give the members of a room', { ...about, server, error })
    })
    if (told === undefined) continue
    const done = await completeRoom(engine, room, told, reportProgress(deps, room, told))
    if (done === undefined) return
    logger.info('a room has all its members', {
      ...about,
      events: told.ordered.length,
      ms: Math.round(clock.monotonic() - startedMs),
      ...(done.takenBack === 0 ? {} : { taken_back: done.takenBack }),
      ...(done.acceptedAfterAll === 0 ? {} : { accepted_after_all: done.acceptedAfterAll }),
    })
    return
  }
  throw new Error('none of the servers in the room gave its members')
}

/** Events stored between two lines in the log that every operator is shown. */
const REPORT_EVERY = 2_500

function reportProgress(
  { rooms: { partial }, logger }: JoiningDeps,
  { roomId, roomNid }: PartialRoom,
  { ordered }: CheckedRoom,
): (stored: number) => void {
  let reported = 0
  return (stored) => {
    partial.progressed(roomNid, { stored, expected: ordered.length })
    const isDue = stored >= reported + REPORT_EVERY
    if (isDue) reported = stored
    logger[isDue ? 'info' : 'debug']('members of a room arrive', {
      room: roomId,
      stored,
      of: ordered.length,
    })
  }
}

/** Everybody has left again: its members are nobody's concern. Unless somebody has just come back. */
async function forget({ db, rooms }: JoiningDeps, { roomId, roomNid }: PartialRoom): Promise<void> {
  await rooms.queue.serial(roomId, async () => {
    // What was handed to the log before is known afterwards.
    await db.commit({ entries: [], steps: [] })
    if ((await rooms.members.localMembers(roomNid)).size > 0) return
    await db.commit({ entries: [], steps: [deletePartialRoom(roomNid)] })
    rooms.partial.forget(roomNid)
  })
}

/** Resolves with how long to wait, in milliseconds. */
async function postpone(
  { db, rooms, logger }: JoiningDeps,
  room: PartialRoom,
  error: unknown,
): Promise<number> {
  const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(room.attempts, 10), LONGEST_RETRY_MS)
  logger.warn('the members of a room could not be fetched; it is tried again', {
    room: room.roomId,
    attempts: room.attempts + 1,
    retry_in_ms: wait,
    error,
  })
  rooms.partial.attempted(room.roomNid)
  const steps = [countPartialAttempt(room.roomNid)]
  await db.commit({ entries: [], steps }).catch((fault: unknown) => {
    logger.error('an attempt could not be counted', { room: room.roomId, error: fault })
  })
  return wait
}

/** Servers asked in one attempt: the one we joined by, and then others, other ones each time. */
const SERVERS_AT_ONCE = 4

function serversOf({ servers, attempts }: PartialRoom): ServerName[] {
  const [first, ...others] = servers
  if (first === undefined) return []
  const turn = others.length === 0 ? 0 : (attempts * (SERVERS_AT_ONCE - 1)) % others.length
  return [first, ...[...others.slice(turn), ...others.slice(0, turn)].slice(0, SERVERS_AT_ONCE - 1)]
}
