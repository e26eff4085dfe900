import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import {
  findAddressSession,
  type AddressPurpose,
  type AddressSessionRow,
} from '@causeway/store/tables/address-sessions.ts'
import type { Homeserver } from '../homeserver.ts'

/** What a client shows of a session. */
export interface SessionCredentials {
  readonly sid: string
  readonly clientSecret: string
}

/** `sid` and `client_secret`, as a stage of interactive authentication holds them (or older clients do). */
export function readCredentials(auth: JsonObject): SessionCredentials | undefined {
  const creds = auth['threepid_creds'] ?? auth['threepidCreds']
  if (!isJsonObject(creds)) return undefined
  const { sid, client_secret: clientSecret } = creds
  return typeof sid === 'string' && typeof clientSecret === 'string' ? { sid, clientSecret } : undefined
}

/** The session, if its address was proven and it is for this purpose, by this person. */
export async function findConfirmed(
  hs: Pick<Homeserver, 'db' | 'clock'>,
  { sid, clientSecret }: SessionCredentials,
  purpose: AddressPurpose,
  userId = '',
): Promise<AddressSessionRow | undefined> {
  if (sid.length > 255) return undefined
  const session = await findAddressSession(hs.db, sid, hs.clock.now())
  if (session === undefined || session.validated_ts === 0) return undefined
  const isTheirs =
    session.client_secret === clientSecret && (session.user_id === '' || session.user_id === userId)
  return isTheirs && session.purpose === purpose ? session : undefined
}
