import postgres from 'postgres'
import type { Clock, Timer } from '../../clock/clock.ts'
import type { postgresTypes } from '../postgres-types.ts'

/** A read waits for one of the open connections about as long as it took to open the first, within these bounds. */
const PATIENCE_MS = { least: 5, most: 250 }
/** Reads asked for in one turn of the event loop that go together, in one message to the server. */
const TOGETHER = 3
/** After how many seconds a connection that was opened for a burst is closed again. */
const IDLE_S = 60

interface Slot {
  readonly sql: postgres.Sql
  isOpen: boolean
  /** Reads that were handed to it and are not answered. */
  reads: number
}

export interface PoolOptions {
  readonly url: string
  readonly connection: postgres.Options<typeof postgresTypes>
  /** How many connections at most. */
  readonly size: number
  readonly clock: Pick<Clock, 'setTimeout' | 'defer' | 'monotonic'>
}

/**
 * Connections for reading, opened when they are needed and as few as will do: each is a process of the server with
 * caches of its own, and prepares every statement for itself. A read goes to the first one that is idle, along with
 * those asked for at the same time; when none is idle for a moment, another one is opened; when there may be no more,
 * reads queue on those there are.
 */
export class PostgresPool {
  readonly #slots: readonly Slot[]
  readonly #clock: Pick<Clock, 'setTimeout' | 'defer' | 'monotonic'>
  readonly #waiting: ((slot: Slot) => void)[] = []
  #timer: Timer | undefined
  #patienceMs = PATIENCE_MS.least
  /** What was idle in this turn of the event loop. */
  #filling: Slot | undefined

  constructor({ url, connection, size, clock }: PoolOptions) {
    this.#clock = clock
    this.#slots = Array.from({ length: size }, (_, index) => createSlot(url, connection, index === 0))
  }

  /** How many connections are open. */
  get size(): number {
    return this.#slots.filter(({ isOpen }) => isOpen).length
  }

  /** Opens the first connection. @throws when the server cannot be reached */
  async connect(): Promise<void> {
    const begun = this.#clock.monotonic()
    await this.use((sql) => sql.unsafe('SELECT 1').execute())
    const took = this.#clock.monotonic() - begun
    this.#patienceMs = Math.min(Math.max(took, PATIENCE_MS.least), PATIENCE_MS.most)
  }

  /** Runs one read. */
  use<T>(read: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const slot = this.#join() ?? this.#choose()
    if (slot?.reads === 1) this.#fill(slot)
    return this.#run(slot, read)
  }

  /** Runs a read that takes long, and shares its connection only when all that there may be are busy. */
  useAlone<T>(read: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    return this.#run(this.#choose(), read)
  }

  async #run<T>(chosen: Slot | undefined, read: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const slot = chosen ?? (await this.#wait())
    slot.isOpen = true
    try {
      return await read(slot.sql)
    } finally {
      slot.reads--
      if (slot.reads === 0) this.#waiting.shift()?.(take(slot))
    }
  }

  #fill(slot: Slot): void {
    this.#filling = slot
    process.nextTick(() => (this.#filling = undefined))
  }

  #join(): Slot | undefined {
    return this.#filling !== undefined && this.#filling.reads < TOGETHER ? take(this.#filling) : undefined
  }

  /** Undefined when it is worth waiting for one that is open. */
  #choose(): Slot | undefined {
    const open = this.#slots.filter(({ isOpen }) => isOpen)
    if (open.length === 0) return take(this.#slots[0]!)
    const least = leastBusy(open)
    return least.reads === 0 || open.length === this.#slots.length ? take(least) : undefined
  }

  #wait(): Promise<Slot> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#watch()
    })
  }

  #watch(): void {
    // Where the process itself was busy, the answer may have come long ago: first what has arrived is looked at.
    const look = (): void => this.#clock.defer(() => this.#grow())
    this.#timer ??= this.#clock.setTimeout(look, this.#patienceMs, { unref: true })
  }

  /** For the read that has waited longest. */
  #grow(): void {
    this.#timer = undefined
    if (this.#waiting.length === 0) return
    const closed = this.#slots.find(({ isOpen }) => !isOpen)
    this.#waiting.shift()?.(take(closed ?? leastBusy(this.#slots)))
    if (this.#waiting.length > 0) this.#watch()
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    for (const resolve of this.#waiting.splice(0)) resolve(take(this.#slots[0]!))
    await Promise.all(this.#slots.map(({ sql }) => sql.end({ timeout: 5 })))
  }
}

function createSlot(url: string, connection: postgres.Options<typeof postgresTypes>, isFirst: boolean): Slot {
  // The first one stays: whoever comes after a quiet hour waits for no connection.
  const options = { ...connection, max: 1, idle_timeout: isFirst ? 0 : IDLE_S }
  const onclose = (): void => void (slot.isOpen = false)
  const sql = postgres(url, { ...options, onclose }) as unknown as postgres.Sql
  const slot: Slot = { sql, isOpen: false, reads: 0 }
  return slot
}

function take(slot: Slot): Slot {
  slot.reads++
  return slot
}

function leastBusy(slots: readonly Slot[]): Slot {
  return slots.reduce((best, slot) => (slot.reads < best.reads ? slot : best))
}
