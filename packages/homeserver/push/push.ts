import type { Bus } from '@causeway/store/bus/local.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock, Random, Timer } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { listWaitingPushers } from '@causeway/store/tables/push-queue.ts'
import { MAIL_SERVER } from '@causeway/store/tables/pushers.ts'
import { sendsNotifications } from '../email-options.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Logger } from '../ops/log.ts'
import type { Outgoing } from '../outgoing/outgoing.ts'
import type { Turn, Turns } from '../outgoing/turns.ts'
import { createUnsentRooms } from '../outgoing/unsent-rooms.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { Unread } from '../unread/counts.ts'
import type { PushRules } from '../user-data/push-rules.ts'
import { createBadges } from './badges.ts'
import { createDigests, type Digests, type MailOutcome } from './email/digest-turns.ts'
import { startDispatch, type Dispatcher } from './dispatch.ts'
import { createPushFigures, type PushFigures } from './figures.ts'
import { createSender } from './sender.ts'
import { createWatchers } from './watchers.ts'

export interface PushDeps {
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly pushRules: PushRules
  readonly unread: Unread
  /** Where gateways are is what users say. Ends with this. */
  readonly outgoing: Outgoing
  readonly config: Homeserver['config']
  readonly serverName: Homeserver['serverName']
  readonly signer: Homeserver['signer']
  readonly email: Homeserver['email']
}

/**
 * Tells people's push gateways of what their rules notify them of.
 * https://spec.matrix.org/v1.19/client-server-api/#push-notifications
 */
export interface Push extends AsyncDisposable {
  readonly figures: PushFigures
  /** How mails of missed messages ended. */
  readonly mails: ReadonlyMap<MailOutcome, number>
  /** Begins to read the log and to send. Before anything is written to the log. */
  start(): Promise<void>
  /** Pushers that something is to be sent to, as far as they are in memory. */
  turns(): Turn[]
  /** Resolves when all that can be sent now of the log up to here is sent: for tests. */
  settled(): Promise<void>
}

/** How often the table is looked through for pushers that had no place in memory. */
const RECHECK_MS = 10 * 60_000
const PORTION = 1_000

export function createPush(deps: PushDeps): Push {
  return new RunningPush(deps)
}

interface Running {
  readonly dispatcher: Dispatcher
  readonly sender: Turns
  /** Absent where nobody is told anything by e-mail. */
  readonly digests: Digests | undefined
}

const NO_MAILS: ReadonlyMap<MailOutcome, number> = new Map()

class RunningPush implements Push {
  readonly figures = createPushFigures()
  readonly #deps: PushDeps
  #running: Running | undefined
  #timer: Timer | undefined

  constructor(deps: PushDeps) {
    this.#deps = deps
  }

  get mails(): ReadonlyMap<MailOutcome, number> {
    return this.#running?.digests?.outcomes ?? NO_MAILS
  }

  async start(): Promise<void> {
    const deps = this.#deps
    const { email } = deps.config
    const mailDelayMs = email.notifications_after
    const unsent = createUnsentRooms<number>(deps.budget, 'unsent_pushes')
    const dispatcher = await startDispatch({
      ...deps,
      unsent,
      watchers: createWatchers(deps),
      mailDelayMs,
      wake: (nid, gateway) => {
        if (gateway === MAIL_SERVER) this.#running?.digests?.expect(deps.clock.now() + mailDelayMs)
        else this.#running?.sender.wake(nid, gateway)
      },
    })
    const dispatched = (): Promise<number> => dispatcher.settled()
    const sender = createSender({
      ...deps,
      unsent,
      badges: createBadges(deps),
      figures: this.figures,
      dispatched,
    })
    const digests = sendsNotifications(email) ? createDigests({ ...deps, unsent, dispatched }) : undefined
    this.#running = { dispatcher, sender, digests }
    digests?.start()
    await this.#wakeAll(sender)
    this.#recheckLater(sender)
  }

  turns(): Turn[] {
    return this.#running?.sender.turns() ?? []
  }

  async settled(): Promise<void> {
    if (this.#running === undefined) return
    await this.#running.dispatcher.reached(this.#deps.log.head())
    await this.#running.sender.idle()
    await this.#running.digests?.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel()
    // What is under way waits for the reader of the log, so that one ends last.
    await this.#running?.sender[Symbol.asyncDispose]()
    await this.#running?.digests?.[Symbol.asyncDispose]()
    await this.#running?.dispatcher[Symbol.asyncDispose]()
    this.#deps.outgoing[Symbol.dispose]()
  }

  async #wakeAll(sender: Turns): Promise<void> {
    for (let after = -1; ;) {
      const pushers = await listWaitingPushers(this.#deps.db, after, PORTION)
      for (const { nid, gateway } of pushers) if (gateway !== MAIL_SERVER) sender.wake(nid, gateway)
      if (pushers.length < PORTION) return
      after = pushers.at(-1)!.nid
    }
  }

  #recheckLater(sender: Turns): void {
    const recheck = (): void => {
      this.#recheckLater(sender)
      if (!sender.overflowed()) return
      this.#wakeAll(sender).catch((error: unknown) =>
        this.#deps.logger.error('the queues of pushers cannot be read', { error }),
      )
    }
    this.#timer = this.#deps.clock.setTimeout(recheck, RECHECK_MS, { unref: true })
  }
}
