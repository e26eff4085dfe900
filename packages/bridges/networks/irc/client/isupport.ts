import { caseMappingOf } from './casemap.ts'
import type { CaseMapping } from './casemap.ts'

/** What a server says about itself in 005. https://modern.ircdocs.horse/#rplisupport-parameters */
export interface Isupport {
  readonly caseMapping: CaseMapping
  readonly network: string | undefined
  readonly nickLength: number
  readonly userLength: number
  readonly hostLength: number
  readonly channelLength: number
  readonly topicLength: number
  readonly kickLength: number
  /** Bytes of a line without its tags, line end included. */
  readonly lineLength: number
  readonly channelTypes: string
  /** Membership modes, highest first: `{ mode: 'o', symbol: '@' }`. */
  readonly prefixes: readonly { readonly mode: string; readonly symbol: string }[]
  /** Channel modes: with a mask (list), always / when set with an argument, without. */
  readonly modes: {
    readonly list: string
    readonly always: string
    readonly set: string
    readonly flag: string
  }
  /** Symbols that may stand before a channel as a target (`@#channel` = its operators). */
  readonly statusMessage: string
  /** Targets one command may have; `undefined` = unknown, Infinity = no limit. */
  readonly targetMax: ReadonlyMap<string, number>
  /** Mode changes one MODE line may hold. */
  readonly modesPerLine: number
  readonly clientTagDeny: readonly string[]
  /** All tokens as sent, decoded. */
  readonly tokens: ReadonlyMap<string, string>
}

const MAX_TOKENS = 256
const MAX_LINE = 16_384

function unescapeValue(value: string): string {
  return value.replace(/\\x([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function numberIn(value: string | undefined, fallback: number, lowest: number, highest: number): number {
  if (value === undefined || !/^[0-9]{1,9}$/.test(value)) return fallback
  return Math.min(Math.max(Number(value), lowest), highest)
}

function parsePrefixes(value: string): Isupport['prefixes'] {
  const match = /^\(([A-Za-z]*)\)(\S*)$/.exec(value)
  if (match === null) return []
  const [, modes = '', symbols = ''] = match
  return modes
    .split('')
    .flatMap((mode, index) => (index < symbols.length ? [{ mode, symbol: symbols[index] ?? '' }] : []))
}

function parseTargetMax(value: string): ReadonlyMap<string, number> {
  const out = new Map<string, number>()
  for (const part of value.split(',')) {
    const [command = '', limit] = part.split(':')
    if (command !== '') out.set(command.toUpperCase(), numberIn(limit, Infinity, 1, 1000))
  }
  return out
}

function fromTokens(tokens: ReadonlyMap<string, string>): Isupport {
  const length = (name: string, fallback: number): number => numberIn(tokens.get(name), fallback, 1, 4096)
  const [list = '', always = '', set = '', flag = ''] = (tokens.get('CHANMODES') ?? 'b,k,l,imnpst').split(',')
  return {
    caseMapping: caseMappingOf(tokens.get('CASEMAPPING') ?? 'rfc1459'),
    network: tokens.get('NETWORK'),
    nickLength: length('NICKLEN', 9),
    userLength: length('USERLEN', 10),
    hostLength: length('HOSTLEN', 63),
    channelLength: length('CHANNELLEN', 200),
    topicLength: length('TOPICLEN', 390),
    kickLength: length('KICKLEN', 255),
    lineLength: numberIn(tokens.get('LINELEN'), 512, 512, MAX_LINE),
    channelTypes: tokens.get('CHANTYPES') ?? '#&',
    prefixes: parsePrefixes(tokens.get('PREFIX') ?? '(ov)@+'),
    modes: { list, always, set, flag },
    statusMessage: tokens.get('STATUSMSG') ?? '',
    targetMax: parseTargetMax(tokens.get('TARGMAX') ?? ''),
    modesPerLine: numberIn(tokens.get('MODES'), 3, 1, 100),
    clientTagDeny: (tokens.get('CLIENTTAGDENY') ?? '').split(',').filter((entry) => entry !== ''),
    tokens,
  }
}

/** What holds before a server has said anything (RFC 2812's limits). */
export const DEFAULT_ISUPPORT: Isupport = fromTokens(new Map())

/** `current` with the tokens of one 005 line applied; `-NAME` takes a token back. At most 256 are kept. */
export function applyIsupport(current: Isupport, words: readonly string[]): Isupport {
  const tokens = new Map(current.tokens)
  for (const word of words) {
    const equals = word.indexOf('=')
    const name = (equals === -1 ? word : word.slice(0, equals)).toUpperCase()
    if (name.startsWith('-')) tokens.delete(name.slice(1))
    else if (tokens.size < MAX_TOKENS)
      tokens.set(name, equals === -1 ? '' : unescapeValue(word.slice(equals + 1)))
  }
  return fromTokens(tokens)
}

/** Whether a target names a channel here. */
export function isChannel(isupport: Isupport, target: string): boolean {
  return target !== '' && isupport.channelTypes.includes(target[0] ?? ' ')
}

/** Takes the status symbols of a target off: `@#channel` → `['@', '#channel']`. */
export function splitStatus(isupport: Isupport, target: string): [status: string, target: string] {
  let at = 0
  while (at < target.length && isupport.statusMessage.includes(target[at] ?? ' ')) at++
  const rest = target.slice(at)
  return isChannel(isupport, rest) ? [target.slice(0, at), rest] : ['', target]
}

/** Whether the server lets this client-only tag (`+name`) through. https://ircv3.net/specs/extensions/message-tags#rpl_isupport-tokens */
export function allowsClientTag(isupport: Isupport, tag: string): boolean {
  const name = tag.startsWith('+') ? tag.slice(1) : tag
  const { clientTagDeny } = isupport
  if (clientTagDeny.includes(`-${name}`)) return true
  return !clientTagDeny.includes('*') && !clientTagDeny.includes(name)
}
