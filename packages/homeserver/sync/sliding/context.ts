import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { DeviceId } from '@causeway/matrix/ids/ids.ts'
import type { SyncContext } from '../context.ts'
import type { Turn } from './connections.ts'
import type { SlidingRequest } from './request.ts'

/** What every part of an answer is made of: that of `/sync`, with what is asked for and what was told before. */
export interface SlidingContext extends SyncContext {
  readonly deviceId: DeviceId
  readonly request: SlidingRequest
  readonly turn: Turn
  /** Events in (since, now] by room, when they are in memory. */
  readonly recent: ReadonlyMap<RoomId, readonly StoredEvent[]> | undefined
}
