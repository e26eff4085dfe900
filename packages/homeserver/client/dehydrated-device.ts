// https://github.com/matrix-org/matrix-spec-proposals/pull/3814
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { invalidParam, MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { DeviceId } from '@causeway/matrix/ids/ids.ts'
import { findDehydratedDevice } from '@causeway/store/tables/dehydrated-devices.ts'
import {
  putDehydratedDevice,
  readDehydratedMessages,
  removeDehydrated,
  type DehydratedMessages,
} from '../devices/dehydrated-device.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type AnyEndpoint, type Session } from '../http/endpoint.ts'
import { deviceName } from './account-schemas.ts'
import { MAX_KEYS_BODY_BYTES } from './key-schemas.ts'
import { deviceIdText } from './schemas.ts'
import { DeviceKeys, deviceKeysText, OneTimeKeys, readOneTimeKeys } from './uploaded-keys.ts'

const path = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'

/** An account of libolm with a hundred one-time keys takes some 20,000. */
const MAX_DATA_LENGTH = 100_000
/** Most messages of one answer. */
const MAX_MESSAGES = 100

const noDevice = () => notFound('You have no dehydrated device')

export const putDehydrated = defineEndpoint({
  operation: 'putDehydratedDevice',
  method: 'PUT',
  path,
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({
    device_id: Type.String({ minLength: 1, maxLength: 255 }),
    device_data: Type.Object({ algorithm: Type.String({ minLength: 1, maxLength: 255 }) }),
    initial_device_display_name: Type.Optional(deviceName),
    device_keys: DeviceKeys,
    ...OneTimeKeys.properties,
  }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { session: { userId }, body }) => {
    const deviceId = body.device_id as DeviceId
    const data = JSON.stringify(body.device_data)
    if (data.length > MAX_DATA_LENGTH)
      throw new MatrixError('M_TOO_LARGE', `device_data may have ${MAX_DATA_LENGTH} characters`)
    await putDehydratedDevice(hs, {
      userId,
      deviceId,
      data,
      displayName: body.initial_device_display_name ?? '',
      deviceKeys: deviceKeysText({ userId, deviceId }, body.device_keys),
      ...readOneTimeKeys(body),
    })
    return { device_id: deviceId }
  },
})

export const getDehydrated = defineEndpoint({
  operation: 'getDehydratedDevice',
  method: 'GET',
  path,
  auth: 'user',
  rateLimit: 'read',
  run: async ({ db }, { session: { userId } }) => {
    const found = await findDehydratedDevice(db, userId)
    if (found === undefined) throw noDevice()
    return new RawJson(`{"device_id":${JSON.stringify(found.deviceId)},"device_data":${found.data}}`)
  },
})

export const deleteDehydrated = defineEndpoint({
  operation: 'deleteDehydratedDevice',
  method: 'DELETE',
  path,
  auth: 'user',
  rateLimit: 'keys',
  run: async (hs, { session: { userId } }): Promise<JsonObject> => {
    const deviceId = await removeDehydrated(hs, userId)
    if (deviceId === undefined) throw noDevice()
    return { device_id: deviceId }
  },
})

const Params = Type.Object({ deviceId: deviceIdText })
const limit = Type.Optional(Type.Integer({ minimum: 1 }))

/** The position that a token stands for; 0 without one. Throws `M_INVALID_PARAM`. */
function readToken(token: string | undefined): number {
  if (token === undefined) return 0
  const [, digits] = /^d(\d{1,15})$/.exec(token) ?? []
  if (digits === undefined) throw invalidParam('That is no next_batch of an earlier answer')
  return Number(digits)
}

async function readPage(
  hs: Homeserver,
  { userId }: Session,
  deviceId: DeviceId,
  { from, limit: wanted = MAX_MESSAGES }: { readonly from: string | undefined; readonly limit?: number },
): Promise<DehydratedMessages> {
  const page = { after: readToken(from), limit: Math.min(wanted, MAX_MESSAGES) }
  return readDehydratedMessages(hs, { userId, deviceId }, page)
}

function renderPage({ messages, position }: DehydratedMessages, withToken: boolean): RawJson {
  const next = withToken ? `,"next_batch":"d${position}"` : ''
  return new RawJson(`{"events":[${messages.join(',')}]${next}}`)
}

/** The last page has no `next_batch`. */
export const getDehydratedEvents = defineEndpoint({
  operation: 'getDehydratedDeviceEvents',
  method: 'GET',
  path: `${path}/:deviceId/events`,
  auth: 'user',
  rateLimit: 'read',
  params: Params,
  query: Type.Object({ from: Type.Optional(Type.String()), limit }),
  run: async (hs, { session, params, query }) => {
    const page = await readPage(hs, session, params.deviceId, { ...query, from: query.from })
    return renderPage(page, page.more)
  },
})

/** As the proposal had it before: a page without events is the last, and every one has a `next_batch`. */
export const postDehydratedEvents = defineEndpoint({
  operation: 'postDehydratedDeviceEvents',
  method: 'POST',
  path: `${path}/:deviceId/events`,
  auth: 'user',
  rateLimit: 'read',
  params: Params,
  query: Type.Object({ limit }),
  body: Type.Object({ next_batch: Type.Optional(Type.String()) }),
  run: async (hs, { session, params, query, body }) =>
    renderPage(await readPage(hs, session, params.deviceId, { ...query, from: body.next_batch }), true),
})

export const dehydratedDeviceRoutes: readonly AnyEndpoint[] = [
  putDehydrated,
  getDehydrated,
  deleteDehydrated,
  getDehydratedEvents,
  postDehydratedEvents,
]
