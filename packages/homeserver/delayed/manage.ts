import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Statement } from '@causeway/store/db/database.ts'
import {
  cancelDelayedEvent,
  dropMade,
  findDelayedEvent,
  restartDelayedEvent,
  type DelayedEventRow,
} from '@causeway/store/tables/delayed-events.ts'
import type { Homeserver } from '../homeserver.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { sendDelayed, type SendingDeps } from './send-delayed.ts'

/** What can be done with what is scheduled. */
export type DelayedAction = 'send' | 'cancel' | 'restart'

type Deps = SendingDeps & Pick<Homeserver, 'delayed'>

/** Somebody's delayed event; with no user, whoever's it is: its id is all that they know. Throws `M_NOT_FOUND`. */
export async function getDelayedEvent(
  { db }: Pick<Homeserver, 'db'>,
  delayId: string,
  userId: UserId | undefined,
): Promise<DelayedEventRow> {
  const row = await findDelayedEvent(db, delayId)
  if (row === undefined || (userId !== undefined && row.user_id !== userId)) {
    throw notFound('There is no such delayed event')
  }
  return row
}

/**
 * Sends, cancels or restarts what is scheduled. What has ended in just that way is answered as if it had ended now. Throws
 * `M_NOT_FOUND`, with status 409 where it has ended otherwise, `M_UNKNOWN` (409) while another server is asked to sign it, and
 * what sending it would throw: then it stays scheduled.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4140
 * @param by who asks; undefined: whoever knows the id
 */
export async function manageDelayed(
  hs: Deps,
  delayId: string,
  action: DelayedAction,
  by: UserId | undefined,
): Promise<void> {
  // Once more when it ended or was restarted just then: by what it has become.
  for (let attempt = 0; ; attempt++) {
    const row = await getDelayedEvent(hs, delayId, by)
    if (row.finalised_ts !== 0) return requireOutcome(row, action)
    if (await attemptAction(hs, row, action)) return
    if (attempt < 3) continue
    throw new MatrixError('M_UNKNOWN', 'This delayed event is just being sent; try again', { status: 409 })
  }
}

/** Whether it was still scheduled. */
async function attemptAction(hs: Deps, row: DelayedEventRow, action: DelayedAction): Promise<boolean> {
  const now = hs.clock.now()
  if (action === 'cancel') return attemptStep(hs, cancelDelayedEvent(row.delay_id, now))
  if (action === 'restart') {
    const restarted = await attemptStep(hs, restartDelayedEvent(row.delay_id, now))
    if (restarted) hs.delayed.expect(now + row.delay_ms)
    return restarted
  }
  try {
    await sendDelayed(hs, row)
    return true
  } catch (error) {
    if (error instanceof CompanionRefused) return false
    // Refused it stays scheduled, and may be cancelled; a fault of ours leaves open what the other server has taken.
    if (error instanceof MatrixError) await hs.db.commit({ entries: [], steps: [dropMade(row.delay_id)] })
    throw error
  }
}

async function attemptStep({ db }: Deps, step: Statement): Promise<boolean> {
  return (await db.commit({ entries: [], steps: [step] })).ok
}

/**
 * Throws for what has ended in another way than `action` would end it. The errcode is one by which clients know that it
 * is over: matrix-js-sdk 43 ends a call at any other.
 */
function requireOutcome(row: DelayedEventRow, action: DelayedAction): void {
  const wasSent = row.event_nid !== 0
  if (action === (wasSent ? 'send' : 'cancel')) return
  const what = wasSent
    ? 'was sent'
    : row.error === ''
      ? 'was cancelled'
      : 'could not be sent, and was given up'
  throw new MatrixError('M_NOT_FOUND', `This delayed event ${what} already`, { status: 409 })
}
