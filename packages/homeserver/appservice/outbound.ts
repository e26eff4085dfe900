import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { answered, type Answered } from '../ops/answered.ts'
import type { OutgoingResponse, SendHttp } from './http-send.ts'
import type { AnswerThirdParty, ThirdPartyQuestion } from '../third-party/question.ts'
import {
  APPSERVICE_PREFIX,
  FIND_BY_ALIAS,
  FIND_BY_USER,
  FIND_LOCATIONS,
  FIND_USERS,
  GET_PROTOCOL,
  PING,
  QUERY_ALIAS,
  QUERY_USER,
  SEND_TRANSACTION,
  pathWith,
  type AppserviceOperation,
} from './operations.ts'
import type { Appservice } from './registration.ts'

// https://spec.matrix.org/v1.19/application-service-api/#homeserver---application-service-api

/** What an appservice answered that means no. */
export class AppserviceRefused extends Error {
  override readonly name = 'AppserviceRefused'
  readonly response: OutgoingResponse

  constructor(response: OutgoingResponse) {
    super(`it answered with status ${response.status}`)
    this.response = response
  }
}

/** Requests to one appservice that is reached by HTTP. */
export interface AppserviceClient {
  /** Resolves once the transaction is acknowledged. Rejects with `AppserviceRefused`, or what `SendHttp` rejects with. */
  putTransaction(txnId: string, body: string, signal: AbortSignal): Promise<void>
  /** Whether the appservice knows the user (and has made it). */
  queryUser(userId: string): Promise<boolean>
  /** Whether the appservice knows the alias (and has made it). */
  queryAlias(alias: string): Promise<boolean>
  ping(transactionId: string | undefined): Promise<void>
  /** What the appservice says of its networks. Rejects when that is no answer. */
  readonly thirdParty: AnswerThirdParty
}

const TIMEOUTS = { transaction: 60_000, query: 20_000, ping: 30_000, thirdParty: 10_000 }
/** How long the older paths are used before the newer ones are tried again. */
const LEGACY_MS = 60 * 60_000

type Method = 'GET' | 'PUT' | 'POST'

/** Whether an answer means "no such path" and not "no such thing". */
function isUnknownPath({ status, text }: OutgoingResponse): boolean {
  if (status === 405 || status === 501) return true
  if (status !== 404) return false
  return errcodeOf(text) === undefined || errcodeOf(text) === 'M_UNRECOGNIZED'
}

function errcodeOf(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as JsonValue
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return typeof value['errcode'] === 'string' ? value['errcode'] : undefined
  } catch {
    return undefined
  }
}

function note({ method, path }: AppserviceOperation, answer: OutgoingResponse): OutgoingResponse {
  if (answered.hasSubscribers)
    answered.publish({ method, path: APPSERVICE_PREFIX + path, status: answer.status } satisfies Answered)
  return answer
}

/** How a question about other networks is asked: the operation, what stands in its path, and the query. */
function asRequest(question: ThirdPartyQuestion): {
  readonly operation: AppserviceOperation
  readonly parameter: string
  readonly query: Readonly<Record<string, string>>
} {
  if ('userId' in question)
    return { operation: FIND_BY_USER, parameter: '', query: { userid: question.userId } }
  if ('alias' in question)
    return { operation: FIND_BY_ALIAS, parameter: '', query: { alias: question.alias } }
  const parameter = question.protocol
  if (question.about === 'protocol') return { operation: GET_PROTOCOL, parameter, query: {} }
  const operation = question.about === 'user' ? FIND_USERS : FIND_LOCATIONS
  return { operation, parameter, query: question.fields }
}

/** @param url the registration's, without a slash at the end */
export function createAppserviceClient(
  { hsToken }: Pick<Appservice, 'hsToken'>,
  url: string,
  { send, clock }: { readonly send: SendHttp; readonly clock: Clock },
): AppserviceClient {
  const headers = { authorization: `Bearer ${hsToken}`, accept: 'application/json' }
  let legacyUntil = -Infinity
  const request = (
    method: Method,
    path: string,
    timeoutMs: number,
    body?: string,
    signal?: AbortSignal,
  ): Promise<OutgoingResponse> =>
    send({
      method,
      url: url + path,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
      timeoutMs,
      signal,
    })
  /** By the newer path, or the older one with the token in the query, whichever it knows. */
  const requestEither = async (
    operation: AppserviceOperation,
    parameter: string,
    timeoutMs: number,
    body?: string,
    signal?: AbortSignal,
  ): Promise<OutgoingResponse> => {
    const path = pathWith(operation, parameter)
    if (clock.monotonic() >= legacyUntil) {
      const answer = await request(operation.method, APPSERVICE_PREFIX + path, timeoutMs, body, signal)
      if (!isUnknownPath(answer)) return note(operation, answer)
    }
    const token = `?access_token=${encodeURIComponent(hsToken)}`
    const answer = await request(operation.method, path + token, timeoutMs, body, signal)
    legacyUntil = isUnknownPath(answer) ? -Infinity : clock.monotonic() + LEGACY_MS
    return answer
  }
  const query = async (operation: AppserviceOperation, id: string): Promise<boolean> => {
    const answer = await requestEither(operation, id, TIMEOUTS.query)
    if (answer.status === 200) return true
    if (answer.status === 404) return false
    throw new AppserviceRefused(answer)
  }
  return {
    async putTransaction(txnId, body, signal) {
      const answer = await requestEither(SEND_TRANSACTION, txnId, TIMEOUTS.transaction, body, signal)
      if (answer.status !== 200) throw new AppserviceRefused(answer)
    },
    queryUser: (userId) => query(QUERY_USER, userId),
    queryAlias: (alias) => query(QUERY_ALIAS, alias),
    async ping(transactionId) {
      const body = JSON.stringify(transactionId === undefined ? {} : { transaction_id: transactionId })
      const path = APPSERVICE_PREFIX + PING.path
      const answer = note(PING, await request(PING.method, path, TIMEOUTS.ping, body))
      if (answer.status < 200 || answer.status > 299) throw new AppserviceRefused(answer)
    },
    async thirdParty(question) {
      const { operation, parameter, query: asked } = asRequest(question)
      const search = new URLSearchParams(asked).toString()
      const path = `${APPSERVICE_PREFIX}${pathWith(operation, parameter)}${search === '' ? '' : `?${search}`}`
      const answer = note(operation, await request(operation.method, path, TIMEOUTS.thirdParty))
      if (answer.status === 404) return undefined
      if (answer.status !== 200) throw new AppserviceRefused(answer)
      return JSON.parse(answer.text) as JsonValue
    },
  }
}
