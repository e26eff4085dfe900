import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { previewRoutes } from '../client/url-preview.ts'
import { mediaRoutes } from '../client/media-routes.ts'
import { accountRoutes } from '../client/account-routes.ts'
import type { HomeserverConfig } from '../config.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import type { Resolver } from '../outgoing/resolver.ts'
import type { ServerDriver, TestServer } from '../test-server.ts'

// Test support: a web server on loopback, and a homeserver that makes previews of its pages.

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A web server whose pages a test decides about. */
export interface TestSite extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** By path, with the query. */
  readonly pages: Map<string, Answer>
  /** Paths that were asked for, in order. */
  readonly asked: string[]
}

/** @param address of loopback: 127.0.0.1 may be fetched from, others may not (see `openPreviews`) */
export async function startSite(address = '127.0.0.1'): Promise<TestSite> {
  const pages = new Map<string, Answer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const answer = pages.get(request.url!)
    if (answer === undefined) response.writeHead(404).end()
    else answer(request, response)
  })
  server.listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${address}:${port}`,
    port,
    pages,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A page as it mostly is. */
export const html =
  (body: string | Uint8Array, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body)

export const file =
  (type: string, body: Uint8Array): Answer =>
  (_request, response) =>
    void response.writeHead(200, { 'content-type': type }).end(body)

export const redirect =
  (location: string): Answer =>
  (_request, response) =>
    void response.writeHead(302, { location }).end()

/** A homeserver that may fetch from 127.0.0.1, and from no other address of loopback. */
export interface PreviewServer extends AsyncDisposable {
  readonly server: TestServer
  ask(url: string, headers?: Record<string, string>): Promise<DispatchResponse>
  /** The preview; fails the test unless there is one. */
  preview(url: string, headers?: Record<string, string>): Promise<JsonObject>
  /** Lets milliseconds pass for what is kept. */
  pass(ms: number): void
  /** How often something long gave others their turn: a page that is read does, after each piece. */
  turns(): number
  /** Ends what waits for a timer of exactly so many milliseconds, as if they had passed. */
  expire(ms: number): void
}

export async function openPreviews(
  driver: ServerDriver,
  options: Partial<HomeserverConfig['url_previews']> = {},
  addresses: ReadonlyMap<string, readonly string[]> = new Map(),
  config: Partial<HomeserverConfig> = {},
): Promise<PreviewServer> {
  let shift = 0
  let turns = 0
  const timers = new Map<() => void, number>()
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + shift,
    monotonic: () => systemClock.monotonic() + shift,
    defer: (fn) => {
      turns++
      systemClock.defer(fn)
    },
    setTimeout: (fn, ms, more) => {
      const end = (): void => {
        timers.delete(end)
        timer.cancel()
        fn()
      }
      const timer = systemClock.setTimeout(end, ms, more)
      timers.set(end, ms)
      return {
        cancel: () => {
          timers.delete(end)
          timer.cancel()
        },
      }
    },
  }
  const resolver: Resolver = {
    addresses: async (host) => addresses.get(host) ?? [],
    srv: async () => [],
  }
  const server = await driver.start({
    endpoints: [...accountRoutes, ...mediaRoutes],
    clock,
    network: { resolver },
    config: {
      ...config,
      url_previews: {
        enabled: true,
        denied_hosts: [],
        allowed_hosts: [],
        allow_private_addresses: ['127.0.0.1'],
        obey_robots: false,
        max_image_size: 100_000,
        ...options,
      },
    },
  })
  const { token } = await server.register('alice')
  const path = previewRoutes[0]!.path
  const previews: PreviewServer = {
    server,
    ask: (url, headers = {}) =>
      server.request('GET', `${path}?url=${encodeURIComponent(url)}`, { token, headers }),
    preview: async (url, headers) => {
      const answer = await previews.ask(url, headers)
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    },
    pass: (ms) => {
      shift += ms
    },
    turns: () => turns,
    expire: (ms) => {
      for (const [end, of] of timers) if (of === ms) end()
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  return previews
}
