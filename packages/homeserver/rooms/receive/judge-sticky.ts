// https://github.com/matrix-org/matrix-spec-proposals/pull/4354
import type { Bus } from '@causeway/store/bus/local.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { findEventRowsByNid } from '@causeway/store/tables/events.ts'
import { listRefusedSticky } from '@causeway/store/tables/sticky-events.ts'
import { getRoomByNid } from '../load-head.ts'
import type { ReceiveDeps } from './deps.ts'
import { AUTH_TYPES, pduOfRefused } from './judge-soft-failed.ts'
import { acceptedOf, receiveBatch } from './receive-batch.ts'
import type { Inbox } from './inbox.ts'

/** Events of a room that are looked at again, the newest: a stranger decides how many there are. */
const MAX_ANEW = 50

/** Judges soft-failed sticky events anew whenever what may allow them changes, for as long as they are sticky. */
export interface StickyJudge extends AsyncDisposable {
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/**
 * Unlike others they are accepted whatever the room has decided since, as soon as its current state allows them: whoever
 * was out of the room for a moment is in the call all the same.
 */
export function createStickyJudge(deps: ReceiveDeps, bus: Bus, placed: Inbox['placed']): StickyJudge {
  const { engine, logger } = deps
  const due = new Set<number>()
  let seen = engine.log.head()
  let isOver = false
  let working: Promise<void> | undefined
  const work = async (): Promise<void> => {
    for (const roomNid of due) {
      due.delete(roomNid)
      if (isOver) return
      try {
        await judgeRoom(deps, roomNid, placed)
      } catch (error) {
        logger.warn('sticky events of a room could not be judged anew', { room: roomNid, error })
      }
    }
  }
  const begin = (): void => {
    working ??= work().finally(() => {
      working = undefined
      if (due.size > 0 && !isOver) begin()
    })
  }
  const leave = bus.subscribe(() => {
    const after = seen
    seen = engine.log.head()
    // Called at every commit.
    if (!engine.sticky.mayBeRefused()) return
    const entries = engine.log.ring.since(after)
    if (entries === 'fell-behind') for (const roomNid of engine.sticky.refusedRooms()) due.add(roomNid)
    else for (const entry of entries) if (mayAllow(entry)) due.add(entry.event.roomNid)
    for (const roomNid of due) if (!engine.sticky.mayBeRefused(roomNid)) due.delete(roomNid)
    if (due.size > 0) begin()
  })
  return {
    async idle() {
      while (working !== undefined) await working
    },
    async [Symbol.asyncDispose]() {
      isOver = true
      leave()
      while (working !== undefined) await working
    },
  }
}

/** Whether the rules ask for what an event sets, when they allow another one. */
function mayAllow(entry: LogEntry): entry is LogEntry & { kind: 'event' } {
  return entry.kind === 'event' && entry.event.stateKey !== undefined && AUTH_TYPES.has(entry.event.type)
}

async function judgeRoom(deps: ReceiveDeps, roomNid: number, placed: Inbox['placed']): Promise<void> {
  const { engine, clock, figures, logger } = deps
  const nids = await listRefusedSticky(engine.db, roomNid, clock.now(), MAX_ANEW)
  const rows = await findEventRowsByNid(engine.db, nids)
  if (rows.length === 0) return
  const room = await getRoomByNid(engine, roomNid)
  const pdus = rows.map((row) => pduOfRefused(room, row))
  const accepted = acceptedOf(pdus, await receiveBatch(engine, room.roomId, pdus, { anew: async () => true }))
  for (const { event } of accepted) {
    figures.acceptedLater++
    logger.info('a sticky event that was soft-failed is accepted after all', {
      roomId: room.roomId,
      eventId: event.eventId,
    })
  }
  await placed(room, accepted)
}
