// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { publishKeys } from '../devices/publish-keys.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { MAX_KEYS_BODY_BYTES, requireDevice } from './key-schemas.ts'
import { v3 } from './paths.ts'
import { DeviceKeys, deviceKeysText, OneTimeKeys, readOneTimeKeys } from './uploaded-keys.ts'

export const uploadKeys = defineEndpoint({
  operation: 'uploadKeys',
  method: 'POST',
  ...v3('/keys/upload'),
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({ device_keys: Type.Optional(DeviceKeys), ...OneTimeKeys.properties }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { session, body }): Promise<JsonObject> => {
    const deviceId = requireDevice(session)
    const { userId } = session
    const deviceKeys =
      body.device_keys === undefined ? undefined : deviceKeysText({ userId, deviceId }, body.device_keys)
    await publishKeys(hs, { userId, deviceId, deviceKeys, ...readOneTimeKeys(body) })
    return { one_time_key_counts: (await hs.keyCounts.of(userId, deviceId)).counts }
  },
})
