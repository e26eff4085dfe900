/** Message tags by name; an absent tag is `undefined`, a tag without a value is the empty string. */
export type Tags = ReadonlyMap<string, string>

/** One line of the protocol, taken apart. https://modern.ircdocs.horse/#message-format */
export interface IrcMessage {
  readonly tags: Tags
  /** Who the server says it comes from (`nick!user@host` or a server's name), without the colon. */
  readonly source: string | undefined
  /** In capitals, or three digits. */
  readonly command: string
  readonly params: readonly string[]
}

/** A line to be written. */
export interface OutgoingMessage {
  readonly tags?: Tags | undefined
  readonly command: string
  readonly params: readonly string[]
}

export const NO_TAGS: Tags = new Map()

const UNESCAPED: Readonly<Record<string, string>> = { ':': ';', s: ' ', r: '\r', n: '\n' }
const ESCAPED: Readonly<Record<string, string>> = {
  ';': '\\:',
  ' ': '\\s',
  '\\': '\\\\',
  '\r': '\\r',
  '\n': '\\n',
}

/** Decodes a tag's value; a lone backslash at the end is dropped. https://ircv3.net/specs/extensions/message-tags#escaping-values */
export function unescapeTagValue(value: string): string {
  if (!value.includes('\\')) return value
  return value.replace(/\\(.?)/gs, (_, char: string) => UNESCAPED[char] ?? char)
}

/** Encodes a tag's value. */
export function escapeTagValue(value: string): string {
  return value.replace(/[; \\\r\n]/g, (char) => ESCAPED[char] ?? '')
}

function parseTags(text: string): Tags {
  const tags = new Map<string, string>()
  for (const part of text.split(';')) {
    const equals = part.indexOf('=')
    const name = equals === -1 ? part : part.slice(0, equals)
    if (name === '') continue
    tags.set(name, equals === -1 ? '' : unescapeTagValue(part.slice(equals + 1)))
  }
  return tags
}

function parseParams(rest: string): string[] {
  const params: string[] = []
  let at = 0
  while (at < rest.length) {
    if (rest[at] === ' ') {
      at++
      continue
    }
    if (rest[at] === ':') {
      params.push(rest.slice(at + 1))
      break
    }
    const space = rest.indexOf(' ', at)
    const end = space === -1 ? rest.length : space
    params.push(rest.slice(at, end))
    at = end
  }
  return params
}

/** Cuts the first word off; the rest has no leading spaces. */
function takeWord(text: string): [word: string, rest: string] {
  const space = text.indexOf(' ')
  if (space === -1) return [text, '']
  let next = space
  while (text[next] === ' ') next++
  return [text.slice(0, space), text.slice(next)]
}

/** Parses a line without its line end; `undefined` where there is no command. Any string is safe to give. */
export function parseMessage(line: string): IrcMessage | undefined {
  let rest = line
  let tags = NO_TAGS
  let source: string | undefined
  if (rest.startsWith('@')) {
    const [word, after] = takeWord(rest)
    tags = parseTags(word.slice(1))
    rest = after
  }
  while (rest.startsWith(' ')) rest = rest.slice(1)
  if (rest.startsWith(':')) {
    const [word, after] = takeWord(rest)
    source = word.slice(1)
    rest = after
  }
  const [command, params] = takeWord(rest)
  if (!/^(?:[A-Za-z]+|[0-9]{3})$/.test(command)) return undefined
  return { tags, source, command: command.toUpperCase(), params: parseParams(params) }
}

// A line end or NUL in a value would start a command of its writer's choice.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\0\r\n]/
const TAG_NAME = /^\+?(?:[A-Za-z0-9.-]+\/)?[A-Za-z0-9-]+$/

function formatTags(tags: Tags | undefined): string | undefined {
  if (tags === undefined || tags.size === 0) return ''
  const parts: string[] = []
  for (const [name, value] of tags) {
    if (!TAG_NAME.test(name) || value.includes('\0')) return undefined
    parts.push(value === '' ? name : `${name}=${escapeTagValue(value)}`)
  }
  return `@${parts.join(';')} `
}

function formatParams(params: readonly string[]): string | undefined {
  let out = ''
  for (const [index, param] of params.entries()) {
    if (FORBIDDEN.test(param)) return undefined
    const needsColon = param === '' || param.includes(' ') || param.startsWith(':')
    if (needsColon && index < params.length - 1) return undefined
    out += needsColon ? ` :${param}` : ` ${param}`
  }
  return out
}

/**
 * The line for a message, without its line end; `undefined` where it cannot be written as one line (line ends or NUL
 * in a parameter, a space in any but the last), so that nothing a person types can become a second command.
 */
export function formatMessage(message: OutgoingMessage): string | undefined {
  const tags = formatTags(message.tags)
  const params = formatParams(message.params)
  if (tags === undefined || params === undefined || !/^[A-Za-z]+$/.test(message.command)) return undefined
  return `${tags}${message.command}${params}`
}
