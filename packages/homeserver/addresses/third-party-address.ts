import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Medium } from '@causeway/store/tables/threepids.ts'
import { readEmailAddress } from '../email/address.ts'
import { readMsisdn } from '../phone/msisdn.ts'

/** What somebody is reached by outside Matrix. https://spec.matrix.org/v1.19/appendices/#3pid-types */
export interface ThirdPartyAddress {
  readonly medium: Medium
  /** In the form in which addresses are kept and compared. */
  readonly address: string
}

const READERS: Readonly<Record<Medium, (text: string) => string | undefined>> = {
  email: readEmailAddress,
  msisdn: readMsisdn,
}

const isMedium = (text: string): text is Medium => Object.hasOwn(READERS, text)

/** An address in the form in which it is kept; undefined for what is none, and for another medium. */
export function readThirdPartyAddress(medium: string, text: string): ThirdPartyAddress | undefined {
  const address = isMedium(medium) ? READERS[medium](text) : undefined
  return address === undefined ? undefined : { medium: medium as Medium, address }
}

/** Throws `M_THREEPID_MEDIUM_NOT_SUPPORTED` and `M_INVALID_PARAM`. */
export function parseThirdPartyAddress(medium: string, text: string): ThirdPartyAddress {
  if (!isMedium(medium))
    throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'medium must be email or msisdn')
  const read = readThirdPartyAddress(medium, text)
  if (read !== undefined) return read
  const example = { email: 'an address such as alice@example.org', msisdn: 'digits such as 447700900123' }
  throw invalidParam(`address must be ${example[medium]}`)
}
