import type { GraphPlace } from '@causeway/store/tables/events.ts'
import type { RoomInfo } from '../stored-event.ts'

/** A stretch of a room's history that somebody is about to read backwards. */
export interface Stretch {
  readonly from: GraphPlace
  /** The least depth that is read; below every event where the stretch came short. */
  readonly downTo: number
}

/** History that other servers hold and we do not. */
export interface RoomHistory {
  /** Whether anything may be missing further back than a place that other servers could tell. */
  mayLack(room: RoomInfo, before: GraphPlace): Promise<boolean>
  /**
   * Asks other servers for what is missing in a stretch of history, and stores what comes. Waits no longer than the
   * deadline (monotonic clock) and goes on by itself afterwards. Resolves with whether anything came; never rejects.
   */
  fill(room: RoomInfo, stretch: Stretch, deadline: number): Promise<boolean>
}
