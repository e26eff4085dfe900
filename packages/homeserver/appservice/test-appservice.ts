import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { AppserviceRegistration } from './registration.ts'

// Test support: a real appservice over HTTP, as small as it can be.

export interface ReceivedRequest {
  readonly method: string
  /** Path with query. */
  readonly url: string
  readonly authorization: string | undefined
  readonly body: string
}

export interface TestAppservice extends AsyncDisposable {
  readonly url: string
  /** Every request, in the order of arrival. */
  readonly requests: ReceivedRequest[]
  /** Answers requests; default: 200 and `{}`. */
  answer: (request: ReceivedRequest) => Promise<AppserviceAnswer> | AppserviceAnswer
  /** Events of all transactions that were answered with 200, each transaction id once. */
  events(): JsonObject[]
  /** The bodies of these transactions, in the order of arrival. */
  transactions(): JsonObject[]
  /** The same of ephemeral data. */
  ephemeral(): JsonObject[]
  /** Resolves as soon as `condition` holds; looked at after every request. */
  until(condition: () => boolean): Promise<void>
}

export type AppserviceAnswer = { readonly status: number; readonly body?: string } | 'hang up'

type Transaction = JsonObject & { events: JsonObject[]; ephemeral?: JsonObject[] }

const OK: AppserviceAnswer = { status: 200, body: '{}' }

export async function startTestAppservice(): Promise<TestAppservice> {
  const requests: ReceivedRequest[] = []
  const accepted = new Map<string, Transaction>()
  let waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = []
  const look = (): void => {
    const done = waiting.filter(({ condition }) => condition())
    waiting = waiting.filter((one) => !done.includes(one))
    for (const { resolve } of done) resolve()
  }
  const server = createServer((request, response) => {
    void (async () => {
      const received: ReceivedRequest = {
        method: request.method ?? '',
        url: request.url ?? '',
        authorization: request.headers.authorization,
        body: await text(request),
      }
      requests.push(received)
      const answer = await appservice.answer(received)
      if (answer === 'hang up') request.socket.destroy()
      else {
        const txnId = /\/transactions\/([^?]+)/.exec(received.url)?.[1]
        if (txnId !== undefined && answer.status === 200 && !accepted.has(txnId)) {
          accepted.set(txnId, JSON.parse(received.body) as Transaction)
        }
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body ?? '{}')
      }
      look()
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const appservice: TestAppservice = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: () => OK,
    transactions: () => [...accepted.values()],
    events: () => [...accepted.values()].flatMap(({ events }) => events),
    ephemeral: () => [...accepted.values()].flatMap(({ ephemeral }) => ephemeral ?? []),
    until: (condition) =>
      condition() ? Promise.resolve() : new Promise((resolve) => waiting.push({ condition, resolve })),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return appservice
}

/** A registration with the namespaces `@_<id>_…`, `#_<id>_…`. */
export function testRegistration(
  id: string,
  url: string | null,
  more: Partial<AppserviceRegistration> = {},
): AppserviceRegistration {
  return {
    id,
    url,
    as_token: `as-token-of-${id}-0123456789`,
    hs_token: `hs-token-of-${id}-0123456789`,
    sender_localpart: `_${id}_bot`,
    namespaces: {
      users: [{ exclusive: true, regex: `@_${id}_.*` }],
      aliases: [{ exclusive: true, regex: `#_${id}_.*` }],
      rooms: [],
    },
    ...more,
  }
}

/** Pauses between attempts are over at once; what happens every hour does not happen all the time. */
export const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms > 300_000 ? ms : Math.min(ms, 5), signal),
}
