// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { spendEmailSession } from '@causeway/store/tables/email-sessions.ts'
import {
  deleteThreepid,
  findThreepidUser,
  insertThreepid,
  listThreepids,
} from '@causeway/store/tables/threepids.ts'
import { readEmailAddress } from '../email/address.ts'
import { findConfirmed } from '../email/confirmed-address.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { authData } from './account-schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { v3 } from './paths.ts'

export const getAccount3PIDs = defineEndpoint({
  operation: 'getAccount3PIDs',
  method: 'GET',
  ...v3('/account/3pid'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => ({
    threepids: (await listThreepids(hs.db, session.userId)).map((row) => ({
      medium: row.medium,
      address: row.address,
      validated_at: row.validated_ts,
      added_at: row.added_ts,
    })),
  }),
})

const inUse = (): MatrixError =>
  new MatrixError('M_THREEPID_IN_USE', 'This address belongs to an account here already')

export const add3PID = defineEndpoint({
  operation: 'add3PID',
  method: 'POST',
  ...v3('/account/3pid/add'),
  auth: 'user',
  rateLimit: 'login',
  body: Type.Object({
    auth: authData,
    sid: Type.String({ maxLength: 255 }),
    client_secret: Type.String({ maxLength: 255 }),
  }),
  run: async (hs, { session, body, ip }) =>
    confirmByPassword(hs, { session, body, ip }, 'add3PID', async () => {
      const { userId } = session
      const credentials = { sid: body.sid, clientSecret: body.client_secret }
      const confirmed = await findConfirmed(hs, credentials, 'add', userId)
      if (confirmed === undefined) {
        throw new MatrixError(
          'M_THREEPID_AUTH_FAILED',
          'The address is not confirmed yet: open the link in the mail first',
        )
      }
      const { address, validated_ts: validatedTs } = confirmed
      if ((await findThreepidUser(hs.db, address)) !== undefined) throw inUse()
      const row = { address, user_id: userId, validated_ts: validatedTs, added_ts: hs.clock.now() }
      const steps = [spendEmailSession(confirmed.sid), insertThreepid(row)]
      if (!(await hs.db.commit({ entries: [], steps })).ok) throw inUse()
      return {}
    }),
})

export const delete3pidFromAccount = defineEndpoint({
  operation: 'delete3pidFromAccount',
  method: 'POST',
  ...v3('/account/3pid/delete'),
  auth: 'user',
  rateLimit: 'login',
  body: Type.Object({
    medium: Type.String({ maxLength: 255 }),
    address: Type.String({ maxLength: 1024 }),
    id_server: Type.Optional(Type.String()),
  }),
  run: async (hs, { session, body }) => {
    const address = readEmailAddress(body.address) ?? body.address
    await hs.db.commit({ entries: [], steps: [deleteThreepid(session.userId, body.medium, address)] })
    // None was given to an identity server by this one.
    return { id_server_unbind_result: 'no-support' }
  },
})
