import type { CountryCode } from 'libphonenumber-js/max'

/** A number of a numbering plan, as somebody wrote it. */
export interface PhoneNumber {
  /** As it is kept: see `readMsisdn`. */
  readonly msisdn: string
  /** As people write it: +44 7700 900123. */
  readonly intlFormat: string
  /** ISO 3166-1; undefined for networks of no country, such as those of satellites. */
  readonly country: string | undefined
  /** Whether a mobile phone has it, or may have it: in some countries they have the same numbers as others. */
  readonly isMobile: boolean
}

/** Longer than any number with its punctuation. */
const MAX_LENGTH = 40
const MOBILE: ReadonlySet<string | undefined> = new Set(['MOBILE', 'FIXED_LINE_OR_MOBILE'])

/**
 * A number as it is dialled from a country, or with a plus and the digits of its own. What knows the numbering plans of
 * the world is loaded when it is needed first.
 * @param country ISO 3166-1
 * @returns undefined for what no phone can have
 */
export async function readPhoneNumber(country: string, text: string): Promise<PhoneNumber | undefined> {
  if (text.length > MAX_LENGTH) return undefined
  const { parsePhoneNumberFromString } = await import('libphonenumber-js/max')
  const defaultCountry = country.toUpperCase() as CountryCode
  const found = parsePhoneNumberFromString(text, { defaultCountry, extract: false })
  if (found === undefined || found.ext !== undefined || !found.isValid()) return undefined
  return {
    msisdn: found.number.slice(1),
    intlFormat: found.formatInternational(),
    country: found.country,
    isMobile: MOBILE.has(found.getType()),
  }
}
