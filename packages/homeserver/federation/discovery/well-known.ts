import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import { getFollowing } from '../../outgoing/get-following.ts'
import type { Outgoing } from '../../outgoing/outgoing.ts'
import { readBody } from '../../outgoing/read-body.ts'
import { errorLifetime, lifetimeOf } from './cache-lifetime.ts'

const PATH = '/.well-known/matrix/server'
const TIMEOUT_MS = 10_000
const MAX_REDIRECTS = 5
const MAX_BYTES = 50 * 1024
/** How long the last good answer stands in for one that could not be had. */
const GRACE_MS = 48 * 60 * 60_000

/** What a host says of where its server is. */
export interface WellKnown {
  /** Where it delegates to; undefined when it does not say, or could not be asked. */
  readonly server: ServerName | undefined
  /** Why there is none, in a sentence. */
  readonly reason: string | undefined
}

/** What is kept of a host. Times by the wall clock, as headers name them. */
interface Entry {
  readonly answer: WellKnown
  readonly freshUntil: number
  /** In a row. */
  readonly failures: number
  /** Until when `answer` may stand in although it is not fresh. */
  readonly usableUntil: number
}

export type WellKnownCache = Cache<string, Entry>

export const weighEntry = (entry: Entry, host: string): number =>
  2 * (host.length + (entry.answer.server?.length ?? 0) + (entry.answer.reason?.length ?? 0)) + 200

/** The server that a well-known document names; undefined when it is none. */
export function parseWellKnown(body: Uint8Array): ServerName | undefined {
  try {
    const value = parseJson(body)
    const server = isJsonObject(value) ? value['m.server'] : undefined
    return typeof server === 'string' ? parseServerName(server) : undefined
  } catch {
    return undefined
  }
}

/** An answer of the host's that settles the matter, whatever it said before. */
class NoDelegation extends Error {
  override readonly name = 'NoDelegation'
}

export interface WellKnownDeps {
  readonly outgoing: Outgoing
  readonly clock: Clock
  readonly random: Random
  readonly cache: WellKnownCache
}

/** Asks hosts for their `/.well-known/matrix/server`. Never rejects. */
export interface WellKnownLookup {
  find(hostname: string): Promise<WellKnown>
}

interface Fetched {
  readonly server: ServerName
  readonly lifetimeMs: number
}

async function fetchWellKnown({ outgoing, clock }: WellKnownDeps, hostname: string): Promise<Fetched> {
  const answer = await getFollowing(outgoing, new URL(`https://${hostname}${PATH}`), {
    headers: { accept: 'application/json' },
    maxRedirects: MAX_REDIRECTS,
    timeoutMs: TIMEOUT_MS,
  })
  if (answer.status !== 200) {
    answer.body.destroy()
    const text = `it answers with status ${answer.status}`
    throw answer.status >= 500 ? new Error(text) : new NoDelegation(text)
  }
  const server = parseWellKnown(await readBody(answer.body, MAX_BYTES))
  if (server === undefined) throw new NoDelegation('it is no JSON with a server name as "m.server"')
  return { server, lifetimeMs: lifetimeOf(answer.headers, clock.now()) }
}

export function createWellKnownLookup(deps: WellKnownDeps): WellKnownLookup {
  const { clock, random, cache } = deps
  const flights = createSingleFlight<string, WellKnown>()

  const succeed = ({ server, lifetimeMs }: Fetched): Entry => {
    const now = clock.now()
    const answer = { server, reason: undefined }
    return { answer, freshUntil: now + lifetimeMs, failures: 0, usableUntil: now + GRACE_MS }
  }
  const fail = (before: Entry | undefined, error: unknown): Entry => {
    const now = clock.now()
    const failures = (before?.failures ?? 0) + 1
    const freshUntil = now + errorLifetime(failures, random.fraction())
    const standsIn = !(error instanceof NoDelegation) && before !== undefined && now < before.usableUntil
    if (standsIn) return { ...before, freshUntil, failures }
    const reason = error instanceof Error ? error.message : String(error)
    return { answer: { server: undefined, reason }, freshUntil, failures, usableUntil: 0 }
  }
  const refresh = async (hostname: string, before: Entry | undefined): Promise<WellKnown> => {
    const entry = await fetchWellKnown(deps, hostname).then(succeed, (error: unknown) => fail(before, error))
    cache.set(hostname, entry)
    return entry.answer
  }
  return {
    async find(hostname) {
      const key = hostname.toLowerCase()
      const known = cache.get(key)
      if (known !== undefined && clock.now() < known.freshUntil) return known.answer
      return flights.run(key, () => refresh(key, known))
    },
  }
}
