import { isIP } from 'node:net'
import type { Outgoing, OutgoingAnswer } from './outgoing.ts'

export interface FollowOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly maxRedirects: number
  /** For each of the requests. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** A redirect that is not followed: too many, or to something that is no https address. */
export class BadRedirect extends Error {
  override readonly name = 'BadRedirect'
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])

function nextUrl(answer: OutgoingAnswer, from: URL): URL | undefined {
  const { location } = answer.headers
  if (!REDIRECTS.has(answer.status) || location === undefined) return undefined
  if (!URL.canParse(location, from)) throw new BadRedirect('It redirects to what is no address')
  const next = new URL(location, from)
  if (next.protocol !== 'https:') throw new BadRedirect('It redirects to what is not https')
  return next
}

/**
 * GET of an https address, whose redirects are followed; each host on the way is checked anew.
 * @throws BadRedirect, and as `Outgoing.send`
 */
export async function getFollowing(
  outgoing: Outgoing,
  start: URL,
  { headers, maxRedirects, timeoutMs, signal }: FollowOptions,
): Promise<OutgoingAnswer> {
  let url = start
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const answer = await outgoing.send({
      host,
      port: url.port === '' ? 443 : Number(url.port),
      tlsName: isIP(host) === 0 ? host.replace(/\.$/, '') : host,
      method: 'GET',
      path: url.pathname + url.search,
      headers: { ...headers, host: url.host },
      timeoutMs,
      signal,
    })
    const next = nextUrl(answer, url)
    if (next === undefined) return answer
    answer.body.destroy()
    url = next
  }
  throw new BadRedirect(`It redirects more than ${maxRedirects} times`)
}
