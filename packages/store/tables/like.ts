/** A pattern for `LIKE ? ESCAPE '!'` that matches whatever contains the text. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[!%_]/g, '!$&')}%`
}
