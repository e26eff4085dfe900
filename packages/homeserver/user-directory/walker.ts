import type { Clock } from '@causeway/store/clock/clock.ts'
import { findRoomToWalk } from '@causeway/store/tables/user-directory.ts'
import type { DirectoryLane } from './lane.ts'
import { resumeWalk } from './rooms.ts'

/** Looks at the members of rooms in the background, a portion at a time. */
export interface Walker extends AsyncDisposable {
  /** There are rooms to be walked. */
  wake(): void
  /** Resolves when there is none left; rejects when it was disposed of before. */
  idle(): Promise<void>
}

const RETRY_MS = 5_000

export interface WalkerDeps {
  readonly lane: DirectoryLane
  /** Between portions others have their turn. */
  readonly inLane: <T>(work: () => Promise<T>) => Promise<T>
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}

export function startWalker({ lane, inLane, clock, onError }: WalkerDeps): Walker {
  const stop = new AbortController()
  const { signal } = stop
  let walking: Promise<void> | undefined
  let again = false

  const walkAll = async (): Promise<void> => {
    while (!signal.aborted) {
      again = false
      try {
        const roomNid = await findRoomToWalk(lane.db)
        if (roomNid !== undefined) await inLane(() => resumeWalk(lane, roomNid))
        else if (!again) return
      } catch (error) {
        if (signal.aborted) return
        onError(error)
        await clock.sleep(RETRY_MS, signal).catch(() => undefined)
      }
    }
  }
  const wake = (): void => {
    again = true
    if (signal.aborted) return
    walking ??= walkAll().finally(() => {
      walking = undefined
    })
  }
  return {
    wake,
    async idle() {
      while (walking !== undefined) await walking
      if (signal.aborted) throw new Error('The user directory is closed')
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await walking
    },
  }
}
