import type { DatabaseSync } from 'node:sqlite'
import type { SqlValue } from '../database.ts'
import { allRows, prepareStatement } from '../sqlite-connection.ts'
import type { PreparedStatement } from '../sqlite-connection.ts'
import type { SignPdu } from '../signer.ts'
import { Batch, KnownDefs } from './decode-batch.ts'
import type { DecodedStep, DecodedWrite } from './decode-batch.ts'
import { insertSql } from './insert-sql.ts'
import { messageOf, Outcome, StepRefused } from './outcome.ts'
import type { BatchMessage, BatchReply, StepDef, Writer } from './protocol.ts'
import { classifySqliteError } from './sqlite-errors.ts'
import { SqliteHeads } from './sqlite-heads.ts'

/**
 * The one writer of a SQLite file: applies batches, one transaction each. Runs in a worker thread, or in the
 * caller's for simulations.
 *
 * A batch is first run without savepoints, which cost as much as an insert each: nearly always nothing is
 * refused but stale heads, and those are found before any SQL of their write was run. When a step is refused
 * after all, the transaction is rolled back and the batch replayed, each write under its own savepoint.
 */
export class SqliteWriter implements Writer {
  readonly #db: DatabaseSync
  readonly #sign: SignPdu
  readonly #defs = new KnownDefs()
  readonly #prepared = new Map<StepDef, PreparedStatement>()
  readonly #heads: SqliteHeads
  readonly #control: Readonly<
    Record<'begin' | 'commit' | 'log' | 'save' | 'release' | 'undo', PreparedStatement>
  >
  #position: number
  #historical: number

  constructor(db: DatabaseSync, sign: SignPdu) {
    this.#db = db
    this.#sign = sign
    this.#heads = new SqliteHeads(db)
    this.#control = {
      begin: prepareStatement(db, 'BEGIN IMMEDIATE'),
      commit: prepareStatement(db, 'COMMIT'),
      log: prepareStatement(db, 'UPDATE log_state SET position = ?, historical = ? WHERE id = 1'),
      save: prepareStatement(db, 'SAVEPOINT one_write'),
      release: prepareStatement(db, 'RELEASE one_write'),
      undo: prepareStatement(db, 'ROLLBACK TO one_write'),
    }
    const row = db.prepare('SELECT position, historical FROM log_state WHERE id = 1').get()
    if (row === undefined) throw new Error('the table log_state has no row: the database was not set up')
    this.#position = row['position'] as number
    this.#historical = row['historical'] as number
  }

  apply(message: BatchMessage): BatchReply {
    let phase: 'work' | 'commit' = 'work'
    try {
      if (message.reset) this.#prepared.clear()
      this.#defs.learn(message)
      const batch = new Batch(message, this.#defs.list, this.#sign)
      const outcome = this.#run(batch, 'together') ?? this.#run(batch, 'one by one')!
      phase = 'commit'
      this.#finish(outcome)
      return outcome.toReply()
    } catch (error) {
      this.#rollback()
      const { fatal, harmless } = classifySqliteError(error)
      return { ok: false, message: messageOf(error), fatal: fatal || (phase === 'commit' && !harmless) }
    }
  }

  close(): void {
    this.#db.close()
  }

  /** Runs all writes; undefined when the batch has to be replayed one by one (only from `together`). */
  #run(batch: Batch, mode: 'together' | 'one by one'): Outcome | undefined {
    const outcome = new Outcome(this.#position, this.#historical)
    this.#control.begin.statement.run()
    try {
      for (const write of batch.writes) {
        if (mode === 'together') this.#runDirectly(batch, write, outcome)
        else this.#runProtected(batch, write, outcome)
      }
      this.#heads.flush()
      return outcome
    } catch (error) {
      if (mode === 'one by one' || classifySqliteError(error).scope === 'batch') throw error
      this.#rollback()
      return undefined
    }
  }

  #runDirectly(batch: Batch, write: DecodedWrite, outcome: Outcome): void {
    if (!this.#heads.advance(write.heads)) {
      outcome.refused.push({ write: write.index, step: -1, reason: 'precondition' })
      return
    }
    this.#runSteps(batch, write, outcome)
    outcome.accept(write)
  }

  #runProtected(batch: Batch, write: DecodedWrite, outcome: Outcome): void {
    this.#control.save.statement.run()
    try {
      if (!this.#heads.advanceInTable(write.heads)) throw new StepRefused(-1, 'precondition')
      this.#runSteps(batch, write, outcome)
      outcome.accept(write)
    } catch (error) {
      const { scope } = classifySqliteError(error)
      if (scope === 'batch') throw error
      this.#control.undo.statement.run()
      outcome.dropRows(write.index)
      if (error instanceof StepRefused) {
        outcome.refused.push({ write: write.index, step: error.step, reason: error.reason })
      } else outcome.errors.push({ write: write.index, message: messageOf(error) })
    }
    this.#control.release.statement.run()
  }

  #runSteps(batch: Batch, write: DecodedWrite, outcome: Outcome): void {
    const { steps } = write
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index]!
      const values = batch.values(step, outcome.nextPosition, outcome.nextHistorical)
      try {
        this.#runStep(step, values, write.index, index, outcome)
      } catch (error) {
        if (classifySqliteError(error).scope === 'conflict') throw new StepRefused(index, 'conflict')
        throw error
      }
    }
  }

  #runStep(step: DecodedStep, values: SqlValue[], write: number, index: number, outcome: Outcome): void {
    const { def, expectRows } = step
    const prepared = this.#prepare(def)
    if (def.kind === 'insert') {
      prepared.statement.run(...values)
      return
    }
    // node:sqlite binds numbers as REAL; in an expression that would make 7 / 2 = 3.5.
    const params = values.map((value) => (typeof value === 'number' ? BigInt(value) : value))
    let count: number
    if (prepared.returnsRows) {
      const rows = allRows(prepared, params)
      count = rows.length
      if (def.returning) outcome.rows.push({ write, step: index, rows })
    } else count = Number(prepared.statement.run(...params).changes)
    if (expectRows >= 0 && count !== expectRows) throw new StepRefused(index, 'precondition')
  }

  #prepare(def: StepDef): PreparedStatement {
    let prepared = this.#prepared.get(def)
    if (prepared === undefined) {
      prepared = prepareStatement(this.#db, def.kind === 'insert' ? insertSql(def.table) : def.sql)
      this.#prepared.set(def, prepared)
    }
    return prepared
  }

  /** Makes the batch durable; only then are its numbers taken. */
  #finish(outcome: Outcome): void {
    if (outcome.accepted === 0) {
      this.#rollback()
      return
    }
    if (outcome.movesLog) this.#control.log.statement.run(outcome.nextPosition, outcome.nextHistorical)
    this.#control.commit.statement.run()
    this.#heads.committed()
    this.#position = outcome.nextPosition
    this.#historical = outcome.nextHistorical
  }

  #rollback(): void {
    this.#heads.reset()
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
  }
}
