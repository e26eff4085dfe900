import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { RoomEngine } from '../rooms/engine.ts'

/** What those share who write the directory. They do so one after the other. */
export interface DirectoryLane {
  readonly db: Database
  readonly rooms: RoomEngine
  readonly serverName: ServerName
  /** Users whom nobody looks for. */
  readonly hidden: ReadonlySet<UserId>
  /** A number that no name has had. */
  nextNameNid(): number
}
