import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { getFollowing, type FollowedAnswer } from '../outgoing/get-following.ts'
import { OutgoingTimeout, type Outgoing } from '../outgoing/outgoing.ts'
import { readBody } from '../outgoing/read-body.ts'
import type { PreviewConfig } from '../preview-options.ts'
import { createUrlCheck } from './allowed-urls.ts'
import { formatAcceptLanguage } from './preview-language.ts'
import { ACCEPTED_ENCODINGS, unpack } from './unpack.ts'
import { EVERYTHING, NOTHING, parseRobots, type Robots } from './robots.ts'

/** What is fetched. */
export interface PageRequest {
  readonly url: URL
  /** As an Accept header names types. */
  readonly accept: string
  /** See `readLanguages`. */
  readonly languages: string
  /** For all of it: redirects, and the body to its last byte. */
  readonly timeoutMs: number
}

/**
 * GET of an address that somebody linked to, redirects followed: the answer has a status of 2xx, its body is to be
 * read (see `unpack`) or destroyed. @throws PageFailed; MatrixError `M_FORBIDDEN` for what the operator does not want
 */
export type FetchPage = (request: PageRequest) => Promise<FollowedAnswer>

/** It could not be fetched; the reason is for the log, since it could tell about the network that we are in. */
export class PageFailed extends Error {
  override readonly name = 'PageFailed'
}

export interface FetcherDeps {
  readonly config: PreviewConfig
  readonly clock: Clock
  readonly budget: MemoryBudget
  readonly outgoing: Outgoing
  /** Aborted when the server stops. */
  readonly ended: AbortSignal
}

const USER_AGENT = 'Mozilla/5.0 (compatible; Causeway link preview bot)'
const MAX_REDIRECTS = 5
const ROBOTS_MS = 5_000
const ROBOTS_BYTES = 256 * 1024
const ROBOTS_KEPT_MS = 3_600_000

export function createFetcher(deps: FetcherDeps): FetchPage {
  const { config, clock, outgoing, ended } = deps
  const isWanted = createUrlCheck(config)
  const get = async (
    { url, accept, languages, timeoutMs }: PageRequest,
    check: (url: URL) => void | Promise<void>,
  ): Promise<FollowedAnswer> => {
    const late = new AbortController()
    const timer = clock.setTimeout(
      () => late.abort(new OutgoingTimeout(`not all of it within ${timeoutMs / 1000} s`)),
      timeoutMs,
    )
    try {
      const answer = await getFollowing(outgoing, url, {
        headers: {
          'user-agent': USER_AGENT,
          accept,
          'accept-language': formatAcceptLanguage(languages),
          'accept-encoding': ACCEPTED_ENCODINGS,
        },
        maxRedirects: MAX_REDIRECTS,
        plain: true,
        check,
        timeoutMs,
        signal: AbortSignal.any([late.signal, ended]),
      })
      answer.body.once('close', () => timer.cancel())
      // Whoever reads it is told; where nobody reads any more, nobody needs to be.
      answer.body.on('error', () => undefined)
      return answer
    } catch (error) {
      timer.cancel()
      if (error instanceof MatrixError) throw error
      throw new PageFailed(`${url.host} could not be fetched`, { cause: error })
    }
  }
  const obey = config.obey_robots ? createRobots(deps, (request) => get(request, isWanted)) : undefined
  const check = async (url: URL): Promise<void> => {
    isWanted(url)
    if (obey !== undefined && !(await obey(url)))
      throw forbidden('The owner of this page wants no programs to fetch it (robots.txt)')
  }
  return async (request) => {
    const answer = await get(request, check)
    if (answer.status >= 200 && answer.status <= 299) return answer
    answer.body.destroy()
    throw new PageFailed(`${answer.url.host} answered with status ${answer.status}`)
  }
}

/** Asks each host's robots.txt, at most once an hour. */
function createRobots(
  { clock, budget }: FetcherDeps,
  get: (request: PageRequest) => Promise<FollowedAnswer>,
): (url: URL) => Promise<boolean> {
  const known = budget.cache<string, { readonly robots: Robots; readonly until: number }>({
    name: 'preview_robots',
    share: 0.002,
    weigh: (_robots, origin) => 4000 + 2 * origin.length,
  })
  const fetchRobots = async (origin: string): Promise<Robots> => {
    const url = new URL('/robots.txt', origin)
    try {
      const answer = await get({ url, accept: 'text/plain', languages: 'en', timeoutMs: ROBOTS_MS })
      const isThere = answer.status >= 200 && answer.status <= 299
      if (!isThere) answer.body.destroy()
      if (!isThere) return answer.status >= 500 ? NOTHING : EVERYTHING
      return parseRobots(Buffer.from(await readBody(unpack(answer), ROBOTS_BYTES)).toString())
    } catch {
      // As the standard has it: where it cannot be asked, nothing is fetched.
      return NOTHING
    }
  }
  return async ({ origin, pathname, search }) => {
    const held = known.get(origin)
    if (held !== undefined && held.until > clock.monotonic()) return held.robots(pathname + search)
    const robots = await fetchRobots(origin)
    known.set(origin, { robots, until: clock.monotonic() + ROBOTS_KEPT_MS })
    return robots(pathname + search)
  }
}
