import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Clock, Random, Timer } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  deleteJobsBefore,
  findOpenJob,
  finishJob,
  insertJob,
  listOpenJobs,
  saveJobProgress,
  type JobRecord,
} from '@causeway/store/tables/jobs.ts'
import type { Logger } from '../ops/log.ts'
import { JobRefused, type JobKind, type JobWork } from './job.ts'

/** Work that takes many writes: remembered in a table, done in the background, taken up again after a restart. */
export interface Jobs extends AsyncDisposable {
  /** Begins a job, or gives the one of the same kind about the same that is still to be done. */
  start(kind: string, subject: string, input?: JsonObject): Promise<JobRecord>
  /** A job's row, to be put into a write that makes it necessary; call `wake` after the commit. */
  row(kind: string, subject: string, input?: JsonObject): Step
  /** There may be something to do. */
  wake(): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

export interface JobDeps {
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Jobs that are done at the same time; others wait in order of age. */
const AT_ONCE = 2
const LOOK_EVERY_MS = 60_000
const FIRST_RETRY_MS = 5_000
const LONGEST_RETRY_MS = 600_000
/** Others get the database for as long as a portion took, but no longer than this. */
const LONGEST_PAUSE_MS = 100
const KEPT_MS = 30 * 24 * 3_600_000

class Runner implements Jobs {
  readonly #deps: JobDeps
  readonly #kinds: ReadonlyMap<string, JobKind>
  readonly #stop = new AbortController()
  readonly #underWay = new Map<string, Promise<void>>()
  /** Failures of a job in a row, and when it may be tried again (monotonic). Only of jobs that are open. */
  readonly #failed = new Map<string, { readonly times: number; readonly until: number }>()
  /** Jobs that ended since the list was last asked for: it may name them as open still. */
  readonly #ended = new Set<string>()
  #looking: Promise<void> | undefined
  #lookAgain = false
  #timer: Timer | undefined

  constructor(deps: JobDeps, kinds: readonly JobKind[]) {
    this.#deps = deps
    this.#kinds = new Map(kinds.map((kind) => [kind.name, kind]))
  }

  async start(kind: string, subject: string, input: JsonObject = {}): Promise<JobRecord> {
    const { db } = this.#deps
    for (;;) {
      const job = this.#make(kind, subject, input)
      const { ok } = await db.commit({ entries: [], steps: [insertJob(job)] })
      const open = ok ? job : await findOpenJob(db, kind, subject)
      this.wake()
      // The one that stood in the way may have ended meanwhile.
      if (open !== undefined) return open
    }
  }

  row(kind: string, subject: string, input: JsonObject = {}): Step {
    return insertJob(this.#make(kind, subject, input))
  }

  #make(kind: string, subject: string, input: JsonObject): JobRecord {
    if (!this.#kinds.has(kind)) throw new Error(`There is no kind of job called ${kind}`)
    const { clock, random } = this.#deps
    const [id, now] = [random.token(10), clock.now()]
    const times = { createdTs: now, updatedTs: now, finishedTs: 0 }
    return { id, kind, subject, input, progress: {}, error: '', ...times }
  }

  wake(): void {
    if (this.#stop.signal.aborted) return
    if (this.#looking !== undefined) {
      this.#lookAgain = true
      return
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
      if (this.#lookAgain) this.wake()
    })
  }

  async idle(): Promise<void> {
    while (this.#looking !== undefined || this.#underWay.size > 0) {
      await this.#looking
      await Promise.all(this.#underWay.values())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('The server stops'))
    this.#timer?.cancel()
    await this.idle()
  }

  /** Starts what can be started. Looks again later, for jobs that failed or that another process has left. */
  async #look(): Promise<void> {
    const { db, clock, logger } = this.#deps
    this.#lookAgain = false
    this.#timer?.cancel()
    try {
      await db.commit({ entries: [], steps: [deleteJobsBefore(clock.now() - KEPT_MS)] })
      this.#ended.clear()
      const open = await listOpenJobs(db, 100)
      for (const job of open) {
        if (this.#underWay.size >= AT_ONCE || this.#stop.signal.aborted) break
        const until = this.#failed.get(job.id)?.until ?? 0
        // One that ended while the list was read has another progress by now, or is done: `wake` looks again.
        if (this.#underWay.has(job.id) || this.#ended.has(job.id) || until > clock.monotonic()) continue
        const work = this.#do(job).finally(() => {
          this.#underWay.delete(job.id)
          this.#ended.add(job.id)
          this.wake()
        })
        this.#underWay.set(job.id, work)
      }
    } catch (error) {
      logger.error('the list of jobs could not be read', { error })
    }
    if (this.#stop.signal.aborted) return
    this.#timer = clock.setTimeout(() => this.wake(), this.#nextLook(), { unref: true })
  }

  #nextLook(): number {
    const waits = [...this.#failed.values()].map(({ until }) => until - this.#deps.clock.monotonic())
    return Math.max(0, Math.min(LOOK_EVERY_MS, ...waits.filter((wait) => wait > 0)))
  }

  /** Never rejects. */
  async #do(job: JobRecord): Promise<void> {
    const { logger, clock } = this.#deps
    const about = { job: job.id, kind: job.kind, subject: job.subject }
    try {
      const kind = this.#kinds.get(job.kind)
      // Of a newer version, perhaps: it stays for whoever knows it.
      if (kind === undefined) throw new Error(`There is no kind of job called ${job.kind}`)
      await kind.run(createWork(this.#deps, job, this.#stop.signal))
      await this.#finish(job, '')
      logger.info('a job is done', about)
    } catch (error) {
      if (error instanceof JobRefused) return await this.#giveUp(job, error)
      if (this.#stop.signal.aborted) return
      const times = (this.#failed.get(job.id)?.times ?? 0) + 1
      const wait = Math.min(FIRST_RETRY_MS * 2 ** (times - 1), LONGEST_RETRY_MS)
      this.#failed.set(job.id, { times, until: clock.monotonic() + wait })
      logger.warn('a job failed; it is tried again', { ...about, error, times })
    }
  }

  async #giveUp(job: JobRecord, error: JobRefused): Promise<void> {
    const { logger } = this.#deps
    logger.warn('a job was given up', { job: job.id, kind: job.kind, subject: job.subject, error })
    await this.#finish(job, error.message).catch((fault: unknown) =>
      logger.error('the end of a job could not be written', { job: job.id, error: fault }),
    )
  }

  async #finish(job: JobRecord, error: string): Promise<void> {
    const { db, clock } = this.#deps
    await db.commit({ entries: [], steps: [finishJob(job.id, error, clock.now())] })
    this.#failed.delete(job.id)
  }
}

function createWork({ db, clock }: JobDeps, job: JobRecord, signal: AbortSignal): JobWork {
  let progress = job.progress
  return {
    subject: job.subject,
    input: job.input,
    get progress() {
      return progress
    },
    signal,
    note: (next) => saveJobProgress(job.id, next, clock.now()),
    async save(next, steps = [], entries = []) {
      const began = clock.monotonic()
      const note = saveJobProgress(job.id, next, clock.now())
      const result = await db.commit({ entries, steps: [...steps, note] })
      if (!result.ok) throw new Error(`A write of the job ${job.id} was refused at step ${result.step}`)
      progress = next
      signal.throwIfAborted()
      await clock.sleep(Math.min(clock.monotonic() - began, LONGEST_PAUSE_MS), signal)
      return result
    },
  }
}

/** One a process. Nothing is done before the first `wake`. */
export function createJobs(deps: JobDeps, kinds: readonly JobKind[]): Jobs {
  return new Runner(deps, kinds)
}
