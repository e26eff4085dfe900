import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'

/** What `person.py` is written for. */
export const NIO_PACKAGES = ['matrix-nio[e2e]==0.26.0']

const PROGRAM = path.join(import.meta.dirname, 'person.py')
const TIMEOUT_MS = 90_000
const LOOK_AGAIN_MS = 100

/** An event as matrix-nio understood it. */
export interface NioEvent {
  readonly room_id: string
  readonly event_id: string
  readonly sender: string
  /** nio's class, such as RoomMessageText. */
  readonly kind: string
  readonly decrypted: boolean
  readonly content: JsonObject
}

/** Everything that has reached the person by sync so far. */
export interface NioView {
  readonly rooms: Readonly<Record<string, { name: string; members: string[]; encrypted: boolean }>>
  readonly invited: readonly string[]
  readonly events: readonly NioEvent[]
  readonly receipts: readonly { room_id: string; event_id: string; user_id: string }[]
  readonly typing: readonly { room_id: string; users: string[] }[]
}

/** A person with matrix-nio, in a process of its own. */
export interface NioPerson extends AsyncDisposable {
  /** One order of `person.py`; rejects with nio's error. */
  do<T extends JsonValue | null = JsonValue>(order: string, input?: JsonObject): Promise<T>
  /** Resolves once `check` holds for what has been seen; rejects after 90 s. */
  until<T>(what: string, check: (seen: NioView) => T | undefined | false): Promise<T>
}

interface Answer {
  readonly id: number
  readonly result?: JsonValue
  readonly error?: string
}

/** Starts matrix-nio for a user (`@name:server`) of the server at `url`; log in with the order `login`. */
export async function startNioPerson(
  python: string,
  start: { url: string; user: string; encrypt?: boolean },
): Promise<NioPerson> {
  const store = await mkdtemp(path.join(tmpdir(), 'nio-'))
  const child = spawn(python, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] })
  const waiting = new Map<number, PromiseWithResolvers<JsonValue>>()
  let complaints = ''
  let orders = 0
  child.stderr.on('data', (data: Buffer) => (complaints += data.toString()))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, result, error } = JSON.parse(line) as Answer
    if (error === undefined) waiting.get(id)?.resolve(result ?? null)
    else waiting.get(id)?.reject(new Error(`${start.user}: ${error}`))
    waiting.delete(id)
  })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void exited.then(() => {
    for (const one of waiting.values()) one.reject(new Error(`matrix-nio has ended\n${complaints}`))
  })
  child.stdin.write(`${JSON.stringify({ encrypt: false, ...start, store })}\n`)
  const order = async <T extends JsonValue | null>(name: string, input: JsonObject = {}): Promise<T> => {
    if (child.exitCode !== null) throw new Error(`matrix-nio has ended\n${complaints}`)
    const pending = Promise.withResolvers<JsonValue>()
    orders += 1
    waiting.set(orders, pending)
    child.stdin.write(`${JSON.stringify({ ...input, id: orders, do: name })}\n`)
    return (await pending.promise) as T
  }
  return {
    do: order,
    until: async (what, check) => {
      const deadline = Date.now() + TIMEOUT_MS
      for (;;) {
        const seen = (await order('see')) as unknown as NioView
        const found = check(seen)
        if (found !== undefined && found !== false) return found
        if (Date.now() > deadline)
          throw new Error(
            `${start.user} did not see in time: ${what}\n${JSON.stringify(seen)}\n${complaints}`,
          )
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
      await exited
      clearTimeout(timer)
      await rm(store, { recursive: true, force: true })
    },
  }
}
