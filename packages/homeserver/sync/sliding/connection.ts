import type { RoomConfig } from './room-config.ts'

/** What beside events a client has been told of a room, as bits of `SentRoom.told`. */
export const Told = { accountData: 1, receipts: 2 } as const

/** What a client has been told of a room. */
export interface SentRoom {
  /** What of it. */
  readonly config: RoomConfig
  /** Up to which position of the log; undefined: as far as the answer itself. */
  readonly until: number | undefined
  readonly told: number
}

/** What a client has been told over a connection, as of one answer. Never changed, but replaced. */
export interface ConnectionState {
  /** Names it within its connection; 0: nothing was told yet. */
  readonly generation: number
  /** By room number. */
  readonly rooms: ReadonlyMap<number, SentRoom>
}

export const NOTHING_SENT: ConnectionState = { generation: 0, rooms: new Map() }
