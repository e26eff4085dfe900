import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Statement } from '@causeway/store/db/database.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { deletePushRooms, givePushUp, markPush, BADGE } from '@causeway/store/tables/push-queue.ts'
import {
  deleteRejectedPusher,
  findPusher,
  noteFailing,
  notePushed,
  type PusherRow,
} from '@causeway/store/tables/pushers.ts'
import type { Logger } from '../ops/log.ts'
import type { Outgoing } from '../outgoing/outgoing.ts'
import { createTurns, type Running, type Turn, type Turns } from '../outgoing/turns.ts'
import type { UnsentRooms } from '../outgoing/unsent-rooms.ts'
import type { Badges } from './badges.ts'
import { deliver, GatewayNonsense, GatewayRefused } from './deliver.ts'
import type { PushFigures, PushOutcome } from './figures.ts'
import { nextPush, type NextPush, type NextPushDeps } from './next-push.ts'
import { countsNotification, eventNotification } from './notification.ts'

export interface SenderDeps extends NextPushDeps {
  readonly log: Pick<Log, 'append' | 'head'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly outgoing: Outgoing
  readonly unsent: Pick<UnsentRooms<number>, 'reading'>
  readonly badges: Badges
  readonly figures: PushFigures
}

/** Pushers that are sent something at the same time, and of these at one gateway. */
const MAX_AT_ONCE = 256
const MAX_AT_GATEWAY = 16
/** Pushers remembered that have something to be sent; the others are found by the table. */
const MAX_PUSHERS = 20_000
const FIRST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 3_600_000
/** Attempts after which an event that the gateway calls wrong is given up, so that others get their turn. */
const ATTEMPTS_AT_WRONG = 5
/** For how long events are kept for a gateway that does not answer: news of yesterday wake nobody. */
export const KEPT_MS = 24 * 3_600_000

/** Sends notifications: one at a time for each pusher, each acknowledged in the store before the next. */
export function createSender(deps: SenderDeps): Turns {
  const { clock, random } = deps
  return createTurns({
    clock,
    random,
    run: (nid, running) => run(deps, nid, running),
    onFailure: (_nid, error, turn) => failed(deps, error, turn),
    maxAtOnce: MAX_AT_ONCE,
    maxAtPlace: MAX_AT_GATEWAY,
    maxKeys: MAX_PUSHERS,
    firstPauseMs: FIRST_PAUSE_MS,
    longestPauseMs: LONGEST_PAUSE_MS,
  })
}

/** An attempt that did not succeed, through nobody's fault here. */
class DeliveryFailed extends Error {
  override readonly name = 'DeliveryFailed'

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

async function run(deps: SenderDeps, nid: number, running: Running): Promise<void> {
  try {
    await sendAll(deps, nid, running)
  } catch (error) {
    if (error instanceof DeliveryFailed && !running.signal.aborted) await noteFailure(deps, nid)
    throw error
  }
}

async function sendAll(deps: SenderDeps, nid: number, running: Running): Promise<void> {
  for (;;) {
    running.wasWoken()
    const { pusher, next } = await readNext(deps, nid)
    if (running.signal.aborted) return
    if (pusher === undefined) {
      await write(deps, [deletePushRooms(nid)])
      return
    }
    if (next === undefined) return
    if (!(await tell(deps, pusher, next, running))) return
  }
}

/** What a pusher is told next. What is dispatched from before it is read is written down anew. */
async function readNext(
  deps: SenderDeps,
  nid: number,
): Promise<{ readonly pusher?: PusherRow; readonly next?: NextPush | undefined }> {
  using _reading = deps.unsent.reading(nid)
  const pusher = await findPusher(deps.rooms.db, nid)
  return pusher === undefined ? {} : { pusher, next: await nextPush(deps, pusher) }
}

/** Sends one notification, and writes down that it was. False when the pusher is gone. */
async function tell(deps: SenderDeps, pusher: PusherRow, next: NextPush, running: Running): Promise<boolean> {
  const unread = next.kind === 'nothing' ? pusher.badge : await deps.badges.of(pusher.user_id as UserId)
  const body = await bodyOf(deps, pusher, next, unread)
  if (body === undefined) {
    await write(deps, next.done)
    return true
  }
  const outcome = await send(deps, pusher, body, running)
  deps.figures.outcome(outcome)
  if (outcome === 'rejected') {
    await reject(deps, pusher)
    return false
  }
  running.succeeded()
  await write(deps, [...next.done, ...(outcome === 'sent' ? [notePushed(pusher, unread)] : [])])
  return true
}

/** Undefined when there is nothing to be told: of a count that the gateway knows, too. */
async function bodyOf(
  { rooms }: SenderDeps,
  pusher: PusherRow,
  next: NextPush,
  unread: number,
): Promise<JsonObject | undefined> {
  if (next.kind === 'event') return eventNotification(rooms, pusher, next, unread)
  return next.kind === 'nothing' || unread === pusher.badge ? undefined : countsNotification(pusher, unread)
}

async function send(
  deps: SenderDeps,
  pusher: PusherRow,
  body: JsonObject,
  running: Running,
): Promise<'sent' | 'rejected' | 'given_up'> {
  const url = new URL((JSON.parse(pusher.data) as { url: string }).url)
  try {
    const rejected = await deliver(deps.outgoing, url, body, running.signal)
    return rejected.has(pusher.pushkey) ? 'rejected' : 'sent'
  } catch (error) {
    const isWrong = error instanceof GatewayRefused && error.isWrong
    if (isWrong) running.refusals++
    if (!isWrong || running.refusals < ATTEMPTS_AT_WRONG) throw new DeliveryFailed(error)
    deps.logger.warn('a push gateway calls a notification wrong; it is given up', {
      gateway: pusher.gateway,
      appId: pusher.app_id,
      error,
    })
    return 'given_up'
  }
}

/** The gateway says that nobody can be reached by the key any more. */
async function reject({ log, logger }: SenderDeps, pusher: PusherRow): Promise<void> {
  await log.append({
    entries: [{ kind: 'pushers', position: 0, userId: pusher.user_id as UserId }],
    steps: deleteRejectedPusher(pusher),
  })
  const { gateway, app_id: appId, user_id: userId } = pusher
  logger.info('a push gateway rejected a push key; its pusher is deleted', { gateway, appId, userId })
}

async function write({ rooms }: SenderDeps, steps: readonly Statement[]): Promise<void> {
  const result = await rooms.db.commit({ entries: [], steps })
  if (!result.ok) throw new Error('what was sent to a push gateway could not be written down')
}

function outcomeOf(error: unknown): PushOutcome {
  if (!(error instanceof DeliveryFailed)) return 'fault'
  if (error.cause instanceof GatewayRefused) return 'refused'
  return error.cause instanceof GatewayNonsense ? 'malformed' : 'unreachable'
}

function failed({ logger, figures }: SenderDeps, error: unknown, turn: Turn): number | undefined {
  const outcome = outcomeOf(error)
  const gateway = turn.place
  figures.outcome(outcome)
  if (outcome === 'fault') logger.error('a notification could not be made', { gateway, error })
  else if (turn.failures === 1)
    logger.info('a push gateway did not take a notification; it is kept', { gateway, error })
  const cause = error instanceof DeliveryFailed ? error.cause : undefined
  return cause instanceof GatewayRefused ? cause.retryAfterMs : undefined
}

/** From when on it fails; when that is too long ago, what waits is dropped, and only the count is told. */
async function noteFailure(deps: SenderDeps, nid: number): Promise<void> {
  const { clock, logger, figures, log, unsent } = deps
  const pusher = await findPusher(deps.rooms.db, nid)
  if (pusher === undefined) return
  const now = clock.now()
  if (pusher.failing_since === 0) return write(deps, [noteFailing(nid, now)])
  if (now - pusher.failing_since < KEPT_MS) return undefined
  using _reading = unsent.reading(nid)
  await write(deps, [givePushUp(nid), markPush(nid, BADGE, log.head()), noteFailing(nid, now)])
  figures.dropped()
  logger.warn('a push gateway did not answer for a day; what waited for it is dropped', {
    gateway: pusher.gateway,
    appId: pusher.app_id,
  })
}
