import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { CommitResult, Step } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'

/** One job on its way, as its kind sees it. */
export interface JobWork {
  readonly subject: string
  readonly input: JsonObject
  /** What the last `save` said; empty at the beginning. */
  readonly progress: JsonObject
  /** Aborted when the server stops: the job ends after the portion under way, and goes on at the next start. */
  readonly signal: AbortSignal
  /**
   * Writes a portion together with how far the job has got by it, and then leaves the database to others for
   * about as long as the portion took. Throws the signal's reason when the server stops.
   */
  save(
    progress: JsonObject,
    steps?: readonly Step[],
    entries?: readonly LogEntry[],
  ): Promise<CommitResult & { ok: true }>
  /** The same for a portion that is committed otherwise: the step to be put into its write. */
  note(progress: JsonObject): Step
}

/** A kind of work that takes many writes. */
export interface JobKind {
  /** As in `jobs.kind`: `purge_room`. */
  readonly name: string
  /**
   * Does the work from `progress` on. It is called again with what was last saved after any interruption, so
   * that each portion may come twice unless it is written together with the progress. Throws `JobRefused` when
   * it cannot be done, and anything else when it is worth another attempt.
   */
  run(work: JobWork): Promise<void>
}

/** A job cannot be done, now or later: it is given up with this sentence. */
export class JobRefused extends Error {
  override readonly name = 'JobRefused'
}
