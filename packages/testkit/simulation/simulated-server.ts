import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { JsonObject, VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { EventId, KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { openDatabase, type OpenDatabase } from '@causeway/store/db/open.ts'
import { clientRoutes } from '@causeway/homeserver/client/routes.ts'
import { createTrustedProxies } from '@causeway/homeserver/http/client-ip.ts'
import { dispatch, type DispatchResponse } from '@causeway/homeserver/http/dispatch.ts'
import { Router } from '@causeway/homeserver/http/router.ts'
import type { Homeserver } from '@causeway/homeserver/homeserver.ts'
import type { Logger } from '@causeway/homeserver/ops/log.ts'
import { federationRoutes } from '@causeway/homeserver/federation/routes.ts'
import { openHomeserver } from '@causeway/homeserver/open-homeserver.ts'
import { startSending } from '@causeway/homeserver/server.ts'
import { testConfig } from '@causeway/homeserver/test-server.ts'
import { acknowledgedEvents, notHeld } from './acknowledged-events.ts'
import { createChance, type Chance } from './chance.ts'
import type { NetworkAnswer, NetworkRequest, SimulatedNetwork } from './network.ts'
import { drained, type Scheduler } from './scheduler.ts'
import { createVirtualClock, type Skew, type VirtualClock } from './virtual-clock.ts'

// A whole homeserver of which only the sockets are missing: requests go through its router, signed and checked as ever.

/** Acts for every user of every simulated server, so that nobody needs a password (and Argon2's threads). */
const AS_TOKEN = 'simulated-appservice-token'
const APPSERVICE = {
  id: 'simulation',
  url: null,
  as_token: AS_TOKEN,
  hs_token: 'simulated-homeserver-token',
  sender_localpart: 'simulation',
  namespaces: { users: [{ regex: '@.*', exclusive: false }] },
}

let template: Promise<string> | undefined

/** A database with its tables and nothing in them, made once: a run opens half a dozen. */
function emptyDatabase(): Promise<string> {
  template ??= (async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'causeway-empty-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const file = path.join(folder, 'empty.db')
    const signer = {
      serverName: 'none.test' as ServerName,
      keyId: 'ed25519:none' as KeyId,
      privateKey: new Uint8Array(32),
    }
    const db = await openDatabase(
      { kind: 'sqlite', path: file, inThread: true },
      { clock: systemClock, random: systemRandom, signer },
    )
    await db[Symbol.asyncDispose]()
    // The log's row holds the epoch, which each server makes for itself.
    const raw = new DatabaseSync(file)
    raw.exec('DELETE FROM log_state')
    raw.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    raw.close()
    return file
  })()
  return template
}

export interface World {
  readonly seed: string
  readonly scheduler: Scheduler
  readonly network: SimulatedNetwork
  /** Where databases are kept. */
  readonly folder: string
  readonly verify: VerifySignature
  /** Told of warnings and errors of servers. */
  readonly onLog: (server: string, level: string, message: string, fields: unknown) => void
  /** Told what a server lacks of the events that it has just acknowledged to another. */
  readonly onLack: (server: string, eventIds: readonly EventId[]) => void
}

/** What a server did in all its lives. */
export interface Work {
  /** Requests that it answered. */
  answers: number
  queries: number
}

/** One life of a server, between two crashes. */
interface Life {
  readonly hs: Homeserver
  readonly db: OpenDatabase
  readonly router: Router
  readonly clock: VirtualClock
  readonly number: number
}

export class SimulatedServer {
  readonly name: ServerName
  readonly skew: Skew
  readonly #world: World
  readonly #chance: Chance
  #life: Life | undefined
  #lives = 0
  readonly work: Work = { answers: 0, queries: 0 }
  /** Events that it acknowledged to other servers. */
  readonly taken = new Set<EventId>()
  /** Answers before the server itself is asked: for those that lie. */
  intercept: ((request: NetworkRequest) => JsonObject | number | undefined) | undefined

  constructor(world: World, name: string, skew: Skew) {
    this.#world = world
    this.name = name as ServerName
    this.skew = skew
    this.#chance = createChance(`${world.seed}/${name}`)
    world.network.connect(name, (request) => this.#answer(request))
  }

  get isUp(): boolean {
    return this.#life !== undefined
  }

  get hs(): Homeserver {
    if (this.#life === undefined) throw new Error(`${this.name} is down`)
    return this.#life.hs
  }

  get db(): OpenDatabase {
    if (this.#life === undefined) throw new Error(`${this.name} is down`)
    return this.#life.db
  }

  #databaseOf(life: number): string {
    return path.join(this.#world.folder, this.name, `life-${life}.db`)
  }

  /** Opens it on what the life before left. Nothing else runs meanwhile: files are read in real time. */
  async start(): Promise<void> {
    const { scheduler, network, folder: root, onLog } = this.#world
    const number = ++this.#lives
    const folder = path.join(root, this.name)
    mkdirSync(folder, { recursive: true })
    const signingKey = path.join(folder, 'signing.key')
    if (!existsSync(signingKey)) {
      const seed = Buffer.from(this.#chance.fork('key').bytes(32)).toString('base64').replaceAll('=', '')
      writeFileSync(signingKey, `ed25519 sim ${seed}\n`)
    }
    const config = testConfig(folder, { server_name: this.name, memory: { budget: 16 * 1024 * 1024 } })
    const database = this.#databaseOf(number)
    if (number === 1) copyFileSync(await emptyDatabase(), database)
    const chance = this.#chance.fork(`life ${number}`)
    const clock = createVirtualClock({ scheduler, chance: chance.fork('clock') }, this.name, this.skew)
    let isAlive = true
    // What still runs in a life that was lost meets a closed database; a process that was killed says nothing of it.
    const log = (level: string) => (message: string, fields?: object) => {
      if (isAlive) onLog(this.name, level, message, fields)
    }
    const logger: Logger = {
      debug: () => undefined,
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: () => logger,
      enabled: (which) => which !== 'debug',
    }
    const random = chance.fork('random')
    const { hs, db } = await openHomeserver(config, {
      clock,
      random,
      logger,
      appservices: [APPSERVICE],
      database: { kind: 'sqlite', path: database, inThread: true },
      network: {
        discovery: network.discovery,
        outgoing: network.outgoingOf(
          this.name,
          this.skew.rate,
          () => isAlive && this.#life?.number === number,
        ),
        verify: async (...signature) => this.#world.verify(...signature),
      },
      onFailure: (error) => onLog(this.name, 'error', 'the database failed', { error }),
    })
    this.#countQueries(db)
    const router = new Router({
      hs,
      endpoints: [...clientRoutes, ...federationRoutes],
      findSession: (token, use, request) => hs.sessions.find(token, use, request),
      authenticateServer: hs.federation.authenticate,
      limiter: hs.limiter,
      proxies: createTrustedProxies([]),
      clock,
      random,
      log: logger,
    })
    this.#life = {
      hs,
      db,
      router,
      number,
      clock: {
        ...clock,
        kill: () => {
          isAlive = false
          clock.kill()
        },
      },
    }
    const started = (async () => {
      await startSending(hs)
      await hs.receiving.inbox.start()
      hs.joining.completion.start()
    })()
    await scheduler.settle(started, 60_000)
  }

  /** Loses everything in memory, and whatever was not durable. Its files stay as they are at this instant. */
  async crash(): Promise<void> {
    const life = this.#life
    if (life === undefined) return
    this.#life = undefined
    life.clock.kill()
    copyFileSync(this.#databaseOf(life.number), this.#databaseOf(life.number + 1))
    await this.#bury(life)
  }

  /** The copy is made; the life before ends its commits in files that nobody reads, so that these can be closed. */
  async #bury({ clock, db }: Life): Promise<void> {
    let isClosed = false
    const closing = Promise.resolve(db[Symbol.asyncDispose]()).finally(() => (isClosed = true))
    for (let round = 0; !isClosed; round++) {
      clock.exhaust()
      await drained()
      if (round > 1_000) throw new Error(`${this.name}: its database does not close`)
    }
    await closing
  }

  #countQueries(db: OpenDatabase): void {
    const query = db.query.bind(db)
    db.query = (sql, params) => {
      this.work.queries++
      return query(sql, params)
    }
  }

  /** From now on its database may grow no more: what does not fit fails, as on a full disk. */
  async fillDisk(): Promise<void> {
    // No file can be made smaller than it is.
    await this.#life?.db.query('PRAGMA max_page_count = 1', [])
  }

  async freeDisk(): Promise<void> {
    await this.#life?.db.query('PRAGMA max_page_count = 1000000', [])
  }

  /** A client's request; undefined when it is down. Never resolves when it crashes meanwhile. */
  request(
    method: string,
    url: string,
    userId: string,
    body?: JsonObject,
  ): Promise<DispatchResponse> | undefined {
    const life = this.#life
    if (life === undefined) return undefined
    this.work.answers++
    const separator = url.includes('?') ? '&' : '?'
    const asUser = userId === '' ? url : `${url}${separator}user_id=${encodeURIComponent(userId)}`
    return this.#inLife(
      life,
      dispatch(life.router, {
        method,
        url: asUser,
        token: AS_TOKEN,
        ...(body === undefined ? {} : { body }),
      }),
    )
  }

  #answer(request: NetworkRequest): Promise<NetworkAnswer> | undefined {
    const life = this.#life
    if (life === undefined) return undefined
    const own = this.intercept?.(request)
    if (typeof own === 'number') {
      const bytes = Buffer.from('{"errcode":"M_NOT_FOUND","error":"no"}')
      return Promise.resolve({ status: own, headers: {}, bytes })
    }
    if (own !== undefined) {
      return Promise.resolve({ status: 200, headers: {}, bytes: Buffer.from(JSON.stringify(own)) })
    }
    const { method, path: url, headers, body } = request
    this.work.answers++
    const answering = dispatch(life.router, { method, url, headers, ...(body === undefined ? {} : { body }) })
    return this.#inLife(
      life,
      answering.then(async (answer) => {
        await this.#checkTaken(life, request, answer)
        return answer
      }),
    )
  }

  /** What a transaction's answer acknowledges has to be held before the answer leaves. */
  async #checkTaken({ hs }: Life, request: NetworkRequest, answer: DispatchResponse): Promise<void> {
    const taken = await acknowledgedEvents(hs.rooms, request, answer)
    for (const eventId of taken) this.taken.add(eventId)
    const lacking = await notHeld(hs.rooms, taken)
    if (lacking.length > 0) this.#world.onLack(this.name, lacking)
  }

  #inLife<T>(life: Life, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => {
          if (this.#life === life) resolve(value)
        },
        (error: unknown) => {
          if (this.#life === life) reject(error)
        },
      )
    })
  }
}

export const REGISTER_BODY = (username: string): JsonObject => ({
  type: 'm.login.application_service',
  username,
  inhibit_login: true,
})
