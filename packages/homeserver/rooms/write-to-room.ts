import type { CommitResult } from '@causeway/store/db/database.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomEngine } from './engine.ts'
import { findHead } from './load-head.ts'
import { attemptWrite, persistEvents, type Companions, type PendingWrite } from './persist.ts'
import { findUnsigned, prepareEvents, type PreparedEvent, type Unsigned } from './policy/own-events.ts'
import { abandonWrite, beginWrite, type RoomWrite } from './room-write.ts'
import { tellMemberChanges } from './state/advance-room-state.ts'

/** A companion's step was refused: a transaction id that was used before, an alias that is taken. */
export class CompanionRefused extends Error {
  /** Index in `companions.steps`. */
  readonly step: number
  readonly reason: 'conflict' | 'precondition'
  constructor(step: number, reason: 'conflict' | 'precondition') {
    super(`companion step ${step} was refused: ${reason}`)
    this.step = step
    this.reason = reason
  }
}

/** What `build` made of a write. Without events nothing is written. */
export interface Built<T> {
  readonly value: T
  readonly companions?: Companions
}

/** How often a write is built anew when another one, refused before it, took its head along. */
const ATTEMPTS = 5

/**
 * Builds a write in the room's queue, hands it to the log and waits, outside the queue, until it is durable.
 * `build` may run again when the head turned out to be stale, or the room's policy server had to sign what it built, so
 * it must have no effect but on the write.
 * Throws `M_NOT_FOUND` for a room we do not know, `CompanionRefused`, and whatever `build` throws.
 */
export async function writeToRoom<T>(
  engine: RoomEngine,
  roomId: RoomId,
  build: (write: RoomWrite) => Promise<Built<T>>,
): Promise<T> {
  let prepared: readonly PreparedEvent[] = []
  let refusals = 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const built = await attemptWrite(engine, roomId, refusals, () =>
      buildWrite(engine, roomId, build, prepared),
    )
    if (built.unsigned !== undefined) {
      prepared = await prepareEvents(engine, built.unsigned)
      continue
    }
    const { value, pending } = built
    if (pending === undefined) return value
    const result = await pending.settled
    if (result.ok) return value
    throwIfCompanion(result, pending)
    refusals++
  }
  throw new MatrixError('M_UNKNOWN', 'The room is too busy; try again')
}

/** A write that was handed to the log, or what somebody else has to sign before it can be. */
type Attempt<T> =
  | { readonly unsigned?: undefined; readonly value: T; readonly pending: PendingWrite | undefined }
  | { readonly unsigned: Unsigned; readonly pending?: undefined }

async function buildWrite<T>(
  engine: RoomEngine,
  roomId: RoomId,
  build: (write: RoomWrite) => Promise<Built<T>>,
  prepared: readonly PreparedEvent[],
): Promise<Attempt<T>> {
  const head = await findHead(engine, roomId)
  if (head === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const write = beginWrite(head, prepared)
  try {
    const { value, companions } = await build(write)
    if (write.events.length === 0) return { value, pending: undefined }
    const unsigned = write.made.length === 0 ? undefined : await findUnsigned(engine, write)
    if (unsigned !== undefined) {
      abandonWrite(write)
      return { unsigned }
    }
    await tellMemberChanges(engine, write)
    return { value, pending: persistEvents(engine, write, companions) }
  } catch (error) {
    abandonWrite(write)
    throw error
  }
}

/** A refusal for a stale head (step −1) is worth another attempt; one of the companions is the caller's. */
export function throwIfCompanion(result: CommitResult & { ok: false }, pending: PendingWrite): void {
  const step = result.step - pending.companionSteps
  if (step >= 0) throw new CompanionRefused(step, result.reason)
}
