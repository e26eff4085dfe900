import { once } from 'node:events'
import { createServer } from 'node:https'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestAuthority } from '@causeway/testkit/certificates.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { HomeserverConfig } from '../config.ts'
import { testConfig } from '../test-server.ts'
import { NOTIFY_PATH } from './deliver.ts'

// Test support: a real push gateway over HTTPS, as small as the API allows.

/** A request to a gateway. */
export interface Notify {
  readonly path: string
  readonly method: string
  readonly contentType: string | undefined
  readonly notification: JsonObject
  /** The one device that it names. */
  readonly device: JsonObject
}

export type GatewayAnswer = { readonly status: number; readonly body?: string } | 'hang up' | 'silence'

export interface TestGateway extends AsyncDisposable {
  /** What a pusher has as `data.url`. */
  readonly url: string
  readonly port: number
  /** Every request, in the order of arrival. */
  readonly arrived: Notify[]
  /** Those that were answered with 200. */
  readonly taken: Notify[]
  /** Answers requests; default: 200, and nothing is rejected. */
  answer: (notify: Notify) => GatewayAnswer | Promise<GatewayAnswer>
  /** Called after every request that was taken. */
  onTaken: () => void
  /** Resolves as soon as `condition` holds, looked at after every request; rejects when that takes a minute. */
  until(condition: () => boolean): Promise<void>
}

export const TAKEN: GatewayAnswer = { status: 200, body: '{"rejected":[]}' }

/** @param port where it listens; default: where the system has room */
export async function startTestGateway(authority: TestAuthority, port = 0): Promise<TestGateway> {
  let waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = []
  const look = (): void => {
    const done = waiting.filter(({ condition }) => condition())
    waiting = waiting.filter((one) => !done.includes(one))
    for (const { resolve } of done) resolve()
  }
  const { key, certificate } = authority.issue('127.0.0.1')
  const server = createServer({ key, cert: certificate }, (request, response) => {
    void (async () => {
      const { notification } = JSON.parse(await text(request)) as { notification: JsonObject }
      const notify: Notify = {
        path: request.url ?? '',
        method: request.method ?? '',
        contentType: request.headers['content-type'],
        notification,
        device: (notification['devices'] as JsonObject[])[0]!,
      }
      gateway.arrived.push(notify)
      look()
      const answer = await gateway.answer(notify)
      if (answer === 'hang up') request.socket.destroy()
      else if (answer !== 'silence') {
        if (answer.status === 200) gateway.taken.push(notify)
        if (answer.status === 200) gateway.onTaken()
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body ?? '{}')
      }
      look()
    })()
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const gateway: TestGateway = {
    url: `https://127.0.0.1:${address.port}${NOTIFY_PATH}`,
    port: address.port,
    arrived: [],
    taken: [],
    answer: () => TAKEN,
    onTaken: () => undefined,
    until: (condition) =>
      new Promise((resolve, reject) => {
        const late = systemClock.setTimeout(() => reject(new Error('the gateway waits in vain')), 60_000)
        const done = (): void => (late.cancel(), resolve())
        if (condition()) done()
        else waiting.push({ condition, resolve: done })
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return gateway
}

/** A configuration with which gateways of this machine are reached and believed. */
export async function gatewayConfig(
  authority: TestAuthority,
): Promise<{ readonly config: Pick<HomeserverConfig, 'federation'> } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), 'gateway-'))
  const file = path.join(folder, 'authority.pem')
  await writeFile(file, authority.certificate)
  const { federation } = testConfig(folder, {})
  return {
    config: {
      federation: {
        ...federation,
        enabled: false,
        allow_private_addresses: ['127.0.0.0/8'],
        ca_certificates: [file],
      },
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

/** Times that are no pauses between attempts: for a connection, for an answer, between looks at the table. */
const KEPT = new Set([10_000, 30_000, 60_000, 600_000])

/** Pauses between attempts are over at once; `skip` moves the wall clock on. */
export function hastyClock(): Clock & { skip(ms: number): void } {
  let skipped = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + skipped,
    setTimeout: (fn, ms, options) => systemClock.setTimeout(fn, KEPT.has(ms) ? ms : Math.min(ms, 5), options),
    skip: (ms) => void (skipped += ms),
  }
}

/** A pusher as a client sets it. */
export function pusherOf(url: string, pushkey: string, more: JsonObject = {}): JsonObject {
  return {
    kind: 'http',
    app_id: 'org.example.app',
    pushkey,
    app_display_name: 'App',
    device_display_name: 'Phone',
    lang: 'en',
    data: { url, ...more },
  }
}
