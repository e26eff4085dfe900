import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { TextMessage } from './sms-hook.ts'

// Test support: an operator's program that text messages are handed to, on loopback.

const PATIENCE_MS = 60_000

/** What the hook was sent. */
export interface HookRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly message: TextMessage
}

export type HookAnswer = number | 'hang up' | 'silence'

export interface TestSmsHook extends AsyncDisposable {
  readonly url: string
  /** Every request, in the order of arrival. */
  readonly arrived: HookRequest[]
  /** Messages that were answered with 2xx. */
  readonly taken: TextMessage[]
  /** Answers requests; default: 204. */
  answer: () => HookAnswer
  /** Resolves when there were so many requests. */
  saw(count: number): Promise<void>
  /** Resolves when there are so many messages that were taken, with the last of them. */
  took(count: number): Promise<TextMessage>
}

export async function startSmsHook(): Promise<TestSmsHook> {
  let waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = []
  const look = (): void => {
    const done = waiting.filter(({ condition }) => condition())
    waiting = waiting.filter((one) => !done.includes(one))
    for (const { resolve } of done) resolve()
  }
  const until = (what: string, condition: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = systemClock.setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE_MS)
      const came = (): void => {
        timer.cancel()
        resolve()
      }
      waiting.push({ condition, resolve: came })
      look()
    })
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const message = JSON.parse(body) as TextMessage
      const { method = '', url: path = '', headers } = request
      hook.arrived.push({ method, path, headers, message })
      const answer = hook.answer()
      if (answer === 'hang up') request.socket.destroy()
      if (typeof answer === 'number') response.writeHead(answer).end()
      if (typeof answer === 'number' && answer < 300) hook.taken.push(message)
      look()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const hook: TestSmsHook = {
    url: `http://127.0.0.1:${port}/sms?for=test`,
    arrived: [],
    taken: [],
    answer: () => 204,
    saw: (count) => until(`request ${count}`, () => hook.arrived.length >= count),
    took: async (count) => {
      await until(`message ${count}`, () => hook.taken.length >= count)
      return hook.taken[count - 1]!
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return hook
}
