import type { Bus } from '@causeway/store/bus/local.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listSharingUsers } from '@causeway/store/tables/remote-devices.ts'
import type { Logger } from '../../ops/log.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { UserUpdates } from './device-updates.ts'

/** Tells of devices that changed before it was known whose they are. */
export interface NewMembersFollower extends AsyncDisposable {
  /** Resolves when everything in the log so far was looked at. */
  idle(): Promise<void>
}

/**
 * Follows the log: when the members of a room that was joined fast are here, those of them whose servers told of their
 * devices meanwhile have changed them for its readers. What was told was dropped: there is no copy of it.
 */
export function followNewMembers(
  deps: { readonly rooms: RoomEngine; readonly db: Database; readonly bus: Bus; readonly logger: Logger },
  apply: (updates: readonly UserUpdates[]) => Promise<void>,
): NewMembersFollower {
  const { log } = deps.rooms
  let seen = log.head()
  let work: Promise<void> = Promise.resolve()
  const tell = async (userIds: readonly UserId[]): Promise<void> => {
    const members = await listSharingUsers(deps.db, userIds)
    const known = userIds.filter((userId) => members.has(userId))
    await apply(known.map((userId) => ({ userId, devices: [], keys: [] })))
  }
  const unsubscribe = deps.bus.subscribe(() => {
    const entries = log.ring.since(seen)
    seen = log.head()
    if (entries === 'fell-behind') return
    for (const entry of entries) {
      if (entry.kind !== 'room_whole' || entry.devicesChanged.length === 0) continue
      work = work
        .then(() => tell(entry.devicesChanged))
        .catch((error: unknown) => deps.logger.error('changes of devices could not be told', { error }))
    }
  })
  return {
    async idle() {
      let last: Promise<void> | undefined
      while (last !== work) await (last = work)
    },
    async [Symbol.asyncDispose]() {
      unsubscribe()
      await work
    },
  }
}
