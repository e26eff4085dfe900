import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listDevices } from '@causeway/store/tables/devices.ts'
import type { Homeserver } from '../homeserver.ts'

/**
 * The devices of an account, whence and when each was used last.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3adminwhoisuserid
 */
export async function whoIs({ db }: Pick<Homeserver, 'db'>, userId: string): Promise<JsonObject> {
  const devices = (await listDevices(db, userId)).map(({ deviceId, lastSeenIp, lastSeenTs }) => [
    deviceId,
    { sessions: [{ connections: lastSeenTs === 0 ? [] : [{ ip: lastSeenIp, last_seen: lastSeenTs }] }] },
  ])
  return { user_id: userId, devices: Object.fromEntries(devices) as JsonObject }
}
