// https://spec.matrix.org/v1.19/server-server-api/#device-management
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { Step } from '@causeway/store/db/database.ts'
import {
  CROSS_SIGNING,
  findDeviceChangeRange,
  listDeviceChangesFor,
  type DeviceChangeRow,
} from '@causeway/store/tables/device-changes.ts'
import { advanceUnsent, deleteUnsent, type UnsentRoomRow } from '@causeway/store/tables/outbound.ts'
import type { Identities } from '../../devices/read-identities.ts'
import type { Homeserver } from '../../homeserver.ts'
import { namePart, readPublicIdentities } from '../devices/public-identities.ts'

/** Changes of devices for one server. */
export interface DeviceUpdates {
  /** As canonical JSON. */
  readonly edus: readonly string[]
  /** The step that says that they are in a transaction. @param isBusy more has come since: the row stays */
  readonly step: (isBusy: boolean) => Step
}

/** Changes looked at for one transaction. */
const MAX_CHANGES = 40

/**
 * What a server is told next of devices: each as it is now, of users who share a room with it now. Each names the
 * change before it, so that the server notices when it has missed one (of a device that changed twice while it was
 * away it gets the last) and asks for the whole list.
 */
export async function collectDeviceUpdates(
  hs: Pick<Homeserver, 'db' | 'config'>,
  server: ServerName,
  row: UnsentRoomRow,
): Promise<DeviceUpdates> {
  const range = await findDeviceChangeRange(hs.db, row.from_nid, MAX_CHANGES)
  const changes = await listDeviceChangesFor(hs.db, server, range)
  const users = new Map(changes.map((change) => [change.user_id as UserId, undefined]))
  const identities = users.size === 0 ? undefined : await readPublicIdentities(hs, users)
  const edus = changes.map((change) => canonicalJson(toEdu(change, identities!)))
  return {
    edus,
    // What changes while this is read, changes at a later position.
    step: (isBusy) =>
      range.isLast && !isBusy ? deleteUnsent(server, row) : advanceUnsent(server, row, range.upTo + 1),
  }
}

function toEdu(change: DeviceChangeRow, identities: Identities): JsonObject {
  if (change.device_id === CROSS_SIGNING) return signingKeyUpdate(change.user_id, identities)
  const { user_id: userId, device_id: deviceId, position, previous } = change
  const content: JsonObject = {
    user_id: userId,
    device_id: deviceId,
    stream_id: position,
    prev_id: previous === 0 ? [] : [previous],
  }
  const devices = identities.device_keys[userId] as Record<string, JsonObject> | undefined
  const keys = devices?.[deviceId]
  if (change.deleted === 1) content['deleted'] = true
  else if (keys !== undefined) Object.assign(content, { keys: withoutUnsigned(keys) }, namePart(keys))
  return { edu_type: 'm.device_list_update', content }
}

function signingKeyUpdate(userId: string, identities: Identities): JsonObject {
  const content: JsonObject = { user_id: userId }
  const master = identities.master_keys[userId]
  const selfSigning = identities.self_signing_keys[userId]
  if (master !== undefined) content['master_key'] = master
  if (selfSigning !== undefined) content['self_signing_key'] = selfSigning
  return { edu_type: 'm.signing_key_update', content }
}

function withoutUnsigned(keys: JsonObject): JsonObject {
  const { unsigned: _unsigned, ...rest } = keys
  return rest
}
