/** What is asked for when a client says nothing. */
const STANDARD = 'en'
/** Languages that are passed on; more would only tell people apart. */
const MAX_LANGUAGES = 3

/**
 * The first languages of an Accept-Language header, lowercased and separated by commas: what a page is asked in,
 * and part of the preview's key.
 */
export function readLanguages(header: string | undefined): string {
  const tags = (header ?? '')
    .slice(0, 256)
    .toLowerCase()
    .split(',')
    .map((part) => part.split(';', 1)[0]!.trim())
    .filter((tag) => /^[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}$/.test(tag))
  return tags.length === 0 ? STANDARD : [...new Set(tags)].slice(0, MAX_LANGUAGES).join(',')
}

/** The header for the page, each language wanted less than the one before. */
export function formatAcceptLanguage(languages: string): string {
  return languages
    .split(',')
    .map((tag, index) => (index === 0 ? tag : `${tag};q=0.${9 - index}`))
    .join(', ')
}
