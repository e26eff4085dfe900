import { isIP } from 'node:net'
import type { Outgoing, OutgoingAnswer, OutgoingRequest } from './outgoing.ts'

export interface FollowOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly maxRedirects: number
  /** Whether http addresses are taken too; default: https only. */
  readonly plain?: boolean
  /**
   * Called with each address on the way, the first one included, before anything is sent there; throws
   * to refuse it.
   */
  readonly check?: (url: URL) => void | Promise<void>
  /** For each of the requests. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** What the last of the requests was answered, and by whom. */
export interface FollowedAnswer extends OutgoingAnswer {
  readonly url: URL
}

/** A redirect that is not followed: too many, or to something that is no https (or http) address. */
export class BadRedirect extends Error {
  override readonly name = 'BadRedirect'
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])

function nextUrl(answer: OutgoingAnswer, from: URL, plain: boolean): URL | undefined {
  const { location } = answer.headers
  if (!REDIRECTS.has(answer.status) || location === undefined) return undefined
  if (!URL.canParse(location, from)) throw new BadRedirect('It redirects to what is no address')
  const next = new URL(location, from)
  if (next.protocol !== 'https:' && !(plain && next.protocol === 'http:')) {
    throw new BadRedirect(`It redirects to what is not ${plain ? 'http' : 'https'}`)
  }
  return next
}

function requestOf(
  url: URL,
  { headers, timeoutMs, signal, plain: mayBePlain }: FollowOptions,
): OutgoingRequest {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const plain = mayBePlain === true && url.protocol === 'http:'
  return {
    host,
    port: url.port === '' ? (plain ? 80 : 443) : Number(url.port),
    tlsName: isIP(host) === 0 ? host.replace(/\.$/, '') : host,
    plain,
    method: 'GET',
    path: url.pathname + url.search,
    headers: { ...headers, host: url.host },
    timeoutMs,
    signal,
  }
}

/**
 * GET of an https address (or http, where `plain` says so), whose redirects are followed; each host on the way is
 * checked anew. @throws BadRedirect, what `check` throws, and as `Outgoing.send`
 */
export async function getFollowing(
  outgoing: Outgoing,
  start: URL,
  options: FollowOptions,
): Promise<FollowedAnswer> {
  const { maxRedirects, plain = false, check } = options
  let url = start
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    await check?.(url)
    const answer = await outgoing.send(requestOf(url, options))
    try {
      const next = nextUrl(answer, url, plain)
      if (next === undefined) return { ...answer, url }
      answer.body.destroy()
      url = next
    } catch (error) {
      answer.body.destroy()
      throw error
    }
  }
  throw new BadRedirect(`It redirects more than ${maxRedirects} times`)
}
