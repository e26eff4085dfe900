/**
 * A telephone number as it is kept and compared: the digits with those of its country, without the plus, as in
 * 447700900123. Undefined for what is none. Punctuation is taken, a number without its country is not.
 * https://spec.matrix.org/v1.19/appendices/#3pid-types
 */
export function readMsisdn(text: string): string | undefined {
  const digits = text
    .trim()
    .replace(/^\+/, '')
    .replaceAll(/[\s().-]/g, '')
  return /^[1-9]\d{1,14}$/.test(digits) ? digits : undefined
}
