// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { spendAddressSession } from '@causeway/store/tables/address-sessions.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { changePassword } from '../accounts/change-password.ts'
import { ADDRESS_STAGES, confirmedAddresses } from '../accounts/uia/confirmed-addresses.ts'
import { withUia, type UiaProof } from '../accounts/uia/with-uia.ts'
import type { Homeserver } from '../homeserver.ts'

/** A new password for somebody who does not know the old one. */
export interface PasswordReset {
  readonly auth?: JsonObject
  readonly new_password: string
  /** Whether their devices stay logged in. */
  readonly keepDevices: boolean
}

/** What the interactive authentication is for. */
export const RESET_PASSWORD = 'resetPassword'

/** By a mail or a text message to an address of theirs. Throws `M_MISSING_TOKEN` where neither is sent. */
export async function resetPassword(hs: Homeserver, reset: PasswordReset, ip: string): Promise<JsonObject> {
  const flows = [
    ...(hs.email.isThere ? [[ADDRESS_STAGES.email]] : []),
    ...(hs.sms.isThere ? [[ADDRESS_STAGES.msisdn]] : []),
  ]
  if (flows.length === 0)
    throw new MatrixError('M_MISSING_TOKEN', 'Log in first: this server sends neither mail nor text messages')
  const request = {
    flows,
    operation: RESET_PASSWORD,
    session: undefined,
    ip,
    body: { ...reset } as JsonObject,
  }
  return withUia(hs, request, (proof) => setByAddress(hs, reset, proof))
}

async function setByAddress(hs: Homeserver, reset: PasswordReset, proof: UiaProof): Promise<JsonObject> {
  const confirmed = confirmedAddresses(proof)[0]!
  const userId = await findThreepidUser(hs.db, confirmed)
  if (userId === undefined) throw forbidden('This address belongs to nobody here any more')
  const { new_password: password, keepDevices } = reset
  const steps = [spendAddressSession(confirmed.sid)]
  await changePassword(hs, userId as UserId, password, { keepDevices, proof: steps })
  return {}
}
