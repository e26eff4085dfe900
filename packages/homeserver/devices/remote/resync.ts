import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Random, Timer } from '@causeway/store/clock/clock.ts'
import {
  deleteRemoteCopy,
  findNextDue,
  hastenRemoteLists,
  listDueLists,
  postponeRemoteList,
  type RemoteListRow,
} from '@causeway/store/tables/remote-devices.ts'
import { FederationError } from '../../federation/federation-client.ts'
import type { Logger } from '../../ops/log.ts'
import { storeCopy } from './copies.ts'
import { fetchUserDevices } from './fetch-identities.ts'
import type { QueryDeps } from './query-remote.ts'

export interface ResyncDeps extends QueryDeps {
  readonly random: Random
  readonly logger: Logger
}

/** Fetches copies that are stale, now and after a restart, until none is. */
export interface Resync extends AsyncDisposable {
  /** There may be stale copies. */
  wake(): void
  /** A server was heard from: what could not be fetched from it is tried at once. */
  heardFrom(server: ServerName): Promise<void>
  /** Resolves when everything that was due has been tried. */
  idle(): Promise<void>
}

const PORTION = 200
/** Servers asked side by side; of each, one user after another. */
const SERVERS_AT_ONCE = 8
const TIMEOUT_MS = 30_000
const FIRST_WAIT_MS = 10_000
const MAX_WAIT_MS = 60 * 60_000
/** After a fault of ours. */
const FAULT_WAIT_MS = 30_000

class Worker implements Resync {
  readonly #deps: ResyncDeps
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #again = false
  #timer: Timer | undefined
  /** Servers that have failed since they were last heard from. */
  readonly #failing = new Set<ServerName>()

  constructor(deps: ResyncDeps) {
    this.#deps = deps
  }

  wake(): void {
    if (this.#stop.signal.aborted) return
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) this.wake()
    })
  }

  async heardFrom(server: ServerName): Promise<void> {
    if (!this.#failing.delete(server)) return
    const { db, clock } = this.#deps
    await db.commit({ entries: [], steps: [hastenRemoteLists(server, clock.now())] })
    this.wake()
  }

  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#again = false
    this.#timer?.cancel()
    await this.#running
  }

  async #run(): Promise<void> {
    const { db, clock, logger } = this.#deps
    this.#timer?.cancel()
    try {
      while (this.#again && !this.#stop.signal.aborted) {
        this.#again = false
        const due = await listDueLists(db, clock.now(), PORTION)
        await this.#fetchAll(due)
        if (due.length === PORTION) this.#again = true
      }
      const next = await findNextDue(db)
      if (next !== undefined) this.#sleep(Math.max(0, next - clock.now()))
    } catch (error) {
      if (this.#stop.signal.aborted) return
      logger.warn('device lists of other servers could not be fetched; it is tried again', { error })
      this.#sleep(FAULT_WAIT_MS)
    }
  }

  #sleep(ms: number): void {
    if (this.#stop.signal.aborted) return
    this.#timer = this.#deps.clock.setTimeout(() => this.wake(), ms, { unref: true })
  }

  async #fetchAll(due: readonly RemoteListRow[]): Promise<void> {
    const servers = Map.groupBy(due, (list) => list.server_name as ServerName)
    const next = servers.values()
    const lane = async (): Promise<void> => {
      for (const lists of next) await this.#fetchOfServer(lists)
    }
    await Promise.all(Array.from({ length: SERVERS_AT_ONCE }, lane))
  }

  /** A server that does not answer is not asked for the next user. */
  async #fetchOfServer(lists: readonly RemoteListRow[]): Promise<void> {
    let isSilent = false
    for (const list of lists) {
      if (this.#stop.signal.aborted) return
      if (isSilent) await this.#postpone(list)
      else isSilent = !(await this.#fetch(list))
    }
  }

  /** @returns whether the server answers */
  async #fetch(list: RemoteListRow): Promise<boolean> {
    const { client, guard, db } = this.#deps
    const userId = list.user_id as UserId
    using fetch = guard.watch.begin()
    try {
      const options = { timeoutMs: TIMEOUT_MS, signal: this.#stop.signal }
      const identity = await fetchUserDevices(client, userId, options)
      await storeCopy(guard, this.#deps, identity, fetch)
      // Overtaken by the next update: it is fetched once more.
      if (!fetch.isCurrent(userId)) await this.#postpone(list)
      return true
    } catch (error) {
      if (this.#stop.signal.aborted) return false
      if (!(error instanceof FederationError)) throw error
      const { failure } = error
      const isGone = failure.kind === 'refused' && (failure.status === 403 || failure.status === 404)
      if (isGone)
        await guard.queue.serial(userId, () => db.commit({ entries: [], steps: deleteRemoteCopy(userId) }))
      else await this.#postpone(list)
      return failure.kind === 'refused' || failure.kind === 'malformed'
    }
  }

  async #postpone(list: RemoteListRow): Promise<void> {
    const { db, clock, random } = this.#deps
    this.#failing.add(list.server_name as ServerName)
    const wait = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(list.attempts, 20))
    const retryTs = Math.round(clock.now() + wait * (0.75 + random.fraction() / 2))
    await db.commit({ entries: [], steps: [postponeRemoteList(list.user_id, retryTs)] })
  }
}

export function createResync(deps: ResyncDeps): Resync {
  return new Worker(deps)
}
