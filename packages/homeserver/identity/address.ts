import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { readEmailAddress } from '../email/address.ts'

/** What somebody is reached by outside Matrix. https://spec.matrix.org/v1.19/appendices/#3pid-types */
export interface ThirdPartyAddress {
  readonly medium: 'email' | 'msisdn'
  /** In the form in which addresses are compared. */
  readonly address: string
}

/** Throws `M_THREEPID_MEDIUM_NOT_SUPPORTED` and `M_INVALID_PARAM`. */
export function parseThirdPartyAddress(medium: string, text: string): ThirdPartyAddress {
  if (medium === 'msisdn') {
    // A telephone number in international form, without the plus.
    if (!/^[1-9]\d{1,14}$/.test(text)) throw invalidParam('address must be digits such as 447700900123')
    return { medium, address: text }
  }
  if (medium !== 'email')
    throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'medium must be email or msisdn')
  const address = readEmailAddress(text)
  if (address === undefined) throw invalidParam('address must be an address such as alice@example.org')
  return { medium, address }
}
