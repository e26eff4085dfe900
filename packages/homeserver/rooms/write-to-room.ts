import type { CommitResult } from '@causeway/store/db/database.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomEngine } from './engine.ts'
import { findHead } from './load-head.ts'
import { attemptWrite, othersStored, persistEvents, type Companions, type PendingWrite } from './persist.ts'
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

/**
 * What `build` made of a write. Without events nothing is written, and the value holds once whatever else of the room is
 * on its way to the disk is durable.
 */
export interface Built<T> {
  readonly value: T
  readonly companions?: Companions
}

/** `build` needs the rows of what is on its way to the disk: it runs again when that is durable. */
export const AFTER_OTHERS = Symbol('after the others')

export interface WriteOptions {
  /** `build` reads rows that other writes of the room may just be changing: it has the room to itself. */
  readonly alone?: boolean
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
  build: (write: RoomWrite) => Promise<Built<T> | typeof AFTER_OTHERS>,
  { alone = false }: WriteOptions = {},
): Promise<T> {
  let prepared: readonly PreparedEvent[] = []
  let refusals = alone ? 1 : 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const built = await attemptWrite(engine, roomId, refusals, () =>
      buildWrite(engine, roomId, build, prepared),
    )
    if (built.outcome === 'unsigned') {
      prepared = await prepareEvents(engine, built.unsigned)
      continue
    }
    if (built.outcome !== 'too-early' && (await isStored(built))) return built.value
    refusals++
  }
  throw new MatrixError('M_UNKNOWN', 'The room is too busy; try again')
}

/** A write that was handed to the log, or nothing to be written, or why it has to be built again. */
type Attempt<T> =
  | { readonly outcome: 'written'; readonly value: T; readonly pending: PendingWrite }
  | {
      readonly outcome: 'nothing'
      readonly value: T
      readonly pending?: undefined
      /** Whether the writes before it, by which the value holds, came to be durable. */
      readonly others: Promise<boolean>
    }
  | { readonly outcome: 'unsigned'; readonly unsigned: Unsigned; readonly pending?: undefined }
  | { readonly outcome: 'too-early'; readonly pending?: undefined }

async function isStored(
  attempt: Extract<Attempt<unknown>, { readonly outcome: 'written' | 'nothing' }>,
): Promise<boolean> {
  if (attempt.outcome === 'nothing') return attempt.others
  const result = await attempt.pending.settled
  if (!result.ok) throwIfCompanion(result, attempt.pending)
  return result.ok
}

async function buildWrite<T>(
  engine: RoomEngine,
  roomId: RoomId,
  build: (write: RoomWrite) => Promise<Built<T> | typeof AFTER_OTHERS>,
  prepared: readonly PreparedEvent[],
): Promise<Attempt<T>> {
  const head = await findHead(engine, roomId)
  if (head === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const write = beginWrite(head, prepared)
  try {
    const built = await build(write)
    if (built === AFTER_OTHERS) {
      abandonWrite(write)
      return { outcome: 'too-early' }
    }
    if (write.events.length === 0) {
      abandonWrite(write)
      return { outcome: 'nothing', value: built.value, others: othersStored(engine, roomId) }
    }
    const unsigned = write.made.length === 0 ? undefined : await findUnsigned(engine, write)
    if (unsigned !== undefined) {
      abandonWrite(write)
      return { outcome: 'unsigned', unsigned }
    }
    await tellMemberChanges(engine, write)
    const pending = persistEvents(engine, write, built.companions)
    return { outcome: 'written', value: built.value, pending }
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
