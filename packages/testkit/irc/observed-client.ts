import { IrcClient } from '@causeway/bridges/networks/irc/client/client.ts'
import type { IrcEvent } from '@causeway/bridges/networks/irc/client/events.ts'
import type { IrcOptions } from '@causeway/bridges/networks/irc/client/options.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'

type Fitting<E, T> = E extends { readonly type: infer U } ? (T extends U ? E : never) : never
/** The kind of event that has this type, also where a kind has several. */
type EventOf<T extends IrcEvent['type']> = Fitting<IrcEvent, T>

/** Our own client with everything it reports kept, for tests. */
export interface ObservedClient extends AsyncDisposable {
  readonly client: IrcClient
  readonly events: readonly IrcEvent[]
  /**
   * The first event from `after` (an index into `events`) on that fits, past or to come within 90 s; rejects with
   * what came instead.
   */
  waitFor<T extends IrcEvent['type']>(
    type: T,
    fits?: (event: EventOf<T>) => boolean,
    after?: number,
  ): Promise<EventOf<T>>
}

function isOf<T extends IrcEvent['type']>(event: IrcEvent, type: T): event is EventOf<T> {
  return event.type === type
}

/** Makes a client of `nick` that is not bridled by flood limits and does not wait long; `start` is left to the test. */
export function observeClient(
  server: { host: string; port: number },
  nick: string,
  options: Partial<IrcOptions> = {},
): ObservedClient {
  const events: IrcEvent[] = []
  const waiting = new Set<() => void>()
  const faults: unknown[] = []
  const client = new IrcClient({
    server: { host: server.host, port: server.port },
    nickCandidates: (attempt) => (attempt < 5 ? `${nick}${'_'.repeat(attempt)}` : undefined),
    username: 'causeway',
    realname: 'Causeway test',
    clock: systemClock,
    random: systemRandom,
    flood: { burst: 1000, perSecond: 20_000, queueLimit: 5000 },
    ...options,
    timing: { backoff: 50, backoffMax: 500, later: 100, delivery: 90_000, ...options.timing },
    onEvent: (event) => {
      events.push(event)
      for (const check of waiting) check()
    },
    onFault: (cause) => faults.push(cause),
  })
  const waitFor: ObservedClient['waitFor'] = (type, fits = () => true, after = 0) =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        for (const event of events.slice(after)) {
          if (!isOf(event, type) || !fits(event)) continue
          clearTimeout(timer)
          waiting.delete(check)
          resolve(event)
          return
        }
      }
      const timer = setTimeout(() => {
        waiting.delete(check)
        const last = events.slice(-10).map((event) => JSON.stringify({ ...event, isupport: undefined }))
        reject(new Error(`${nick}: no such "${type}" event; last:\n${last.join('\n')}`))
      }, 90_000)
      waiting.add(check)
      check()
    })
  return {
    client,
    events,
    waitFor,
    [Symbol.asyncDispose]: async () => {
      await client.quit()
      if (faults.length > 0) throw new AggregateError(faults, 'the client reported faults of its own')
    },
  }
}

/** As `observeClient`, started and registered. */
export async function startObservedClient(
  server: { host: string; port: number },
  nick: string,
  options: Partial<IrcOptions> = {},
): Promise<ObservedClient> {
  const observed = observeClient(server, nick, options)
  observed.client.start()
  await observed.waitFor('registered')
  return observed
}
