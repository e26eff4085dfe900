// https://github.com/matrix-org/matrix-spec-proposals/pull/4306
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { enableThreadRules } from '@causeway/matrix/push-rules/predefined.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { changePushRules } from '@causeway/store/tables/push-rules.ts'
import {
  changeThreadSubscription,
  findSurplusUnsubscribed,
  findThreadSubscription,
  forgetUnsubscribed,
  type SubscriptionChange,
  type ThreadSubscriptionRow,
} from '@causeway/store/tables/thread-subscriptions.ts'
import type { Homeserver } from '../homeserver.ts'

type Deps = Pick<Homeserver, 'db' | 'log' | 'rooms' | 'pushRules'>

/** A thread, and whose subscription to it. */
export interface Subscription {
  readonly userId: UserId
  readonly roomNid: number
  /** The root's id. */
  readonly threadId: string
}

/** Threads that somebody may be subscribed to; and of those that they left, how many are remembered. */
export const MAX_THREADS = 10_000
/** How often a change is tried again when another one of the same user came first. */
const ATTEMPTS = 5

/**
 * Subscribes somebody to a thread. What they chose by hand stays chosen by hand.
 * @param cause number of the event that a client subscribes for by itself; undefined: its user chose to
 * @throws MatrixError `M_CONFLICTING_UNSUBSCRIPTION` where they have unsubscribed since that event
 */
export function subscribe(hs: Deps, subscription: Subscription, cause: number | undefined): Promise<void> {
  const automatic = cause !== undefined
  return change(hs, subscription, async (row) => {
    if (row?.subscribed === 1 && (automatic || row.automatic === 0)) return undefined
    if (automatic && row?.subscribed === 0 && cause <= row.unsubscribed_at) throw unsubscribedSince()
    if (row?.subscribed !== 1) await requireRoom(hs, subscription.userId)
    return { subscribed: true, automatic }
  })
}

/** Unsubscribes somebody from a thread, from here on. */
export function unsubscribe(hs: Deps, subscription: Subscription): Promise<void> {
  return change(hs, subscription, async (row) =>
    row?.subscribed === 1 ? { subscribed: false, at: hs.log.head() } : undefined,
  )
}

/** Whether somebody is subscribed, and if a client did that by itself; undefined: they are not. */
export async function findSubscription(
  { db }: Pick<Deps, 'db'>,
  subscription: Subscription,
): Promise<{ automatic: boolean } | undefined> {
  const row = await findThreadSubscription(db, subscription)
  return row?.subscribed === 1 ? { automatic: row.automatic === 1 } : undefined
}

/**
 * Applies a change as one durable write; with the first subscription of all, the push rules that go by them are on.
 * @param decide what becomes of the subscription; undefined: nothing
 */
async function change(
  hs: Deps,
  subscription: Subscription,
  decide: (row: ThreadSubscriptionRow | undefined) => Promise<SubscriptionChange | undefined>,
): Promise<void> {
  const { userId } = subscription
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const row = await findThreadSubscription(hs.db, subscription)
    const to = await decide(row)
    if (to === undefined) return
    const entries: LogEntry[] = [{ kind: 'thread_subscription', position: 0, userId }]
    const steps = [changeThreadSubscription(subscription, to, 0, row?.position)]
    if (to.subscribed) await planRules(hs, userId, { entries, steps })
    else await planForgetting(hs, userId, steps)
    if ((await hs.log.append({ entries, steps })).ok) return
  }
  throw new MatrixError('M_UNKNOWN', 'Your subscriptions are being changed by other requests; try again')
}

async function planRules(
  { pushRules }: Deps,
  userId: UserId,
  write: { readonly entries: LogEntry[]; readonly steps: Step[] },
): Promise<void> {
  const { changes, changedAt } = await pushRules.of(userId)
  const enabled = enableThreadRules(changes)
  if (enabled === undefined) return
  write.entries.push({ kind: 'push_rules', position: 0, userId })
  write.steps.push(changePushRules(userId, JSON.stringify(enabled), write.entries.length - 1, changedAt))
}

async function planForgetting({ db }: Deps, userId: UserId, steps: Step[]): Promise<void> {
  const surplus = await findSurplusUnsubscribed(db, userId, MAX_THREADS)
  if (surplus !== undefined) steps.push(forgetUnsubscribed(userId, surplus))
}

async function requireRoom({ rooms }: Deps, userId: UserId): Promise<void> {
  if ((await rooms.threads.of(userId)).size < MAX_THREADS) return
  throw new MatrixError(
    'M_RESOURCE_LIMIT_EXCEEDED',
    `You are subscribed to ${MAX_THREADS} threads, which is all that this server lets you; unsubscribe from some first`,
  )
}

function unsubscribedSince(): MatrixError {
  return new MatrixError(
    'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
    'You have unsubscribed from this thread since that event',
  )
}
