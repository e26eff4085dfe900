import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { readIdentities, type Identities } from '../../devices/read-identities.ts'
import type { Homeserver } from '../../homeserver.ts'

/** Sees the signatures that owners made themselves, and nobody's user-signing key. */
const NO_VIEWER = '' as UserId

/**
 * What other servers get of the devices of ours: without their names, which say more of a person than strangers
 * need to know ("Alice's phone"), unless the operator shares them.
 */
export async function readPublicIdentities(
  { db, config }: Pick<Homeserver, 'db' | 'config'>,
  wanted: ReadonlyMap<UserId, ReadonlySet<string> | undefined>,
): Promise<Identities> {
  const identities = await readIdentities(db, wanted, NO_VIEWER)
  return config.federation.share_device_names ? identities : withoutNames(identities)
}

function withoutNames(identities: Identities): Identities {
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

/** The name of a device as a key beside its keys, where other servers are told of it. */
export function namePart(keys: JsonObject): JsonObject {
  const { unsigned } = keys
  const name = isJsonObject(unsigned) ? unsigned['device_display_name'] : undefined
  return name === undefined ? {} : { device_display_name: name }
}
