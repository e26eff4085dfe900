// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type, type Static } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { spendAddressSession } from '@causeway/store/tables/address-sessions.ts'
import {
  deleteThreepid,
  findThreepidUser,
  insertThreepid,
  listThreepids,
} from '@causeway/store/tables/threepids.ts'
import { findConfirmed } from '../addresses/confirmed-address.ts'
import { readThirdPartyAddress } from '../addresses/third-party-address.ts'
import { bindAddress } from '../identity/bind.ts'
import { parseIdentityServer } from '../identity/identity-servers.ts'
import { bindingsOf, unbindAddresses } from '../identity/unbind.ts'
import { endMailPushers } from '../push/email/mail-pusher.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { authData } from './account-schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { identityServerText, identityToken } from './invite-address.ts'
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
          'The address is not confirmed yet: open the link in the mail, or submit the code of the text message, first',
        )
      }
      const { medium, address, validated_ts: validatedTs } = confirmed
      if ((await findThreepidUser(hs.db, confirmed)) !== undefined) throw inUse()
      const row = { medium, address, user_id: userId, validated_ts: validatedTs, added_ts: hs.clock.now() }
      const steps = [spendAddressSession(confirmed.sid), insertThreepid(row)]
      if (!(await hs.db.commit({ entries: [], steps })).ok) throw inUse()
      return {}
    }),
})

const AddressBody = Type.Object({
  medium: Type.String({ maxLength: 255 }),
  address: Type.String({ maxLength: 1024 }),
  id_server: Type.Optional(identityServerText),
})

/** As it is kept, where this server keeps such. */
const addressOf = ({ medium, address }: Static<typeof AddressBody>): string =>
  readThirdPartyAddress(medium, address)?.address ?? address

export const delete3pidFromAccount = defineEndpoint({
  operation: 'delete3pidFromAccount',
  method: 'POST',
  ...v3('/account/3pid/delete'),
  auth: 'user',
  rateLimit: 'login',
  body: AddressBody,
  run: async (hs, { session, body }) => {
    const { medium, id_server: named } = body
    const also = named === undefined ? undefined : parseIdentityServer(named)
    const address = addressOf(body)
    const bindings = await bindingsOf(hs, session.userId, { of: { medium, address }, also })
    const { entries, steps } = endMailPushers(session.userId, medium === 'email' ? [address] : [])
    await hs.log.append({ entries, steps: [deleteThreepid(session.userId, medium, address), ...steps] })
    // That nothing is known to be published does not say that nothing is.
    const result = bindings.length === 0 ? 'no-support' : await unbindAddresses(hs, bindings)
    return { id_server_unbind_result: result }
  },
})

export const bind3PID = defineEndpoint({
  operation: 'bind3PID',
  method: 'POST',
  ...v3('/account/3pid/bind'),
  auth: 'user',
  rateLimit: 'login',
  body: Type.Object({
    client_secret: Type.String({ pattern: '^[0-9a-zA-Z.=_-]{1,255}$' }),
    id_server: identityServerText,
    id_access_token: identityToken,
    sid: Type.String({ minLength: 1, maxLength: 255 }),
  }),
  run: async (hs, { session, body, signal }) => {
    const login = { server: hs.identity.requireAllowed(body.id_server), token: body.id_access_token }
    const { sid, client_secret: clientSecret } = body
    await bindAddress(hs, { userId: session.userId, login, sid, clientSecret }, signal)
    return {}
  },
})

export const unbind3pidFromAccount = defineEndpoint({
  operation: 'unbind3pidFromAccount',
  method: 'POST',
  ...v3('/account/3pid/unbind'),
  auth: 'user',
  rateLimit: 'login',
  body: AddressBody,
  run: async (hs, { session, body }) => {
    const { medium, id_server: named } = body
    const { userId } = session
    const address = addressOf(body)
    const known = await bindingsOf(hs, userId, { of: { medium, address } })
    const bindings =
      named === undefined ? known : [{ userId, medium, address, idServer: hs.identity.requireAllowed(named) }]
    const result = bindings.length === 0 ? 'no-support' : await unbindAddresses(hs, bindings)
    return { id_server_unbind_result: result }
  },
})
