import { isIP } from 'node:net'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Outgoing } from '../outgoing/outgoing.ts'
import { readBody } from '../outgoing/read-body.ts'

/** The one path that gateways have. https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify */
export const NOTIFY_PATH = '/_matrix/push/v1/notify'

/** A gateway answered that it did not take what it was sent. */
export class GatewayRefused extends Error {
  override readonly name = 'GatewayRefused'
  readonly status: number
  /** For how long it does not want to be asked again, where it says so. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, retryAfterMs: number | undefined) {
    super(`the gateway answered with status ${status}`)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same would be refused again: the gateway calls it wrong. */
  get isWrong(): boolean {
    return this.status >= 400 && this.status < 500 && !LATER.has(this.status)
  }
}

/** What says nothing of what was sent. */
const LATER: ReadonlySet<number> = new Set([401, 403, 404, 408, 425, 429])

/** It answered something else than the API says. */
export class GatewayNonsense extends Error {
  override readonly name = 'GatewayNonsense'
}

const TIMEOUT_MS = 30_000
/** An answer is a list of keys of the one device that was named. */
const MAX_ANSWER = 64 * 1024
const LONGEST_WAIT_MS = 3_600_000

/**
 * Sends a notification to a gateway. Resolves with the push keys that it calls invalid.
 * @throws GatewayRefused, GatewayNonsense, and as `Outgoing.send`
 */
export async function deliver(
  outgoing: Outgoing,
  url: URL,
  body: JsonObject,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const answer = await outgoing.send({
    host,
    port: url.port === '' ? 443 : Number(url.port),
    tlsName: isIP(host) === 0 ? host.replace(/\.$/, '') : host,
    method: 'POST',
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'Causeway',
    },
    body: JSON.stringify(body),
    timeoutMs: TIMEOUT_MS,
    signal,
  })
  if (answer.status !== 200) {
    answer.body.destroy()
    throw new GatewayRefused(answer.status, retryAfter(answer.headers['retry-after']))
  }
  return readRejected(Buffer.from(await readBody(answer.body, MAX_ANSWER)).toString())
}

function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,6}$/.test(text)) return undefined
  return Math.min(Number(text) * 1000, LONGEST_WAIT_MS)
}

function readRejected(text: string): ReadonlySet<string> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new GatewayNonsense('the gateway answered with what is no JSON', { cause })
  }
  if (!isJsonObject(value)) throw new GatewayNonsense('the gateway answered with what is no object')
  const { rejected = [] } = value
  if (!Array.isArray(rejected))
    throw new GatewayNonsense('the gateway answered without a list of rejected keys')
  return new Set(rejected.filter((key) => typeof key === 'string'))
}
