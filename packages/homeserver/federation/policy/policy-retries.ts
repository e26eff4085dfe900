import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { listPolicyWaitRooms } from '@causeway/store/tables/policy-waits.ts'
import { askAgain } from '../../rooms/policy/ask-again.ts'
import type { ReceiveDeps } from '../../rooms/receive/deps.ts'
import { createRoomWorkers } from '../../rooms/receive/room-workers.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'

/** Sees to events that are soft-failed since their room's policy server could not be asked about them. */
export interface PolicyRetries extends AsyncDisposable {
  /** Takes up what waited when the server stopped. */
  start(): Promise<void>
  /** An event of the room begins to wait for a policy server. */
  begin(roomId: RoomId, server: ServerName): void
  /** A server gave a sign of life: rooms that wait for it are seen to at once. */
  heardFrom(server: ServerName): void
  /** Resolves when no room is being seen to; what could not be helped is tried again later. */
  idle(): Promise<void>
}

/** Rooms seen to at once. */
const AT_ONCE = 5
const FIRST_WAIT_MS = 10_000
const LONGEST_WAIT_MS = 300_000

/** A room with events that wait: there are as many as have rows. */
interface Waiting {
  /** How often it was asked again in vain, */
  readonly attempts: number
  /** when last (monotonic), */
  readonly lastMs: number
  /** and who did not answer. */
  readonly down: readonly ServerName[]
}

/** @param onAccepted is told of events that have become part of a room */
export function createPolicyRetries(
  deps: ReceiveDeps,
  onAccepted: (room: RoomInfo, pdus: readonly VerifiedPdu[]) => Promise<void>,
): PolicyRetries {
  const { engine, logger, clock } = deps
  const waiting = new Map<RoomId, Waiting>()
  const workers = createRoomWorkers({
    clock,
    limit: AT_ONCE,
    async work(roomId, signal) {
      for (;;) {
        const done = await askAgain(deps, roomId, signal)
        if (done !== undefined && done.asked.accepted.length > 0)
          await onAccepted(done.room, done.asked.accepted)
        if (done?.asked.outcome === 'more') continue
        if (done?.asked.outcome === 'unreachable') postpone(roomId, done.asked.down)
        else waiting.delete(roomId)
        return
      }
    },
    onFailure: (roomId, error) => {
      logger.warn('the policy server of a room could not be asked again', { roomId, error })
      postpone(roomId, [])
    },
  })
  function postpone(roomId: RoomId, down: readonly ServerName[]): void {
    const attempts = (waiting.get(roomId)?.attempts ?? 0) + 1
    waiting.set(roomId, { attempts, lastMs: clock.monotonic(), down })
    wait(roomId, attempts)
  }
  function wait(roomId: RoomId, attempts: number): void {
    const ms = Math.min(FIRST_WAIT_MS * 2 ** Math.min(attempts, 10), LONGEST_WAIT_MS)
    workers.wakeLater(roomId, ms * (1 + engine.random.fraction() / 4))
  }
  return {
    async start() {
      for (const roomId of await listPolicyWaitRooms(engine.db)) workers.wake(roomId as RoomId)
    },
    begin(roomId, server) {
      if (waiting.has(roomId)) return
      waiting.set(roomId, { attempts: 0, lastMs: -Infinity, down: [server] })
      wait(roomId, 0)
    },
    heardFrom(server) {
      // Who sends us much and signs nothing is not asked more often for that.
      const before = clock.monotonic() - FIRST_WAIT_MS
      for (const [roomId, { down, lastMs }] of waiting) {
        if (down.includes(server) && lastMs < before) workers.wake(roomId)
      }
    },
    idle: () => workers.idle(),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  }
}
