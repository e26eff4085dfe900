import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { ReceivedRequest, TestAppservice } from './appservice/test-appservice.ts'

/** What a server is killed at: a transaction that arrived and is not answered, one just answered, a message sent. */
export interface Moment {
  readonly at: 'arrival' | 'answer' | 'send'
  /** At the how many-th of them. */
  readonly count: number
}

/**
 * Kills a server at a moment: to be called at each of its kind, or of any; true from the moment on.
 * @param before how many of them are not counted
 */
export function killAt(
  child: ChildProcess,
  moment: Moment | undefined,
  before = 0,
): (at: Moment['at']) => boolean {
  let seen = -before
  return (at) => {
    if (moment?.at === at && ++seen === moment.count) child.kill('SIGKILL')
    return moment !== undefined && seen >= moment.count
  }
}

/** Messages that each round adds. */
export const EACH = 12

export interface Receiver {
  /** Where transactions arrive. */
  readonly http: TestAppservice
  /** Of an answer with 200. */
  readonly body?: string
  /** Told of each that arrives, and of each that is answered. */
  onArrival?(request: ReceivedRequest): void
  onAnswer?(request: ReceivedRequest): void
  /** Whether everything of so many messages has come. */
  hasAll(total: number): boolean
}

/**
 * Lets a server run that prints a line for each of `total` messages it sent, and kills it at the moment, or when the
 * receiver has everything; returns the lines.
 */
export async function runUntilKilled(
  child: ChildProcess,
  receiver: Receiver,
  moment: Moment | undefined,
  total: number,
): Promise<string[]> {
  // What earlier rounds sent is asked for again, and gives no new events.
  const reach = killAt(child, moment, moment?.at === 'send' ? total - EACH : 0)
  receiver.http.answer = (request) => {
    receiver.onArrival?.(request)
    if (reach('arrival')) return 'hang up'
    receiver.onAnswer?.(request)
    if (moment?.at === 'answer') systemClock.defer(() => reach('answer'))
    return { status: 200, ...(receiver.body === undefined ? {} : { body: receiver.body }) }
  }
  let text = ''
  child.stdout!.setEncoding('utf8')
  child.stdout!.on('data', (chunk: string) => {
    text += chunk
    for (const char of chunk) if (char === '\n') reach('send')
  })
  const closed = once(child, 'close')
  const hasAll = receiver.http.until(() => receiver.hasAll(total)).then(() => 'all')
  const first = await Promise.race([hasAll, closed.then(([, signal]) => signal as string | null)])
  if (first === 'all') {
    // What would come twice would come now. The moment may have come with the last answer: then it is killed already.
    let running = true
    void closed.then(() => (running = false))
    while (text.split('\n').length <= total && running)
      await Promise.race([once(child.stdout!, 'data'), closed])
    child.kill('SIGKILL')
  }
  assert.deepEqual(await closed, [null, 'SIGKILL'])
  return text.split('\n').slice(0, -1)
}
