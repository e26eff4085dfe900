import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Appservices } from '../appservice/appservices.ts'
import type { Logger } from '../ops/log.ts'
import type { ThirdPartyQuestion } from './question.ts'
import { joinFound, joinProtocols } from './read-answers.ts'

/** What application services know of other networks. */
export interface ThirdParty {
  /** By name; those that nobody describes at the moment are left out. */
  protocols(): Promise<Record<string, JsonObject>>
  /** Throws `M_NOT_FOUND`, and `M_CONNECTION_FAILED` when a service that might know does not answer. */
  protocol(name: string): Promise<JsonObject>
  /** What those that answer in time have found. Throws as `protocol` does when that is nothing. */
  find(question: Exclude<ThirdPartyQuestion, { readonly about: 'protocol' }>): Promise<JsonObject[]>
}

/** A client waits no longer, whatever a service does. */
const PATIENCE_MS = 5_000
/** For how long an answer is good, and for how long it is that there was none. */
const GOOD_MS = { protocol: 10 * 60_000, found: 60_000, failed: 15_000 }

/** `answer` is undefined when nothing is known. */
interface Held {
  readonly until: number
  readonly outcome: { readonly answer: JsonValue | undefined } | 'failed'
}

export interface ThirdPartyDeps {
  readonly appservices: Pick<Appservices, 'registry' | 'client'>
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly logger: Logger
}

interface Answers {
  readonly found: readonly JsonValue[]
  readonly failed: number
}

export function createThirdParty(deps: ThirdPartyDeps): ThirdParty {
  const { list } = deps.appservices.registry
  const names = [...new Set(list.flatMap(({ protocols }) => protocols))].toSorted()
  const serving = (question: ThirdPartyQuestion): string[] =>
    list
      .filter(({ protocols }) =>
        'protocol' in question ? protocols.includes(question.protocol) : protocols.length > 0,
      )
      .map(({ id }) => id)
  const ask = createAsk(deps)
  const askAll = async (question: ThirdPartyQuestion): Promise<Answers> => {
    const outcomes = await Promise.all(serving(question).map((id) => ask(id, question)))
    const found = outcomes.flatMap((outcome) =>
      outcome === 'failed' || outcome.answer === undefined ? [] : [outcome.answer],
    )
    return { found, failed: outcomes.filter((outcome) => outcome === 'failed').length }
  }
  const describe = async (name: string) => {
    const { found, failed } = await askAll({ about: 'protocol', protocol: name })
    return { protocol: joinProtocols(name, found), failed }
  }
  return {
    async protocols() {
      const all = await Promise.all(
        names.map(async (name) => [name, (await describe(name)).protocol] as const),
      )
      return Object.fromEntries(all.flatMap(([name, one]) => (one === undefined ? [] : [[name, one]])))
    },
    async protocol(name) {
      const { protocol, failed } = await describe(name)
      return protocol ?? nothing(failed, `No application service speaks the protocol ${name}`)
    },
    async find(question) {
      const { found, failed } = await askAll(question)
      const results = joinFound(question.about, found)
      return results.length > 0 ? results : nothing(failed, 'No application service knows anything like this')
    },
  }
}

function nothing(failed: number, sentence: string): never {
  if (failed === 0) throw notFound(sentence)
  throw new MatrixError(
    'M_CONNECTION_FAILED',
    'An application service that may know does not answer; try again',
  )
}

/** Asks one service one question, or answers as it did lately. Never rejects. */
function createAsk({ appservices, budget, clock, logger }: ThirdPartyDeps) {
  const held = budget.cache<string, Held>({
    name: 'third_party_answers',
    share: 0.005,
    weigh: ({ outcome }, key) =>
      200 + 2 * key.length + (outcome === 'failed' ? 0 : 2 * JSON.stringify(outcome.answer ?? null).length),
  })
  const flights = createSingleFlight<string, Held['outcome']>()
  const keep = (key: string, forMs: number, outcome: Held['outcome']): Held['outcome'] => {
    held.set(key, { until: clock.monotonic() + forMs, outcome })
    return outcome
  }
  return (id: string, question: ThirdPartyQuestion): Promise<Held['outcome']> => {
    const key = JSON.stringify([id, question])
    const before = held.get(key)
    if (before !== undefined && before.until > clock.monotonic()) return Promise.resolve(before.outcome)
    return flights.run(key, async () => {
      try {
        const asked = appservices.client(id)?.thirdParty(question)
        const answer = asked === undefined ? undefined : await inTime(clock, asked)
        const forMs = question.about === 'protocol' && answer !== undefined ? GOOD_MS.protocol : GOOD_MS.found
        return keep(key, forMs, { answer })
      } catch (error) {
        logger.warn('an application service did not answer what it was asked of its network', {
          appservice: id,
          about: question.about,
          error,
        })
        // What it said of its network before is most likely still so.
        const old = question.about === 'protocol' ? before?.outcome : undefined
        return keep(key, GOOD_MS.failed, old ?? 'failed')
      }
    })
  }
}

async function inTime<T>(clock: Clock, asked: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.setTimeout(
    () => reject(new Error(`no answer within ${PATIENCE_MS / 1000} s`)),
    PATIENCE_MS,
  )
  try {
    return await Promise.race([asked, late])
  } finally {
    timer.cancel()
  }
}
