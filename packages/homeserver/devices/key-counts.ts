import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'

/** What a device is told in every sync, so that it uploads new keys in time. */
export interface DeviceKeyCounts {
  /** Unclaimed one-time keys by algorithm; always states `signed_curve25519`. */
  readonly counts: Readonly<Record<string, number>>
  /** Algorithms whose fallback key has not been used. */
  readonly unusedFallback: readonly string[]
}

/** Counts in memory for the devices in use: an idle sync costs no query. */
export interface KeyCounts {
  of(userId: UserId, deviceId: DeviceId): Promise<DeviceKeyCounts>
  /** The device's keys changed: the next `of` reads them again. */
  forget(userId: UserId, deviceId: DeviceId): void
}
