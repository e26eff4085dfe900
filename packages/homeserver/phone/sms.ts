import { createSlots, SlotsFull } from '@causeway/store/cache/slots.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { PhoneNumber } from './read-phone-number.ts'
import { handToHook, SmsFailed, SmsRefused, type SmsHookDeps, type TextMessage } from './sms-hook.ts'
import { createSmsTurns, type SmsTurnsDeps } from './sms-turns.ts'

/** What became of messages that somebody wanted to be sent. */
export type SmsOutcome = 'sent' | 'refused' | 'failed' | 'limited'

/** Text messages, through the hook of the configuration, and how many of them anybody gets. One a process. */
export interface Sms extends AsyncDisposable {
  /** False where no hook is configured. */
  readonly isThere: boolean
  readonly figures: Readonly<Record<SmsOutcome, number>>
  /** Why nothing is sent to numbers like this, as a sentence; undefined where it is. */
  refusalOf(number: Pick<PhoneNumber, 'country' | 'isMobile'>): string | undefined
  /** Counts a message that is to be sent; false when there were too many. */
  takeTurn(msisdn: string): boolean
  /** Rejects with `SmsRefused` or `SmsFailed`. */
  deliver(message: TextMessage): Promise<void>
  /** The same in the background: nobody sees from the time that it takes whether there was a message. */
  send(message: TextMessage): void
}

const AT_ONCE = 8
const MAX_WAITING = 100
/** How long an end waits for what is being sent. */
const END_MS = 5_000

export function createSms(deps: SmsHookDeps & SmsTurnsDeps & { readonly clock: Clock }): Sms {
  const { config, clock, logger } = deps
  const slots = createSlots(AT_ONCE, MAX_WAITING)
  const ended = new AbortController()
  const underWay = new Set<Promise<void>>()
  const figures: Record<SmsOutcome, number> = { sent: 0, refused: 0, failed: 0, limited: 0 }
  const turns = createSmsTurns(config.per_hour, deps, () =>
    logger.warn('as many text messages as sms.per_hour allows were sent; no more for now', {
      per_hour: config.per_hour,
    }),
  )
  const deliver = async (message: TextMessage): Promise<void> => {
    try {
      await slots.run(() => handToHook(deps, message, ended.signal))
      figures.sent++
    } catch (error) {
      figures[error instanceof SmsRefused ? 'refused' : 'failed']++
      throw error instanceof SlotsFull ? new SmsFailed('too many wait already', { cause: error }) : error
    }
  }
  return {
    isThere: config.url !== undefined,
    figures,
    refusalOf: ({ country, isMobile }) => {
      const isServed =
        country !== undefined && (config.countries.includes('*') || config.countries.includes(country))
      if (!isServed) return 'This server sends no text messages to numbers of this country'
      return isMobile ? undefined : 'This server sends text messages to mobile phones only'
    },
    takeTurn: (msisdn) => {
      const isLeft = turns.take(msisdn)
      if (!isLeft) figures.limited++
      return isLeft
    },
    deliver,
    send: (message) => {
      const work: Promise<void> = deliver(message)
        .catch(() => undefined)
        .finally(() => underWay.delete(work))
      underWay.add(work)
    },
    async [Symbol.asyncDispose]() {
      const enough = new AbortController()
      const late = clock.sleep(END_MS, enough.signal).catch(() => undefined)
      await Promise.race([Promise.all(underWay), late])
      enough.abort()
      ended.abort(new SmsFailed('the server stops'))
      await Promise.all(underWay)
      deps.outgoing[Symbol.dispose]()
    },
  }
}
