import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { OutgoingAnswer } from '../../outgoing/outgoing.ts'
import { AnswerTooLong, readBody } from '../../outgoing/read-body.ts'
import {
  FederationError,
  type FederationClient,
  type FederationFailure,
  type FederationRequest,
} from '../federation-client.ts'
import type { Destinations } from './destinations.ts'
import { readRefusal } from './read-refusal.ts'
import { sendSigned, type SendDeps } from './send-signed.ts'
import type { Counting, Outcome } from './tally.ts'

const MAX_BYTES = 1024 * 1024

export interface HttpClientDeps extends SendDeps {
  readonly destinations: Destinations
  readonly clock: Clock
  readonly tally: Counting
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const failure = (
  destination: ServerName,
  kind: FederationFailure,
  text: string,
  cause?: unknown,
): FederationError => new FederationError(destination, kind, `${destination}: ${text}`, cause)

/** Whether a failure says that the server as a whole is out of order, so that others need not find out again. */
function isOutage({ failure: how }: FederationError): boolean {
  if (how.kind === 'unreachable') return true
  // Without an errcode a fault is a proxy's, in front of a server that is down. A refusal says that somebody is there.
  return how.kind === 'refused' && how.errcode === undefined && how.status >= 500
}

async function requireNotBackingOff(
  destination: ServerName,
  { destinations, clock }: HttpClientDeps,
): Promise<void> {
  const state = await destinations.find(destination)
  if (state === undefined || clock.now() >= state.retryTs) return
  const { retryTs: retryAt, lastError } = state
  throw failure(destination, { kind: 'backing-off', retryAt }, `it did not answer lately (${lastError})`)
}

/** An answer with status 2xx, its body unread. */
async function open(
  destination: ServerName,
  request: FederationRequest,
  deps: HttpClientDeps,
): Promise<OutgoingAnswer> {
  if (request.evenIfBackingOff !== true) await requireNotBackingOff(destination, deps)
  request.signal?.throwIfAborted()
  const answer = await sendSigned(destination, request, deps).catch((error: unknown) => {
    if (request.signal?.aborted === true) throw error
    throw failure(destination, { kind: 'unreachable' }, describe(error), error)
  })
  if (answer.status >= 200 && answer.status <= 299) return answer
  const refusal = await readRefusal(answer)
  throw failure(destination, refusal, `it answers ${refusal.status} ${refusal.error ?? ''}`.trimEnd())
}

async function readBytes(
  destination: ServerName,
  answer: OutgoingAnswer,
  { maxBytes = MAX_BYTES, signal }: FederationRequest,
): Promise<Uint8Array> {
  try {
    return await readBody(answer.body, maxBytes)
  } catch (error) {
    signal?.throwIfAborted()
    const kind = error instanceof AnswerTooLong ? 'malformed' : 'unreachable'
    throw failure(destination, { kind }, describe(error), error)
  }
}

function parseAnswer(destination: ServerName, bytes: Uint8Array): JsonObject {
  try {
    const value = parseJson(bytes)
    if (isJsonObject(value)) return value
    // Some operations of version 1 answer a status and the object, as a pair.
    if (Array.isArray(value) && value.length === 2 && isJsonObject(value[1])) return value[1]
  } catch (error) {
    throw failure(destination, { kind: 'malformed' }, `its answer: ${describe(error)}`, error)
  }
  throw failure(destination, { kind: 'malformed' }, 'its answer is no JSON object')
}

/** Speaks to other servers over HTTPS. */
export function createHttpFederationClient(deps: HttpClientDeps): FederationClient {
  const { destinations, filter, clock, tally } = deps
  /** Counts, and keeps in mind whether the server answers. Giving up ourselves says nothing of the server. */
  const judged = async <T>(destination: ServerName, run: () => Promise<T>): Promise<T> => {
    if (!filter.isAllowed(destination)) {
      const text = 'this server does not speak to it, as its operator decided'
      throw failure(destination, { kind: 'unreachable' }, text)
    }
    const startedTs = clock.now()
    let outcome: Outcome = 'abandoned'
    tally.begin()
    try {
      const result = await run()
      outcome = 'ok'
      destinations.answered(destination)
      return result
    } catch (error) {
      if (!(error instanceof FederationError)) throw error
      outcome = error.failure.kind
      if (isOutage(error)) await destinations.failed(destination, startedTs, describe(error.cause ?? error))
      else if (outcome !== 'backing-off') destinations.answered(destination)
      throw error
    } finally {
      tally.end(outcome)
    }
  }
  return {
    request: (destination, request) =>
      judged(destination, async () => {
        const answer = await open(destination, request, deps)
        return parseAnswer(destination, await readBytes(destination, answer, request))
      }),
    stream: (destination, request) => judged(destination, () => open(destination, request, deps)),
    heardFrom: (destination) => destinations.answered(destination),
  }
}
