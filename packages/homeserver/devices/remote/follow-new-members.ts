import type { Bus } from '@causeway/store/bus/local.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listSharingUsers } from '@causeway/store/tables/remote-devices.ts'
import type { Logger } from '../../ops/log.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { UserUpdates } from './device-updates.ts'
import { followEntries, type Follower } from './follow-entries.ts'

/**
 * Follows the log: when the members of a room that was joined fast are here, those of them whose servers told of their
 * devices meanwhile have changed them for its readers. What was told was dropped: there is no copy of it.
 */
export function followNewMembers(
  deps: { readonly rooms: RoomEngine; readonly db: Database; readonly bus: Bus; readonly logger: Logger },
  apply: (updates: readonly UserUpdates[]) => Promise<void>,
): Follower {
  const tell = async (userIds: readonly UserId[]): Promise<void> => {
    const members = await listSharingUsers(deps.db, userIds)
    const known = userIds.filter((userId) => members.has(userId))
    await apply(known.map((userId) => ({ userId, devices: [], keys: [] })))
  }
  return followEntries({
    log: deps.rooms.log,
    bus: deps.bus,
    next: (entries) => {
      if (entries === 'fell-behind') return undefined
      const changed = entries.flatMap((entry) => (entry.kind === 'room_whole' ? entry.devicesChanged : []))
      return changed.length === 0 ? undefined : () => tell(changed)
    },
    onFault: (error) => deps.logger.error('changes of devices could not be told', { error }),
  })
}
