import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { createKeyedQueue, type KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import {
  deleteUserJob,
  listUserJobs,
  listUsersWithJobs,
  type UserJob,
} from '@causeway/store/tables/user-jobs.ts'
import type { Homeserver } from '../homeserver.ts'
import { roomWorkFor, type RoomWork } from './room-work.ts'

/**
 * What follows from a change of a user: the user directory shows the new profile, and in every room there is a
 * new name or picture to show, or they leave. What is to be done stands in a
 * table, written together with the change itself; here it is done, a few rooms at a time and in order per user,
 * and taken up again after a restart. Each room is looked at anew, so that nothing is done twice.
 */
export interface UserJobs extends AsyncDisposable {
  /** There is something to be done for a user. */
  wake(userId: UserId): void
  /** Takes up what was left undone. */
  resume(): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

type Deps = Pick<Homeserver, 'db' | 'clock' | 'rooms' | 'logger' | 'userDirectory'>

/** Rooms of one user that are written to at the same time; their writes share commits. */
const ROOMS_AT_ONCE = 8
/** Users who are waiting to be looked at again. More are found in the table. */
const PAGE = 100
const RETRY_MS = 30_000

class Runner implements UserJobs {
  readonly #deps: Deps
  readonly #queue: KeyedQueue<string> = createKeyedQueue()
  readonly #stop = new AbortController()

  constructor(deps: Deps) {
    this.#deps = deps
  }

  wake(userId: UserId): void {
    // One that waits its turn will see what is new, too.
    if (this.#stop.signal.aborted || this.#queue.depth(userId) > 1) return
    void this.#queue.serial(userId, () => this.#work(userId))
  }

  resume(): void {
    void this.#queue.serial('', () => this.#resumeAll())
  }

  idle(): Promise<void> {
    return this.#queue.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#queue.idle()
  }

  async #resumeAll(): Promise<void> {
    try {
      let after = ''
      while (!this.#stop.signal.aborted) {
        const users = await listUsersWithJobs(this.#deps.db, after, PAGE)
        // One user after the other: at start there is better to do.
        for (const userId of users) await this.#queue.serial(userId, () => this.#work(userId as UserId))
        if (users.length < PAGE) return
        after = users.at(-1)!
      }
    } catch (error) {
      this.#deps.logger.error('unfinished work in rooms could not be read', { error })
    }
  }

  /** Never rejects: what fails for a passing reason is tried again later. */
  async #work(userId: UserId): Promise<void> {
    try {
      for (const job of await listUserJobs(this.#deps.db, userId)) await this.#do(userId, job)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#deps.logger.warn('work in the rooms of a user failed; it is tried again', { userId, error })
      this.#deps.clock.setTimeout(() => this.wake(userId), RETRY_MS, { unref: true })
    }
  }

  async #do(userId: UserId, job: UserJob): Promise<void> {
    const { db, userDirectory } = this.#deps
    if (job.job === 'directory') await userDirectory.profileChanged(userId)
    else await this.#inRooms(userId, await roomWorkFor(this.#deps, userId, job.job))
    if (this.#stop.signal.aborted) return
    await db.commit({ entries: [], steps: [deleteUserJob(userId, job)] })
  }

  async #inRooms(userId: UserId, { rooms, run }: RoomWork): Promise<void> {
    const next = rooms.values()
    const lane = async (): Promise<void> => {
      for (const roomId of next) {
        if (this.#stop.signal.aborted) return
        await this.#inRoom(userId, roomId, run)
      }
    }
    await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, lane))
  }

  /** A room that refuses is left as it is; what failed otherwise stops the job, to be taken up again. */
  async #inRoom(userId: UserId, roomId: RoomId, run: RoomWork['run']): Promise<void> {
    try {
      await run(roomId)
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error
      this.#deps.logger.info('a room refused a change of membership', {
        userId,
        roomId,
        error: error.message,
      })
    }
  }
}

export function createUserJobs(deps: Deps): UserJobs {
  return new Runner(deps)
}
