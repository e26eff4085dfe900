/** What a room's section carries beside its events, as JSON texts. */
export interface RoomExtras {
  readonly accountData: readonly string[]
  /** Receipts, typing. */
  readonly ephemeral: readonly string[]
}
