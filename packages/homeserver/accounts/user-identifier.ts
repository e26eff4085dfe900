import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { readPhoneNumber } from '../phone/read-phone-number.ts'
import { readThirdPartyAddress, type ThirdPartyAddress } from '../addresses/third-party-address.ts'

/**
 * The user id or local part that a login or a stage names, in the present form or the older one (`user`).
 * Undefined when it names nobody that way, such as by an address (see `readAddressIdentifier`).
 * https://spec.matrix.org/v1.19/client-server-api/#identifier-types
 */
export function readUserName(from: JsonObject): string | undefined {
  const { identifier, user } = from
  if (isJsonObject(identifier)) {
    const named = identifier['user']
    return identifier['type'] === 'm.id.user' && typeof named === 'string' ? named : undefined
  }
  return typeof user === 'string' ? user : undefined
}

/** What nobody has. */
const NO_ADDRESS: ThirdPartyAddress = { medium: 'email', address: '' }

/** The address that a login names, one that nobody has for what is none; undefined where none is named. */
export async function readAddressIdentifier({
  identifier,
}: JsonObject): Promise<ThirdPartyAddress | undefined> {
  if (!isJsonObject(identifier)) return undefined
  const { type, medium, address } = identifier
  if (type === 'm.id.phone') return (await readPhone(identifier)) ?? NO_ADDRESS
  if (type !== 'm.id.thirdparty') return undefined
  if (typeof medium !== 'string' || typeof address !== 'string') return NO_ADDRESS
  return readThirdPartyAddress(medium, address) ?? NO_ADDRESS
}

/** The number in `phone`; older clients wrote it in `number`. */
async function readPhone({
  country,
  phone,
  number = phone,
}: JsonObject): Promise<ThirdPartyAddress | undefined> {
  if (typeof country !== 'string' || typeof number !== 'string') return undefined
  const read = await readPhoneNumber(country, number)
  return read && { medium: 'msisdn', address: read.msisdn }
}
