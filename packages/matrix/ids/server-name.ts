import type { ServerName } from './ids.ts'

const PORT = /:\d{1,5}$/
const DNS_NAME = /^[A-Za-z0-9.-]{1,255}$/
const DOTTED_QUAD = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/
const IPV6_LITERAL = /^\[[0-9A-Fa-f:.]{2,45}\]$/
const HEX_GROUP = /^[0-9A-Fa-f]{1,4}$/

/**
 * A server name, or undefined: DNS name, IPv4 literal or bracketed IPv6 literal, with an optional port. Names
 * are case-sensitive and kept as they are. https://spec.matrix.org/v1.19/appendices/#server-name
 */
export function parseServerName(text: string): ServerName | undefined {
  return isServerName(text) ? text : undefined
}

/** Whether `text` is a server name by the grammar; says nothing of whether anybody answers there. */
export function isServerName(text: string): text is ServerName {
  const { hostname } = splitHostPort(text)
  if (hostname.startsWith('[')) return isIpv6Literal(hostname)
  if (DOTTED_QUAD.test(hostname)) return isIpv4(hostname)
  return DNS_NAME.test(hostname)
}

/**
 * Host name (IPv6 literals with their brackets) and port of a server name. The grammar allows five digits, so a
 * port above 65535 can stand here; whoever connects must refuse it.
 */
export function splitServerName(serverName: ServerName): { hostname: string; port: number | undefined } {
  const { hostname, port } = splitHostPort(serverName)
  return { hostname, port: port === undefined ? undefined : Number(port) }
}

/** Whether the server is named by an address: such servers are no good as `via` hints and may be barred by ACLs. */
export function isIpServerName(serverName: ServerName): boolean {
  const { hostname } = splitHostPort(serverName)
  return hostname.startsWith('[') || DOTTED_QUAD.test(hostname)
}

function splitHostPort(text: string): { hostname: string; port: string | undefined } {
  const match = PORT.exec(text)
  if (match === null) return { hostname: text, port: undefined }
  return { hostname: text.slice(0, match.index), port: text.slice(match.index + 1) }
}

function isIpv4(text: string): boolean {
  return DOTTED_QUAD.test(text) && text.split('.').every((part) => Number(part) <= 255)
}

/** RFC 3513 §2.2: eight groups, or fewer around one `::`; the last two may be written as IPv4. */
function isIpv6Literal(literal: string): boolean {
  if (!IPV6_LITERAL.test(literal)) return false
  const halves = literal.slice(1, -1).split('::')
  if (halves.length > 2) return false
  const counts = halves.map((half, index) => countGroups(half, index === halves.length - 1))
  if (counts.includes(undefined)) return false
  const total = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
  return halves.length === 2 ? total <= 7 : total === 8
}

function countGroups(half: string, isLast: boolean): number | undefined {
  if (half === '') return 0
  const groups = half.split(':')
  const tail = groups.at(-1) ?? ''
  const endsInIpv4 = isLast && isIpv4(tail)
  if (endsInIpv4) groups.pop()
  if (!groups.every((group) => HEX_GROUP.test(group))) return undefined
  return groups.length + (endsInIpv4 ? 2 : 0)
}
