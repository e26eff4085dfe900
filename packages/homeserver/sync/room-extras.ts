import type { StoredEvent } from '@causeway/store/log/entry.ts'

/** What a room's section carries beside its events, as JSON texts. */
export interface RoomExtras {
  readonly accountData: readonly string[]
  /** Receipts, typing. */
  readonly ephemeral: readonly string[]
  /** Sticky events, of which those that the timeline tells are told there only. */
  readonly sticky: readonly StoredEvent[]
}
