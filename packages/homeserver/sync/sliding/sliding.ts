import type { Homeserver } from '../../homeserver.ts'
import { createConnections, type Connections } from './connections.ts'
import { createListings, type Listings } from './listings.ts'
import { createRoomActivity, type RoomActivity } from './room-activity.ts'
import { createRoomKinds } from './room-kinds.ts'
import { createRoomMarks, type RoomMarksOf } from './room-marks.ts'

/** What sliding sync keeps in memory. */
export interface Sliding {
  readonly connections: Connections
  readonly listings: Listings
  readonly activity: RoomActivity
  readonly marks: RoomMarksOf
}

/** Costs a share of the memory budget. */
export function createSliding(hs: Pick<Homeserver, 'db' | 'log' | 'budget' | 'clock' | 'rooms'>): Sliding {
  const marks = createRoomMarks(hs)
  const activity = createRoomActivity(hs)
  const kinds = createRoomKinds(hs)
  return {
    connections: createConnections(hs),
    listings: createListings({ ...hs, activity, kinds, marks }),
    activity,
    marks,
  }
}
