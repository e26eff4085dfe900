import type { Lookup } from '../lookups.ts'

const PATH = /^\/_matrix\/app\/(?:v1|unstable)\/thirdparty\/(protocol|user|location)(?:\/([^/]+))?$/

/** What a homeserver asks about our networks by this request of it; undefined: it is another one. */
export function parseLookup(url: URL): Lookup | undefined {
  const [, about, segment] = PATH.exec(url.pathname) ?? []
  const protocol = segment === undefined ? undefined : decode(segment)
  if (about === 'protocol') return protocol === undefined ? undefined : { about, protocol }
  if (about !== 'user' && about !== 'location') return undefined
  // Older homeservers have their token in the query.
  const { access_token: _, ...fields } = Object.fromEntries(url.searchParams)
  if (protocol !== undefined) return { about, protocol, fields }
  const { userid: userId, alias } = fields
  if (about === 'user') return userId === undefined ? undefined : { about, userId }
  return alias === undefined ? undefined : { about, alias }
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
