// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import { hasReplacementGrant } from '@causeway/store/tables/cross-signing.ts'
import {
  checkCrossSigningKeys,
  storeCrossSigningKeys,
  type UploadedKey,
  type UploadedKeys,
} from '../devices/cross-signing.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { mapOf, signatures } from './key-schemas.ts'
import { v3 } from './paths.ts'

const CrossSigningKey = Type.Unsafe<UploadedKey>(
  Type.Object({
    user_id: Type.String(),
    usage: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 10 }),
    keys: mapOf(Type.String({ maxLength: 255 }), 10),
    signatures: Type.Optional(signatures),
  }),
)

async function store(hs: Homeserver, userId: Session['userId'], keys: UploadedKeys): Promise<void> {
  if (await storeCrossSigningKeys(hs, await checkCrossSigningKeys(hs, userId, keys))) return
  throw new MatrixError('M_UNKNOWN', 'Your cross-signing keys were uploaded twice at once; try again', {
    status: 409,
  })
}

export const uploadCrossSigningKeys = defineEndpoint({
  operation: 'uploadCrossSigningKeys',
  method: 'POST',
  ...v3('/keys/device_signing/upload'),
  // matrix-js-sdk asks here whether a password is enough.
  also: [...v3('/keys/device_signing/upload').also, '/_matrix/client/unstable/keys/device_signing/upload'],
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({
    master_key: Type.Optional(CrossSigningKey),
    self_signing_key: Type.Optional(CrossSigningKey),
    user_signing_key: Type.Optional(CrossSigningKey),
    auth: Type.Optional(jsonObject),
  }),
  run: async (hs, request) => {
    const { session, body } = request
    const keys: UploadedKeys = {
      ...(body.master_key === undefined ? {} : { master: body.master_key }),
      ...(body.self_signing_key === undefined ? {} : { self_signing: body.self_signing_key }),
      ...(body.user_signing_key === undefined ? {} : { user_signing: body.user_signing_key }),
    }
    if (Object.keys(keys).length === 0) throw missingParam('Name at least a master_key')
    const change = await checkCrossSigningKeys(hs, session.userId, keys)
    if (change.changed.length === 0) return {}
    const run = async (): Promise<JsonObject> => {
      await store(hs, session.userId, keys)
      return {}
    }
    const isConfirmed = !change.replaces || (await hasReplacementGrant(hs.db, session.userId, hs.clock.now()))
    return isConfirmed ? run() : confirmByPassword(hs, request, 'uploadCrossSigningKeys', run)
  },
})
