import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Want } from './held-keys.ts'

/** How long a question waits for others to go with it: joining a large room asks for thousands of servers. */
const GATHER_MS = 50
/** As many in one request. */
const MAX_SERVERS = 100

/** Asks the notaries for the keys of many servers, with few requests. */
export interface NotaryBatch {
  /** Resolves when the notaries were asked; what they said is in the store. Never rejects. */
  ask(serverName: ServerName, want: Want): Promise<void>
}

interface Waiting {
  readonly want: Want
  readonly done: () => void
}

/** @param query asks the notaries for all of these, and never rejects */
export function createNotaryBatch(
  clock: Pick<Clock, 'setTimeout'>,
  query: (wants: ReadonlyMap<ServerName, Want>) => Promise<void>,
): NotaryBatch {
  let waiting = new Map<ServerName, Waiting>()
  const flush = (): void => {
    const batch = waiting
    waiting = new Map()
    if (batch.size === 0) return
    const wants = new Map([...batch].map(([serverName, { want }]) => [serverName, want]))
    void query(wants).finally(() => {
      for (const { done } of batch.values()) done()
    })
  }
  return {
    ask: (serverName, want) =>
      new Promise((resolve) => {
        if (waiting.size === 0) clock.setTimeout(flush, GATHER_MS)
        const before = waiting.get(serverName)
        const keyIds = new Set([...(before?.want.keyIds ?? []), ...want.keyIds])
        const validAt = Math.max(before?.want.validAt ?? 0, want.validAt)
        const done = (): void => {
          before?.done()
          resolve()
        }
        waiting.set(serverName, { want: { keyIds, validAt }, done })
        if (waiting.size >= MAX_SERVERS) flush()
      }),
  }
}
