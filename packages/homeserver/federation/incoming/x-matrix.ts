import type { IncomingMessage } from 'node:http'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'

/** What an `Authorization: X-Matrix` header says. */
export interface XMatrix {
  readonly origin: ServerName
  /** Absent from servers of before version 1.3 of the specification. */
  readonly destination: ServerName | undefined
  /** As it stands; whether anybody has such a key is another question. */
  readonly keyId: string
  readonly signature: string
}

const SCHEME = /^x-matrix +/i
const NAME = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const EQUALS = /[ \t]*=[ \t]*/y
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy
// Older servers leave colons, slashes and padding unquoted.
const BARE = /[^\s",]+/y
const SEPARATOR = /[ \t]*(?:,[ \t]*)+/y
const MAX_PARAMETERS = 20

/** Takes what `pattern` matches at `at.index`; undefined where it does not match. */
function take(pattern: RegExp, text: string, at: { index: number }): RegExpExecArray | undefined {
  pattern.lastIndex = at.index
  const match = pattern.exec(text)
  if (match === null) return undefined
  at.index = pattern.lastIndex
  return match
}

function takeValue(text: string, at: { index: number }): string | undefined {
  const quoted = take(QUOTED, text, at)
  if (quoted !== undefined) return quoted[1]!.replace(/\\(.)/gs, '$1')
  return take(BARE, text, at)?.[0]
}

/** The parameters by lowercased name; undefined when they are malformed or one is given twice. */
function readParameters(text: string, start: number): Map<string, string> | undefined {
  const parameters = new Map<string, string>()
  const at = { index: start }
  while (at.index < text.length && parameters.size < MAX_PARAMETERS) {
    const name = take(NAME, text, at)?.[0].toLowerCase()
    if (name === undefined || take(EQUALS, text, at) === undefined) return undefined
    const value = takeValue(text, at)
    if (value === undefined || parameters.has(name)) return undefined
    parameters.set(name, value)
    if (at.index < text.length && take(SEPARATOR, text, at) === undefined) return undefined
  }
  return at.index < text.length ? undefined : parameters
}

/**
 * Reads the header leniently, as the specification asks: names in any case and order, values quoted or not, unknown
 * parameters ignored. Undefined when it is of another scheme, or cannot be read.
 * https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */
export function parseXMatrix(header: string): XMatrix | undefined {
  const text = header.trim()
  const scheme = SCHEME.exec(text)
  if (scheme === null) return undefined
  const parameters = readParameters(text, scheme[0].length)
  const origin = parseServerName(parameters?.get('origin') ?? '')
  const named = parameters?.get('destination')
  const destination = named === undefined ? undefined : parseServerName(named)
  const keyId = parameters?.get('key')
  const signature = parameters?.get('sig') ?? parameters?.get('signature')
  if (origin === undefined || keyId === undefined || signature === undefined) return undefined
  if (named !== undefined && destination === undefined) return undefined
  return { origin, destination, keyId, signature }
}

/** More of them are not looked at: a server signs with few keys. */
const MAX_HEADERS = 8

/** Every `Authorization` header of a request; Node's own table keeps only the first. */
export function authorizationHeaders(request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): string[] {
  const { rawHeaders, headers } = request
  const found: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === 'authorization') found.push(rawHeaders[i + 1]!)
  }
  if (found.length === 0 && headers.authorization !== undefined) found.push(headers.authorization)
  return found.slice(0, MAX_HEADERS)
}
