import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Identities } from '../../devices/read-identities.ts'

/** Sees the signatures that owners made themselves, and nobody's user-signing key. */
export const NO_VIEWER = '' as UserId

/**
 * What other servers get of the devices of ours: without their names, which say more of a person than strangers
 * need to know ("Alice's phone").
 */
export function withoutNames(identities: Identities): Identities {
  const devices = Object.entries(identities.device_keys).map(([userId, ofUser]) => [
    userId,
    Object.fromEntries(
      Object.entries(ofUser as JsonObject).map(([deviceId, keys]) => [
        deviceId,
        { ...(keys as JsonObject), unsigned: {} },
      ]),
    ),
  ])
  return { ...identities, device_keys: Object.fromEntries(devices) as JsonObject }
}
