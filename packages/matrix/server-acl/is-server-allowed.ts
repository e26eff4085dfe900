import type { ServerName } from '../ids/ids.ts'
import { compileGlob, type Glob } from '../push-rules/glob.ts'

interface CompiledAcl {
  readonly ipLiteralsAllowed: boolean
  readonly allow: GlobList
  readonly deny: GlobList
}

/** Names without wildcards are looked up; only the rest is tried one by one. */
interface GlobList {
  readonly names: ReadonlySet<string>
  readonly globs: readonly Glob[]
}

/** Compiled lists live as long as the content they come from. */
const compiled = new WeakMap<object, CompiledAcl>()

/**
 * Whether the room's `m.room.server_acl` lets a server take part. Ports are not considered. `content` is
 * undefined if the room has no such event, and unchecked otherwise: lists that are no lists are empty, which
 * forbids all servers. https://spec.matrix.org/v1.19/client-server-api/#server-access-control-lists-acls-for-rooms
 */
export function isServerAllowed(content: object | undefined, serverName: ServerName): boolean {
  if (content === undefined) return true
  const acl = compiled.get(content) ?? compile(content)
  const host = hostOf(serverName)
  if (!acl.ipLiteralsAllowed && isIpLiteral(host)) return false
  return !listed(acl.deny, host) && listed(acl.allow, host)
}

function compile(content: object): CompiledAcl {
  const { allow, deny, allow_ip_literals: ipLiterals } = content as Record<string, unknown>
  const acl = { ipLiteralsAllowed: ipLiterals !== false, allow: compileList(allow), deny: compileList(deny) }
  compiled.set(content, acl)
  return acl
}

/** A pattern too long to compile asks for more characters than a server name can have, and so matches none. */
function compileList(list: unknown): GlobList {
  const patterns = Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : []
  const names = patterns.filter((pattern) => !/[*?]/.test(pattern)).map((name) => name.toLowerCase())
  const globs = patterns.filter((pattern) => /[*?]/.test(pattern)).map((pattern) => compileGlob(pattern))
  return { names: new Set(names), globs: globs.filter((glob) => glob !== undefined) }
}

function listed(list: GlobList, host: string): boolean {
  return list.names.has(host) || list.globs.some((glob) => glob.matches(host))
}

/** The server name in lower case without its port. The colons of an IPv6 address stand in brackets. */
function hostOf(serverName: string): string {
  return serverName.toLowerCase().replace(/:[0-9]*$/, '')
}

function isIpLiteral(host: string): boolean {
  return host.startsWith('[') || /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(host)
}
