import type { Row } from '../database.ts'
import type { BatchDone, RefusalReason } from './protocol.ts'

/** What a writer notes while it works through a batch. */
export class Outcome implements BatchDone {
  readonly ok = true
  readonly position: number
  readonly historical: number
  readonly refused: { write: number; step: number; reason: RefusalReason }[] = []
  readonly errors: { write: number; message: string }[] = []
  readonly rows: { write: number; step: number; rows: readonly Row[] }[] = []
  /** The last numbers handed out so far. */
  nextPosition: number
  nextHistorical: number
  accepted = 0

  constructor(position: number, historical: number) {
    this.position = this.nextPosition = position
    this.historical = this.nextHistorical = historical
  }

  accept(write: { readonly entries: number; readonly historical: number }): void {
    this.nextPosition += write.entries
    this.nextHistorical -= write.historical
    this.accepted++
  }

  /** Forgets the rows of a write that was rolled back. */
  dropRows(write: number): void {
    while (this.rows.at(-1)?.write === write) this.rows.pop()
  }

  get movesLog(): boolean {
    return this.nextPosition !== this.position || this.nextHistorical !== this.historical
  }

  /** As plain data for the other thread. */
  toReply(): BatchDone {
    const { ok, position, historical, refused, errors, rows } = this
    return { ok, position, historical, refused, errors, rows }
  }
}

/** A step's `expectRows` did not hold. */
export class StepRefused extends Error {
  readonly step: number
  readonly reason: RefusalReason
  constructor(step: number, reason: RefusalReason) {
    super(`step ${step}: ${reason}`)
    this.step = step
    this.reason = reason
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
