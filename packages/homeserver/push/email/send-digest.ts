import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Statement } from '@causeway/store/db/database.ts'
import {
  endDigestTurn,
  findDigestTurn,
  postponeDigest,
  type DigestTurnRow,
} from '@causeway/store/tables/digests.ts'
import {
  deleteRejectedPusher,
  findPusher,
  noteFailing,
  notePushed,
  type PusherRow,
} from '@causeway/store/tables/pushers.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { MailRefused } from '../../email/mailer.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { UnsentRooms } from '../../outgoing/unsent-rooms.ts'
import { composeDigest } from './compose-digest.ts'
import { earliest, reviewMissed } from './review.ts'

export interface SendDigestDeps extends Pick<
  Homeserver,
  'rooms' | 'pushRules' | 'config' | 'signer' | 'serverName' | 'logger' | 'email'
> {
  readonly clock: Clock
  readonly log: Pick<Log, 'append'>
  readonly unsent: Pick<UnsentRooms<number>, 'reading'>
  /** Resolves with the log position up to which everything is written down, whatever is being so now. */
  readonly dispatched: () => Promise<number>
}

/** What became of a turn. `waits`: nothing is due yet, or everything was read. */
export type DigestOutcome = 'sent' | 'refused' | 'waits' | 'ended'

const FIRST_RETRY_MS = 60_000
const LONGEST_RETRY_MS = 4 * 3_600_000
/** How long an account is left alone that may not be used now. */
const LOCKED_MS = 6 * 3_600_000

/**
 * Looks at what somebody missed, and sends the mail if it is time. What was told is written down after the mail server
 * took it: when the process ends between the two, that one mail comes again. Rejects when the mail server is not reached.
 */
export async function sendDigest(deps: SendDigestDeps, nid: number): Promise<DigestOutcome> {
  const { rooms, clock, config } = deps
  // First of all: what is dispatched from here on is written down anew, and changes the turn's revision.
  using _reading = deps.unsent.reading(nid)
  const [turn, pusher] = await Promise.all([findDigestTurn(rooms.db, nid), findPusher(rooms.db, nid)])
  if (turn === undefined || pusher === undefined) return 'ended'
  if (!(await isTheirAddress(deps, pusher))) return endPusher(deps, pusher)
  const delayMs = config.email.notifications_after
  const user = await findUser(rooms.db, pusher.user_id)
  if (user?.isLocked !== false) {
    await write(deps, [postponeDigest(nid, clock.now() + LOCKED_MS, turn.failures)])
    return 'waits'
  }
  const upTo = await deps.dispatched()
  const review = await reviewMissed({ ...deps, now: clock.now(), delayMs, upTo }, pusher)
  const { missed, dueTs, restTs } = review
  const early = clock.now() + delayMs
  if (missed.length === 0 || dueTs === undefined || dueTs > clock.now()) {
    await write(deps, [...review.waiting, ...endDigestTurn(turn, earliest([dueTs, restTs]), early)])
    return 'waits'
  }
  try {
    await deps.email.deliver(await composeDigest(deps, pusher, missed, turn.due_ts))
  } catch (error) {
    if (!(error instanceof MailRefused)) throw error
    await noteRefusal(deps, turn, pusher, error)
    return 'refused'
  }
  const steps = [...review.told, ...endDigestTurn(turn, restTs, early), notePushed(pusher, pusher.badge)]
  await write(deps, steps)
  return 'sent'
}

/** The address may have been taken from the account by a way that knows nothing of pushers. */
async function isTheirAddress({ rooms }: SendDigestDeps, pusher: PusherRow): Promise<boolean> {
  return (await findThreepidUser(rooms.db, { medium: 'email', address: pusher.pushkey })) === pusher.user_id
}

async function endPusher({ log, logger }: SendDigestDeps, pusher: PusherRow): Promise<DigestOutcome> {
  const userId = pusher.user_id as UserId
  await log.append({
    entries: [{ kind: 'pushers', position: 0, userId }],
    steps: deleteRejectedPusher(pusher),
  })
  logger.info('an address is not its user’s any more; nothing is sent there', { userId })
  return 'ended'
}

async function noteRefusal(
  deps: SendDigestDeps,
  { pusher_nid: nid, failures }: DigestTurnRow,
  pusher: PusherRow,
  error: MailRefused,
): Promise<void> {
  const now = deps.clock.now()
  const pause = Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS)
  const { user_id: userId } = pusher
  deps.logger.warn('the mail server refused a mail of missed messages', {
    userId,
    again: pause / 1000,
    error,
  })
  const since = pusher.failing_since === 0 ? [noteFailing(nid, now)] : []
  await write(deps, [postponeDigest(nid, now + pause, failures + 1), ...since])
}

async function write({ rooms }: SendDigestDeps, steps: readonly Statement[]): Promise<void> {
  const result = await rooms.db.commit({ entries: [], steps })
  if (!result.ok) throw new Error('what was told by e-mail could not be written down')
}
