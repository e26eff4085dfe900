import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { readEmailAddress } from '../email/address.ts'

/**
 * The user id or local part that a login or a stage names, in the present form or the older one (`user`).
 * Undefined when it names nobody that way, such as by an address (see `readEmailIdentifier`).
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

/** The address that a login names, as it is kept; empty for one that is none, undefined where none is named. */
export function readEmailIdentifier({ identifier }: JsonObject): string | undefined {
  if (!isJsonObject(identifier) || identifier['type'] !== 'm.id.thirdparty') return undefined
  const { medium, address } = identifier
  if (medium !== 'email' || typeof address !== 'string') return undefined
  return readEmailAddress(address) ?? ''
}
