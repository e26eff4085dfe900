/** Runs of white space become one space. */
export const tidy = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** At most so many characters; what is cut ends with an ellipsis. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text.toWellFormed()
  return `${text
    .slice(0, length - 1)
    .toWellFormed()
    .trimEnd()}…`
}
