import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Pause } from '@causeway/matrix/state-res/state-difference.ts'

/** How long one thing is worked on before others get their turn. */
const TURN_MS = 8

/** For long work on this thread: lets others have their turn, when it has been theirs for a while. */
export function createPause(clock: Pick<Clock, 'monotonic' | 'defer'>): Pause {
  let began = clock.monotonic()
  return () => {
    if (clock.monotonic() - began < TURN_MS) return undefined
    return new Promise((resolve) =>
      clock.defer(() => {
        began = clock.monotonic()
        resolve()
      }),
    )
  }
}
