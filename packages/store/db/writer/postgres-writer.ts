import type { SqlValue } from '../database.ts'
import type { SignPdu } from '../signer.ts'
import { toPostgresSql, wordsOf } from '../sql-text.ts'
import { Batch, KnownDefs } from './decode-batch.ts'
import type { DecodedStep, DecodedWrite } from './decode-batch.ts'
import { insertOneSql, InsertGroup } from './merge-inserts.ts'
import { messageOf, Outcome, StepRefused } from './outcome.ts'
import { classifyPostgresError } from './postgres-errors.ts'
import { ADVANCE_HEADS, headParams, mergeHeads } from './postgres-heads.ts'
import type { MergedHead } from './postgres-heads.ts'
import { holdDatabase, letGoOfWriting, succeedWriter } from './postgres-hold.ts'
import { PostgresSession, SessionLost } from './postgres-session.ts'
import type { StatementResult } from './postgres-session.ts'
import type { BatchMessage, BatchReply, LogNumbers, StepDef, Writer } from './protocol.ts'

const MAX_RETRIES = 5

/** The log is not where this process left it, although nobody else may write. */
class LogMoved extends Error {}

/**
 * Who else may write to the database: nobody (`alone`), nobody but a writer of this process that is to be succeeded
 * (`successor`), other processes (`shared`).
 */
export type WriterRole = 'alone' | 'successor' | 'shared'

/** A statement that was sent; its result is looked at when all of the batch were sent. */
interface SentStatement {
  readonly write: number
  readonly step: number
  readonly def: StepDef
  readonly expectRows: number
  readonly result: Promise<StatementResult>
}

/** How a statement reads to PostgreSQL, and which words it holds. */
interface PreparedSql {
  readonly sql: string
  readonly words: ReadonlySet<string>
}

/**
 * The writer of a PostgreSQL database: one connection, one transaction per batch, which begins by taking the
 * row of the log (docs/decisions/0002-log-positions.md). Inserts are merged per table and statements are
 * pipelined, so that a batch usually takes two round trips; when anything is refused, the transaction is rolled
 * back and the batch replayed, each write under its own savepoint.
 */
export class PostgresWriter implements Writer {
  readonly #open: () => Promise<PostgresSession>
  #session: PostgresSession
  readonly #sign: SignPdu
  readonly #defs = new KnownDefs()
  readonly #statements = new Map<StepDef, PreparedSql>()

  /** The log's numbers after the last batch, while nobody else may have moved it. */
  #log: LogNumbers | undefined
  readonly #shared: boolean
  /** Whether another writer of this process has let go of the database, and it is to be taken over. */
  #succeeds = false

  private constructor(
    open: () => Promise<PostgresSession>,
    session: PostgresSession,
    sign: SignPdu,
    shared: boolean,
  ) {
    this.#open = open
    this.#session = session
    this.#sign = sign
    this.#shared = shared
  }

  /** @throws Error with a sentence for the operator when another process holds the database */
  static async open(url: string, sign: SignPdu, role: WriterRole): Promise<PostgresWriter> {
    const hold = role === 'shared' ? undefined : holdDatabase
    const first = role === 'alone' ? hold : undefined
    const open = (): Promise<PostgresSession> => openSession(url, hold)
    return new PostgresWriter(open, await openSession(url, first), sign, role === 'shared')
  }

  /**
   * Lets another writer of this process write from here on, while no other process may.
   * @returns where the log is, as far as this one can know
   * @throws SessionLost when it holds nothing any more
   */
  async handOver(): Promise<LogNumbers | undefined> {
    if (this.#session.isLost) throw new SessionLost('the connection to PostgreSQL is lost')
    if (!this.#shared) await letGoOfWriting(this.#session)
    return this.#log
  }

  /** Of a successor: the next batch is written after the other has let go. */
  takeOver(log: LogNumbers | undefined): void {
    this.#log = log
    this.#succeeds = !this.#shared
  }

  async apply(message: BatchMessage): Promise<BatchReply> {
    try {
      if (message.reset) this.#statements.clear()
      this.#defs.learn(message)
      const batch = new Batch(message, this.#defs.list, this.#sign)
      // Signing takes longer than a round trip: not under the lock that all writers share.
      batch.signAll()
      await this.#ensureSession()
      const outcome = await this.#applyWithRetries(batch)
      if (!this.#shared) this.#log = { position: outcome.nextPosition, historical: outcome.nextHistorical }
      return outcome.toReply()
    } catch (error) {
      await this.#rollback()
      // The server may come back: the next batch connects anew.
      return { ok: false, message: messageOf(error), fatal: error instanceof LogMoved }
    }
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  /** A session that may write. A new one takes the database as a whole, also in a successor. */
  async #ensureSession(): Promise<void> {
    if (this.#session.isLost) this.#session = await this.#open()
    else if (this.#succeeds) await succeedWriter(this.#session)
    this.#succeeds = false
  }

  async #applyWithRetries(batch: Batch): Promise<Outcome> {
    for (let attempt = 0; ; attempt++) {
      try {
        return (await this.#together(batch)) ?? (await this.#oneByOne(batch))
      } catch (error) {
        if (classifyPostgresError(error) !== 'retry' || attempt === MAX_RETRIES) throw error
        await this.#rollback()
      }
    }
  }

  /** All writes in one go; undefined when something was refused and the batch has to be replayed. */
  async #together(batch: Batch): Promise<Outcome | undefined> {
    const heads = new Map<number, MergedHead>()
    const refused = batch.writes.filter((write) => !mergeHeads(heads, write))
    const accepted = batch.writes.filter((write) => !refused.includes(write))
    try {
      const outcome = await this.#begin(accepted, heads)
      if (outcome === undefined) throw new StepRefused(-1, 'precondition')
      for (const { index } of refused)
        outcome.refused.push({ write: index, step: -1, reason: 'precondition' })
      const sent = this.#sendSteps(batch, accepted, outcome)
      // A failed insert makes PostgreSQL answer COMMIT with a rollback, so it need not be waited for. Statements
      // must be: only we can judge `expectRows`, and one may fail on our side of the wire.
      const early = sent.every((statement) => statement.def.kind === 'insert')
      const committed = early ? this.#commit() : undefined
      committed?.catch(() => undefined)
      await collect(sent, outcome)
      await (committed ?? this.#commit())
      return outcome
    } catch (error) {
      const scope = classifyPostgresError(error)
      if (scope === 'batch' || scope === 'retry') throw error
      await this.#rollback()
      return undefined
    }
  }

  /** Takes the log's row (and with it the turn to write), hands out numbers, and advances the heads. */
  async #begin(
    accepted: readonly DecodedWrite[],
    heads: ReadonlyMap<number, MergedHead>,
  ): Promise<Outcome | undefined> {
    const entries = accepted.reduce((sum, write) => sum + write.entries, 0)
    const historical = accepted.reduce((sum, write) => sum + write.historical, 0)
    const results = [
      this.#session.send('BEGIN'),
      this.#session.send(
        'UPDATE log_state SET position = position + $1, historical = historical - $2 WHERE id = 1 RETURNING position, historical',
        [entries, historical],
      ),
    ]
    if (heads.size > 0) results.push(this.#session.send(ADVANCE_HEADS, headParams(heads)))
    const [, log, advanced] = await settled(results)
    const row = log?.rows[0]
    if (row === undefined) throw new Error('the table log_state has no row: the database was not set up')
    const outcome = new Outcome(Number(row['position']) - entries, Number(row['historical']) + historical)
    this.#checkLog(outcome)
    if (heads.size > 0 && advanced?.count !== heads.size) return undefined
    return outcome
  }

  /**
   * A batch whose COMMIT was lost together with the connection may have been applied after all. Then what is in
   * memory misses entries of the log, and only a new start reads them.
   */
  #checkLog({ position, historical }: Outcome): void {
    const log = this.#log
    if (log === undefined || (log.position === position && log.historical === historical)) return
    throw new LogMoved(
      `the log is at ${position}, and not at ${log.position} where this process left it: ` +
        'a commit was applied whose answer was lost with the connection, or another process wrote',
    )
  }

  /**
   * Sends all steps. Inserts wait in groups, one per table; a statement first sends the groups of the tables
   * that it names, since it may read or change what they hold.
   */
  #sendSteps(batch: Batch, writes: readonly DecodedWrite[], outcome: Outcome): SentStatement[] {
    const groups = new Map<string, { group: InsertGroup; def: StepDef }>()
    const sent: SentStatement[] = []
    const flush = (name: string, { group, def }: { group: InsertGroup; def: StepDef }): void => {
      groups.delete(name)
      const { sql, params } = group.toSql()
      sent.push({ write: -1, step: -1, def, expectRows: -1, result: this.#send(sql, params) })
    }
    for (const write of writes) {
      for (const [index, step] of write.steps.entries()) {
        const values = batch.values(step, outcome.nextPosition, outcome.nextHistorical)
        const { def } = step
        if (def.kind === 'insert') {
          const open = groups.get(def.table.name)
          if (open !== undefined && open.group.table !== def.table) flush(def.table.name, open)
          const entry = groups.get(def.table.name) ?? { group: new InsertGroup(def.table), def }
          groups.set(def.table.name, entry)
          entry.group.add(values)
        } else {
          const { sql, words } = this.#prepare(def.sql, def)
          for (const [name, open] of groups) if (words.has(name)) flush(name, open)
          sent.push({
            write: write.index,
            step: index,
            def,
            expectRows: step.expectRows,
            result: this.#send(sql, values),
          })
        }
      }
      outcome.accept(write)
    }
    for (const [name, open] of groups) flush(name, open)
    return sent
  }

  /** The replay: every write under a savepoint, numbers only for those that stay. */
  async #oneByOne(batch: Batch): Promise<Outcome> {
    const begun = [
      this.#session.send('BEGIN'),
      this.#session.send('SELECT position, historical FROM log_state WHERE id = 1 FOR UPDATE'),
    ]
    const row = (await settled(begun))[1]?.rows[0]
    const outcome = new Outcome(Number(row?.['position']), Number(row?.['historical']))
    this.#checkLog(outcome)
    for (const write of batch.writes) await this.#runProtected(batch, write, outcome)
    if (outcome.movesLog) {
      const numbers = [outcome.nextPosition, outcome.nextHistorical]
      await this.#send('UPDATE log_state SET position = $1, historical = $2 WHERE id = 1', numbers)
    }
    await this.#commit()
    return outcome
  }

  async #commit(): Promise<void> {
    const { command } = await this.#session.send('COMMIT').catch((error: unknown) => {
      if (!(error instanceof SessionLost)) throw error
      throw new SessionLost(`${error.message} during a commit; whether it was applied is not known`)
    })
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`)
  }

  async #runProtected(batch: Batch, write: DecodedWrite, outcome: Outcome): Promise<void> {
    await this.#session.send('SAVEPOINT one_write')
    try {
      for (const head of write.heads) {
        const single = new Map([
          [head.roomNid, { from: head.expectVersion, version: head.version, head: head.head }],
        ])
        const { count } = await this.#session.send(ADVANCE_HEADS, headParams(single))
        if (count !== 1) throw new StepRefused(-1, 'precondition')
      }
      for (const [index, step] of write.steps.entries())
        await this.#runStep(batch, write, step, index, outcome)
      outcome.accept(write)
      await this.#session.send('RELEASE one_write')
    } catch (error) {
      const scope = classifyPostgresError(error)
      if (scope === 'batch' || scope === 'retry') throw error
      await this.#session.send('ROLLBACK TO one_write')
      outcome.dropRows(write.index)
      if (error instanceof StepRefused) {
        outcome.refused.push({ write: write.index, step: error.step, reason: error.reason })
      } else outcome.errors.push({ write: write.index, message: messageOf(error) })
    }
  }

  async #runStep(
    batch: Batch,
    write: DecodedWrite,
    step: DecodedStep,
    index: number,
    outcome: Outcome,
  ): Promise<void> {
    const { def, expectRows } = step
    const values = batch.values(step, outcome.nextPosition, outcome.nextHistorical)
    try {
      if (def.kind === 'insert') {
        const { sql, params } = insertOneSql({ into: def.table, values })
        await this.#send(sql, params)
      } else {
        const result = this.#send(this.#prepare(def.sql, def).sql, values)
        await collect([{ write: write.index, step: index, def, expectRows, result }], outcome)
      }
    } catch (error) {
      if (classifyPostgresError(error) === 'conflict') throw new StepRefused(index, 'conflict')
      throw error
    }
  }

  #prepare(sql: string, def: StepDef): PreparedSql {
    let prepared = this.#statements.get(def)
    if (prepared === undefined) {
      prepared = { sql: toPostgresSql(sql).sql, words: wordsOf(sql) }
      this.#statements.set(def, prepared)
    }
    return prepared
  }

  #send(sql: string, params: readonly SqlValue[]): Promise<StatementResult> {
    const result = this.#session.send(sql, params)
    result.catch(() => undefined)
    return result
  }

  async #rollback(): Promise<void> {
    try {
      await this.#session.send('ROLLBACK')
    } catch (error) {
      // A session that cannot even roll back is of no more use; the next batch opens another.
      if (!(error instanceof SessionLost)) await this.#session.close()
    }
  }
}

async function openSession(
  url: string,
  hold: ((session: PostgresSession) => Promise<void>) | undefined,
): Promise<PostgresSession> {
  const session = await PostgresSession.open(url, 'causeway-writer')
  const [{ rows }] = await Promise.all([session.send('SHOW synchronous_commit'), hold?.(session)])
  // A database or role may have it off, and then COMMIT would answer before the disk did.
  const [row] = rows
  if (row?.['synchronous_commit'] === 'off') await session.send('SET synchronous_commit = on')
  return session
}

/** Looks at all results in order. @throws the first error, or StepRefused when `expectRows` does not hold */
async function collect(sent: readonly SentStatement[], outcome: Outcome): Promise<void> {
  const results = await settled(sent.map((statement) => statement.result))
  for (const [index, { write, step, def, expectRows }] of sent.entries()) {
    const { count, rows } = results[index]!
    if (expectRows >= 0 && count !== expectRows) throw new StepRefused(step, 'precondition')
    if (def.kind === 'statement' && def.returning) outcome.rows.push({ write, step, rows })
  }
}

/** All results, once none is outstanding. @throws the first error */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
