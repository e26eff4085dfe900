/** An address as it is kept and compared: in small letters; undefined for what is none. */
export function readEmailAddress(text: string): string | undefined {
  const address = text.trim().toLowerCase()
  if (address.length > 254) return undefined
  // What mail servers take; quotes and comments, with which a second recipient could be smuggled in, are not.
  return /^[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?$/u.test(
    address,
  )
    ? address
    : undefined
}
