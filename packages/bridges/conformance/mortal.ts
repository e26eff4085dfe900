import type { CommitResult, Database } from '@causeway/store/db/database.ts'
import type { Connection, Network } from '../core/network.ts'

/** A process that can end between any two steps: from then on nothing it does has an effect, and nothing answers. */
export interface Mortality {
  isDead: boolean
  /** What the database had begun for it: over before another process opens the database. */
  readonly underWay: Set<Promise<unknown>>
  /** Resolves at the end. */
  readonly ended: Promise<void>
  die(): void
}

export function createMortality(): Mortality {
  const { promise, resolve } = Promise.withResolvers<void>()
  const mortality = {
    isDead: false,
    ended: promise,
    underWay: new Set<Promise<unknown>>(),
    die: () => {
      mortality.isDead = true
      resolve()
    },
  }
  return mortality
}

const NEVER = new Promise<never>(() => undefined)

/** `target` whose functions never answer once the process is dead, not even for what they did just before. */
export function mortal<T extends object>(target: T, mortality: Mortality): T {
  return new Proxy(target, {
    get: (object, key) => {
      const value: unknown = Reflect.get(object, key, object)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (mortality.isDead) return NEVER
        const result: unknown = Reflect.apply(value, object, args)
        if (!(result instanceof Promise)) return result
        return result.then((answer: unknown) => (mortality.isDead ? NEVER : answer))
      }
    },
  })
}

/** The database, dying with its `last` commit: just before it is made or just after. */
export function mortalDatabase(
  db: Database,
  mortality: Mortality,
  last: number,
  when: 'before' | 'after',
): Database {
  let commits = 0
  return {
    dialect: db.dialect,
    query: (sql, params) => (mortality.isDead ? NEVER : db.query(sql, params)),
    queryLarge: (sql, params) => (mortality.isDead ? NEVER : db.queryLarge(sql, params)),
    commit: async (write): Promise<CommitResult> => {
      const isLast = ++commits === last
      if (isLast && when === 'before') mortality.die()
      if (mortality.isDead) return NEVER
      const committing = db.commit(write)
      mortality.underWay.add(committing)
      const result = await committing
      mortality.underWay.delete(committing)
      if (isLast) mortality.die()
      return mortality.isDead ? NEVER : result
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** The network as a dead process leaves it: what it sends no longer arrives. */
export function mortalNetwork(network: Network, mortality: Mortality): Network {
  return {
    ...mortal(network, mortality),
    name: network.name,
    displayName: network.displayName,
    servers: network.servers,
    start: (sink) =>
      network.start({
        receive: (portal, event) => void (mortality.isDead || sink.receive(portal, event)),
        command: (portal, command) => void (mortality.isDead || sink.command(portal, command)),
        lost: (portal, reason) => void (mortality.isDead || sink.lost(portal, reason)),
      }),
    parseChannel: (server, text) => network.parseChannel(server, text),
    open: (portal, options, resumption) =>
      mortality.isDead ? NEVER : network.open(portal, options, resumption),
    close: (portal, reason) => (mortality.isDead ? NEVER : network.close(portal, reason)),
    connect: async (portal, speaker, options) => {
      if (mortality.isDead) return NEVER
      const found = await network.connect(portal, speaker, options)
      if (found.kind !== 'ready') return found
      return { kind: 'ready', connection: mortal<Connection>(found.connection, mortality) }
    },
    part: (portal, userId, reason) => network.part(portal, userId, reason),
    rename: (server, userId, name) => network.rename(server, userId, name),
    stop: () => network.stop(),
    describe: (portal) => network.describe(portal),
  }
}
