import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Timer } from '@causeway/store/clock/clock.ts'
import { countPartialAttempt, deletePartialRoom } from '@causeway/store/tables/partial-rooms.ts'
import { completeRoom } from '../../rooms/join/complete-room.ts'
import type { PartialRoom } from '../../rooms/join/partial-rooms.ts'
import { fetchWholeState } from './fetch-whole-state.ts'
import type { JoiningDeps } from './joining-deps.ts'

/** Fetches the members of rooms that were joined fast, until they are all there; goes on after a restart. */
export interface Completion extends AsyncDisposable {
  /** There may be something to do. */
  wake(): void
  /** Rooms that are being seen to. */
  active(): readonly RoomId[]
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/** Rooms seen to at once: each may hold a large answer in memory. */
const AT_ONCE = 2
const FIRST_RETRY_MS = 5_000
const LONGEST_RETRY_MS = 600_000

export function createCompletion(deps: JoiningDeps): Completion {
  const { rooms: engine, clock, logger } = deps
  const stopping = new AbortController()
  const active = new Map<number, { readonly room: PartialRoom; readonly work: Promise<void> }>()
  const waiting = new Map<number, Timer>()

  function startNext(): void {
    if (stopping.signal.aborted) return
    for (const room of engine.partial.list()) {
      if (active.size >= AT_ONCE) return
      if (active.has(room.roomNid) || waiting.has(room.roomNid)) continue
      const work = complete(room).finally(() => {
        active.delete(room.roomNid)
        startNext()
      })
      active.set(room.roomNid, { room, work })
    }
  }

  /** Never rejects. */
  async function complete(room: PartialRoom): Promise<void> {
    const about = { room: room.roomId, attempts: room.attempts }
    const startedMs = clock.monotonic()
    try {
      if ((await engine.members.localMembers(room.roomNid)).size === 0) return await forget(room)
      for (const server of serversOf(room)) {
        const told = await fetchWholeState(deps, room, server, stopping.signal).catch((error: unknown) => {
          stopping.signal.throwIfAborted()
          logger.info('a server could not give the members of a room', { ...about, server, error })
        })
        if (told === undefined) continue
        if (await completeRoom(engine, room, told)) {
          const took = Math.round(clock.monotonic() - startedMs)
          logger.info('a room has all its members', { ...about, events: told.ordered.length, ms: took })
        }
        return
      }
      throw new Error('none of the servers in the room gave its members')
    } catch (error) {
      if (stopping.signal.aborted) return
      await postpone(room, error)
    }
  }

  /** Everybody has left again: its members are nobody's concern. */
  async function forget(room: PartialRoom): Promise<void> {
    await engine.db.commit({ entries: [], steps: [deletePartialRoom(room.roomNid)] })
    engine.partial.forget(room.roomNid)
  }

  async function postpone(room: PartialRoom, error: unknown): Promise<void> {
    const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(room.attempts, 10), LONGEST_RETRY_MS)
    logger.warn('the members of a room could not be fetched; it is tried again', {
      room: room.roomId,
      attempts: room.attempts + 1,
      retry_in_ms: wait,
      error,
    })
    const retry = (): void => {
      waiting.delete(room.roomNid)
      startNext()
    }
    waiting.set(room.roomNid, clock.setTimeout(retry, wait, { unref: true }))
    engine.partial.attempted(room.roomNid)
    const steps = [countPartialAttempt(room.roomNid)]
    await engine.db.commit({ entries: [], steps }).catch((fault: unknown) => {
      logger.error('an attempt could not be counted', { room: room.roomId, error: fault })
    })
  }

  return {
    wake: startNext,
    active: () => [...active.values()].map(({ room }) => room.roomId),
    async idle() {
      while (active.size > 0) await Promise.all([...active.values()].map(({ work }) => work))
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('The server stops'))
      for (const timer of waiting.values()) timer.cancel()
      await this.idle()
    },
  }
}

/** Servers asked in one attempt: the one we joined by, and then others, other ones each time. */
const SERVERS_AT_ONCE = 4

function serversOf({ servers, attempts }: PartialRoom): ServerName[] {
  const [first, ...others] = servers
  if (first === undefined) return []
  const turn = others.length === 0 ? 0 : (attempts * (SERVERS_AT_ONCE - 1)) % others.length
  return [first, ...[...others.slice(turn), ...others.slice(0, turn)].slice(0, SERVERS_AT_ONCE - 1)]
}
