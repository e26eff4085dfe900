import { hasCommonFormat } from './common-format.ts'
import type { RoomAlias, ServerName } from './ids.ts'

/** A room alias, or undefined. https://spec.matrix.org/v1.19/appendices/#room-aliases */
export function parseRoomAlias(text: string): RoomAlias | undefined {
  return isRoomAlias(text) ? text : undefined
}

/** As `parseRoomAlias`, as a type guard for values of any type. */
export function isRoomAlias(value: unknown): value is RoomAlias {
  return typeof value === 'string' && hasCommonFormat(value, '#', false)
}

/** The alias of that name on a server, or undefined when the name holds `:` or NUL, is empty or too long. */
export function formatRoomAlias(localpart: string, serverName: ServerName): RoomAlias | undefined {
  return localpart.includes(':') ? undefined : parseRoomAlias(`#${localpart}:${serverName}`)
}

/** The part before the colon, without `#`. */
export function aliasLocalpartOf(alias: RoomAlias): string {
  return alias.slice(1, alias.indexOf(':'))
}

/** The server that resolves the alias. */
export function aliasServerNameOf(alias: RoomAlias): ServerName {
  return alias.slice(alias.indexOf(':') + 1) as ServerName
}
