import createFindMyWay from 'find-my-way'
import type { HTTPMethod } from 'find-my-way'
import { MatrixError, invalidParam, unrecognized } from '@causeway/matrix/errors/matrix-error.ts'
import { compileEndpoint, type CompiledEndpoint } from './compile-endpoint.ts'
import type { AnyEndpoint } from './endpoint.ts'

export interface Match {
  readonly compiled: CompiledEndpoint
  /** Percent-decoded; `%2F` in a parameter is a slash of that parameter and ends nothing. */
  readonly params: Record<string, unknown>
  /** The raw text behind `?`. */
  readonly query: string
}

/** Finds the endpoint for a request line. */
export interface RouteTable {
  readonly compiled: readonly CompiledEndpoint[]
  /** @throws MatrixError M_UNRECOGNIZED (404 unknown path, 405 wrong method), M_INVALID_PARAM (bad encoding). */
  match(method: string, url: string): Match
}

const METHODS = ['GET', 'PUT', 'POST', 'DELETE'] as const

function hasBrokenEncoding(url: string): boolean {
  try {
    decodeURIComponent(url.split('?', 1)[0]!)
    return false
  } catch {
    return true
  }
}

/** Paths are bounded by the header limit of the listener; nothing shorter than that is cut off here. */
const MAX_PARAM_LENGTH = 65_536

/** Builds the table. Throws when two endpoints claim the same method and path. */
export function createRouteTable(endpoints: readonly AnyEndpoint[]): RouteTable {
  const compiled = endpoints.map(compileEndpoint)
  const table = createFindMyWay({
    maxParamLength: MAX_PARAM_LENGTH,
    querystringParser: (query: string) => query as unknown as Record<string, string>,
  })
  for (const one of compiled) {
    const { method, path, also = [] } = one.endpoint
    for (const each of [path, ...also]) table.on(method, each, () => undefined, one)
  }
  const find = (method: string, url: string): ReturnType<typeof table.find> =>
    table.find(method as HTTPMethod, url)

  return {
    compiled,
    match: (method, url) => {
      const found = find(method === 'HEAD' ? 'GET' : method, url)
      if (found !== null) {
        return {
          compiled: found.store as CompiledEndpoint,
          params: found.params,
          query: found.searchParams as unknown as string,
        }
      }
      if (hasBrokenEncoding(url)) throw invalidParam('The path is not valid percent-encoded UTF-8')
      const others = METHODS.filter((other) => other !== method && find(other, url) !== null)
      if (others.length === 0) throw unrecognized('There is no such path on this server')
      throw new MatrixError('M_UNRECOGNIZED', `This path knows only ${others.join(', ')}`, { status: 405 })
    },
  }
}
